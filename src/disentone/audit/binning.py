"""Binning: continuous values become a few integer codes, so that information can be counted.

Codes of an embedding are made by quantiles: one outlier moves nothing, and any increasing map of
a column leaves its codes as they were. Where its information about classes is counted, the edges
nearest to the borders of the classes lie on them: a bin that holds the end of one class and the
start of the next would lose information that the code has. Values of a factor are cut into classes
of equal width, so that every class means the same distance.
"""

from __future__ import annotations

import numpy as np

__all__ = ["class_codes", "equal_width_codes", "equal_width_edges", "quantile_codes"]


def quantile_codes(values: np.ndarray, *, bins: int = 20) -> np.ndarray:
    """Cut every column into bins that hold equally many values.

    Equal values always share a bin, so a column with ties has fewer bins, and a constant (dead)
    column has one.

    Parameters
    ----------
    values : ndarray, shape (clips,) or (clips, dims)
        Finite numbers.
    bins : int
        Bins asked for, at least 1.

    Returns
    -------
    ndarray of int64, same shape
        Codes in [0, bins), increasing with the value.

    Raises
    ------
    ValueError
        If a value is not finite or there are no bins.
    """
    values = np.asarray(values)
    if bins < 1 or not np.isfinite(values).all():
        raise ValueError("Quantile bins need finite values and at least one bin.")
    columns = values.reshape(len(values), -1)
    codes = np.zeros(columns.shape, dtype=np.int64)
    if len(columns) == 0:
        return codes.reshape(values.shape)
    shares = np.arange(1, bins) / bins
    edges = np.quantile(columns, shares, axis=0, method="higher")  # (bins - 1, dims)
    for index, column in enumerate(columns.T):
        # An edge is a value that opens a bin; the smallest value opens none, it is in the first.
        opening = np.unique(edges[:, index])
        codes[:, index] = np.searchsorted(opening[opening > column.min()], column, side="right")
    return codes.reshape(values.shape)


def class_codes(values: np.ndarray, *, labels: np.ndarray, bins: int = 20) -> np.ndarray:
    """Cut every column into quantile bins of which none need hold parts of two classes.

    Of the quantile edges the nearest to each border between classes are replaced by it. The
    borders of a column are where its classes would meet if it had one after the other, in the
    order of their mean ranks: they depend on how many clips each class has, and on no single label.

    Parameters
    ----------
    values : ndarray, shape (clips, dims)
        Finite numbers.
    labels : ndarray of int, shape (clips,)
        Class of every clip, from 0.
    bins : int
        Bins asked for, at least 1; where there are more classes, as many as these.

    Returns
    -------
    ndarray of int64, shape (clips, dims)
        Codes from 0, increasing with the value; equal values share one.
    """
    count = len(values)
    sizes = np.bincount(labels)
    quantiles = np.ceil(np.arange(1, bins) / bins * (count - 1)).astype(int)  # as quantile_codes
    codes = np.zeros(values.shape, dtype=np.int64)
    for index, column in enumerate(values.T):
        order = np.argsort(column)
        ordered = column[order]
        places = np.arange(count)
        ranks = np.maximum.accumulate(places * np.r_[True, np.diff(ordered) > 0])  # ties share one
        means = np.bincount(labels[order], weights=ranks) / np.maximum(sizes, 1)
        borders = np.cumsum(sizes[np.argsort(means, kind="stable")])  # where the next class starts
        borders = np.unique(borders[(borders > 0) & (borders < count)])
        opening = np.unique(ordered[_with_borders(quantiles, borders)])
        starts = np.searchsorted(ordered, opening)  # the first of equal values
        bins_in_order = np.zeros(count, dtype=np.int64)
        bins_in_order[starts[starts > 0]] = 1
        codes[order, index] = bins_in_order.cumsum()
    return codes


def _with_borders(quantiles: np.ndarray, borders: np.ndarray) -> np.ndarray:
    """Places of edges: all borders, and the quantiles but for the nearest to each border."""
    left = quantiles.tolist()
    for border in borders[: len(left)]:
        left.remove(min(left, key=lambda place: abs(place - border)))
    return np.sort(np.concatenate([borders, np.array(left, dtype=int)]))


def equal_width_edges(values: np.ndarray, *, bins: int) -> np.ndarray:
    """Edges of bins of equal width over the range of the values.

    Parameters
    ----------
    values : ndarray, shape (clips,)
        NaN where unknown; at least one is known.
    bins : int
        At least 1.

    Returns
    -------
    ndarray, shape (bins + 1,)
        Increasing; just two equal edges where all values are the same.

    Raises
    ------
    ValueError
        If no value is known or there are no bins.
    """
    known = np.asarray(values, dtype=float)
    known = known[~np.isnan(known)]
    if bins < 1 or len(known) == 0 or not np.isfinite(known).all():
        raise ValueError("Equal-width bins need finite values and at least one bin.")
    low, high = known.min(), known.max()
    return np.linspace(low, high, bins + 1) if high > low else np.array([low, high])


def equal_width_codes(values: np.ndarray, *, edges: np.ndarray) -> np.ndarray:
    """Bin of every value; the end bins take what lies beyond the edges.

    Parameters
    ----------
    values : ndarray, shape (clips,)
        NaN where unknown.
    edges : ndarray, shape (bins + 1,)
        From :func:`equal_width_edges`, on the training clips where something is fitted.

    Returns
    -------
    ndarray of int64, shape (clips,)
        Codes in [0, bins), -1 where unknown.
    """
    values = np.asarray(values, dtype=float)
    codes = np.searchsorted(edges[1:-1], values, side="right").astype(np.int64)
    return np.where(np.isnan(values), -1, codes)
