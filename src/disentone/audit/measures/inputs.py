"""Inputs: the codes and the typed factors that measures are given, checked once.

A factor is a :class:`~disentone.factors.Factor`, or an array of one value a clip: integers,
booleans and texts are categories, floating numbers are a continuous factor. An unknown value
(-1 or NaN) leaves its clip out of that factor only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from disentone.audit.binning import quantile_codes
from disentone.errors import DataError, closest
from disentone.factors import Factor, FactorKind

__all__ = [
    "BINS",
    "Column",
    "Factors",
    "chosen",
    "columns",
    "held_out",
    "known_rows",
    "table",
    "z_scored",
]

BINS = 20  # quantile bins of a dimension and of a continuous factor, by default

Factors = Mapping[str, Factor | np.ndarray]
"""Factors by name; arrays are codes of classes, or numbers."""


@dataclass(frozen=True)
class Column:
    """One factor, one number a clip.

    Parameters
    ----------
    name : str
    kind : {"categorical", "ordinal", "continuous"}
    values : ndarray of float, shape (clips,)
        Codes of a categorical factor, numbers of the others; NaN where unknown.
    """

    name: str
    kind: FactorKind
    values: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """Where the value is known: bool (clips,)."""
        return ~np.isnan(self.values)

    @property
    def numeric(self) -> bool:
        """Whether differences of values mean something."""
        return self.kind != "categorical"

    def classes(self, bins: int = BINS) -> np.ndarray:
        """Give integer classes from 0, shape (clips,), -1 where unknown.

        Every category and every ordinal value is a class; a continuous factor is cut into
        ``bins`` quantile bins.
        """
        known = self.known
        codes = np.full(len(self.values), -1, dtype=np.int64)
        if self.kind == "continuous":
            codes[known] = quantile_codes(self.values[known], bins=bins)
        else:
            codes[known] = np.unique(self.values[known], return_inverse=True)[1]
        return codes


def columns(factors: Factors, *, clips: int) -> list[Column]:
    """Give the factors as columns.

    Every label of a multi-label factor becomes a factor of two classes, named ``factor:label``;
    labels that no clip or every clip has are left out.

    Parameters
    ----------
    factors : mapping of str to Factor or ndarray
    clips : int
        Clips of the codes.

    Raises
    ------
    DataError
        If there is no factor, one has another number of clips, or one never changes.
    """
    found = [c for name, given in factors.items() for c in _expanded(name, given)]
    if not found:
        raise DataError("There is no factor to measure by: give at least one that changes.")
    for column in found:
        if len(column.values) != clips:
            raise DataError(
                f"Factor '{column.name}' has {len(column.values)} values for {clips} clips."
            )
        if np.isinf(column.values).any():
            raise DataError(f"Factor '{column.name}' has infinite values: leave them unknown.")
        if len(np.unique(column.values[column.known])) < 2:
            raise DataError(f"Factor '{column.name}' has one value only: leave it out.")
    return found


def table(codes: np.ndarray, *, what: str = "codes") -> np.ndarray:
    """Give codes as finite floats, shape (clips, dims).

    Raises
    ------
    DataError
        If they are not a table, are empty, or a value is not finite.
    """
    codes = np.asarray(codes)
    if codes.ndim != 2 or 0 in codes.shape or not np.issubdtype(codes.dtype, np.number):
        raise DataError(f"The {what} must be a table (clips, dims) of numbers: not {codes.shape}.")
    if not np.isfinite(codes).all():
        raise DataError(f"Some {what} are not finite: leave those clips out.")
    return codes.astype(np.float64)


def held_out(
    *, clips: int, test: np.ndarray | None, limit: int | None = None, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Give the rows to fit on and the rows to measure on.

    Parameters
    ----------
    clips : int
    test : ndarray of bool, shape (clips,), optional
        The held-out clips; a random third where it is not given.
    limit : int, optional
        At most so many rows of either, drawn by the seed.
    seed : int

    Returns
    -------
    train, test : ndarray of int
        Increasing row numbers, with no row in common.
    """
    rng = np.random.default_rng(seed)
    if test is None:
        test = np.zeros(clips, dtype=bool)
        test[rng.permutation(clips)[: max(1, clips // 3)]] = True
    mask = np.asarray(test)
    if mask.dtype != bool or mask.shape != (clips,):
        raise DataError(f"'test' must be one boolean for each of the {clips} clips.")
    sides = [np.flatnonzero(~mask), np.flatnonzero(mask)]
    if min(map(len, sides)) < 2:
        raise DataError("At least two clips must be held out, and two be left to fit on.")
    train, rest = (
        np.sort(rng.choice(rows, limit, replace=False)) if limit and limit < len(rows) else rows
        for rows in sides
    )
    return train, rest


def known_rows(
    column: Column, *, train: np.ndarray, rest: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give the rows of either part whose factor is known.

    Parameters
    ----------
    column : Column
    train, rest : ndarray of int

    Raises
    ------
    DataError
        If the factor never changes in the first part, or is unknown for all of the other.
    """
    train, rest = train[column.known[train]], rest[column.known[rest]]
    if len(np.unique(column.values[train])) < 2:
        raise DataError(f"Factor '{column.name}' has one value only among the clips to fit on.")
    if len(rest) == 0:
        raise DataError(f"No held-out clip has a known value of factor '{column.name}'.")
    return train, rest


def z_scored(codes: np.ndarray, *, fit: np.ndarray) -> np.ndarray:
    """Give codes with the mean and the standard deviation of some of them taken out.

    Parameters
    ----------
    codes : ndarray, shape (clips, dims)
    fit : ndarray, shape (other clips, dims)
        What mean and deviation are of; a dimension that is constant in it is only centred.
    """
    mean, scale = fit.mean(axis=0), fit.std(axis=0)
    return (codes - mean) / np.where(scale > 1e-12 * np.abs(mean), scale, 1.0)


def chosen(variant: str, known: Sequence[str]) -> None:
    """Refuse a variant that does not exist.

    Raises
    ------
    DataError
    """
    if variant not in known:
        raise DataError(f"There is no variant '{variant}'{closest(variant, known)}")


def _expanded(name: str, given: Factor | np.ndarray) -> list[Column]:
    if not isinstance(given, Factor):
        given = _typed(name, np.asarray(given))
    known = given.known
    if given.kind == "categorical":
        return [Column(name, given.kind, np.where(known, given.values.astype(float), np.nan))]
    if given.kind != "multilabel":
        return [Column(name, given.kind, np.asarray(given.values, dtype=float))]
    labels = np.where(known[:, None], given.values, np.nan)
    return [
        Column(f"{name}:{label}", "categorical", column)
        for label, column in zip(given.classes, labels.T)
        if len(np.unique(column[known])) > 1
    ]


def _typed(name: str, values: np.ndarray) -> Factor:
    if values.ndim != 1:
        raise DataError(f"Factor '{name}' must have one value a clip: not shape {values.shape}.")
    if np.issubdtype(values.dtype, np.floating):
        return Factor(name, "continuous", values.astype(np.float64))
    if np.issubdtype(values.dtype, np.integer):
        return Factor(name, "categorical", np.maximum(values, -1), _names(values))
    labels: list[Any] = values.tolist()
    return Factor.categorical(name, labels)


def _names(values: np.ndarray) -> tuple[str, ...]:
    return tuple(str(code) for code in range(int(values.max(initial=-1)) + 1))
