"""The order in which items are listed: by name, by duration, or by a factor."""

from __future__ import annotations

import os
import re

import numpy as np
import pyarrow as pa

__all__ = ["DURATION", "NAME", "Order", "order_of"]

NAME, DURATION = "name", "duration"
_DIGITS = re.compile(r"(\d+)")


class Order:
    """Positions of items, the smallest value first; those of unknown value stand last.

    Parameters
    ----------
    positions : ndarray of int, shape (items,)
    known : int
        How many have a value.
    """

    def __init__(self, positions: np.ndarray, known: int) -> None:
        self._positions, self._known = positions, known

    def listed(self, wanted: np.ndarray, *, descending: bool) -> np.ndarray:
        """Positions of some items, bool (items,), in this order, or with the largest first."""
        order = self._positions
        if descending:
            order = np.concatenate([order[: self._known][::-1], order[self._known :]])
        return order[wanted[order]]


def order_of(column: str, items: pa.Table) -> Order:
    """Order items.

    Parameters
    ----------
    column : str
        ``"name"`` (of the file, ``2`` before ``10``), ``"duration"``, or a factor.
    items : pyarrow.Table
        With the factor, or ``id``, ``path``, ``start`` and ``end``.
    """
    if column == NAME:
        files = map(os.path.basename, items["path"].to_pylist())
        keys = [(_natural(file), item) for file, item in zip(files, items["id"].to_pylist())]
        order = sorted(range(len(keys)), key=keys.__getitem__)
        return Order(np.array(order, dtype=np.int64), len(order))
    if column == DURATION:
        seconds = items["end"].to_numpy() - np.nan_to_num(items["start"].to_numpy())
        values = pa.array(seconds, mask=np.isnan(seconds))
    else:
        values = items[column]
    numbered = pa.table({"value": values, "position": np.arange(len(values))})
    return Order(numbered.sort_by("value")["position"].to_numpy(), len(values) - values.null_count)


def _natural(name: str) -> list[tuple[int, int, str]]:
    """A key by which ``kick2`` comes before ``kick10``."""
    parts = _DIGITS.split(name.casefold())
    return [(0, int(p[:18]), p) if n % 2 else (1, 0, p) for n, p in enumerate(parts)]
