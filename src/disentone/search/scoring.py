"""Scorers: which items have the highest weighted sum of cosines with a query.

Facets lie in memory one after the other, so that a facet without weight is never read and the
cosines of all facets cost one pass over the vectors. Where they do not fit, 8-bit codes are
scanned and the best are compared exactly. Graphs and inverted lists are no help here: with uneven
weights their neighbours are not those of the query (``bench/search.py`` shows it).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from disentone.errors import ArtifactError
from disentone.facets import Facets

__all__ = ["Codes", "Matrix", "highest"]

_SPARE = 10  # candidates that are compared exactly for each hit, at least _FEWEST
_FEWEST = 100


class Matrix:
    """Float32 vectors in memory, each facet a matrix (size, items) of its own; exact.

    A row is one dimension of all items: a product with a short vector is up to twice as fast so.

    Parameters
    ----------
    batches : iterable of ndarray, shape (rows, dim)
    count : int
        Rows of all batches.
    facets : Facets
    """

    def __init__(self, batches: Iterable[np.ndarray], count: int, facets: Facets) -> None:
        self._facets = facets
        self._parts = {name: np.empty((n, count), np.float32) for name, n in facets.items()}
        self.total = np.zeros(facets.dim)  # float64, the sum of all vectors
        place = 0
        for batch in batches:
            for name, part in facets.split(batch).items():
                self._parts[name][:, place : place + len(batch)] = part.T
            self.total += batch.sum(axis=0, dtype=np.float64)
            place += len(batch)

    def facet(self, name: str, part: np.ndarray) -> np.ndarray:
        """Cosines with all items in one facet, float32 (items,)."""
        return part @ self._parts[name]

    def vectors(self, positions: np.ndarray) -> np.ndarray:
        """Vectors of items, float32 (positions, dim)."""
        return self._facets.join({name: part[:, positions].T for name, part in self._parts.items()})


class Codes:
    """8-bit codes in memory, a quarter of the vectors, which stay in the store.

    Parameters
    ----------
    batches : iterable of ndarray, shape (rows, dim)
    count : int
        Rows of all batches.
    facets : Facets
    again : callable
        Gives positions and vectors of the store, batch by batch in any order.
    take : callable
        Gives the vectors of some positions from the store.
    """

    def __init__(
        self,
        batches: Iterable[np.ndarray],
        count: int,
        facets: Facets,
        *,
        again: Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]],
        take: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        try:
            import faiss
        except ImportError as error:
            raise ArtifactError(
                "The vectors of this index do not fit into memory, and codes of them need FAISS: "
                "pip install 'disentone[search]'."
            ) from error
        self._facets, self._count, self._again, self._take = facets, count, again, take
        self._faiss: Any = faiss
        kind = faiss.ScalarQuantizer.QT_8bit_uniform
        self._codes = faiss.IndexScalarQuantizer(facets.dim, kind, faiss.METRIC_INNER_PRODUCT)
        ends = np.array([[-1.0], [1.0]], np.float32)  # of what a unit vector's component can be
        self._codes.train(np.repeat(ends, facets.dim, axis=1))
        self.total = np.zeros(facets.dim)  # float64, the sum of all vectors
        for batch in batches:
            self._codes.add(batch)
            self.total += batch.sum(axis=0, dtype=np.float64)

    def facet(self, name: str, part: np.ndarray) -> np.ndarray:
        """Cosines with all items in one facet, float32 (items,), by a pass over the store."""
        columns, scores = self._facets.slice(name), np.empty(self._count, np.float32)
        for positions, batch in self._again():
            scores[positions] = batch[:, columns] @ part
        return scores

    def vectors(self, positions: np.ndarray) -> np.ndarray:
        """Vectors of items, float32 (positions, dim), from the store."""
        return self._take(positions)

    def candidates(
        self, weighted: np.ndarray, allowed: np.ndarray | None, count: int
    ) -> np.ndarray:
        """Positions that hold the items with the highest inner product, and some more.

        Parameters
        ----------
        weighted : ndarray of float32, shape (dim,)
            The query, each facet scaled by its weight.
        allowed : ndarray of bool, shape (items,), optional
        count : int
            How many of the highest are needed.
        """
        parameters = None
        if allowed is not None:
            bits = np.packbits(allowed, bitorder="little")
            selector = self._faiss.IDSelectorBitmap(len(bits), self._faiss.swig_ptr(bits))
            parameters = self._faiss.SearchParameters(sel=selector)
        wanted = min(max(_FEWEST, _SPARE * count), self._codes.ntotal)
        found = self._codes.search(weighted[None], wanted, params=parameters)[1][0]
        return found[found >= 0]


def highest(scores: np.ndarray, count: int) -> np.ndarray:
    """Positions of the highest scores, from the highest; among equals the first come first.

    Parameters
    ----------
    scores : ndarray of float32, shape (items,)
        Minus infinity for items that are not to be found.
    count : int

    Returns
    -------
    ndarray of int64, shape (at most count,)
    """
    if not (len(scores) and count):
        return np.empty(0, dtype=np.int64)
    place = len(scores) - min(count, len(scores))
    least = max(np.partition(scores, place)[place], np.finfo(scores.dtype).min)
    found = np.flatnonzero(scores >= least)
    return found[np.argsort(-scores[found], kind="stable")][:count]
