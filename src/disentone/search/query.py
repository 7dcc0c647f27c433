"""An open query: its cosine with every item in every facet, computed once for all weightings."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from disentone.errors import DataError
from disentone.facets import Facets
from disentone.search.copies import folded
from disentone.search.examples import Asked
from disentone.search.ranking import diverse, first_of_each
from disentone.search.results import Hit, Results
from disentone.search.rows import PLACE
from disentone.search.scoring import Codes, highest
from disentone.search.snapshot import Snapshot
from disentone.search.weights import check_weights, shares_of

__all__ = ["OpenQuery"]

_POOL = 10  # items among which diverse ones are chosen, for each that is asked for


class OpenQuery:
    """A query that can be weighted again and again; made by :meth:`disentone.search.Index.query`.

    Several threads may rank it at once.

    Attributes
    ----------
    vector : ndarray of float32, shape (dim,)
        Facets of unit length; zeros in a facet that the query does not have.
    weights : dict of str to float
        The defaults of :meth:`rank`: inferred from several examples, given by
        a mix, or 1 for every facet that the query has.
    exclude : tuple of str
        Ids of the examples, which are not found again.
    """

    def __init__(self, snapshot: Snapshot, asked: Asked) -> None:
        self.vector, self.weights, self.exclude = asked
        self._snapshot, self._facets = snapshot, snapshot.facets
        self._cosines = np.zeros((len(self._facets), len(snapshot)), np.float32)
        self._computed: set[str] = set()
        self._hidden = snapshot.positions(asked.exclude)

    @property
    def scores(self) -> np.ndarray:
        """Cosines with every item, float32 (items, facets), in the order of ``Index.items``.

        Any weighting is ``scores @ weights``.
        """
        scores = self._scored(self._facets).T
        scores.flags.writeable = False
        return scores

    def rank(
        self,
        weights: Mapping[str, float] | None = None,
        *,
        where: str | None = None,
        text: str | None = None,
        folder: str | None = None,
        k: int = 10,
        diversity: float = 0.0,
        one_per_recording: bool = False,
        fold: bool = False,
    ) -> Results:
        """Find the items with the highest weighted mean of cosines.

        Parameters
        ----------
        weights : mapping of str to float, optional
            A facet that is not named has the weight 0; a negative weight means "unlike this".
            By default ``self.weights``. Only their ratios and signs matter.
        where : str, optional
            A filter in SQL on the items' columns: ``"split = 'test' and tempo > 120"``. It is
            applied before the search, so that `k` items are found where `k` pass it.
        text : str, optional
            Words, each of which must begin a word of the item's name, of its folders below the
            one that all files have in common, or of its factors; without case and accents.
        folder : str, optional
            Where the item's file must lie, or below: see :meth:`disentone.search.Index.folders`.
        k : int
            Items to find, at least 1.
        diversity : float
            In [0, 1]: how much a hit is to differ from those before it (maximal marginal
            relevance: Carbonell and Goldstein, "The use of MMR, diversity-based reranking",
            SIGIR 1998); 0 is by score alone.
        one_per_recording : bool
            Give the best item of a recording only.
        fold : bool
            Give of items of the same recording, or of nearly the same sound (a mean cosine of
            0.999 or more over all facets), the best only, with the ids of the others.

        Returns
        -------
        Results

        Raises
        ------
        DataError
            If a facet is unknown, no weight differs from 0, a weight is not finite, the query
            is zero in the facets that have one, a number is out of range, the filter is not
            understood, or there is no such folder.
        """
        used = check_weights(self.weights if weights is None else weights, self._facets)
        shares = shares_of(used)
        weighted = self._weighted(shares)
        if not weighted.any():
            silent = ", ".join(name for name, weight in used.items() if weight)
            raise DataError(f"The query has nothing in {silent}: give another facet a weight.")
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
            raise DataError(f"Ask for at least 1 item, not {k}.")
        if not 0 <= diversity <= 1:
            raise DataError(f"Diversity must be in [0, 1], not {diversity}.")
        allowed = self._allowed(self._snapshot.passing(where, text, folder))
        candidates = len(self._snapshot) if allowed is None else int(allowed.sum())
        best = self._best(shares, weighted, allowed)
        pool = min(candidates, _POOL * k if diversity else k)
        copies: dict[int, list[int]] = {}
        if fold:
            recordings = self._snapshot.recordings()
            copies = folded(best, self._snapshot.compared, recordings, pool, candidates)
            found = np.array(list(copies), dtype=np.int64)
        elif one_per_recording:
            found = first_of_each(best, self._snapshot.recordings(), pool, candidates)
        else:
            found = best(pool)
        if diversity:
            found = self._diverse(found, shares, weighted, k, diversity)
        return Results(self._hits(found[:k], shares, copies), used, candidates)

    def _allowed(self, passing: np.ndarray | None) -> np.ndarray | None:
        """Items that may be found, bool (items,); None for all of them."""
        if passing is None and not len(self._hidden):
            return None
        everyone = np.ones(len(self._snapshot), dtype=bool)
        allowed = everyone if passing is None else passing.copy()
        allowed[self._hidden] = False
        return allowed

    def _best(
        self, shares: Mapping[str, float], weighted: np.ndarray, allowed: np.ndarray | None
    ) -> Callable[[int], np.ndarray]:
        """Give the function from a number to the positions of as many best items."""
        scorer = self._snapshot.scorer
        if isinstance(scorer, Codes):

            def compared(count: int) -> np.ndarray:
                some = np.sort(scorer.candidates(weighted, allowed, count))
                return some[highest(scorer.vectors(some) @ weighted, count)]

            return compared
        facets = [name for name, share in shares.items() if share]
        cosines = self._scored(facets)
        total = np.zeros(len(self._snapshot), np.float32)
        for row, name in enumerate(self._facets):
            if shares[name]:  # not a product: BLAS threads wait for each other on a busy machine
                total += np.float32(shares[name]) * cosines[row]
        if allowed is not None:
            total[~allowed] = -np.inf
        return lambda count: highest(total, count)

    def _scored(self, names: Facets | list[str]) -> np.ndarray:
        """Cosines (facets, items), with the rows of these facets filled in."""
        for row, name in enumerate(self._facets):
            if name in names and name not in self._computed:
                part = np.ascontiguousarray(self.vector[self._facets.slice(name)])
                if part.any():
                    self._cosines[row] = self._snapshot.scorer.facet(name, part)
                self._computed.add(name)
        return self._cosines

    def _weighted(self, shares: Mapping[str, float]) -> np.ndarray:
        parts = self._facets.split(self.vector)
        return self._facets.join({n: np.float32(shares[n]) * p for n, p in parts.items()})

    def _diverse(
        self,
        found: np.ndarray,
        shares: Mapping[str, float],
        weighted: np.ndarray,
        k: int,
        diversity: float,
    ) -> np.ndarray:
        """Choose some of the best that differ from each other in the facets that count."""
        vectors = self._snapshot.scorer.vectors(found)
        scale = {name: np.sqrt(abs(share)) for name, share in shares.items()}
        parts = self._facets.split(vectors)
        scaled = self._facets.join({n: np.float32(scale[n]) * p for n, p in parts.items()})
        return found[diverse(vectors @ weighted, scaled, k, diversity)]

    def _hits(
        self, found: np.ndarray, shares: Mapping[str, float], copies: Mapping[int, list[int]]
    ) -> tuple[Hit, ...]:
        if not len(found):
            return ()
        vectors = self._facets.split(self._snapshot.scorer.vectors(found))
        mine = self._facets.split(self.vector)
        cosines = {name: (vectors[name] @ mine[name]).tolist() for name in self._facets}
        hits, places = [], found.tolist()
        for row, item in enumerate(self._snapshot.take(found, self._snapshot.columns).to_pylist()):
            clipped = {name: _clipped(column[row]) for name, column in cosines.items()}
            added = {name: shares[name] * cosine for name, cosine in clipped.items()}
            place = {name: item.pop(name) for name in PLACE}
            hits.append(
                Hit(
                    **place,
                    score=_clipped(sum(added.values())),
                    facets=added,
                    cosines=clipped,
                    factors=item,
                    copies=self._snapshot.ids(copies.get(places[row], [])),
                )
            )
        return tuple(hits)


def _clipped(cosine: float) -> float:
    """Leave out what rounding adds."""
    return min(1.0, max(-1.0, cosine))
