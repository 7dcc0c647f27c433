"""Retrieval: how far up the clips that agree with a query stand, for each facet and factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from disentone.agreement.criterion import Rule
from disentone.agreement.pairs import PairTest, pair_test
from disentone.audit.card import ALL
from disentone.audit.clusters import clustered_interval
from disentone.errors import DataError
from disentone.facets import Facets
from disentone.factors import Factor

__all__ = ["retrieval_scores"]

_BLOCK = 2**21  # pairs of query and candidate that are in memory at once

Record = dict[str, Any]


def retrieval_scores(
    *,
    embedding: np.ndarray,
    facets: Facets,
    factors: Mapping[str, Factor],
    rules: Mapping[str, Rule] | None = None,
    groups: Sequence[Any] | np.ndarray | None = None,
    queries: np.ndarray | None = None,
    at: Sequence[int] = (1, 5, 10),
    seed: int = 0,
) -> list[Record]:
    """Rank all clips by their distance from each, and give how many of the first ones agree.

    Every query's candidates are all other clips of which the factor is known,
    without those of its own group. Distances are Euclidean; equal ones are in random order, so
    that a facet without information scores as chance does, whatever order the table is in.

    Parameters
    ----------
    embedding : ndarray, shape (clips, dim)
        Finite.
    facets : Facets
        All together rank (``"all"``), and each alone where there are several.
    factors : mapping of str to Factor
        Defines which clips agree, as :func:`disentone.agreement.pairs.pair_test` has it.
    rules : mapping of str to {"same", "tempo", "key"}, optional
        How clips agree in a factor; ``"same"`` by default.
    groups : sequence, shape (clips,), optional
        Such as recordings: clips of one group do not count as found, and are drawn together.
    queries : ndarray of bool, shape (clips,), optional
        The clips to rank others for; each once by default.
    at : sequence of int
        Ranks at which precision is computed.
    seed : int
        Of the order of equal distances and of the bootstrap.

    Returns
    -------
    list of dict
        Flat records: ``measure`` ("retrieval"), ``facet``, ``factor``, ``metric`` ("map", the
        mean average precision, or "precision@5"), ``value``, ``low``, ``high`` (95 %, groups drawn
        anew; a perfect ranking stays perfect, so its interval is too narrow), ``chance`` (the
        expected value of a random order), ``n`` (queries that have something to find).

    Raises
    ------
    DataError
        If shapes do not fit or a rule does not suit its factor.
    """
    embedding = np.asarray(embedding, dtype=float)
    if embedding.ndim != 2 or embedding.shape[1] != facets.dim:
        raise DataError(f"The embedding needs {facets.dim} columns, not {embedding.shape}.")
    if not np.isfinite(embedding).all():
        raise DataError("The embedding has values that are not finite: leave these clips out.")
    order = np.random.default_rng(seed).permutation(len(embedding))
    embedding = embedding[order]  # equal distances stay in this order
    names = np.arange(len(order)) if groups is None else np.asarray(groups, dtype=object)[order]
    groups = np.unique(names.astype(str), return_inverse=True)[1]
    asked = np.arange(len(order)) if queries is None else np.flatnonzero(queries[order])
    tests = {
        name: pair_test(factor.take(order), rule=(rules or {}).get(name, "same"))
        for name, factor in factors.items()
    }
    alone = facets if len(facets) > 1 else ()
    parts = {ALL: embedding, **{name: facets.take(embedding, name) for name in alone}}
    records = []
    for facet, part in parts.items():
        found = _ranked(part, tests, groups, asked, at)
        for factor, values in found.items():
            records += _records(facet, factor, values, groups, at, seed)
    return records


def _ranked(
    part: np.ndarray,
    tests: Mapping[str, PairTest],
    groups: np.ndarray,
    asked: np.ndarray,
    at: Sequence[int],
) -> dict[str, np.ndarray]:
    """Scores of every query, (clips, 2 * metrics): the values, then those expected by chance.

    NaN in the rows of clips that are not asked about, or have nothing to find.
    """
    clips = len(part)
    part = part - part.mean(axis=0)  # large values would cost their differences precision
    squares = (part**2).sum(axis=1)
    scores = {name: np.full((clips, 2 * (1 + len(at))), np.nan) for name in tests}
    labels = max((test.values[0].size for test in tests.values()), default=1)
    step = max(1, _BLOCK // (clips * labels))
    for start in range(0, len(asked), step):
        rows = asked[start : start + step]
        distances = squares[rows, None] - 2 * part[rows] @ part.T + squares
        # What rounding leaves between equal clips must not order them.
        distances[distances < 1e-12 * (squares[rows, None] + squares)] = 0
        ranked = np.argsort(distances, axis=1, kind="stable")
        allowed = groups[rows, None] != groups[ranked]
        for name, test in tests.items():
            valid = allowed & test.both_known(rows[:, None], ranked)
            relevant = valid & test(rows[:, None], ranked)
            scores[name][rows] = _scored(relevant, valid, at)
    return scores


def _scored(relevant: np.ndarray, valid: np.ndarray, at: Sequence[int]) -> np.ndarray:
    """Average precision and precision at some ranks of ranked lists, and what chance gives."""
    place, hits = np.cumsum(valid, axis=1), np.cumsum(relevant, axis=1)
    count, total = place[:, -1], hits[:, -1]
    some = np.maximum(total, 1)
    average = (relevant * hits / np.maximum(place, 1)).sum(axis=1) / some
    share = total / np.maximum(count, 1)
    values, chances = [average], [_expected_average_precision(total, count)]
    for rank in at:
        first = np.minimum(rank, count)
        values.append((relevant & (place <= rank)).sum(axis=1) / np.maximum(first, 1))
        chances.append(share)
    table = np.stack([*values, *chances], axis=1)
    return np.where((total > 0)[:, None], table, np.nan)


def _expected_average_precision(relevant: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Mean average precision of all orders of lists of ``count``, of which some are relevant.

    A clip at rank i is relevant with probability R/N, and so is each of the i - 1 before it with
    (R - 1)/(N - 1); the sum over ranks of 1/i is the harmonic number.
    """
    harmonic = np.append(0.0, np.cumsum(1 / np.arange(1, count.max() + 1)))[count]
    rest = (relevant - 1) / np.maximum(count - 1, 1)
    return (harmonic + rest * (count - harmonic)) / np.maximum(count, 1)


def _records(
    facet: str,
    factor: str,
    values: np.ndarray,
    groups: np.ndarray,
    at: Sequence[int],
    seed: int,
) -> list[Record]:
    asked = ~np.isnan(values[:, 0])
    metrics = ["map", *(f"precision@{rank}" for rank in at)]
    of = values[asked, : len(metrics)]
    low, high = clustered_interval(of, groups[asked], right_or_wrong=False, seed=seed)
    numbers = np.full((2, len(metrics)), np.nan)
    if asked.any():
        numbers = values[asked].mean(axis=0).reshape(2, -1)
    return [
        {
            "measure": "retrieval",
            "facet": facet,
            "factor": factor,
            "metric": metric,
            **{
                key: float(number) if np.isfinite(number) else None
                for key, number in zip(
                    ("value", "low", "high", "chance"),
                    (numbers[0, column], low[column], high[column], numbers[1, column]),
                )
            },
            "n": int(asked.sum()),
        }
        for column, metric in enumerate(metrics)
    ]
