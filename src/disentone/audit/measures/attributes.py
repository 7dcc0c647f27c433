"""Continuous attributes along a dimension: do they change smoothly, and in one direction.

A *traversal* is an attribute's values while one dimension goes up in equal steps and nothing else
changes. Where a decoder makes it, give its values; where there are recorded clips only,
:func:`recorded_traversal` gives one from them.

Source of both measures: K. N. Watcharasupat, "Controllable music: supervised learning of
disentangled representations for music generation", 2021.
"""

from __future__ import annotations

import numpy as np

from disentone.audit.binning import quantile_codes
from disentone.audit.measures.inputs import table
from disentone.audit.measures.measured import Measure, Measured
from disentone.errors import DataError

__all__ = ["monotonicity", "recorded_traversal", "smoothness"]


def smoothness(*, traversals: np.ndarray) -> Measured:
    """Smoothness: 1 - (contraharmonic mean of abs second differences) / range of the first ones.

    The contraharmonic mean is sum x^2 / sum x. Mean over traversals; range [0, 1], no unit. A
    straight line scores 1, a parabola 1 - 1/(steps - 2), a single jump 0. A traversal in which the
    attribute never changes has no value: it is NaN, and left out of the mean.

    Parameters
    ----------
    traversals : ndarray, shape (traversals, steps)
        Values of an ordinal or continuous attribute, in any unit; at least four steps.

    Returns
    -------
    Measured
        ``each``: by traversal; ``n``: traversals.
    """
    values = _checked(traversals)
    first, second = np.diff(values), np.abs(np.diff(values, n=2))
    total, spread = second.sum(axis=1), np.ptp(first, axis=1)
    straight = spread <= 1e-9 * np.abs(values).max(axis=1)
    mean = (second**2).sum(axis=1) / np.where(straight, 1.0, total)
    parts = np.where(straight, 1.0, 1 - mean / np.where(straight, 1.0, spread))
    return _measured(np.where(_still(values), np.nan, parts), values)


def monotonicity(*, traversals: np.ndarray, least: float = 0.0) -> Measured:
    """Monotonicity: abs(steps up - steps down) / (steps up + steps down), mean over traversals.

    Range [0, 1], no unit. Always up, or always down, scores 1; as often up as down 0. Steps of no
    more than ``least`` do not count, and a traversal without any that does is NaN, left out of the
    mean.

    Parameters
    ----------
    traversals : ndarray, shape (traversals, steps)
        Values of an ordinal or continuous attribute; at least four steps.
    least : float
        In the attribute's unit.

    Returns
    -------
    Measured
        ``each``: by traversal; ``n``: traversals.
    """
    values = _checked(traversals)
    steps = np.diff(values)
    counted = np.abs(steps) > max(least, 0.0)
    ups = np.abs((np.sign(steps) * counted).sum(axis=1))
    total = counted.sum(axis=1)
    return _measured(np.where(total > 0, ups / np.maximum(total, 1), np.nan), values)


def recorded_traversal(*, codes: np.ndarray, values: np.ndarray, steps: int = 10) -> np.ndarray:
    """Mean of an attribute in every quantile bin of each dimension, as traversals.

    Other dimensions are not held still but averaged over, so a dimension without information gives
    a flat line with noise: measure only those that encode the attribute. Steps are equal in rank,
    not in value.

    Parameters
    ----------
    codes : ndarray, shape (clips, dims)
    values : ndarray, shape (clips,)
        An ordinal or continuous attribute, NaN where unknown.
    steps : int
        Quantile bins; a dimension with ties may fill fewer.

    Returns
    -------
    ndarray, shape (dims, steps)
        In the attribute's unit. A bin that ties left empty takes the value between its
        neighbours'; a constant dimension gives the mean throughout.
    """
    values = np.asarray(values, dtype=float)
    known = ~np.isnan(values)
    bins = quantile_codes(table(codes)[known], bins=steps)
    at = np.arange(steps)
    curves = []
    for dim in bins.T:
        clips = np.bincount(dim, minlength=steps)
        sums = np.bincount(dim, weights=values[known], minlength=steps)
        filled = clips > 0
        places = np.linspace(0, steps - 1, filled.sum()) if filled.sum() > 1 else at[:1]
        curves.append(np.interp(at, places, sums[filled] / clips[filled]))
    return np.array(curves)


def _checked(traversals: np.ndarray) -> np.ndarray:
    values = np.asarray(traversals, dtype=float)
    if values.ndim != 2 or values.shape[1] < 4 or not np.isfinite(values).all():
        raise DataError("Traversals must be finite numbers (traversals, steps), of four steps up.")
    return values


def _still(values: np.ndarray) -> np.ndarray:
    return np.ptp(values, axis=1) == 0


def _measured(parts: np.ndarray, values: np.ndarray) -> Measured:
    known = parts[~np.isnan(parts)]
    value = float(known.mean()) if len(known) else float("nan")
    each = {str(index): part for index, part in enumerate(parts.tolist())}
    return Measured(value, each, len(values), {"steps": values.shape[1]})


MEASURES = (
    Measure(
        "smoothness",
        "smoothness",
        "does a factor change evenly along its dimension?",
        smoothness,
        group="attributes",
        family="attributes",
        factors="numeric",
    ),
    Measure(
        "monotonicity",
        "monotonicity",
        "does it change in one direction?",
        monotonicity,
        group="attributes",
        family="attributes",
        factors="numeric",
    ),
)
