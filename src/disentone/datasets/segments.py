"""Segments: fixed-length windows of files, each with its recording."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from disentone import audio
from disentone.errors import AudioError

__all__ = ["Segments", "is_short", "segment", "short_note", "windows", "without_short"]

_ROUNDING = 1e-6  # seconds: a window may end so much after its file


class Segments(NamedTuple):
    """Windows of clips.

    Attributes
    ----------
    rows : ndarray of int, shape (segments,)
        Which clip each segment is cut from, in order.
    start, seconds : ndarray of float, shape (segments,)
        Place in the file and length.
    broken : dict of int to str
        Clips whose file cannot be read, with the reason.
    """

    rows: np.ndarray
    start: np.ndarray
    seconds: np.ndarray
    broken: dict[int, str]


def windows(duration: float, *, seconds: float, hop: float | None = None) -> np.ndarray:
    """Start times of the windows of a sound: all that fit, and one if the sound is shorter.

    Parameters
    ----------
    duration : float
        Of the sound, in seconds.
    seconds : float
        Of a window, above 0.
    hop : float, optional
        From one window to the next, above 0; by default windows do not overlap.

    Returns
    -------
    ndarray of float, shape (windows,)
        In seconds; at least one.
    """
    hop = hop or seconds
    count = 1 + int(max(0.0, (duration - seconds + _ROUNDING) // hop))
    return hop * np.arange(count)


def segment(
    paths: Sequence[str],
    start: np.ndarray,
    seconds: np.ndarray,
    *,
    length: float,
    hop: float | None = None,
    jobs: int = 8,
) -> Segments:
    """Cut clips, which are files or parts of files, into windows.

    Parameters
    ----------
    paths : sequence of str
    start, seconds : ndarray of float, shape (clips,)
        Part of the file that is the clip; NaN seconds for up to its end.
    length, hop : float
        Of the windows; see :func:`windows`.
    jobs : int
        Files whose headers are read at once.

    Returns
    -------
    Segments
    """
    distinct = list(dict.fromkeys(paths))
    with ThreadPoolExecutor(jobs) as pool:
        found = dict(zip(distinct, pool.map(_duration, distinct)))
    rows, starts, lengths, broken = [], [], [], {}
    for row, path in enumerate(paths):
        duration = found[path]
        if isinstance(duration, str):
            broken[row] = duration
            continue
        part = np.nanmin([duration - start[row], seconds[row]])
        if part <= 0:
            broken[row] = f"'{path}' ends before {start[row]:g} s."
            continue
        begins = windows(part, seconds=length, hop=hop)
        rows.append(np.full(len(begins), row))
        starts.append(start[row] + begins)
        lengths.append(np.full(len(begins), min(length, part)))
    empty = np.empty(0)
    return Segments(
        np.concatenate([empty.astype(int), *rows]),
        np.concatenate([empty, *starts]),
        np.concatenate([empty, *lengths]),
        broken,
    )


def is_short(cut: Segments, length: float) -> np.ndarray:
    """Which segments are shorter than `length` seconds: bool (segments,)."""
    return cut.seconds < length - _ROUNDING


def without_short(cut: Segments, length: float, what: str = "a segment") -> Segments:
    """Leave out what is shorter than `what` of `length` seconds; it is among the broken ones."""
    short = is_short(cut, length)
    reasons = {
        int(row): f"The clip lasts {seconds:.2f} s, less than {what} of {length:g} s."
        for row, seconds in zip(cut.rows[short], cut.seconds[short])
    }
    whole = ~short
    return Segments(cut.rows[whole], cut.start[whole], cut.seconds[whole], cut.broken | reasons)


def short_note(names: Sequence[str], length: float, *, option: str, what: str = "a segment") -> str:
    """Note that clips are padded with silence, and which option leaves them out."""
    return (
        f"Clips shorter than {what} of {length:g} s, such as '{names[0]}' ({len(names)} in all),"
        f" are padded with silence; leave them out with {option}."
    )


def _duration(path: str) -> float | str:
    """Seconds of a file, or why it cannot be read."""
    try:
        return audio.info(path).seconds
    except AudioError as error:
        return str(error)
