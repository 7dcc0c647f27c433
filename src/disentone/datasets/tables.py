"""Collections from a table: CSV, TSV, JSON lines or Parquet, one row a clip."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from disentone.audio import Skipped
from disentone.audio.decoding import irregular
from disentone.clips import ClipTable
from disentone.datasets.columns import derived_factor, factors_of, take_column
from disentone.datasets.config import CollectionConfig
from disentone.datasets.estimates import estimated_factor, is_estimate
from disentone.datasets.file_sounds import FileSounds
from disentone.datasets.path_columns import NamedFiles, name_files, path_column
from disentone.datasets.regions import Regions, length_column, past_the_end, read_regions
from disentone.datasets.segments import is_short, segment, short_note, without_short
from disentone.datasets.splits import make_splits
from disentone.datasets.table_files import table_columns
from disentone.errors import DataError

__all__ = ["RECORDINGS", "Collection", "collect", "read_table", "recordings_of"]

_DEFAULTS = CollectionConfig()
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
    r"""Make a collection of a table whose rows name audio files.

    The column ``path`` (or ``file``, ``filename``, ``audio`` ..., or one with values such as
    ``a.wav``) is relative to the table; of several, that of most files is taken. A name may have
    ``\\`` for ``/``, and any normal form of Unicode. ``split`` and ``source_id`` or ``recording``
    are used where present. With a column of starts, of ends or both, by any of their usual names,
    a row is a part of its file (see :mod:`disentone.datasets.regions`). Every other column is a
    factor, of a kind given or guessed (see :func:`~disentone.datasets.columns`).

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
    columns, skipped, numbers, notes = table_columns(path)
    files = NamedFiles(path.parent)
    name = path_column(columns, files)
    if name is None:
        there = f"has: {', '.join(columns)}" if columns else "is empty"
        raise DataError(f"Table '{path}' needs a column 'path', but {there}.")
    may_be_comment = name == next(iter(columns))  # which begins with #, as a file may
    texts = ["" if value is None else str(value).strip() for value in columns.pop(name)]
    keep, unnamed = [], []
    for row, text in enumerate(texts):
        if not text:
            unnamed.append(Skipped(f"{path.name} row {numbers[row]}", "The row names no file."))
        elif not (may_be_comment and text[0] == "#" and not os.path.lexists(files.path(text))):
            keep.append(row)
    for other in [o for o in columns if o not in config.kinds and name_files(columns[o])]:
        del columns[other]
        notes = [*notes, f"Files are those of column '{name}', and not of '{other}'."]
    found = collect(
        path.parent,
        [files.name(texts[row]) for row in keep],
        {name: [values[row] for row in keep] for name, values in columns.items()},
        config,
        skipped=[*skipped, *unnamed],
        source=f"Table '{path}'",
    )
    return replace(found, notes=[*notes, *found.notes])


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
    regions = read_regions(columns, len(paths))
    is_part = any(regions.columns)
    start, seconds = regions.start, regions.seconds
    ids = [_clip_id(text, begin if is_part else None) for text, begin in zip(paths, start)]
    keep, left_out = _usable(root, paths, ids, regions)
    skipped = [*skipped, *left_out]
    rows = np.array(keep, dtype=int)
    files = np.array([os.path.join(root, text) for text in paths], dtype=object)
    first_notes = list(regions.notes)
    if is_part:
        rows, beyond, note = _within_files(ids, files, regions, rows)
        skipped, first_notes = skipped + beyond, first_notes + note
    else:
        free = {name: values for name, values in columns.items() if name not in config.kinds}
        repeated = length_column(free, files.tolist())
        if repeated:
            del columns[repeated]
            first_notes.append(f"Column '{repeated}' is how long the files are, and no factor.")
    whole = FileSounds(files, start, seconds)
    if config.segment is not None:
        cut = segment(
            files[rows].tolist(), start[rows], seconds[rows], length=config.segment, hop=config.hop
        )
        if config.short == "skip":
            cut = without_short(cut, config.segment)
        padded = [paths[int(rows[row])] for row in cut.rows[is_short(cut, config.segment)]]
        if padded:
            first_notes += [short_note(padded, config.segment, option="data.short=skip")]
        skipped += [Skipped(ids[int(rows[row])], reason) for row, reason in cut.broken.items()]
        rows, start, seconds = rows[cut.rows], cut.start, cut.seconds
        ids = [_clip_id(paths[row], begin) for row, begin in zip(map(int, rows), start)]
    else:
        start, seconds, ids = start[rows], seconds[rows], [ids[row] for row in rows.tolist()]
    if not len(rows):
        first = f" ({skipped[0].path}: {skipped[0].reason})" if skipped else ""
        raise DataError(f"{source} has no usable audio file{first}.")
    order: list[int] = rows.tolist()
    columns = {
        name: [values[row] for row in order]
        for name, values in columns.items()
        if name not in regions.columns
    }
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
    return Collection(table, skipped, first_notes + notes + more, named)


def _clip_id(text: str, start: float | None) -> str:
    path = os.path.normpath(text).replace(os.sep, "/")
    return path if start is None else f"{path}@{start:.10g}"


def _usable(
    root: Path, paths: Sequence[str], ids: Sequence[str], regions: Regions
) -> tuple[list[int], list[Skipped]]:
    """Rows whose file is there and not empty, without duplicates; nothing is opened yet."""
    keep, skipped = [], []
    seen: dict[str, float] = {}
    problems: dict[str, str] = {}  # of files, which may have many parts
    for row, (text, name) in enumerate(zip(paths, ids)):
        if text not in problems:
            problems[text] = problem_of(os.path.join(root, text))
        reason = problems[text] or regions.wrong.get(row, "")
        length = regions.seconds[row]
        if not reason and name in seen:
            same = seen[name] == length or (np.isnan(length) and np.isnan(seen[name]))
            reason = "The clip occurs twice" if same else "Another part of the file begins there"
            reason = f"{reason}; the first occurrence is used."
        if reason:
            is_whole = problems[text] or not any(regions.columns)
            skipped.append(Skipped(text if is_whole else name, reason))
        else:
            seen[name] = length
            keep.append(row)
    return keep, skipped


def problem_of(path: str) -> str:
    """Why a file cannot be a clip, as far as its name and size show."""
    try:
        status = os.stat(path)
        path.encode()
    except UnicodeError:
        return "The name is not valid UTF-8; rename the file."
    except FileNotFoundError:
        return f"The file cannot be found: there is no '{path}'."
    except (OSError, ValueError) as error:
        return f"The file cannot be found: {getattr(error, 'strerror', None) or error}."
    if kind := irregular(status.st_mode):
        return f"It is {kind}, not a file."
    return "" if status.st_size else "The file is empty (0 bytes)."


def _within_files(
    ids: Sequence[str], files: np.ndarray, regions: Regions, rows: np.ndarray
) -> tuple[np.ndarray, list[Skipped], list[str]]:
    """Rows of parts that begin in their files, the others, and a note of those that end later."""
    start, seconds = regions.start[rows], regions.seconds[rows]
    wrong, late = past_the_end(files[rows].tolist(), start, seconds)
    skipped = [Skipped(ids[int(rows[place])], reason) for place, reason in wrong.items()]
    notes = []
    if len(late):
        first = late[0]
        notes = [
            f"Parts that end after their file, such as '{ids[int(rows[first])]}' at "
            f"{start[first] + seconds[first]:g} s ({len(late)} in all), end with it."
        ]
    return np.delete(rows, list(wrong)), skipped, notes


def recordings_of(sources: Sequence[Any] | None, paths: Sequence[str]) -> np.ndarray:
    """Give the recording of every clip: as in the table, else its file."""
    named = [None] * len(paths) if sources is None else sources
    names = [p if s is None or s == "" else str(s) for s, p in zip(named, paths)]  # 0 is a name
    return np.array(names, dtype=object)
