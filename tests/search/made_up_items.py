"""A made-up collection: items in facets, some of them similar by construction."""

import numpy as np
import pyarrow as pa

from disentone.facets import Facets
from disentone.search import Index

FACETS = Facets({"timbre": 6, "pitch": 4, "rest": 3})
MODEL = "0123456789abcdef"


def vectors(count, seed=0):
    return np.random.default_rng(seed).standard_normal((count, FACETS.dim)).astype(np.float32)


def items(count, first=0):
    numbers = np.arange(first, first + count)
    return pa.table(
        {
            "id": [f"i{n}" for n in numbers],
            "path": [f"/sounds/{n // 3}.wav" for n in numbers],
            "start": (numbers % 3).astype(float),
            "end": (numbers % 3 + 1).astype(float),
            "tempo": pa.array([None if n % 10 == 0 else 60.0 + n for n in numbers]),
            "split": [("train", "valid", "test")[n % 3] for n in numbers],
        }
    )


def build(path, count=60, seed=0):
    return Index.build(
        path, vectors=vectors(count, seed), facets=FACETS, items=items(count), model=MODEL
    )


def ids(found):
    return [hit.id for hit in found]


def unit(values):
    """Facets of unit length, one row and one facet after the other."""
    rows = []
    for row in np.atleast_2d(values).astype(np.float64):
        parts = FACETS.split(row).values()
        rows.append(np.concatenate([part / np.sqrt((part**2).sum()) for part in parts]))
    return np.array(rows)


def naive_scores(query, values, weights):
    """Weighted sums of cosines, pair by pair and facet by facet."""
    scores = []
    for row in values.astype(np.float64):
        score = 0.0
        for name, weight in weights.items():
            a, b = FACETS.take(query.astype(np.float64), name), FACETS.take(row, name)
            score += weight * (a @ b) / np.sqrt((a @ a) * (b @ b))
        scores.append(score)
    return np.array(scores)
