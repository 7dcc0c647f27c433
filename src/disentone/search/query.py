"""An open query: its cosine with every item in every facet, computed once for all weightings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from disentone.search.results import Results

if TYPE_CHECKING:
    from disentone.search.index import Index

__all__ = ["OpenQuery"]


class OpenQuery:
    """A query that can be weighted again and again; made by :meth:`Index.query`.

    Attributes
    ----------
    vector : ndarray of float32, shape (dim,)
        Facets of unit length; zeros in a facet that the query says nothing about.
    weights : dict of str to float
        What :meth:`rank` uses where it is told nothing: inferred from several examples, given by
        a mix, or 1 for every facet that the query knows.
    exclude : frozenset of str
        Ids of the examples, which are not found again.
    """

    vector: np.ndarray
    weights: dict[str, float]
    exclude: frozenset[str]
    _index: Index

    @property
    def scores(self) -> np.ndarray:
        """Cosines with every item, float32 (items, facets), in the order of :meth:`Index.items`.

        Any weighting is ``scores @ weights``.
        """
        raise NotImplementedError

    def rank(
        self,
        weights: Mapping[str, float] | None = None,
        *,
        where: str | None = None,
        k: int = 10,
        diversity: float = 0.0,
        one_per_recording: bool = False,
    ) -> Results:
        """Find the items with the highest weighted sum of cosines.

        Parameters
        ----------
        weights : mapping of str to float, optional
            A facet that is not named has the weight 0; a negative weight means "unlike this".
            By default ``self.weights``.
        where : str, optional
            A filter in SQL on the items' columns: ``"split = 'test' and tempo > 120"``. It is
            applied before the search, so that `k` items are found where `k` pass it.
        k : int
            Items to find, at least 1.
        diversity : float
            In [0, 1]: how much a hit is to differ from those before it (maximal marginal
            relevance: Carbonell and Goldstein, "The use of MMR, diversity-based reranking",
            SIGIR 1998); 0 is by score alone.
        one_per_recording : bool
            Give the best item of a recording only.

        Returns
        -------
        Results

        Raises
        ------
        DataError
            If a facet is unknown, no weight differs from 0, a weight is not finite, a number is
            out of range, or the filter is not understood.
        """
        raise NotImplementedError
