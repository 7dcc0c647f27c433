"""Folders: where the files of items lie, below the folder that all of them have in common."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from disentone.errors import DataError, closest

__all__ = ["Folder", "Folders"]


class Folder(NamedTuple):
    """A folder of an index."""

    folder: str  # from the common one on, with /
    items: int  # in it and below


class Folders:
    """The folders of some files.

    Parameters
    ----------
    paths : sequence of str
        Of the files, from ``/`` on.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        places = [os.path.dirname(path) for path in paths]
        counts = Counter(places)
        names = dict(zip(counts, _from_common(list(counts))))
        number = {name: n for n, name in enumerate(dict.fromkeys(names.values()))}
        self._names = list(number)
        self._codes = np.array([number[names[place]] for place in places], dtype=np.int64)
        self._items = Counter({"": 0})  # by folder, those below it as well
        for place, count in counts.items():
            for name in {"", *_ways(names[place])}:
                self._items[name] += count

    def name(self, position: int) -> str:
        """Folder of an item, from the common one on; "" for that itself."""
        return self._names[self._codes[position]]

    def below(self, folder: str) -> np.ndarray:
        """Items that lie in a folder, or below it: bool (items,).

        Raises
        ------
        DataError
            If there is no such folder.
        """
        self._check(folder)
        start = f"{folder}/" if folder else ""
        inside = [name == folder or name.startswith(start) for name in self._names]
        return np.array(inside, dtype=bool)[self._codes]

    def inside(self, folder: str = "") -> list[Folder]:
        """Folders in a folder, by name; "" is the common one.

        Raises
        ------
        DataError
            If there is no such folder.
        """
        self._check(folder)
        start = f"{folder}/" if folder else ""
        there = [
            name
            for name in self._items
            if name.startswith(start) and name != folder and "/" not in name[len(start) :]
        ]
        return [Folder(name, self._items[name]) for name in sorted(there, key=str.casefold)]

    def _check(self, folder: str) -> None:
        if folder not in self._items:
            raise DataError(
                f"There is no folder '{folder}' in the index{closest(folder, self._items)}"
            )


def _from_common(places: list[str]) -> list[str]:
    """Folders from the one that all have in common on; whole, where they have none."""
    try:
        common = os.path.commonpath(places)
    except ValueError:  # none at all, several drives, or whole and partial paths
        return [place.replace(os.sep, "/").strip("/") for place in places]
    relative = (os.path.relpath(place, common) if common else place for place in places)
    return ["" if name == "." else name.replace(os.sep, "/") for name in relative]


def _ways(name: str) -> list[str]:
    """A folder and all above it."""
    parts = name.split("/")
    return ["/".join(parts[: end + 1]) for end in range(len(parts))]
