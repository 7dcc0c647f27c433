"""Weights of facets: checked, read from text, and inferred from examples."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from disentone.errors import DataError, closest
from disentone.facets import Facets

__all__ = ["check_weights", "inferred", "mean_cosines", "parse_pairs", "parse_weights", "shares_of"]

_SAME = 1e-4  # cosines nearer to each other, or to 1, are not informative


def check_weights(weights: Mapping[str, float], facets: Facets) -> dict[str, float]:
    """Give every facet its weight, 0 where none is named.

    Raises
    ------
    DataError
        If a facet is unknown, a weight is not finite, or none differs from 0.
    """
    for name, weight in weights.items():
        if name not in facets:
            raise DataError(f"There is no facet '{name}' to weigh{closest(name, facets)}")
        if isinstance(weight, bool) or not math.isfinite(weight):
            raise DataError(f"The weight of facet '{name}' must be a finite number, not {weight}.")
    whole = {name: float(weights.get(name, 0.0)) for name in facets}
    if not any(whole.values()):
        raise DataError(
            f"Every weight is 0: give one of the facets {', '.join(facets)} a weight, such as "
            f"{facets.names[0]}=1."
        )
    return whole


def shares_of(weights: Mapping[str, float]) -> dict[str, float]:
    """Share of every facet in a weighted mean: its weight over the sum of absolute weights."""
    size = math.fsum(map(abs, weights.values()))
    return {name: weight / size for name, weight in weights.items()}


def parse_weights(text: str, facets: Facets) -> dict[str, float]:
    """Read ``"timbre=1,pitch=-0.5"``; facets that are not named have the weight 0.

    Raises
    ------
    DataError
        As :func:`check_weights`, or if the text has another form or names a facet twice.
    """
    form = ",".join(f"{name}=1" for name in facets)
    weights: dict[str, float] = {}
    for name, number in parse_pairs(text, "Weights", form).items():
        try:
            weights[name] = float(number)
        except ValueError:
            raise DataError(
                f"The weight of facet '{name}' must be a number, not '{number}'."
            ) from None
    return check_weights(weights, facets)


def parse_pairs(text: str, what: str, form: str) -> dict[str, str]:
    """Read ``"name=value,name=value"``.

    Raises
    ------
    DataError
        If the text has another form, shown as `form`, or names something twice.
    """
    pairs: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = (word.strip() for word in part.partition("="))
        if not (name and equals and value) or name in pairs:
            raise DataError(f"{what} '{text}' must look like '{form}', each name once.")
        pairs[name] = value
    return pairs


def mean_cosines(total: np.ndarray, count: int, facets: Facets) -> np.ndarray:
    """Mean cosine of two different items of a set, by facet, from the sum of its vectors.

    The squared length of a sum of unit vectors is their number and all cosines of pairs.

    Parameters
    ----------
    total : ndarray, shape (dim,)
        Sum of the items' vectors, facets of unit length.
    count : int
        Items, at least 2.
    facets : Facets

    Returns
    -------
    ndarray of float64, shape (facets,)
    """
    parts = facets.split(np.asarray(total, dtype=np.float64))
    squares = np.array([np.sum(part**2) for part in parts.values()])
    return (squares - count) / (count * (count - 1))


def inferred(examples: np.ndarray, everyone: np.ndarray, facets: Facets) -> dict[str, float]:
    """Weights of the facets that examples share: see :meth:`disentone.search.Index.infer_weights`.

    Parameters
    ----------
    examples : ndarray, shape (examples, dim)
        Facets of unit length.
    everyone : ndarray, shape (facets,)
        Mean cosine of two items of the collection.
    facets : Facets
    """
    if len(examples) > 1:
        similarity = mean_cosines(examples.sum(axis=0, dtype=np.float64), len(examples), facets)
        room = np.maximum(1 - everyone, _SAME)
        shares = np.where(room > _SAME, np.clip((similarity - everyone) / room, 0, 1), 0.0)
        if shares.max() > _SAME:
            return dict(zip(facets, (shares / shares.max()).tolist()))
    return dict.fromkeys(facets, 1.0)
