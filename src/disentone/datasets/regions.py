"""Parts of files: columns of a table that say where in its file a clip begins and ends."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from disentone import audio
from disentone.datasets.columns import UNKNOWN
from disentone.errors import AudioError

__all__ = [
    "RegionColumns",
    "Regions",
    "file_seconds",
    "is_place",
    "length_column",
    "past_the_end",
    "read_regions",
    "region_columns",
]

LATE = 0.1  # seconds: a part may end so much after its file, as tables are rounded

_STARTS = ("start", "onset", "begin", "beginning", "tmin", "from")
_ENDS = ("end", "stop", "offset", "finish", "tmax", "to")
_LENGTHS = ("duration", "seconds", "length", "dur")
_WORDS = ("", "time", "s", "sec", "secs", "second", "seconds", "ms", "times")
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:[.,]\d*)?)")
_NUMBER = re.compile(r"([+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:e[+-]?\d+)?)\s*(s|secs?|seconds?|ms)?", re.I)


class RegionColumns(NamedTuple):
    """Names of the columns that say which part of its file a clip is, None where there is none."""

    start: str | None
    end: str | None
    length: str | None


class Regions(NamedTuple):
    """Which part of its file each clip is.

    Attributes
    ----------
    start, seconds : ndarray of float, shape (clips,)
        In seconds; NaN seconds for up to the end of the file.
    wrong : dict of int to str
        Clips that are no part of a file, with the reason.
    columns : RegionColumns
        All None where clips are whole files.
    notes : list of str
        What the user should know, one sentence each.
    """

    start: np.ndarray
    seconds: np.ndarray
    wrong: dict[int, str]
    columns: RegionColumns
    notes: list[str]


def region_columns(columns: Mapping[str, Sequence[Any]]) -> RegionColumns:
    """Find the columns of start, end and length, by any of their usual names and in any case.

    An ``offset`` is an end beside an ``onset`` or another start, and is a start beside a duration
    alone. A length without start or end is none of a part. Columns without a time in them do not
    count.
    """
    start = _first(columns, _STARTS)
    end = _first(columns, _ENDS, without=() if start else _ENDS[1:])
    length = _first(columns, _LENGTHS)
    if start is None and end is None and length is not None:
        start = _first(columns, ("offset",))
    return RegionColumns(start, end, length if start or end else None)


def is_place(name: str) -> bool:
    """Whether a column is called as those of starts and ends are."""
    return _is_called(name, (*_STARTS, *_ENDS))


def read_regions(columns: Mapping[str, Sequence[Any]], count: int) -> Regions:
    """Read where clips begin and end; times are seconds, ``m:s``, ``h:m:s`` or ``250 ms``.

    Parameters
    ----------
    columns : mapping of str to sequence, of `count` values each
    count : int
        Clips.

    Returns
    -------
    Regions
    """
    found = region_columns(columns)
    whole = np.full(count, np.nan)
    if not (found.start or found.end):
        return Regions(np.zeros(count), whole, {}, found, [])
    wrong: dict[int, str] = {}
    start, end, length = (
        whole if name is None else _times(name, columns[name], wrong) for name in found
    )
    start = np.nan_to_num(start)
    seconds = np.where(np.isnan(end), length, end - start)
    for row in np.flatnonzero(start < 0).tolist():
        wrong.setdefault(row, f"It starts at {start[row]:g} s, before its file does.")
    for row in np.flatnonzero(seconds <= 0).tolist():
        reason = f"It ends at {start[row] + seconds[row]:g} s, and starts at {start[row]:g} s."
        wrong.setdefault(row, reason)
    notes = []
    if found.start is None:
        notes.append(
            f"Clips begin with their files: there is no column of starts by '{found.end}'."
        )
    differ = np.abs(end - start - length) > LATE
    if differ.any():
        notes.append(
            f"'{found.length}' is not what lies between '{found.start}' and '{found.end}' in "
            f"{int(differ.sum())} rows, where '{found.end}' counts."
        )
    return Regions(start, seconds, wrong, found, notes)


def past_the_end(
    paths: Sequence[str], start: np.ndarray, seconds: np.ndarray
) -> tuple[dict[int, str], np.ndarray]:
    """Compare parts with the files that they are of.

    Parameters
    ----------
    paths : sequence of str
    start, seconds : ndarray of float, shape (clips,)

    Returns
    -------
    wrong : dict of int to str
        Clips that begin after their file ends, with the reason.
    late : ndarray of int
        Others that end more than 0.1 s after it.
    """
    known = file_seconds(dict.fromkeys(paths))
    length = np.array([known.get(path, np.nan) for path in paths])
    wrong = {
        row: f"The file ends before {start[row]:g} s."
        for row in np.flatnonzero(start >= length).tolist()
    }
    return wrong, np.flatnonzero((start < length) & (start + seconds > length + LATE))


def file_seconds(paths: Iterable[str], jobs: int = 8) -> dict[str, float]:
    """Look up how long files are; those that cannot be read are left out."""

    def look(path: str) -> float:
        try:
            return audio.info(path).seconds
        except AudioError:
            return np.nan

    distinct = list(paths)
    with ThreadPoolExecutor(jobs) as pool:
        return {p: s for p, s in zip(distinct, pool.map(look, distinct)) if not np.isnan(s)}


def length_column(columns: Mapping[str, Sequence[Any]], paths: Sequence[str]) -> str | None:
    """Find a column that only repeats how long the files are, by some of them.

    Parameters
    ----------
    columns : mapping of str to sequence
    paths : sequence of str
    """
    count = len(paths)
    rows = sorted({int(row) for row in np.linspace(0, count - 1, 50)}) if count else []
    for name in columns:
        if not _is_called(name, _LENGTHS):
            continue
        given = _times(name, [columns[name][row] for row in rows], {})
        files = [paths[row] for row in rows]
        known = file_seconds(dict.fromkeys(files))
        length = np.array([known.get(path, np.nan) for path in files])
        both = ~np.isnan(given) & ~np.isnan(length)
        near = np.abs(given - length)[both] <= np.maximum(LATE, 0.02 * length[both])
        if both.any() and near.mean() >= 0.9:
            return name
    return None


def _first(
    columns: Mapping[str, Sequence[Any]], words: Sequence[str], without: Sequence[str] = ()
) -> str | None:
    """Name of the first column of that meaning in which there is a time."""
    words = [word for word in words if word not in without]
    called = (name for name in columns if _is_called(name, words))
    return next((name for name in called if _has_times(columns[name])), None)


def _is_called(name: str, words: Iterable[str]) -> bool:
    """Whether a name, such as ``Begin Time (s)``, is one of some words, with a unit or none."""
    parts = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    parts = re.sub(r"[\s_\-.()\[\]/]+", " ", parts).strip().split()
    if parts[:1] in (["t"], ["time"]) and len(parts) > 1:  # t_start
        parts = parts[1:]
    return bool(parts) and parts[0] in words and all(part in _WORDS for part in parts[1:])


def _has_times(values: Sequence[Any]) -> bool:
    return any(_seconds(value) is not None for value in values if not _is_unknown(value))


def _times(name: str, values: Sequence[Any], wrong: dict[int, str]) -> np.ndarray:
    """Times in seconds, NaN where there is none; adds the rows whose value is no time."""
    scale = 0.001 if re.search(r"(?:^|[^a-z])ms\b", name.lower().replace("_", " ")) else 1.0
    times = np.full(len(values), np.nan)
    for row, value in enumerate(values):
        if type(value) is float or type(value) is int:
            times[row] = value
        elif not _is_unknown(value):
            seconds = _seconds(value)
            if seconds is None:
                wrong.setdefault(
                    row, f"Its {name} '{value}' is no time: write seconds, m:s or h:m:s."
                )
            else:
                times[row] = seconds
    return times * scale


def _is_unknown(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value.strip().lower() in UNKNOWN)


def _seconds(value: Any) -> float | None:
    """Seconds of a number or text, None if it is no time."""
    try:
        return float(value)
    except (TypeError, ValueError):
        text = str(value).strip()
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds = clock.groups()
        return 3600 * int(hours or 0) + 60 * int(minutes) + float(seconds.replace(",", "."))
    if number := _NUMBER.fullmatch(text):
        return float(number[1].replace(",", ".")) * (0.001 if number[2] == "ms" else 1.0)
    return None
