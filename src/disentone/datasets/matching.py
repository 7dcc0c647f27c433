"""Names of clips: which row is meant by a name that is not written quite as the row's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePath, PurePosixPath
from typing import Any

import numpy as np

__all__ = ["by_ends", "places", "positions"]


def places(ids: Sequence[str], wanted: Iterable[str]) -> dict[str, int]:
    """Row of every wanted name: the same, or the one path that ends with it, or its stem.

    Parameters
    ----------
    ids : sequence of str
    wanted : iterable of str
        Names that several paths end with are left out, and so are those that none has.
    """
    place: dict[str, int] = {name: row for row, name in enumerate(ids)}
    ends: dict[str, int] = {}
    for row, name in enumerate(ids):
        path, at, start = name.replace("\\", "/").partition("@")
        parts = path.split("/")
        for end in {"/".join(parts[i:]) for i in range(len(parts))} | {PurePosixPath(path).stem}:
            tail = end + at + start
            ends[tail] = -1 if tail in ends else row  # what two paths end with names neither
    found = {name: place.get(name, ends.get(name, -1)) for name in wanted}
    return {name: row for name, row in found.items() if row >= 0}


def positions(values: Sequence[Any]) -> dict[str, int]:
    """Where each name is; a name that occurs twice is ambiguous and left out."""
    texts = np.array([str(value) for value in values])
    names, first, counts = np.unique(texts, return_index=True, return_counts=True)
    return dict(zip(names[counts == 1].tolist(), first[counts == 1].tolist()))


def by_ends(names: Sequence[str], values: Sequence[Any]) -> list[int | None]:
    """Where names are in a table whose paths start elsewhere: by as many last parts as match most.

    An end that several names or several rows have in common is ambiguous and ignored.
    """
    ours, theirs = ([PurePath(str(text)).parts for text in given] for given in (names, values))
    best: list[int | None] = [None] * len(names)
    for depth in range(max(map(len, theirs), default=0), 0, -1):
        rows = positions(["/".join(parts[-depth:]) for parts in theirs])
        ends = ["/".join(parts[-depth:]) for parts in ours]
        shared = Counter(end for end, _ in set(zip(ends, names)))
        found = [rows.get(end) if shared[end] == 1 else None for end in ends]
        if found.count(None) < best.count(None):
            best = found
    return best
