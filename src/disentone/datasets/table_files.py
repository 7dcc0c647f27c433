"""Columns of a file with a table in it: CSV, TSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import json
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from disentone.audio import Skipped
from disentone.datasets.columns import UNKNOWN
from disentone.datasets.csv_tables import encoding_of, read_csv
from disentone.errors import DataError, printable

__all__ = ["TABLE_SUFFIXES", "TableColumns", "table_columns"]

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
"""Endings of the files that are taken for tables."""

_AT_ONCE = 8192  # rows that are turned into columns together
_FEW = 10_000  # values of a column that are kept once, however often they occur
_UNNAMED = re.compile(r"(Unnamed: \d+(_level_\d+)?|__index_level_\d+__)?")  # as pandas writes them
_COMMA = re.compile(r"[+-]?\d*,\d+")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+")


class TableColumns(NamedTuple):
    """What is in a table.

    Attributes
    ----------
    columns : dict of str to list
        Values of the rows, None where a row has none.
    skipped : list of Skipped
        Rows that do not parse.
    numbers : sequence of int
        Number of every other row in its file.
    notes : list of str
        What was guessed and changed, one sentence each.
    """

    columns: dict[str, list[Any]]
    skipped: list[Skipped]
    numbers: Sequence[int]
    notes: list[str]


def table_columns(path: Path) -> TableColumns:
    """Read a table.

    A column without a name that numbers the rows is left out, another is called after its place;
    of two with one name, the second is left out if it is the same, and else gets a number.

    Raises
    ------
    DataError
        If it is no table, or cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix not in TABLE_SUFFIXES:
        raise DataError(f"'{path}' is no table: use {', '.join(TABLE_SUFFIXES)}.")
    try:
        if suffix == ".parquet":
            return _parquet(path)
        encoding, notes = encoding_of(path)
        with path.open(encoding=encoding, newline="") as file:
            found = (_json_lines if suffix == ".jsonl" else _csv)(path, file)
    except csv.Error as error:
        raise DataError(
            f"Table '{path}' cannot be read ({error}): is a quotation mark not closed?"
        ) from error
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"Table '{path}' cannot be read: {reason}.") from error
    return found._replace(notes=notes + found.notes)


def _parquet(path: Path) -> TableColumns:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(path).read()
    except pyarrow.ArrowException as error:
        raise DataError(f"Table '{path}' cannot be read: {error}.") from error
    columns, notes = _named(table.column_names, [column.to_pylist() for column in table.columns])
    return TableColumns(columns, [], range(1, table.num_rows + 1), notes)


def _csv(path: Path, file: Iterable[str]) -> TableColumns:
    found = read_csv(path, file)
    values, skipped, numbers = _by_column(path, found.rows, len(found.names))
    for place, column in enumerate(values):
        values[place] = _with_points(column, decimal=found.decimal_comma)
    columns, notes = _named(found.names, values)
    return TableColumns(columns, skipped, numbers, notes)


def _by_column(
    path: Path, rows: Iterator[tuple[int, list[str] | str]], width: int
) -> tuple[list[list[Any]], list[Skipped], Sequence[int]]:
    """Columns from rows; no more than some rows are in memory, and texts that recur once."""
    values: list[list[Any]] = [[] for _ in range(width)]
    known: list[dict[str | None, str | None]] = [{} for _ in range(width)]
    skipped, numbers = [], array("q")
    while block := list(islice(rows, _AT_ONCE)):
        good = [fields for _, fields in block if not isinstance(fields, str)]
        for number, fields in block:
            if isinstance(fields, str):
                skipped.append(Skipped(f"{path.name} row {number}", fields))
            else:
                numbers.append(number)
        for column, texts, seen in zip(values, zip_longest(*good, [None] * width), known):
            texts = texts[:-1]  # of the last row, which is there for its length
            column.extend(map(seen.setdefault, texts, texts) if len(seen) < _FEW else texts)
    return values, skipped, numbers


def _with_points(column: list[Any], *, decimal: bool) -> list[Any]:
    """Numbers with a point, where all are written with commas; other columns as they are."""
    commas = thousands = several = 0
    for text in column:
        if not text or text.isdecimal() or text.strip().lower() in UNKNOWN:
            continue
        grouped = not decimal and _THOUSANDS.fullmatch(text.strip()) is not None
        if not grouped and not _COMMA.fullmatch(text.strip()):
            return column
        commas, thousands = commas + 1, thousands + grouped
        several += text.count(",") > 1
    if not commas or (several and thousands < commas):
        return column
    point = "" if thousands == commas else "."
    return [text.replace(",", point) if text else text for text in column]


def _json_lines(path: Path, file: Iterable[str]) -> TableColumns:
    good, skipped, numbers = [], [], []
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if isinstance(row, dict):
            good.append(row)
            numbers.append(number)
        else:
            reason = "The line is not a JSON object."
            skipped.append(Skipped(f"{path.name} row {number}", reason))
    names = list(dict.fromkeys(name for row in good for name in row))
    columns, notes = _named(names, [[row.get(name) for row in good] for name in names])
    return TableColumns(columns, skipped, numbers, notes)


def _named(names: Sequence[str], values: Sequence[list[Any]]) -> tuple[dict[str, list], list[str]]:
    """Columns by name, each once."""
    columns: dict[str, list[Any]] = {}
    notes = []
    for place, (written, column) in enumerate(zip(names, values), 1):
        name = printable(written)
        if _UNNAMED.fullmatch(name):
            if all(value in (None, "") for value in column):
                continue
            if _numbers_rows(column):
                notes.append(f"Column {place} has no name and numbers the rows: it is left out.")
                continue
            name = _free(f"column_{place}", {*names, *columns})
            notes.append(f"Column {place} has no name: it is called '{name}'.")
        elif name in columns:
            if columns[name] == column:
                notes.append(f"Column '{name}' is there twice, with the same values.")
                continue
            name = _free(f"{written}_2", {*names, *columns})
            notes.append(f"Two columns are called '{written}': the second is called '{name}' here.")
        columns[name] = column
    return columns, notes


def _free(name: str, taken: set[str]) -> str:
    """Give a name that is not taken, counting on."""
    stem, _, number = name.rpartition("_")
    while name in taken:
        number = str(int(number) + 1)
        name = f"{stem}_{number}"
    return name


def _numbers_rows(column: list[Any]) -> bool:
    """Whether a column holds whole numbers, each once."""
    if not all(isinstance(v, int) or (isinstance(v, str) and v.isdecimal()) for v in column):
        return False
    return len(set(column)) == len(column)
