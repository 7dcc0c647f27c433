"""Targets: what a probe predicts, made from a factor of any kind."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from disentone.audit.binning import equal_width_codes, equal_width_edges
from disentone.errors import DataError
from disentone.factors import Factor

__all__ = ["CLASSES", "Target", "make_target"]

CLASSES = 20  # of a continuous factor, by default
LEVELS = 200  # an ordinal factor with more values than this is cut like a continuous one


@dataclass(frozen=True)
class Target:
    """A factor as classes.

    Parameters
    ----------
    factor : Factor
    codes : ndarray of int
        Class of every clip (clips,), or 0 and 1 for every label (clips, labels); -1 unknown.
    centres : ndarray, shape (classes,)
        Value that each class of an ordinal or continuous factor stands for; empty otherwise.
    names : tuple of str
        Readable classes or labels.
    """

    factor: Factor
    codes: np.ndarray
    centres: np.ndarray
    names: tuple[str, ...]

    @property
    def known(self) -> np.ndarray:
        """Where the class is known: bool (clips,)."""
        return self.codes.reshape(len(self.codes), -1).min(axis=1) >= 0

    def describe(self) -> dict[str, Any]:
        """Kind, classes, unit and tolerance, for a card."""
        return {
            "kind": self.factor.kind,
            "classes": list(self.names),
            "unit": self.factor.unit,
            "tolerance": self.factor.tolerance,
        }


def make_target(factor: Factor, *, train: np.ndarray, classes: int | None = None) -> Target:
    """Give the classes of a factor.

    Categorical and multi-label factors have theirs (one label alone is a factor of two classes).
    An ordinal factor has one class a value. A continuous factor, or an ordinal one for which a
    number of classes is given, is cut in classes of equal width over the training clips' range.

    Parameters
    ----------
    factor : Factor
    train : ndarray of bool or int
        The training clips: they alone determine where classes begin.
    classes : int, optional
        Classes to cut an ordinal or continuous factor in; 20 for a continuous one by default.

    Raises
    ------
    DataError
        If no training clip has a known value, the values are infinite, or classes are asked of a
        factor that has its own.
    """
    if classes is not None and (factor.kind in ("categorical", "multilabel") or classes < 2):
        raise DataError(
            f"Factor '{factor.name}' is {factor.kind} and cannot be cut in {classes} classes: "
            "ask for two or more, of ordinal and continuous factors only."
        )
    if not factor.known[train].any():
        raise DataError(f"No training clip has a known value of factor '{factor.name}'.")
    if factor.kind == "categorical":
        return Target(factor, factor.values.astype(np.int64), np.array([]), factor.classes)
    if factor.kind == "multilabel":
        codes = np.where(factor.known[:, None], factor.values == 1, -1).astype(np.int64)
        one = codes.shape[1] == 1
        names = ("no", factor.classes[0]) if one else factor.classes
        return Target(factor, codes[:, 0] if one else codes, np.array([]), names)
    return _cut(factor, train, classes)


def _cut(factor: Factor, train: np.ndarray, classes: int | None) -> Target:
    values = factor.values
    levels = np.unique(values[train][factor.known[train]])
    if np.isinf(values).any():
        raise DataError(f"Factor '{factor.name}' has infinite values: leave them unknown instead.")
    if classes is None and factor.kind == "ordinal" and len(levels) <= LEVELS:
        middles = (levels[1:] + levels[:-1]) / 2  # a value that is new in test joins the nearest
        codes = np.where(factor.known, np.searchsorted(middles, values, side="right"), -1)
        return Target(factor, codes, levels, tuple(f"{level:g}" for level in levels))
    edges = equal_width_edges(values[train], bins=classes or CLASSES)
    codes = equal_width_codes(values, edges=edges)
    names = tuple(f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges))
    return Target(factor, codes, (edges[1:] + edges[:-1]) / 2, names)
