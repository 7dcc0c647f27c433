"""CSV as people write it: its encoding, its separator, its header, and its rows.

The standard library's reader parses the rows: it takes what spreadsheets write, where pyarrow's
refuses rows that are short or end in commas. What a table looks like is found here: the library's
sniffer needs two columns, and takes a letter for the separator where there is one.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from disentone.audio import SUFFIXES
from disentone.errors import DataError

__all__ = ["CsvRows", "encoding_of", "names_audio", "read_csv"]

_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, which begins alike
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_SPREADSHEETS = (b"PK\3\4", b"\xd0\xcf\x11\xe0")  # first bytes of .xlsx and .ods, and of .xls
_SEPARATORS = ",;\t|"
_NONE = "\x1f"  # in no table: the separator of one that has a single column
_SEP_LINE = re.compile(r'"?sep=(.)"?[,;\t|]*\s*', re.IGNORECASE)  # for Excel
_LOOKED_AT = 1000  # lines from which the separator is found
_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b\u200e\u200f"))


class CsvRows(NamedTuple):
    """A table that is being read.

    Attributes
    ----------
    names : list of str
        Of the columns, as they are written, "" where there is none.
    rows : iterator of (int, list of str or str)
        Number and fields of each row, as many as names or fewer; or why it cannot be used.
    decimal_comma : bool
        Whether a comma in a number is more likely a decimal point than one for thousands.
    """

    names: list[str]
    rows: Iterator[tuple[int, list[str] | str]]
    decimal_comma: bool


def encoding_of(path: Path) -> tuple[str, list[str]]:
    """Find the encoding of a text: as its first bytes say, else UTF-8, UTF-16 or Windows-1252.

    Returns
    -------
    encoding : str
    notes : list of str
        That it is a guess, where it is.

    Raises
    ------
    DataError
        If it is none of these.
    """
    with path.open("rb") as file:
        first = file.read(4096)
    for mark, encoding in _BOMS.items():
        if first.startswith(mark):
            return encoding, []
    if first.startswith(_SPREADSHEETS):
        raise DataError(f"Table '{path}' is a spreadsheet, not text: save it as CSV (UTF-8).")
    if first.count(0) > len(first) // 8:  # in UTF-16, every second byte of plain text is 0
        odd = first[1::2].count(0) > first[::2].count(0)
        encoding = "utf-16-le" if odd else "utf-16-be"
        if "\0" not in first.decode(encoding, "ignore") and _decodes(path, encoding):
            return encoding, []
    elif 0 in first:
        raise DataError(f"Table '{path}' has zero bytes in its text: save it as UTF-8.")
    elif _decodes(path, "utf-8"):
        return "utf-8", []
    elif _decodes(path, "cp1252"):
        return "cp1252", [f"'{path}' is not UTF-8 and was read as Windows-1252."]
    raise DataError(
        f"Table '{path}' is neither UTF-8, UTF-16 nor Windows-1252 text: save it as UTF-8."
    )


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while block := file.read(2**20):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeError:
        return False
    return True


def read_csv(path: Path, file: Iterable[str]) -> CsvRows:
    """Find the header of a table; its rows are read when they are asked for.

    Lines that begin with ``#`` above the header, and those among the rows that do not fit, are
    comments; a comment above rows that have no other header is the header. Empty lines, headers
    that occur again and fields without text at the end of rows do not count.

    Parameters
    ----------
    path : Path
        For errors; a ``.tsv`` has tabs where it may have either.
    file : iterable of str
        Its lines.

    Returns
    -------
    CsvRows

    Raises
    ------
    DataError
        If there are rows where the header should be; while rows are read, if a quotation mark is
        not closed.
    csv.Error
        If rows cannot be parsed.
    """
    lines = iter(file)
    begin = list(islice(lines, _LOOKED_AT))
    whole = len(begin) < _LOOKED_AT
    separator, comment = None, ""
    if begin and (match := _SEP_LINE.fullmatch(begin[0])):
        separator = match[1]
        begin.pop(0)
    while begin and (not begin[0].strip() or _is_comment(begin[0])):
        line = begin.pop(0)
        comment = line if line.strip() else comment
    preferred = "\t" + _SEPARATORS if path.suffix.lower() == ".tsv" else _SEPARATORS
    separator = separator or _separator(begin, preferred, whole=whole)
    source = _Lines(chain(begin, lines))
    reader = csv.reader(source, delimiter=separator, skipinitialspace=True)
    names, first = next(reader, []), []
    if any(map(names_audio, names)):
        names, first = _in_comment(path, comment, separator, names), [names]
    elif _has_row_names(_parsed(begin[1:], separator, whole=whole), len(names)):  # as R writes them
        names = ["", *names]
    return CsvRows(
        [" ".join(name.translate(_INVISIBLE).split()) for name in names],
        _rows(path, reader, source, names, first),
        separator != ",",
    )


def names_audio(text: object) -> bool:
    """Whether a text looks like the name of an audio file."""
    _, dot, suffix = str(text).strip().rpartition(".")
    return f"{dot}{suffix.lower()}" in SUFFIXES


class _Lines:
    """Lines, of which those are kept that were not looked at yet."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines
        self.recent: list[str] = []

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.recent.append(line)
            yield line


def _rows(
    path: Path, reader: Iterator[list[str]], source: _Lines, names: list[str], first: list
) -> Iterator[tuple[int, list[str] | str]]:
    """Rows that are no comments; `first` are those that were read before."""
    width, of_row = len(names), source.recent
    long = list(of_row) if len(of_row) > 1 else []  # the lines of the last row, where it has more
    of_row.clear()
    for number, fields in enumerate(chain(first, reader), 1):
        long = list(of_row) if len(of_row) > 1 else []
        of_row.clear()
        if len(fields) == width and fields[0] and fields[0][0] != "#" and fields != names:
            yield number, fields
        elif _has_values(fields, names):
            if any(map(str.strip, fields[width:])):
                yield number, f"The row has {len(fields)} fields for {width} columns."
            else:
                yield number, fields[:width]
    if sum(line.count('"') for line in long) % 2:
        raise DataError(
            f"Table '{path}' has a quotation mark {len(long)} lines before its end that is not "
            "closed: close it, or write two for one that is part of a text."
        )


def _has_values(fields: list[str], names: list[str]) -> bool:
    """Whether a row is not empty, no header and no comment."""
    if not any(map(str.strip, fields)) or fields == names:
        return False
    fits = len(fields) == len(names) and (len(names) == 1 or any(fields[1:]))
    return fits or not fields[0].startswith("#")


def _is_comment(line: str) -> bool:
    return line.lstrip('\ufeff "').startswith("#")


def _parsed(lines: list[str], separator: str, *, whole: bool) -> list[list[str]]:
    """Rows of the lines that are looked at: no comments, and not one that may be cut in two."""
    kept = (line for line in lines if not _is_comment(line))
    rows = [row for row in csv.reader(kept, delimiter=separator, skipinitialspace=True) if row]
    return rows if whole or len(rows) < 3 else rows[:-1]


def _separator(lines: list[str], preferred: str, *, whole: bool) -> str:
    """Find the separator by which most rows have as many fields as the header, and most fields."""
    best, most = _NONE, (0.0, 1)
    for separator in preferred:
        rows = _parsed(lines, separator, whole=whole)
        if not rows:
            continue
        header, *rest = rows
        width = len(header)
        fit = sum(len(row) == width or (len(row) > width and not any(row[width:])) for row in rest)
        if _has_row_names(rest, width):
            fit = len(rest)
        more = width > 1 or any(len(row) > 1 for row in rest)  # a trailing comma in rows alone
        share = round(fit / len(rest), 2) if rest else 1.0
        if more and (width > 1 or share == 1) and (share, width) > most:
            best, most = separator, (share, width)
    return best


def _has_row_names(rows: list[list[str]], width: int) -> bool:
    """Whether all rows have a number of their own before what the header has names for."""
    fits = all(len(row) == width + 1 and row[0].isdecimal() and row[-1] for row in rows)
    return fits and len(rows) > 1 and len({row[0] for row in rows}) == len(rows)


def _in_comment(path: Path, comment: str, separator: str, first: list[str]) -> list[str]:
    """Header that is a comment above the first row."""
    text = comment.lstrip('\ufeff "#')
    names = next(csv.reader([text], delimiter=separator, skipinitialspace=True), [])
    if not _is_comment(comment) or len(names) != len(first):
        raise DataError(
            f"Table '{path}' begins with '{separator.join(first).replace(_NONE, '')}' where the "
            "names of its columns should be: add a first line such as path,label."
        )
    return names
