"""Intervals of means whose items come in clusters, such as all triplets of one anchor."""

from __future__ import annotations

import numpy as np

__all__ = ["clustered_interval"]

REPLICATES = 1000
_BLOCK = 2**22  # draws that are in memory at once
_IMAGINED = np.array([0.0, 0.0, 1.0, 1.0])


def clustered_interval(
    values: np.ndarray,
    clusters: np.ndarray,
    *,
    right_or_wrong: bool = True,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> tuple[np.ndarray, np.ndarray]:
    """Give the 95 % bootstrap interval of column means, drawing whole clusters anew.

    Items of a cluster are not independent: a bootstrap over items would be too narrow. Beside items
    that are right or wrong two of each are imagined, each a cluster of its own (A. Agresti,
    B. A. Coull, "Approximate is better than 'exact'", 1998), so that 20 right answers of 20 are
    not taken for certainty.

    Parameters
    ----------
    values : ndarray, shape (items, columns)
        In [0, 1].
    clusters : ndarray, shape (items,)
        Which items belong together.
    right_or_wrong : bool
        Whether items are 0 or 1, and not shares in between.
    seed : int
    replicates : int

    Returns
    -------
    low, high : ndarray, shape (columns,)
        Percentiles of the means; they enclose the mean itself. NaN where there is no item.

    References
    ----------
    A. C. Davison, D. V. Hinkley, "Bootstrap Methods and Their Application", 1997, Section 3.8.
    """
    values = np.asarray(values, dtype=float)
    if not len(values):
        nothing = np.full(values.shape[1], np.nan)
        return nothing, nothing
    names, place = np.unique(np.asarray(clusters), return_inverse=True)
    imagined = _IMAGINED if right_or_wrong else _IMAGINED[:0]
    count = len(names) + len(imagined)
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, place, values)
    sums[len(names) :] = imagined[:, None]
    sizes = np.append(np.bincount(place), np.ones(len(imagined)))
    rng = np.random.default_rng(seed)
    means = []
    step = max(1, _BLOCK // count)
    for start in range(0, replicates, step):
        size = min(step, replicates - start)
        draws = rng.multinomial(count, np.full(count, 1 / count), size).astype(float)
        means.append(draws @ sums / (draws @ sizes)[:, None])
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975], axis=0)
    mean = values.mean(axis=0)
    return np.minimum(low, mean), np.maximum(high, mean)
