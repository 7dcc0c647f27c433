"""List the clips of folders part by part, so that a million files take no more memory than ten."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from disentone.audio import Skipped
from disentone.datasets.clip_lists import Clips, list_clips
from disentone.datasets.folder import levels, sorted_out
from disentone.datasets.tables import problem_of
from disentone.datasets.walking import check_folder, walk_files
from disentone.errors import DataError, printable

__all__ = ["ClipPart", "check_sounds", "clip_parts", "count_clips", "is_streamed", "state_of"]

FIRST, LATER = 64, 2048  # clips in a part


class ClipPart(NamedTuple):
    """Some of the clips of one folder or table.

    Parameters
    ----------
    path : Path
        The folder or table that they are of.
    clips : Clips
    skipped : list of Skipped
        Files, rows and folders that are no clips, each with the reason.
    notes : list of str
        What the user should know of a table.
    found : int
        How many of those that :func:`count_clips` counts they are, with those skipped.
    state : int
        Share in the state of the whole: see :func:`state_of`.
    """

    path: Path
    clips: Clips
    skipped: list[Skipped]
    notes: list[str]
    found: int
    state: int


def clip_parts(paths: Sequence[str | Path]) -> Iterator[ClipPart]:
    """List the clips of folders and tables, a small part first.

    A folder without a ``clips.csv`` is walked; its sub-folders are factors, always as text: what
    comes later is not known. A table is read whole.

    Parameters
    ----------
    paths : sequence of path

    Yields
    ------
    ClipPart

    Raises
    ------
    DataError
        If a path does not exist, or a table has no usable file.
    """
    sizes = _sizes()
    for path in map(Path, paths):
        yield from _of_folder(path, sizes) if is_streamed(path) else _of_list(path, sizes)


def check_sounds(paths: Sequence[str | Path]) -> None:
    """Refuse folders and tables in which there is nothing that could be a clip.

    Raises
    ------
    DataError
        Also if a path does not exist, or a folder cannot be read.
    """
    refused: list[OSError] = []
    for path in map(Path, paths):
        if not is_streamed(path):
            list_clips([path])  # which refuses it
            return
        for name in walk_files(path, refused):
            if sorted_out([name])[0]:
                return
    named = ", ".join(f"'{path}'" for path in paths)
    if refused:
        raise DataError(f"'{refused[0].filename}' cannot be read: {refused[0].strerror}.")
    raise DataError(
        f"There is no audio file in {named}: choose a folder with sounds, such as .wav or .mp3."
    )


def count_clips(paths: Sequence[str | Path]) -> Iterator[int]:
    """Count what may be clips, by names alone: give the count now and then, and last of all."""
    count = 0
    for path in map(Path, paths):
        if is_streamed(path):
            for names in _batches(walk_files(path, [])):
                count += len(sorted_out(names)[0])
                yield count
        else:
            count += len(list_clips([path])[0])
            yield count


def state_of(paths: Sequence[str | Path]) -> int:
    """Give a number that is another once a file or a table has come, gone or changed.

    It is the sum of the states of all parts that :func:`clip_parts` gives, in this process.
    """
    total = 0
    for path in map(Path, paths):
        folder = path if path.is_dir() else path.parent
        total += 0 if is_streamed(path) else _stamps(folder, ["clips.csv", path.name])
        for names in _batches(walk_files(folder, [])):
            total += _stamps(folder, sorted_out(names)[0])
    return total


def is_streamed(path: str | Path) -> bool:
    """Whether a path is a folder that no table describes."""
    return os.path.isdir(path) and not os.path.isfile(os.path.join(path, "clips.csv"))


def _sizes() -> Iterator[int]:
    yield FIRST
    while True:
        yield LATER


def _of_folder(folder: Path, sizes: Iterator[int]) -> Iterator[ClipPart]:
    check_folder(folder)
    refused: list[OSError] = []
    names = walk_files(folder, refused)
    while batch := list(islice(names, next(sizes))):
        files, unread, _ = sorted_out(batch)
        wrong = {item.path: item.reason for item in unread}
        wrong |= {name: reason for name in files if (reason := problem_of(f"{folder}/{name}"))}
        skipped = [Skipped(printable(f"{folder}/{name}"), why) for name, why in wrong.items()]
        usable = [name for name in files if name not in wrong]
        yield ClipPart(
            folder, _clips(folder, usable), skipped, [], len(files), _stamps(folder, files)
        )
    closed = [
        Skipped(str(error.filename), f"The folder cannot be read: {error.strerror}.")
        for error in refused
    ]
    if closed:
        yield ClipPart(folder, _clips(folder, []), closed, [], 0, 0)


def _clips(folder: Path, names: Sequence[str]) -> Clips:
    paths = np.array([(folder / name).as_posix() for name in names], object)
    count = len(names)
    factors = {name: np.array(values, object) for name, values in levels(list(names)).items()}
    return Clips(
        paths, np.zeros(count), np.full(count, np.nan), factors, paths,
        np.full(count, None), np.zeros(count, int),
    )  # fmt: skip


def _of_list(path: Path, sizes: Iterator[int]) -> Iterator[ClipPart]:
    """Parts of what a table, or a file, names."""
    state, begin = state_of([path]), 0
    clips, skipped, notes = list_clips([path])
    while begin < len(clips):
        end = min(begin + next(sizes), len(clips))
        some = clips.take(np.arange(begin, end))
        yield ClipPart(path, some, skipped, notes, end - begin, state)
        begin, skipped, notes, state = end, [], [], 0


def _batches(names: Iterable[str]) -> Iterator[list[str]]:
    names = iter(names)
    while batch := list(islice(names, LATER)):
        yield batch


def _stamps(folder: Path, names: Iterable[str]) -> int:
    """Sum of what changes with each file, as the order in which a system lists them may, too."""
    return sum(hash((path, _stamp(path))) for path in (f"{folder}/{name}" for name in names))


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns
