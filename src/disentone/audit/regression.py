"""How well a continuous factor is predicted as a number: R2, by a probe and by a line.

The two-layer probe answers with a probability for each class of the factor; their mean value is its
number, which is the least squares answer where the probabilities are right (E. Imani, M. White,
"Improving Regression Performance with Distributional Losses", ICML 2018). Ridge regression says how
much of the factor lies along a line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from disentone.audit.card import R2
from disentone.audit.plan import Plan
from disentone.audit.records import Predictions, Record, record_of
from disentone.audit.redrawing import redrawn
from disentone.audit.scores import REPLICATES, Estimate, seed_half_width
from disentone.audit.targets import Target

__all__ = ["LINEAR", "expected_values", "r2_score", "regression_records", "ridge"]

LINEAR = "r2_linear"
STRENGTHS = tuple(10.0**power for power in range(-6, 2))  # of ridge, for each training clip
FLAT = 1e-6  # a dimension that moves less, relative to its values, is constant


def regression_records(
    plan: Plan, outputs: Mapping[tuple[str, str], Predictions]
) -> Iterator[Record]:
    """Yield R2 of every block and continuous factor: of its probes, then of ridge regression.

    Parameters
    ----------
    plan : Plan
    outputs : mapping of (block, factor) to list of (probabilities, classes)
        Of the probes, for the test clips.
    """
    names = [name for name, one in plan.targets.items() if one.factor.kind == "continuous"]
    rows = {name: plan.rows(name) for name in names}
    fits = {name: plan.drawn(np.flatnonzero(rows[name][0]), plan.seeds[0]) for name in names}
    for block, embedding in plan.blocks.items():
        lines = _lines(embedding, plan, fits)
        for name in names:
            (train, test), target = rows[name], plan.targets[name]
            several = outputs[block, name]
            values, groups = target.factor.values[test], plan.groups_of(test)
            number = expected_values(several, target=target, train=train)
            about = {"train": len(fits[name]), "seeds": len(several)}
            found = r2_score(number, values, groups)
            predictor = {"predictor": "mean of the two-layer probe's classes"}
            yield record_of("probe", block, name, R2, found) | about | predictor
            found = r2_score(lines[name][None, test], values, groups)
            about["seeds"] = 1
            yield record_of("probe", block, name, LINEAR, found) | about | {"predictor": "ridge"}


def expected_values(outputs: Predictions, *, target: Target, train: np.ndarray) -> np.ndarray:
    """Mean value of the classes of a factor, each as probable as the probe of a seed holds it.

    Parameters
    ----------
    outputs : list of (probabilities (clips, outputs), classes (outputs,))
        Of each seed.
    target : Target
        Of a continuous factor.
    train : ndarray of bool, shape (all clips,)
        A class stands for the mean of these clips' values in it.

    Returns
    -------
    ndarray, shape (seeds, clips)
        In the factor's unit.
    """
    codes, values = target.codes[train], target.factor.values[train]
    count = np.bincount(codes, minlength=len(target.centres))
    means = np.bincount(codes, weights=values, minlength=len(count)) / np.maximum(count, 1)
    return np.array([p @ means[seen] / p.sum(axis=1) for p, seen in outputs])


def ridge(embedding: np.ndarray, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Predict numbers from z-scored dimensions, by the strength with the least left-out error.

    One eigendecomposition serves all strengths and all columns of values; the error of each clip
    that is left out follows from it in closed form (D. M. Allen's PRESS, 1974).

    Parameters
    ----------
    embedding : ndarray, shape (clips, dims)
    values : ndarray, shape (clips, columns)
        Known in the rows to fit.
    rows : ndarray of int
        Clips to fit, two or more.

    Returns
    -------
    ndarray, shape (clips, columns)
        Of all clips.
    """
    known = np.asarray(embedding[rows], dtype=np.float64)
    mean, spread = known.mean(axis=0), known.std(axis=0)
    moves = spread > FLAT * np.abs(known).max(axis=0)
    scale = np.where(moves, 1 / np.where(moves, spread, 1), 0.0)
    inputs, goal = (known - mean) * scale, values[rows]
    level = goal.mean(axis=0)
    power, axes = np.linalg.eigh(inputs.T @ inputs)
    rotated = inputs @ axes
    along, squares = rotated.T @ (goal - level), rotated**2
    best = np.full(goal.shape[1], np.inf)
    weights = np.zeros_like(along)
    for strength in STRENGTHS:
        shrunk = 1 / (np.maximum(power, 0) + strength * len(rows))
        found = shrunk[:, None] * along
        own = 1 / len(rows) + squares @ shrunk  # of a clip in its own prediction
        left_out = (goal - level - rotated @ found) / np.maximum(1 - own, 1e-10)[:, None]
        error = (left_out**2).sum(axis=0)
        weights = np.where(error < best, found, weights)
        best = np.minimum(best, error)
    return (embedding - mean) * scale @ axes @ weights + level


def r2_score(
    predicted: np.ndarray, values: np.ndarray, groups: np.ndarray | None = None
) -> Estimate:
    """1 less the squared error relative to that of the mean of the test clips.

    1 is exact, 0 as good as their mean, and a prediction that is worse is below 0, however far: it
    is not cut. The interval is of clips drawn anew (200 replicates) and of seeds.

    Parameters
    ----------
    predicted : ndarray, shape (seeds, clips)
    values : ndarray, shape (clips,)
        Finite.
    groups : ndarray, shape (clips,), optional
        The recording of every clip: those of one are drawn together.

    Returns
    -------
    Estimate
        NaN where all values are the same. Chance is 0.
    """
    count = len(values)
    if not count or values.min() == values.max():
        return Estimate(np.nan, np.nan, np.nan, 0.0, count)
    errors, centred = (predicted - values) ** 2, values - values.mean()
    draws = redrawn(count, groups=groups, replicates=REPLICATES)
    weights = np.concatenate([np.ones((1, count)), draws])  # the first is the clips themselves
    total = weights @ centred**2 - (weights @ centred) ** 2 / weights.sum(axis=1)
    known = total > 1e-12 * (centred**2).sum()  # else a replicate of one value
    score = 1 - errors @ weights.T[:, known] / total[known]
    seeds = score[:, 0]
    spread = score[:, 1:].mean(axis=0).std(ddof=1) if known.sum() > 2 else np.nan
    half, value = float(np.hypot(seed_half_width(seeds), 1.96 * spread)), float(seeds.mean())
    return Estimate(value, value - half, min(1.0, value + half), 0.0, count)


def _lines(
    embedding: np.ndarray, plan: Plan, fits: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Ridge predictions of every factor (clips,); factors known of the same clips share one fit."""
    together: dict[bytes, list[str]] = {}
    for name, rows in fits.items():
        together.setdefault(rows.tobytes(), []).append(name)
    found = {}
    for names in together.values():
        values = np.stack([plan.targets[name].factor.values for name in names], axis=1)
        columns = ridge(embedding, values, fits[names[0]]).T
        found |= dict(zip(names, columns, strict=True))
    return found
