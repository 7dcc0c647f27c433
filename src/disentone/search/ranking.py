"""Choosing among the best: one a recording, and diverse ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["diverse", "first_of_each"]


def first_of_each(
    best: Callable[[int], np.ndarray], groups: np.ndarray, count: int, candidates: int
) -> np.ndarray:
    """Positions of the best item of each group, the best group first.

    Parameters
    ----------
    best : callable
        From a number to the positions of as many best items, from the best.
    groups : ndarray of int, shape (items,)
    count : int
        Groups to find.
    candidates : int
        Items that `best` can give at most.

    Returns
    -------
    ndarray of int64, shape (at most count,)
    """
    asked = 4 * count
    while True:
        found = best(min(asked, candidates))
        _, first = np.unique(groups[found], return_index=True)
        if len(first) >= count or asked >= candidates:
            return found[np.sort(first)[:count]]
        asked *= 4


def diverse(scores: np.ndarray, vectors: np.ndarray, count: int, diversity: float) -> np.ndarray:
    """Choose items by maximal marginal relevance, one after the other.

    The next item has the highest ``(1 - d) score - d similarity``, its similarity being that to
    the most similar of those chosen before.

    Parameters
    ----------
    scores : ndarray, shape (items,)
        In [-1, 1].
    vectors : ndarray, shape (items, dim)
        Of unit length: their inner products are similarities.
    count : int
    diversity : float
        In [0, 1].

    Returns
    -------
    ndarray of int64, shape (at most count,)

    References
    ----------
    Carbonell and Goldstein, "The use of MMR, diversity-based reranking for reordering documents
    and producing summaries", SIGIR 1998.
    """
    if not len(scores):
        return np.empty(0, dtype=np.int64)
    chosen = [int(np.argmax(scores))]
    nearest = vectors @ vectors[chosen[0]]
    while len(chosen) < min(count, len(scores)):
        gain = (1 - diversity) * scores - diversity * nearest
        gain[chosen] = -np.inf
        chosen.append(int(np.argmax(gain)))
        nearest = np.maximum(nearest, vectors @ vectors[chosen[-1]])
    return np.array(chosen)
