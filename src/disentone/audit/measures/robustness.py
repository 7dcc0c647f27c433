"""Interventional robustness: does a dimension stay constant when the other factors change.

References
----------
R. Suter, D. Miladinovic, B. Schoelkopf, S. Bauer, "Robustly disentangled causal mechanisms:
validating deep representations for interventional robustness", 2019 (IRS).
"""

from __future__ import annotations

import numpy as np

from disentone.audit.measures.inputs import Factors, chosen, columns, table
from disentone.audit.measures.measured import Measure, Measured
from disentone.errors import DataError

__all__ = ["irs"]

LEAST = 1e-9  # a dimension that moves less, relative to its size, does not move
CHANCE = 1e-3  # p of an F-test above which a dimension's moves are taken for chance


def irs(
    *, codes: np.ndarray, factors: Factors, factor_bins: int = 10, variant: str = "corrected"
) -> Measured:
    """Interventional robustness score: mean over dimensions of 1 - moved when held / moved at all.

    m(cell) is the mean of a dimension over the clips of one combination of all factors. Held at
    factor k, a dimension moves by the mean over k's values g (weighted by their clips) of the
    largest abs(m(cell) - mean given g) among the cells of g. At all, it moves by the largest
    abs(m(cell) - mean). A dimension scores the best of its factors. Range [0, 1], no unit. A
    perfect code scores 1, also with dead or noise dimensions or a factor encoded twice; a + b of
    two binary factors scores 1/2. A dimension whose means of cells differ no more than chance would
    make them (F-test, p > 0.001; not tested where no cell has two clips) does not count, for noise
    alone would score about 1/2; a code of such dimensions scores 0.

    Categorical and ordinal factors are classes, multi-label factors count label by label,
    continuous ones are cut in ``factor_bins`` quantile bins; clips with an unknown factor are left
    out.

    Parameters
    ----------
    codes : ndarray, shape (clips, dims)
    factors : mapping of str to Factor or ndarray
        At least two.
    factor_bins : int
        Quantile bins of a continuous factor.
    variant : {"corrected", "weighted"}
        "corrected": every moving dimension counts equally. "weighted": by how far it moves, as in
        public code, and noise counts too, so that the score depends on the scale of dimensions.

    Returns
    -------
    Measured
        ``each``: by moving dimension; ``how["factor"]``: the factor of each.
    """
    chosen(variant, ("corrected", "weighted"))
    codes = table(codes)
    found = columns(factors, clips=len(codes))
    if len(found) < 2:
        raise DataError("Robustness needs at least two factors: one is held, others change.")
    labels = np.array([column.classes(factor_bins) for column in found])
    known = (labels >= 0).all(axis=0)
    if not known.any():
        raise DataError("No clip has a known value of every factor.")
    cells, index, clips = np.unique(
        labels[:, known], axis=1, return_inverse=True, return_counts=True
    )
    sums = np.zeros((len(clips), codes.shape[1]))
    np.add.at(sums, index.reshape(-1), codes[known])
    means = sums / clips[:, None]  # (cells, dims)
    moved = np.abs(means - clips @ means / clips.sum()).max(axis=0)
    mask = moved > LEAST * np.abs(codes).max(axis=0)
    if variant == "corrected":
        mask &= _above_chance(codes[known], means, clips)
    moving = np.flatnonzero(mask)
    held = np.array([_held(means, clips, values) for values in cells])  # (factors, dims)
    robust = 1 - np.minimum(held[:, moving] / moved[moving], 1.0)
    parts = robust.max(axis=0)
    how = {"variant": variant, "factor_bins": factor_bins, "cells": len(clips)}
    how["factor"] = {str(d): found[k].name for d, k in zip(moving, robust.argmax(axis=0))}
    weights = moved[moving] if variant == "weighted" else np.ones(len(moving))
    value = float(np.average(parts, weights=weights)) if len(moving) else 0.0
    each = {str(dim): part for dim, part in zip(moving, parts.tolist())}
    return Measured(value, each, int(known.sum()), how)


def _held(means: np.ndarray, clips: np.ndarray, values: np.ndarray) -> np.ndarray:
    """How far each dimension moves, on average, while a factor keeps its value: (dims,)."""
    total = np.zeros(means.shape[1])
    for value in np.unique(values):
        mine = values == value
        weight = clips[mine]
        still = weight @ means[mine] / weight.sum()
        total += weight.sum() * np.abs(means[mine] - still).max(axis=0)
    return total / clips.sum()


def _above_chance(codes: np.ndarray, means: np.ndarray, clips: np.ndarray) -> np.ndarray:
    """Whether the means of cells differ by more than chance: bool (dims,)."""
    from scipy.stats import f

    within_freedom = len(codes) - len(clips)
    if within_freedom == 0 or len(clips) < 2:
        return np.ones(codes.shape[1], dtype=bool)
    between = clips @ (means - codes.mean(axis=0)) ** 2
    within = ((codes - codes.mean(axis=0)) ** 2).sum(axis=0) - between
    within = np.maximum(within, 1e-12 * between)
    ratio = between / (len(clips) - 1) / np.where(within > 0, within / within_freedom, 1.0)
    return np.asarray(f.sf(ratio, len(clips) - 1, within_freedom) < CHANCE)


MEASURES = (
    Measure(
        "irs",
        "IRS",
        "does a dimension stay constant while other factors change?",
        irs,
        group="modularity",
        family="robustness",
        parts="dimensions",
        factors="several",
        variants={
            "weighted": "Public code weighs dimensions by how far they move, noise included, so "
            "that the score depends on their scale."
        },
    ),
)
