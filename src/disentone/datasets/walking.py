"""Walk a folder of any size: its files come one by one, and none is kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from disentone.datasets.ignoring import Ignored
from disentone.errors import DataError

__all__ = ["check_folder", "walk_files"]


def check_folder(folder: str | Path) -> None:
    """Refuse what is no folder.

    Raises
    ------
    DataError
    """
    if not os.path.isdir(folder):
        kind = "is not a folder or a table" if os.path.exists(folder) else "does not exist"
        raise DataError(f"'{folder}' {kind}.")


def walk_files(folder: str | Path, refused: list[OSError]) -> Iterator[str]:
    """Give the files below a folder as the system lists them, each folder's own before its folders.

    Hidden files and what ``.disentoneignore`` files name are left out; symbolic links are
    followed, each folder once. Nothing but the names of folders is kept: a million files take no
    more memory than ten.

    Parameters
    ----------
    folder : path
    refused : list of OSError
        Is added to: folders that may not be read.

    Yields
    ------
    str
        Name below the folder, with ``/``.

    Raises
    ------
    DataError
        If a ``.disentoneignore`` is not understood.
    """
    seen, ignored = set[tuple[int, int]](), Ignored()
    waiting = [(str(folder), "")]
    while waiting:
        where, below = waiting.pop()
        if not _is_new(where, seen, refused):
            continue
        ignored.enter(where)
        folders = []
        for entry in _entries(where, refused):
            if entry.name.startswith("."):
                continue
            is_folder = _is_folder(entry)
            if ignored(where, f"{entry.name}/" if is_folder else entry.name):
                continue
            if is_folder:
                folders.append(entry.name)
            else:
                yield below + entry.name
        for name in sorted(folders, reverse=True):
            waiting.append((os.path.join(where, name), f"{below}{name}/"))


def _is_new(folder: str, seen: set[tuple[int, int]], refused: list[OSError]) -> bool:
    """Whether a folder is there and has not been walked: a link may lead back up."""
    try:
        status = os.stat(folder)
    except OSError as error:
        refused.append(error)
        return False
    key = (status.st_dev, status.st_ino)
    is_new = key not in seen
    seen.add(key)
    return is_new


def _entries(folder: str, refused: list[OSError]) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        error.filename = folder
        refused.append(error)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False
