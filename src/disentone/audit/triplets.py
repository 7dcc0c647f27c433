"""Triplet prediction: whether an embedding, its facets and their subsets put triplets in order.

S. Ribecky, J. Abeßer and H. Lukashevich, "Multi-Input Architecture and Disentangled
Representation Learning for Multi-Dimensional Modeling of Music Similarity" (2021), Section 4
(CSN).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from disentone.audit.card import ALL
from disentone.audit.clusters import clustered_interval
from disentone.errors import DataError
from disentone.facets import Facets

__all__ = ["facet_subsets", "triplet_scores"]

MOST_FACETS = 10  # of which all subsets are scored: 1023
_BLOCK = 2**22  # numbers of an embedding that are in memory at once

Record = dict[str, Any]


def triplet_scores(
    *,
    embedding: np.ndarray,
    facets: Facets,
    anchors: np.ndarray | Sequence[int],
    positives: np.ndarray | Sequence[int],
    negatives: np.ndarray | Sequence[int],
    dimensions: Sequence[str | Sequence[str]] | None = None,
    seed: int = 0,
) -> list[Record]:
    """Share of triplets whose anchor is nearer to the positive than to the negative.

    Distances are Euclidean, over all facets or over those that are active. As in the paper a
    triplet with two equal distances is not right; how many there are is recorded, as an embedding
    that is the same for all clips scores 0 and not the 0.5 of one that guesses.

    Parameters
    ----------
    embedding : ndarray, shape (clips, dim)
        Finite.
    facets : Facets
        Partition of its columns.
    anchors, positives, negatives : sequence of int, shape (triplets,)
        Rows of the embedding.
    dimensions : sequence of str, or of sequences of str, optional
        In what anchor and positive of each triplet agree, and anchor and negative do not, such as
        ``"tempo"`` or ``("tempo", "mood")``; nothing or ``""`` where it is not known.
    seed : int
        Of the bootstrap.

    Returns
    -------
    list of dict
        Flat records: ``measure`` ("triplet"), ``facet`` (``"all"``, a facet, or a subset as
        ``"genre+tempo"``), ``factor`` (a dimension, or ``"all"`` triplets), ``metric``
        ("score"), ``value``, ``low`` and ``high`` (95 %, anchors drawn anew with all of their
        triplets), ``chance`` (0.5), ``n`` (triplets), ``ties``. First every subset of facets on
        all triplets, the whole embedding first (of more than ten facets only each alone), then
        the whole embedding and every facet on each dimension.

    Raises
    ------
    DataError
        If shapes do not fit, a row does not exist, or the embedding is not finite.

    Examples
    --------
    >>> facets = Facets({"hue": 1, "size": 1})
    >>> points = np.array([[0.0, 0.0], [1.0, 5.0], [2.0, 0.0]])
    >>> found = triplet_scores(
    ...     embedding=points, facets=facets, anchors=[0], positives=[1], negatives=[2]
    ... )
    >>> {record["facet"]: record["value"] for record in found}
    {'all': 0.0, 'hue': 1.0, 'size': 0.0}
    """
    embedding = np.asarray(embedding, dtype=float)
    rows = _checked(embedding, facets, (anchors, positives, negatives))
    near = _squared_distances(embedding, facets, rows[0], rows[1])
    far = _squared_distances(embedding, facets, rows[0], rows[2])
    subsets = facet_subsets(facets)
    active = np.array([[name in names for name in facets] for names in subsets.values()], float)
    right, ties = _compared(near, far, active)
    records = _records(list(subsets), ALL, right, ties, rows[0], seed)
    if dimensions is None:
        return records
    if len(dimensions) != len(rows[0]):
        raise DataError(f"{len(rows[0])} triplets need as many dimensions, not {len(dimensions)}.")
    named = [{names} if isinstance(names, str) else set(names) for names in dimensions]
    shown = [subset for subset, parts in subsets.items() if subset == ALL or len(parts) == 1]
    columns = [list(subsets).index(subset) for subset in shown]
    for dimension in sorted(set().union(*named) - {""}):
        of = np.flatnonzero([dimension in names for names in named])
        correct, even = (table[of][:, columns] for table in (right, ties))
        records += _records(shown, dimension, correct, even, rows[0][of], seed)
    return records


def facet_subsets(facets: Mapping[str, int]) -> dict[str, tuple[str, ...]]:
    """Name every subset of facets: all of them, then the single ones, then pairs, and so on.

    Parameters
    ----------
    facets : mapping of str to int
        With more than ten only all of them and the single ones are given.

    Returns
    -------
    dict of str to tuple of str
    """
    names = tuple(facets)
    sizes = range(1, len(names)) if len(names) <= MOST_FACETS else (1,)
    parts = [part for size in sizes for part in combinations(names, size)]
    return {ALL: names, **{"+".join(part): part for part in parts}}


def _checked(
    embedding: np.ndarray, facets: Facets, given: Sequence[np.ndarray | Sequence[int]]
) -> list[np.ndarray]:
    """Rows of anchors, positives and negatives as arrays of int."""
    if embedding.ndim != 2 or embedding.shape[1] != facets.dim:
        raise DataError(
            f"The embedding is of shape {embedding.shape}, but its facets have {facets.dim} "
            "columns: give (clips, columns)."
        )
    rows = [np.asarray(one) for one in given]
    if len({len(one) for one in rows}) > 1:
        raise DataError("Anchors, positives and negatives must be equally many.")
    if not len(rows[0]):
        raise DataError("There is no triplet to score.")
    if any(one.ndim != 1 or not np.issubdtype(one.dtype, np.integer) for one in rows):
        raise DataError("Anchors, positives and negatives must be rows: whole numbers, (triplets,)")
    if min(one.min() for one in rows) < 0 or max(one.max() for one in rows) >= len(embedding):
        raise DataError(f"A triplet names a row that the {len(embedding)} clips do not have.")
    used = np.unique(np.concatenate(rows))
    bad = used[~np.isfinite(embedding[used]).all(axis=1)]
    if len(bad):
        raise DataError(f"The embedding of clip {bad[0]} is not finite: leave its triplets out.")
    return rows


def _squared_distances(
    embedding: np.ndarray, facets: Facets, first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """Squared Euclidean distance of pairs within each facet, shape (pairs, facets)."""
    starts = [facets.slice(name).start for name in facets]
    step = max(1, _BLOCK // facets.dim)
    parts = [
        np.add.reduceat((embedding[first[i : i + step]] - embedding[second[i : i + step]]) ** 2,
                        starts, axis=1)
        for i in range(0, len(first), step)
    ]  # fmt: skip
    return np.concatenate(parts)


def _compared(
    near: np.ndarray, far: np.ndarray, active: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which triplets (triplets, subsets) are right, and which have two equal distances."""
    close, distant = near @ active.T, far @ active.T
    return close < distant, close == distant


def _records(
    names: Sequence[str],
    dimension: str,
    right: np.ndarray,
    ties: np.ndarray,
    anchors: np.ndarray,
    seed: int,
) -> list[Record]:
    low, high = clustered_interval(right, anchors, seed=seed)
    return [
        {
            "measure": "triplet",
            "facet": name,
            "factor": dimension,
            "metric": "score",
            "value": float(right[:, column].mean()),
            "low": float(low[column]),
            "high": float(high[column]),
            "chance": 0.5,
            "n": len(right),
            "ties": int(ties[:, column].sum()),
        }
        for column, name in enumerate(names)
    ]
