"""Queries of examples: one, several, some to stay away from, or a facet of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from disentone.errors import DataError, closest
from disentone.facets import Facets
from disentone.search.rows import unit_facets
from disentone.search.snapshot import Snapshot
from disentone.search.weights import inferred, mean_cosines

__all__ = ["Asked", "Example", "ask", "infer_weights", "vectors_of"]

_AWAY = 0.5  # share of the mean of `away` that is subtracted from the mean of `like`

Example = str | np.ndarray


class Asked(NamedTuple):
    """A query before any comparison."""

    vector: np.ndarray  # (dim,), facets of unit length or zero
    weights: dict[str, float]
    exclude: tuple[str, ...]  # ids of the examples


def ask(
    snapshot: Snapshot,
    *,
    like: Sequence[Example] = (),
    away: Sequence[Example] = (),
    mix: Mapping[str, Example] | None = None,
) -> Asked:
    """Make one vector and its weights of examples: see :meth:`disentone.search.Index.query`."""
    facets = snapshot.facets
    if mix:
        if len(like):
            raise DataError("A query is either of examples or a mix of them: leave one out.")
        wanted, weights = _mixed(snapshot, mix)
    elif len(like):
        examples = vectors_of(snapshot, like)
        wanted, weights = examples.mean(axis=0), inferred(examples, _everyone(snapshot), facets)
    elif len(away):
        wanted, weights = np.zeros(facets.dim, np.float32), dict.fromkeys(facets, 1.0)
    else:
        raise DataError("A query needs an example: an item of the index, or an embedding.")
    if len(away):
        wanted = wanted - _AWAY * vectors_of(snapshot, away).mean(axis=0)
    named = [*like, *away, *(mix or {}).values()]
    exclude = tuple(dict.fromkeys(name for name in named if isinstance(name, str)))
    vector = _unit_or_zero(wanted, facets)
    if not vector.any():
        raise DataError("The examples cancel each other out: nothing is left to search for.")
    return Asked(vector, weights, exclude)


def infer_weights(snapshot: Snapshot, examples: Sequence[Example]) -> dict[str, float]:
    """Weights of the facets that examples share."""
    return inferred(vectors_of(snapshot, examples), _everyone(snapshot), snapshot.facets)


def vectors_of(snapshot: Snapshot, examples: Sequence[Example]) -> np.ndarray:
    """Vectors of examples, float32 (examples, dim), facets of unit length."""
    facets = snapshot.facets
    ids = [example for example in examples if isinstance(example, str)]
    stored = iter(snapshot.scorer.vectors(snapshot.positions(ids)) if ids else ())
    rows = [next(stored) if isinstance(e, str) else _embedding(e, facets) for e in examples]
    return np.stack(rows) if rows else np.empty((0, facets.dim), np.float32)


def _embedding(example: np.ndarray, facets: Facets) -> np.ndarray:
    vector = np.asarray(example)
    if vector.shape not in ((facets.dim,), (1, facets.dim)):
        raise DataError(
            f"The embedding of a query must be ({facets.dim},) for the facets {facets}, "
            f"not of shape {vector.shape}."
        )
    return unit_facets(vector.reshape(1, -1), facets, lambda _: "the query")[0]


def _mixed(snapshot: Snapshot, mix: Mapping[str, Example]) -> tuple[np.ndarray, dict[str, float]]:
    facets = snapshot.facets
    wanted = np.zeros(facets.dim, np.float32)
    for name in mix:
        if name not in facets:
            raise DataError(f"There is no facet '{name}' to mix{closest(name, facets)}")
    for (name, _), vector in zip(mix.items(), vectors_of(snapshot, list(mix.values()))):
        wanted[facets.slice(name)] = vector[facets.slice(name)]
    return wanted, {name: float(name in mix) for name in facets}


def _everyone(snapshot: Snapshot) -> np.ndarray:
    """Mean cosine of two items of the collection, by facet."""
    count = len(snapshot)
    if count < 2:
        return np.zeros(len(snapshot.facets))
    return mean_cosines(snapshot.scorer.total, count, snapshot.facets)


def _unit_or_zero(vector: np.ndarray, facets: Facets) -> np.ndarray:
    """Scale facets to unit length; one that cancels out is zero."""
    unit = np.zeros(facets.dim, np.float32)
    for name in facets:
        part = vector[facets.slice(name)].astype(np.float64)
        length = np.linalg.norm(part)
        if length > 1e-6:
            unit[facets.slice(name)] = part / length
    return unit
