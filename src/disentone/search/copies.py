"""Copies: items that are nearly the same sound, or of the same recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from disentone.errors import DataError

__all__ = ["ALIKE", "Copies", "folded", "groups"]

ALIKE = 0.999
"""Mean of the facets' cosines from which on two items are nearly the same sound."""
_ROUNDING = 2e-6  # of float32: a sound is like itself a little less than 1
_BLOCK = 2048  # items on a side of a matrix product: 16 MB
_SAMPLE = 4096  # items that show in which direction all spread most
_MOST = 5000  # results among which copies are folded

Vectors = Callable[[np.ndarray], np.ndarray]
"""From positions to vectors, float32 (positions, dim), whose inner product is the mean cosine."""


class Copies(NamedTuple):
    """Items that are copies of each other."""

    ids: tuple[str, ...]  # in the order of the items
    likeness: float  # least mean cosine of the others with the first


def near_pairs(
    vectors: Vectors, count: int, threshold: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of items whose inner product reaches a threshold, block by block.

    Items are sorted along a direction in which they spread. Two that are as like as the threshold
    lie no farther apart in any direction than in space, ``sqrt(2 - 2 threshold)``: blocks that are
    farther apart are never multiplied, and no pair is lost. Memory does not grow with their number.

    Parameters
    ----------
    vectors : callable
    count : int
        Items.
    threshold : float

    Yields
    ------
    two ndarrays of int64
        Positions of the two of some pairs.
    """
    sample = vectors(np.linspace(0, count - 1, min(count, _SAMPLE)).astype(np.int64))
    axis = np.linalg.svd(sample - sample.mean(axis=0), full_matrices=False)[2][0]
    blocks = [np.arange(n, min(n + _BLOCK, count)) for n in range(0, count, _BLOCK)]
    places = np.concatenate([vectors(block) @ axis for block in blocks])
    order = np.argsort(places, kind="stable")
    reach = np.sqrt(max(2 - 2 * threshold, 0)) + _ROUNDING
    blocks = [order[block] for block in blocks]
    for number, rows in enumerate(blocks):
        mine = vectors(rows)
        for columns in blocks[number:]:
            if places[columns[0]] - places[rows[-1]] > reach:
                break
            others = mine if columns is rows else vectors(columns)
            first, second = np.nonzero(mine @ others.T >= threshold)
            if columns is rows:
                first, second = first[first < second], second[first < second]
            yield rows[first], columns[second]


def groups(vectors: Vectors, count: int, threshold: float = ALIKE) -> list[np.ndarray]:
    """Groups of items that are alike, directly or by way of others of the group.

    Parameters
    ----------
    vectors : callable
        See :func:`near_pairs`.
    count : int
        Items.
    threshold : float
        In (0, 1].

    Returns
    -------
    list of ndarray of int64
        Positions in order, two at least in each; the group with the first item comes first.

    Raises
    ------
    DataError
        If the threshold is none.
    """
    if not 0 < threshold <= 1:
        raise DataError(f"Copies are alike from a mean cosine in (0, 1] on, not {threshold:g}.")
    if count < 2:
        return []
    above = np.arange(count)  # union-find: a way up to the first of the group
    for pairs in near_pairs(vectors, count, threshold - _ROUNDING):
        for one, other in zip(*(side.tolist() for side in pairs)):
            one, other = _first(above, one), _first(above, other)
            above[max(one, other)] = min(one, other)
    firsts = np.array([_first(above, n) for n in range(count)], dtype=np.int64)
    order = np.argsort(firsts, kind="stable")
    _, starts = np.unique(firsts[order], return_index=True)
    return [group for group in np.split(order, starts[1:]) if len(group) > 1]


def _first(above: np.ndarray, item: int) -> int:
    while above[item] != item:
        above[item] = item = int(above[above[item]])  # shortens the way for those who come later
    return item


def folded(
    best: Callable[[int], np.ndarray],
    vectors: Vectors,
    recordings: np.ndarray,
    count: int,
    candidates: int,
) -> dict[int, list[int]]:
    """The best items, each with those after it that are its copies.

    An item goes to the first before it that is shown and is of the same recording, or as like it
    as ``ALIKE``; of the best 5,000, as many as are needed are looked at.

    Parameters
    ----------
    best : callable
        From a number to the positions of as many best items, from the best.
    vectors : callable
        See :func:`near_pairs`.
    recordings : ndarray of int, shape (items,)
    count : int
        Items to show.
    candidates : int
        Items that `best` can give at most.

    Returns
    -------
    dict of int to list of int
        Positions: of an item that is shown, and of its copies; the best first.
    """
    asked = 4 * count
    while True:
        found = best(min(asked, candidates))
        shown = _fold(found, vectors(found), recordings[found], count)
        if len(shown) >= count or asked >= min(candidates, _MOST):
            return {int(found[place]): found[copies].tolist() for place, copies in shown.items()}
        asked = min(4 * asked, max(_MOST, asked))


def _fold(
    found: np.ndarray, vectors: np.ndarray, recordings: np.ndarray, count: int
) -> dict[int, list[int]]:
    shown: dict[int, list[int]] = {}
    for place in range(len(found)):
        before = list(shown)
        alike = vectors[before] @ vectors[place] >= ALIKE - _ROUNDING
        alike |= recordings[before] == recordings[place]
        if alike.any():
            shown[before[int(np.argmax(alike))]].append(place)
        elif len(shown) < count:
            shown[place] = []
    return shown
