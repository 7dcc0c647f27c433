"""The matrix of information between dimensions and factors, which several measures read.

Plug-in mutual information of binned dimensions, in nats, beside the mean of a null in which the
factor is permuted over clips. Bins are quantiles; about a factor of classes their edges lie on the
borders of the classes, as of these the information is of the code and not of where it is cut
(:func:`~disentone.audit.binning.class_codes`). A dimension is *active* if it encodes some factor
more than its null does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from disentone.audit.binning import (
    class_codes,
    equal_width_codes,
    equal_width_edges,
    quantile_codes,
)
from disentone.audit.information import code_entropies, entropy, mutual_information
from disentone.audit.measures.inputs import BINS, Column, Factors, columns, table

__all__ = ["InformationMatrix", "information_matrix"]

PERMUTATIONS = 20
SPREADS = 6  # standard deviations above the null's mean that make a dimension active


@dataclass(frozen=True)
class InformationMatrix:
    """Information of every dimension about every factor.

    Parameters
    ----------
    value : ndarray, shape (dims, factors)
        Plug-in, in nats.
    null, spread : ndarray, shape (dims, factors)
        Mean and standard deviation over permutations of the factor.
    entropies : ndarray, shape (factors,)
        Of the factors' classes, in nats.
    code_entropies : ndarray, shape (dims, factors)
        Of the dimensions' bins over the clips whose factor is known, in nats.
    names : tuple of str
        Of the factors.
    n : int
        Clips of the factor with the most known values.
    most_bins : ndarray of int, shape (factors,)
        Into how many bins a dimension was cut at most: no fewer than the factor has classes.
    how : mapping of str to object
        ``"bins"`` and ``"factor_bins"``.
    """

    value: np.ndarray
    null: np.ndarray
    spread: np.ndarray
    entropies: np.ndarray
    code_entropies: np.ndarray
    names: tuple[str, ...]
    n: int
    most_bins: np.ndarray
    how: Mapping[str, Any]

    @property
    def excess(self) -> np.ndarray:
        """Information above the null's mean, not below 0: (dims, factors), in nats."""
        return np.maximum(self.value - self.null, 0.0)

    @property
    def active(self) -> np.ndarray:
        """Dimensions that encode some factor above chance: bool (dims,)."""
        above = self.value > self.null + SPREADS * self.spread + 1e-9
        return np.asarray(above.any(axis=1))


def information_matrix(
    *,
    codes: np.ndarray,
    factors: Factors,
    bins: int = BINS,
    factor_bins: int = BINS,
    equal_width: bool = False,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> InformationMatrix:
    """Measure the information of every dimension about every factor.

    Parameters
    ----------
    codes : ndarray, shape (clips, dims)
    factors : mapping of str to Factor or ndarray
        Categories and ordinal values are classes; continuous factors are cut in quantile bins.
    bins, factor_bins : int
        Bins of a dimension and of a continuous factor.
    equal_width : bool
        Cut dimensions by equal width, as much public code does, and not by quantiles and classes.
    permutations : int
        Of the null; with 0, the null is 0.
    seed : int
        Of the permutations.
    """
    codes = table(codes)
    found = columns(factors, clips=len(codes))
    rng = np.random.default_rng(seed)
    value, null, spread, entropies, of_codes, counts, most = [], [], [], [], [], [], []
    for column in found:
        known = column.known
        labels = column.classes(factor_bins)[known]
        cut = _cutter(codes[known], column, bins=bins, equal_width=equal_width)
        part = cut(labels)
        value.append(mutual_information(codes=part, labels=labels))
        mean, deviation = _null(cut, labels, part.shape[1], permutations, rng)
        null.append(mean)
        spread.append(deviation)
        entropies.append(entropy(labels))
        of_codes.append(code_entropies(part))
        counts.append(int(known.sum()))
        most.append(max(bins, int(part.max()) + 1))
    return InformationMatrix(
        np.array(value).T,
        np.array(null).T,
        np.array(spread).T,
        np.array(entropies),
        np.array(of_codes).T,
        tuple(column.name for column in found),
        max(counts),
        np.array(most),
        {"bins": bins, "factor_bins": factor_bins},
    )


def _cutter(
    codes: np.ndarray, column: Column, *, bins: int, equal_width: bool
) -> Callable[[np.ndarray], np.ndarray]:
    """Give what cuts codes into bins from 0, (clips, dims), for classes (clips,) of a factor."""
    if column.kind != "continuous" and not equal_width:
        return lambda labels: class_codes(codes, labels=labels, bins=bins)
    if not equal_width:
        cut = quantile_codes(codes, bins=bins)
    else:
        columns = [equal_width_codes(c, edges=equal_width_edges(c, bins=bins)) for c in codes.T]
        cut = np.array(columns).T
    return lambda labels: cut


def _null(
    cut: Callable[[np.ndarray], np.ndarray],
    labels: np.ndarray,
    dims: int,
    permutations: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the information after permutation, each (dims,)."""
    if permutations == 0:
        return np.zeros(dims), np.zeros(dims)
    orders = (rng.permutation(labels) for _ in range(permutations))
    drawn = [mutual_information(codes=cut(order), labels=order) for order in orders]
    return np.mean(drawn, axis=0), np.std(drawn, axis=0)
