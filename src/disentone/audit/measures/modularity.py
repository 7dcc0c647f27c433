"""Modularity and explicitness: a dimension encodes one factor, and the code separates every class.

References
----------
K. Ridgeway, M. C. Mozer, "Learning deep disentangled embeddings with the F-statistic loss", 2018.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from disentone.audit.measures.inputs import (
    BINS,
    Factors,
    chosen,
    columns,
    held_out,
    table,
    z_scored,
)
from disentone.audit.measures.matrix import InformationMatrix, information_matrix
from disentone.audit.measures.measured import Measure, Measured
from disentone.audit.redrawing import redrawn
from disentone.errors import DataError

__all__ = ["explicitness", "modularity"]


def modularity(
    *,
    codes: np.ndarray,
    factors: Factors,
    bins: int = BINS,
    factor_bins: int = BINS,
    variant: str = "corrected",
    seed: int = 0,
    matrix: InformationMatrix | None = None,
) -> Measured:
    """Modularity: mean over dimensions of 1 - sum of I^2 off the best / (I_best^2 (factors - 1)).

    I is the information of a dimension about a factor, "off the best" all factors but the one that
    the dimension encodes best. Range [0, 1], no unit. A perfect code scores 1, also with a factor
    encoded twice; a dimension that encodes two of three factors equally scores 1/2. A code of noise
    has no active dimension and scores 0. Categorical and ordinal factors are classes, multi-label
    factors count label by label, continuous ones are cut in ``factor_bins`` quantile bins.

    Parameters
    ----------
    codes : ndarray, shape (clips, dims)
    factors : mapping of str to Factor or ndarray
        At least two.
    bins, factor_bins : int
        Quantile bins of a dimension, and of a continuous factor.
    variant : {"corrected", "paper"}
        "corrected": information is counted above the mean of a permutation null, and the mean is
        over active dimensions, those that encode some factor above the null. "paper": plug-in
        information, and every dimension that is not constant counts, so that noise dimensions pull
        a perfect code down.
    seed : int
        Of the null.
    matrix : InformationMatrix, optional
        Of these codes and factors, where it is known already; its bins are then the ones.

    Returns
    -------
    Measured
        ``each``: by dimension that counts; ``how["active"]``: the active dimensions.
    """
    chosen(variant, ("corrected", "paper"))
    found = matrix or information_matrix(
        codes=codes, factors=factors, bins=bins, factor_bins=factor_bins, seed=seed
    )
    if len(found.names) < 2:
        raise DataError("Modularity needs at least two factors.")
    corrected = variant == "corrected"
    information = found.excess if corrected else found.value
    counted = np.flatnonzero(found.active if corrected else (found.code_entropies > 0).any(axis=1))
    best = information[counted].max(axis=1)
    rest = (information[counted] ** 2).sum(axis=1) - best**2
    parts = 1 - rest / (np.maximum(best, 1e-12) ** 2 * (len(found.names) - 1))
    how: dict[str, Any] = {"variant": variant, **found.how}
    how["active"] = np.flatnonzero(found.active).tolist()
    each = {str(dim): part for dim, part in zip(counted, parts.tolist())}
    return Measured(float(parts.mean()) if len(parts) else 0.0, each, found.n, how)


def explicitness(
    *,
    codes: np.ndarray,
    factors: Factors,
    test: np.ndarray | None = None,
    factor_bins: int = 5,
    variant: str = "corrected",
    limit: int | None = 10_000,
    replicates: int = 0,
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> Measured:
    """Explicitness: how well a linear classifier separates every class from the rest.

    A logistic regression on z-scored dimensions is fitted on training clips; of every class the
    area under the ROC curve, one class against the rest, is measured on held-out clips. The mean
    over classes and then factors is scaled to 2 AUC - 1: 0 is chance and 1 perfect; no unit, and
    less than 0 is worse than chance. A perfect code of two-class factors scores 1; of a factor of
    more classes in one dimension less, as one line cannot pick out a class in the middle. It does
    not ask where in the code a factor is: a rotated code scores as the code itself. Classes that
    either part lacks, or that leave no rest, are left out. Categorical and ordinal factors are
    classes, multi-label factors count label by label, continuous ones are cut in ``factor_bins``
    quantile bins.

    Parameters
    ----------
    codes : ndarray, shape (clips, dims)
    factors : mapping of str to Factor or ndarray
    test : ndarray of bool, shape (clips,), optional
        The held-out clips; a random third where it is not given.
    factor_bins : int
        Quantile bins of a continuous factor.
    variant : {"corrected", "raw"}
        "raw": the mean AUC, where chance is 1/2.
    limit : int, optional
        At most so many clips to fit on and as many to measure on, drawn by the seed.
    replicates : int
        Bootstrap samples of the held-out clips, for ``draws``.
    groups : ndarray, shape (clips,), optional
        The recording of every clip: held-out clips of one are drawn together.
    seed : int

    Returns
    -------
    Measured
        ``each``: by factor; NaN where no class is left.
    """
    chosen(variant, ("corrected", "raw"))
    codes = table(codes)
    found = columns(factors, clips=len(codes))
    train, rest = held_out(clips=len(codes), test=test, limit=limit, seed=seed)
    codes = z_scored(codes, fit=codes[train])
    kept = None if groups is None else np.asarray(groups)[rest]
    weights = np.ones((1, len(rest)))
    if replicates:
        drawn = redrawn(len(rest), groups=kept, replicates=replicates, seed=seed)
        weights = np.concatenate([weights, drawn])  # the first are the clips themselves
    areas = {}
    for column in found:
        area = _areas(codes, column.classes(factor_bins), train, rest, weights)
        areas[column.name] = area if variant == "raw" else 2 * area - 1
    each = {name: float(area[0]) for name, area in areas.items()}
    means = _mean_of_known(list(areas.values()))
    how: dict[str, Any] = {"variant": variant, "predictor": "logistic regression"}
    how |= {"factor_bins": factor_bins, "train": len(train), "test": len(rest)}
    draws = {name: area[1:] for name, area in ({"": means} | areas).items()} if replicates else {}
    return Measured(float(means[0]), each, len(rest), how, draws)


def _areas(
    codes: np.ndarray, labels: np.ndarray, train: np.ndarray, rest: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Mean held-out AUC over classes, each against the rest, for every row of weights (rows,).

    NaN where no class can be measured.
    """
    from sklearn.linear_model import LogisticRegression

    train, known = train[labels[train] >= 0], labels[rest] >= 0
    rest, weights = rest[known], weights[:, known]
    areas = []
    for label in np.intersect1d(labels[train], labels[rest]):
        own, new = labels[train] == label, labels[rest] == label
        if own.all() or new.all():
            continue
        model = LogisticRegression(max_iter=1000).fit(codes[train], own)
        areas.append(_weighted_area(model.decision_function(codes[rest]), new, weights))
    return _mean_of_known(areas) if areas else np.full(len(weights), np.nan)


def _weighted_area(scores: np.ndarray, true: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve, for every row of weights; equal answers count half."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(scores[order]) != 0))
    hits = np.add.reduceat((weights * true)[:, order], starts, axis=1)
    misses = np.add.reduceat((weights * ~true)[:, order], starts, axis=1)
    below = np.cumsum(misses, axis=1) - misses / 2
    pairs = hits.sum(axis=1) * misses.sum(axis=1)
    return np.where(pairs > 0, (hits * below).sum(axis=1) / np.maximum(pairs, 1.0), np.nan)


def _mean_of_known(values: list[np.ndarray]) -> np.ndarray:
    """Mean down the rows of what is not NaN; NaN where nothing is known."""
    stacked = np.array(values)
    known = ~np.isnan(stacked)
    total = np.where(known, stacked, 0.0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)


MEASURES = (
    Measure(
        "modularity",
        "modularity",
        "does each dimension encode one factor?",
        modularity,
        group="modularity",
        family="gaps",
        default=True,
        parts="dimensions",
        factors="several",
        variants={
            "paper": "The paper counts plug-in information and every dimension that varies, so "
            "that noise dimensions lower a perfect code; here what chance gives is taken off and "
            "only informative dimensions count."
        },
    ),
    Measure(
        "explicitness",
        "explicitness",
        "can a linear classifier separate each class?",
        explicitness,
        group="explicitness",
        family="explicitness",
        signed=True,
        fitted=True,
        variants={
            "raw": "The paper's number is the mean area under the ROC curve, where chance is 1/2; "
            "here chance is 0."
        },
    ),
)
