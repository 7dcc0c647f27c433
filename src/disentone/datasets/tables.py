"""Collections from a table: CSV, TSV, JSON lines or Parquet, one row a clip."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from disentone.audio import Skipped
from disentone.clips import ClipTable
from disentone.datasets.columns import derived_factor, factors_of, take_column
from disentone.datasets.config import CollectionConfig
from disentone.datasets.estimates import estimated_factor, is_estimate
from disentone.datasets.file_sounds import FileSounds
from disentone.datasets.segments import is_short, segment, short_note, without_short
from disentone.datasets.splits import make_splits
from disentone.errors import DataError
from disentone.factors import Factor

__all__ = [
    "PATHS",
    "RECORDINGS",
    "TABLE_SUFFIXES",
    "Collection",
    "collect",
    "read_table",
    "recordings_of",
    "table_columns",
]

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
"""Endings of the files that are taken for tables."""

_DEFAULTS = CollectionConfig()
PATHS = ("path", "file", "filename", "file_name", "filepath", "file_path", "audio", "audio_path",
         "audio_file", "audio_filename", "wav")  # fmt: skip
"""Columns that name the audio file, in lower case; the first that is there counts."""
RECORDINGS = ("source_id", "recording", "recording_id")
"""Columns that name the recording which a clip is cut from."""


@dataclass(frozen=True)
class Collection:
    """A clip table, what was left out of it, and what was guessed.

    Parameters
    ----------
    table : ClipTable
    skipped : list of Skipped
        Files and rows that are not in the table, each with the reason.
    notes : list of str
        Guesses and decisions that the user should see, one sentence each.
    named_splits : ndarray of object, shape (clips,), optional
        The table's own name of the split of each clip, None where it has none.
    """

    table: ClipTable
    skipped: list[Skipped]
    notes: list[str]
    named_splits: np.ndarray | None = None


def read_table(path: str | Path, config: CollectionConfig = _DEFAULTS) -> Collection:
    """Make a collection of a table whose rows name audio files.

    The column ``path`` (or ``file``, ``filename``, ``audio`` ...) is relative to the table.
    ``split`` and ``source_id`` or ``recording`` are used where present. With a column ``start``,
    in seconds, a row is a part of its file, ``seconds`` or ``duration`` long. Every other column
    is a factor, of a kind given or guessed (see :func:`~disentone.datasets.columns`).

    Parameters
    ----------
    path : path
        ``.csv``, ``.tsv``, ``.jsonl`` or ``.parquet``.
    config : CollectionConfig
        Kinds and tolerances of factors, splits where the table gives none, segments, loudness.

    Returns
    -------
    Collection

    Raises
    ------
    DataError
        If the table cannot be read, has no path column, or names no usable file.
    """
    path = Path(path)
    columns, skipped, numbers = table_columns(path)
    name = next((n for n in columns if n.strip().lower() in PATHS), None)
    if name is None:
        raise DataError(f"Table '{path}' needs a column 'path', but has: {', '.join(columns)}.")
    texts = ["" if value is None else str(value).strip() for value in columns.pop(name)]
    keep = []
    for row, text in enumerate(texts):
        if text:
            keep.append(row)
        else:
            skipped.append(Skipped(f"{path.name} row {numbers[row]}", "The row names no file."))
    return collect(
        path.parent,
        [texts[row] for row in keep],
        {name: [values[row] for row in keep] for name, values in columns.items()},
        config,
        skipped=skipped,
        source=f"Table '{path}'",
    )


def collect(
    root: Path,
    paths: Sequence[str],
    columns: Mapping[str, Sequence[Any]],
    config: CollectionConfig = _DEFAULTS,
    *,
    source: str = "The list",
    skipped: Iterable[Skipped] = (),
) -> Collection:
    """Make a collection of paths and columns; columns are read as by :func:`read_table`.

    Parameters
    ----------
    root : path
        What relative paths are relative to.
    paths : sequence of str
    columns : mapping of str to sequence
        As many values as paths.
    config : CollectionConfig
    source : str
        What to call the collection in errors.
    skipped : iterable of Skipped
        What was left out before.

    Returns
    -------
    Collection

    Raises
    ------
    DataError
        If no file is usable, or a kind, tolerance or split names no factor.
    """
    columns = dict(columns)
    is_part = "start" in columns
    start, seconds = _parts(columns, len(paths))
    ids = [_clip_id(text, begin if is_part else None) for text, begin in zip(paths, start)]
    keep, left_out = _usable(root, paths, ids)
    skipped = [*skipped, *left_out]
    rows = np.array(keep, dtype=int)
    files = np.array([os.path.join(root, text) for text in paths], dtype=object)
    padding_notes: list[str] = []
    whole = FileSounds(files, start, seconds)
    if config.segment is not None:
        cut = segment(
            files[rows].tolist(), start[rows], seconds[rows], length=config.segment, hop=config.hop
        )
        if config.short == "skip":
            cut = without_short(cut, config.segment)
        padded = [paths[keep[int(row)]] for row in cut.rows[is_short(cut, config.segment)]]
        if padded:
            padding_notes = [short_note(padded, config.segment, option="data.short=skip")]
        skipped += [Skipped(paths[keep[row]], reason) for row, reason in cut.broken.items()]
        rows, start, seconds = rows[cut.rows], cut.start, cut.seconds
        ids = [_clip_id(paths[row], begin) for row, begin in zip(map(int, rows), start)]
    else:
        start, seconds, ids = start[rows], seconds[rows], [ids[row] for row in keep]
    if not len(rows):
        first = f" ({skipped[0].path}: {skipped[0].reason})" if skipped else ""
        raise DataError(f"{source} has no usable audio file{first}.")
    order: list[int] = rows.tolist()
    for name in ("start", "seconds", "duration") if is_part else ():
        columns.pop(name, None)
    columns = {name: [values[row] for row in order] for name, values in columns.items()}
    given = take_column(columns, ("split",))
    sources = take_column(columns, RECORDINGS)
    recordings = recordings_of(sources, [os.path.normpath(paths[row]) for row in order])
    factors, notes = factors_of(columns, config.kinds, config.tolerances, len(set(recordings)))
    for name, rule in config.derive.items():
        if is_estimate(rule):  # of clips as a whole, whatever segments they are cut into
            used, place = np.unique(rows, return_inverse=True)
            factor, note = estimated_factor(name, rule, whole.take(used))
            factors[name], notes = factor.take(place), [*notes, note]
        else:
            factors[name] = derived_factor(name, rule, factors)
    splits, more = make_splits(given, recordings, factors, how=config.split, seed=config.seed)
    sounds = FileSounds(files[rows], start, seconds, config.lufs)
    table = ClipTable(np.array(ids, object), factors, splits, sounds, recordings)
    named = None if given is None else np.array([str(s or "") or None for s in given], object)
    return Collection(table, skipped, padding_notes + notes + more, named)


def table_columns(path: Path) -> tuple[dict[str, list[Any]], list[Skipped], list[int]]:
    """Read a table: its columns, rows that do not parse, and the number of every other row.

    Raises
    ------
    DataError
        If it is no table, or cannot be read.
    """
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise DataError(f"'{path}' is no table: use {', '.join(TABLE_SUFFIXES)}.")
    try:
        if path.suffix.lower() == ".parquet":
            return _parquet(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = _json_rows(file) if path.suffix.lower() == ".jsonl" else _csv_rows(path, file)
            return _gather(path, rows)
    except (OSError, UnicodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"Table '{path}' cannot be read: {reason}.") from error


def _parquet(path: Path) -> tuple[dict[str, list[Any]], list[Skipped], list[int]]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except pyarrow.ArrowException as error:
        raise DataError(f"Table '{path}' cannot be read: {error}.") from error
    return table.to_pydict(), [], list(range(1, table.num_rows + 1))


def _gather(
    path: Path, rows: Iterator[tuple[int, dict[str, Any] | str]]
) -> tuple[dict[str, list[Any]], list[Skipped], list[int]]:
    """Columns from rows that are either values by name or, as text, the reason to skip."""
    good, skipped, numbers = [], [], []
    for number, row in rows:
        if isinstance(row, str):
            skipped.append(Skipped(f"{path.name} row {number}", row))
        else:
            good.append(row)
            numbers.append(number)
    names = dict.fromkeys(name for row in good for name in row)
    return {name: [row.get(name) for row in good] for name in names}, skipped, numbers


def _csv_rows(path: Path, file: Iterable[str]) -> Iterator[tuple[int, dict[str, Any] | str]]:
    lines = iter(file)
    header = next(lines, "")
    separators = "\t" if path.suffix.lower() == ".tsv" else ",\t;"
    separator = max(separators, key=header.count)
    names = [name.strip() for name in next(csv.reader([header], delimiter=separator), [])]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"Table '{path}' has two columns '{twice}'.")
    for number, fields in enumerate(csv.reader(lines, delimiter=separator), 1):
        if len(fields) > len(names):
            yield number, f"The row has {len(fields)} fields for {len(names)} columns."
        elif fields:
            yield number, dict(zip(names, fields))


def _json_rows(file: Iterable[str]) -> Iterator[tuple[int, dict[str, Any] | str]]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        yield number, row if isinstance(row, dict) else "The line is not a JSON object."


def _parts(columns: Mapping[str, Sequence[Any]], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Start and length of every clip in seconds; whole files where there is no column 'start'."""
    if "start" not in columns:
        return np.zeros(count), np.full(count, np.nan)
    start = Factor.continuous("start", columns["start"]).values
    name = next((name for name in ("seconds", "duration") if name in columns), None)
    seconds = np.full(count, np.nan) if name is None else columns[name]
    return np.nan_to_num(start), Factor.continuous("seconds", seconds).values


def _clip_id(text: str, start: float | None) -> str:
    path = Path(os.path.normpath(text)).as_posix()
    return path if start is None else f"{path}@{start:.10g}"


def _usable(root: Path, paths: Sequence[str], ids: Sequence[str]) -> tuple[list[int], list]:
    """Rows whose file is there and not empty, without duplicates; nothing is opened yet."""
    keep, skipped, seen = [], [], set()
    for row, (text, name) in enumerate(zip(paths, ids)):
        reason = _problem(os.path.join(root, text))
        if name in seen:
            reason = "The clip occurs twice; the first occurrence is used."
        seen.add(name)
        if reason:
            skipped.append(Skipped(text, reason))
        else:
            keep.append(row)
    return keep, skipped


def _problem(path: str) -> str:
    """Why a file cannot be a clip, as far as its name and size show."""
    try:
        size = os.stat(path).st_size
        path.encode()
    except UnicodeError:
        return "The name is not valid UTF-8; rename the file."
    except (OSError, ValueError) as error:
        return f"The file cannot be found: {getattr(error, 'strerror', None) or error}."
    if os.path.isdir(path):
        return "It is a folder, not a file."
    return "" if size else "The file is empty (0 bytes)."


def recordings_of(sources: Sequence[Any] | None, paths: Sequence[str]) -> np.ndarray:
    """Give the recording of every clip: as in the table, else its file."""
    named = [None] * len(paths) if sources is None else sources
    names = [p if s is None or s == "" else str(s) for s, p in zip(named, paths)]  # 0 is a name
    return np.array(names, dtype=object)
