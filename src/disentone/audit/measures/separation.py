"""Separated attribute predictability: one dimension alone predicts a factor, no other does.

References
----------
A. Kumar, P. Sattigeri, A. Balakrishnan, "Variational inference of disentangled latent concepts
from unlabeled observations", 2018 (the SAP score).
"""

from __future__ import annotations

import numpy as np

from disentone.audit.measures.inputs import (
    Column,
    Factors,
    chosen,
    columns,
    held_out,
    known_rows,
    table,
)
from disentone.audit.measures.measured import Measure, Measured
from disentone.errors import DataError

__all__ = ["sap"]


def sap(
    *,
    codes: np.ndarray,
    factors: Factors,
    test: np.ndarray | None = None,
    bins: int = 20,
    variant: str = "corrected",
    seed: int = 0,
) -> Measured:
    """SAP score: mean over factors of (score of the best dimension - score of the second).

    The score of a dimension is measured on held-out clips. For an ordinal or continuous factor it
    is R^2 of a line (not below 0). For a categorical factor thresholds are fitted: the dimension
    is cut at the ``bins`` quantiles of the training clips, each bin answers the class that is most
    over-represented in it, and the score is balanced accuracy, (accuracy - 1/classes) /
    (1 - 1/classes) and not below 0, over the classes that both parts have. Range [0, 1], no unit.
    A perfect code scores 1, with dead or noise dimensions too; a code that encodes a factor twice
    scores 0, a rotated one little. Multi-label factors count label by label; continuous factors
    are not binned.

    Parameters
    ----------
    codes : ndarray, shape (clips, dims)
    factors : mapping of str to Factor or ndarray
    test : ndarray of bool, shape (clips,), optional
        The held-out clips; a random third where it is not given.
    bins : int
        Quantile bins of a dimension, for categorical factors.
    variant : {"corrected", "paper"}
        "paper": balanced accuracy is not scaled by chance, so a perfect code scores
        1 - 1/classes for a categorical factor.
    seed : int
        Of the split.

    Returns
    -------
    Measured
        ``each``: by factor.
    """
    chosen(variant, ("corrected", "paper"))
    codes = np.asfortranarray(table(codes))  # dimensions are read one by one
    found = columns(factors, clips=len(codes))
    train, rest = held_out(clips=len(codes), test=test, seed=seed)
    each: dict[str, float] = {}
    cells: Cells = {}
    for column in found:
        fit, new = known_rows(column, train=train, rest=rest)
        scores = np.sort(_scores(codes, column, fit, new, bins, variant, cells))
        each[column.name] = float(scores[-1] - (scores[-2] if len(scores) > 1 else 0.0))
    how = {"variant": variant, "predictor": "line, or thresholds at quantiles", "bins": bins}
    how |= {"train": len(train), "test": len(rest)}
    return Measured(float(np.mean(list(each.values()))), each, len(rest), how)


Cells = dict[tuple[bytes, bytes], list[tuple[np.ndarray, np.ndarray]]]


def _scores(
    codes: np.ndarray,
    column: Column,
    train: np.ndarray,
    rest: np.ndarray,
    bins: int,
    variant: str,
    cells: Cells,
) -> list[float]:
    """Held-out score of every dimension."""
    if column.numeric:
        true, new = column.values[train], column.values[rest]
        return [_line(dim[train], true, dim[rest], new) for dim in codes.T]
    labels = column.classes()
    classes = np.intersect1d(labels[train], labels[rest])
    if len(classes) < 2:
        raise DataError("A factor has fewer than two classes that both parts of the split have.")
    train, rest = (rows[np.isin(labels[rows], classes)] for rows in (train, rest))
    before, true = (np.searchsorted(classes, labels[rows]) for rows in (train, rest))
    chance = 1 / len(classes)
    key = (train.tobytes(), rest.tobytes())
    if key not in cells:  # most factors are known of the same clips
        cells[key] = [_cells(dim[train], dim[rest], bins) for dim in codes.T]
    accuracies = [_thresholds(fit, before, new, true, bins) for fit, new in cells[key]]
    if variant == "corrected":
        return [max(0.0, (accuracy - chance) / (1 - chance)) for accuracy in accuracies]
    return accuracies


def _line(inputs: np.ndarray, values: np.ndarray, new: np.ndarray, true: np.ndarray) -> float:
    """Held-out R^2 of a line fitted by least squares, not below 0."""
    centred = inputs - inputs.mean()
    power = centred @ centred
    slope = centred @ (values - values.mean()) / power if power > 0 else 0.0
    error = ((values.mean() + slope * (new - inputs.mean()) - true) ** 2).mean()
    spread = ((true - values.mean()) ** 2).mean()
    return max(0.0, 1 - float(error / spread)) if spread > 0 else 0.0


def _cells(inputs: np.ndarray, new: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Bins of the clips to fit on and to measure on, by quantiles of the former."""
    edges = np.unique(np.quantile(inputs, np.arange(1, bins) / bins, method="higher"))
    kind = np.uint8 if bins <= 256 else np.int64
    one, two = (np.searchsorted(edges, values, side="right") for values in (inputs, new))
    return one.astype(kind), two.astype(kind)


def _thresholds(
    cells: np.ndarray, labels: np.ndarray, new: np.ndarray, true: np.ndarray, bins: int
) -> float:
    """Held-out balanced accuracy of the class that each bin of a dimension stands for."""
    classes = int(labels.max()) + 1
    joint = cells.astype(np.int64) * classes + labels
    counts = np.bincount(joint, minlength=bins * classes).reshape(bins, classes)
    predicted = (counts / counts.sum(axis=0)).argmax(axis=1)[new]
    right = np.bincount(true[predicted == true], minlength=classes)
    return float(np.mean(right / np.bincount(true, minlength=classes)))


MEASURES = (
    Measure(
        "sap",
        "SAP",
        "does one dimension alone predict each factor?",
        sap,
        family="separation",
        default=True,
        fitted=True,
        variants={
            "paper": "The paper does not scale balanced accuracy by chance, so that a perfect "
            "code scores 1 - 1/classes for a categorical factor."
        },
    ),
)
