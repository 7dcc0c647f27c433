"""Balanced batches: an order of clips in which every stretch has pairs that agree, in every way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from disentone.agreement.relation import Test

__all__ = ["Alike", "Balance"]

LOOKED_AT = 4096  # pairs of clips that are drawn to see how often two agree


@dataclass(frozen=True)
class Alike:
    """What makes two clips agree in one dimension.

    Parameters
    ----------
    value : ndarray of float, shape (clips,)
        Clips that agree have the same value or near ones; NaN where unknown.
    test : callable
        Whether clips of one index array agree with those of another: two (n,) to bool (n,).
    """

    value: np.ndarray
    test: Test


class Balance:
    """Order clips so that every batch has pairs that agree, in each dimension alike often.

    Clips are put in pairs, each of which agrees in one of the dimensions. Where there are enough
    of them, each dimension has as many pairs as any other. The dimension in which clips agree most
    rarely chooses its pairs first, from all clips. The pairs of every dimension, and within it
    those of every class, are spread evenly over the order, and clips that found no partner are
    spread between them; so a batch of B clips has about B / 2D pairs for each of D dimensions,
    beside those that are there by chance.

    Parameters
    ----------
    dimensions : sequence of Alike
        At least one.
    apart : ndarray, shape (clips,)
        Such as the recording of each clip: two clips with the same value are no pair.
    """

    def __init__(self, dimensions: Sequence[Alike], apart: np.ndarray) -> None:
        self._apart = np.unique(np.asarray(apart).astype(str), return_inverse=True)[1]
        first, second = np.random.default_rng(0).integers(len(self._apart), size=(2, LOOKED_AT))
        self._dimensions = sorted(dimensions, key=lambda d: float(d.test(first, second).mean()))

    def order(self, clips: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Give the same clips, each as often as before, in a balanced order.

        Parameters
        ----------
        clips : ndarray of int, shape (rows,)
        rng : Generator
        """
        free, rows, places = np.asarray(clips), [], []
        for turn, dimension in enumerate(self._dimensions):
            pairs = self._pairs(free, dimension, rng)  # (pairs, 2) places in `free`
            quota = len(free) // (2 * (len(self._dimensions) - turn))
            pairs = rng.permutation(pairs)[:quota]
            rows.append(free[pairs].ravel())
            places.append(np.repeat(_spread(dimension.value[free[pairs[:, 0]]], rng), 2))
            free = np.delete(free, pairs.ravel())
        rows.append(rng.permutation(free))
        places.append(_spread(np.zeros(len(free)), rng))
        return np.concatenate(rows)[np.argsort(np.concatenate(places), kind="stable")]

    def _pairs(self, clips: np.ndarray, dimension: Alike, rng: np.random.Generator) -> np.ndarray:
        """Places of clips that agree, each in one pair at most: int (pairs, 2)."""
        value = dimension.value[clips]
        order = np.lexsort((rng.random(len(clips)), value))
        order = order[~np.isnan(value[order])]
        first, second = clips[order[:-1]], clips[order[1:]]
        fits = dimension.test(first, second) & (self._apart[first] != self._apart[second])
        # In a run of neighbours that fit, every other one begins a pair.
        place = np.arange(len(fits))
        begins = fits & ~np.concatenate([[False], fits[:-1]])[: len(fits)]
        run = np.maximum.accumulate(np.where(begins, place, 0))
        chosen = np.flatnonzero(fits & ((place - run) % 2 == 0))
        return np.stack([order[chosen], order[chosen + 1]], axis=1)


def _spread(value: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Places in [0, 1), evenly spaced, such that each value's are evenly spread as well."""
    count = len(value)
    _, code, counts = np.unique(value, return_inverse=True, return_counts=True)
    by_value = np.argsort(code, kind="stable")
    number = np.empty(count, dtype=np.int64)  # of an entry among those of its value
    number[by_value] = np.arange(count) - np.repeat(np.cumsum(counts) - counts, counts)
    wanted = (number + rng.random(len(counts))[code]) / counts[code]
    places = np.empty(count)
    places[np.argsort(wanted, kind="stable")] = (np.arange(count) + rng.random()) / max(1, count)
    return places
