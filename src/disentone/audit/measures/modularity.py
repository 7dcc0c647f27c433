"""Modularity and explicitness: a dimension tells one factor, and the code tells every class.

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
from disentone.audit.measures.matrix import information_matrix
from disentone.audit.measures.measured import Measured
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
) -> Measured:
    """Modularity: mean over dimensions of 1 - sum of I^2 off the best / (I_best^2 (factors - 1)).

    I is the information of a dimension about a factor, "off the best" all factors but the one that
    the dimension tells best. Range [0, 1], no unit. A perfect code scores 1, also with a factor
    held twice; a dimension that tells two of three factors alike scores 1/2. A code of noise has
    no active dimension and scores 0. Categorical and ordinal factors are classes, multi-label
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
        over active dimensions, those that tell some factor above the null. "paper": plug-in
        information, and every dimension that is not constant counts, so that noise dimensions pull
        a perfect code down.
    seed : int
        Of the null.

    Returns
    -------
    Measured
        ``each``: by dimension that counts; ``how["active"]``: the active dimensions.
    """
    chosen(variant, ("corrected", "paper"))
    found = information_matrix(
        codes=codes, factors=factors, bins=bins, factor_bins=factor_bins, seed=seed
    )
    if len(found.names) < 2:
        raise DataError("Modularity needs at least two factors.")
    corrected = variant == "corrected"
    told = found.excess if corrected else found.value
    counted = np.flatnonzero(found.active if corrected else (found.code_entropies > 0).any(axis=1))
    best = told[counted].max(axis=1)
    rest = (told[counted] ** 2).sum(axis=1) - best**2
    parts = 1 - rest / (np.maximum(best, 1e-12) ** 2 * (len(found.names) - 1))
    how = {"variant": variant, "bins": bins, "factor_bins": factor_bins}
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
    seed: int = 0,
) -> Measured:
    """Explicitness: how well a line through all dimensions parts every class from the rest.

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
    each = {}
    for column in found:
        labels = column.classes(factor_bins)
        area = _area(codes, labels, train[labels[train] >= 0], rest[labels[rest] >= 0])
        each[column.name] = area if variant == "raw" else 2 * area - 1
    values = [value for value in each.values() if not np.isnan(value)]
    how: dict[str, Any] = {"variant": variant, "predictor": "logistic regression"}
    how |= {"factor_bins": factor_bins, "train": len(train), "test": len(rest)}
    return Measured(float(np.mean(values)) if values else np.nan, each, len(rest), how)


def _area(codes: np.ndarray, labels: np.ndarray, train: np.ndarray, rest: np.ndarray) -> float:
    """Mean held-out AUC over classes, each against the rest; NaN where no class can be measured."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    areas = []
    for label in np.intersect1d(labels[train], labels[rest]):
        own, new = labels[train] == label, labels[rest] == label
        if own.all() or new.all():
            continue
        model = LogisticRegression(max_iter=1000).fit(codes[train], own)
        areas.append(roc_auc_score(new, model.decision_function(codes[rest])))
    return float(np.mean(areas)) if areas else float("nan")
