"""Mutual information between coded dimensions and factors, with its null and its interval.

All values are in nats: 0 for independent variables, H(factor) for a dimension that determines the
factor. The estimator is the plug-in of the joint histogram. On independent variables it does not
give 0 but about (bins - 1)(classes - 1) / (2 clips), which is why every value comes with the
mean of a permutation null ("chance").

References
----------
T. M. Cover, J. A. Thomas, "Elements of Information Theory", 2006, chapter 2 (definitions).
J. Wilkins, S. Ding, M. Fuentes, J. P. Bello, "Self-supervised multi-view learning for
disentangled music audio representations", 2024, figure 2 (dimensions x factors).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from disentone.audit.redrawing import redrawn

__all__ = [
    "Information",
    "code_entropies",
    "dimension_information",
    "entropy",
    "mutual_information",
]

_CHUNK = 4_000_000  # resampled codes held at once: 32 MB
MANY = 20_000  # clips from which on permutations are drawn as tables


@dataclass(frozen=True)
class Information:
    """Information of every dimension about one factor, all arrays (dims,), in nats.

    Parameters
    ----------
    value : ndarray
        Plug-in mutual information.
    low, high : ndarray
        Bootstrap interval (95 %) of ``value`` over clips.
    null_mean, null_high : ndarray
        Mean and 95 % quantile over permuted factors.
    p : ndarray
        Share of permutations that reach ``value``, the value itself counted: in (0, 1].
    clips : int
        Clips counted.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    null_mean: np.ndarray
    null_high: np.ndarray
    p: np.ndarray
    clips: int


def entropy(labels: np.ndarray) -> float:
    """Entropy of a coded factor, in nats, from the shares of its classes.

    Parameters
    ----------
    labels : ndarray of int, shape (clips,) or (clips, labels)
        Codes from 0. Several columns (a multi-label factor) give the mean over columns.

    Returns
    -------
    float
        In [0, log(classes)].
    """
    columns = _columns(labels)
    return float(np.mean([_entropy(np.bincount(column)) for column in columns.T]))


def code_entropies(codes: np.ndarray) -> np.ndarray:
    """Entropy of every coded dimension (clips, dims), in nats: (dims,)."""
    found = np.empty(codes.shape[1])
    for dims in _chunks(codes.shape[1], len(codes)):
        found[dims] = _entropy(_pair_counts(codes[:, dims].T, np.zeros(1, dtype=int))[..., 0])
    return found


def mutual_information(*, codes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Plug-in mutual information of every dimension with every factor.

    I(a; b) = sum_ab p(a, b) log(p(a, b) / (p(a) p(b))).

    Parameters
    ----------
    codes : ndarray of int, shape (clips, dims)
        Bins of the embedding from 0, as by :func:`~disentone.audit.binning.quantile_codes`.
    labels : ndarray of int, shape (clips,) or (clips, factors)
        Codes from 0.

    Returns
    -------
    ndarray, shape (dims,) or (dims, factors)
        Nats, in [0, min(H(a), H(b))].
    """
    columns = _columns(labels)
    matrix = np.empty((codes.shape[1], columns.shape[1]))
    for dims in _chunks(codes.shape[1], len(codes)):
        for place, label in enumerate(columns.T):
            matrix[dims, place] = _pair(codes[:, dims].T, label)
    return matrix[:, 0] if np.ndim(labels) == 1 else matrix


def dimension_information(
    *,
    codes: np.ndarray,
    labels: np.ndarray,
    permutations: int = 200,
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> Information:
    """Information of every dimension about a factor, against chance and with an interval.

    The null permutes the factor over clips. The interval is a bootstrap over clips; because
    resampling adds the estimator's bias a second time, the replicates are centred on the value.

    Parameters
    ----------
    codes : ndarray of int, shape (clips, dims)
        Bins of the embedding, from 0.
    labels : ndarray of int, shape (clips,) or (clips, labels)
        Codes of the factor from 0. Several columns are the labels of one multi-label factor: the
        result is the mean over them, and they are permuted and resampled together.
    permutations : int
        Permutations, and bootstrap replicates; at least 100 for a 95 % quantile worth its name.
    groups : ndarray, shape (clips,), optional
        The recording of every clip: the bootstrap draws those of one together. The permutations
        take clips to be independent all the same.
    seed : int

    Returns
    -------
    Information
    """
    columns = _columns(labels)
    count, dims = codes.shape
    value = mutual_information(codes=codes, labels=columns).mean(axis=1)
    rng = np.random.default_rng(seed)
    single = columns.shape[1] == 1 and count > MANY
    draw = _null_of_tables if single else _null_of_clips
    null = draw(codes, columns, permutations, rng)
    weights = redrawn(count, groups=groups, replicates=permutations, seed=seed)
    boot = np.empty((permutations, dims))
    for dim, code in enumerate(codes.T):
        boot[:, dim] = np.mean([_weighted(code, label, weights) for label in columns.T], axis=0)
    low, high = value + np.quantile(boot - boot.mean(axis=0), [0.025, 0.975], axis=0)
    return Information(
        value=value,
        low=np.maximum(low, 0.0),
        high=high,
        null_mean=null.mean(axis=0),
        null_high=np.quantile(null, 0.95, axis=0),
        p=(1 + (null >= value - 1e-12).sum(axis=0)) / (1 + permutations),
        clips=count,
    )


def _null_of_clips(
    codes: np.ndarray, columns: np.ndarray, permutations: int, rng: np.random.Generator
) -> np.ndarray:
    """Information after permutations of the clips, (permutations, dims)."""
    count, dims = codes.shape
    null = np.empty((permutations, dims))
    for rows in _chunks(permutations, count):
        shape = (rows.stop - rows.start, count)
        order = rng.permuted(np.broadcast_to(np.arange(count), shape), axis=1)
        shuffled = [label[order] for label in columns.T]
        for dim, code in enumerate(codes.T):
            null[rows, dim] = np.mean([_pair(code, label) for label in shuffled], axis=0)
    return null


def _null_of_tables(
    codes: np.ndarray, columns: np.ndarray, permutations: int, rng: np.random.Generator
) -> np.ndarray:
    """The same of one label, drawn as tables with the margins that permutations leave alone.

    The law is the same and the cost does not grow with the clips; dimensions are drawn apart.
    """
    from scipy.stats import random_table

    classes = np.bincount(columns[:, 0])
    null = np.empty((permutations, codes.shape[1]))
    for dim, code in enumerate(codes.T):
        law = random_table(np.bincount(code), classes)
        tables = law.rvs(permutations, method="patefield", random_state=rng)
        null[:, dim] = _information(tables)
    return null


def _weighted(codes: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Information of weighted clips, for every row of weights: (rows,)."""
    from scipy.sparse import csr_array

    bins, classes = int(codes.max()) + 1, int(labels.max()) + 1
    clips = np.arange(len(codes))
    cells = csr_array(
        (np.ones(len(codes)), (codes * classes + labels, clips)), shape=(bins * classes, len(codes))
    )
    return _information((cells @ weights.T).T.reshape(-1, bins, classes))


def _pair(codes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Information of paired codes, shapes (clips,) or (samples, clips), as (samples,)."""
    return _information(_pair_counts(codes, labels))


def _pair_counts(codes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Tables of paired codes, shapes (clips,) or (samples, clips), as (samples, bins, classes)."""
    codes, labels = np.atleast_2d(codes), np.atleast_2d(labels)
    samples = max(len(codes), len(labels))
    bins, classes = int(codes.max()) + 1, int(labels.max()) + 1
    cells = (np.arange(samples)[:, None] * bins + codes) * classes + labels
    counts = np.bincount(cells.ravel(), minlength=samples * bins * classes)
    return counts.reshape(samples, bins, classes)


def _information(joint: np.ndarray) -> np.ndarray:
    """Plug-in information of tables (samples, bins, classes), as (samples,)."""
    apart = _entropy(joint.sum(axis=2)) + _entropy(joint.sum(axis=1))
    return np.maximum(apart - _entropy(joint.reshape(len(joint), -1)), 0.0)


def _entropy(counts: np.ndarray) -> np.ndarray:
    """Entropy in nats of histograms along the last axis."""
    total = counts.sum(axis=-1)
    return np.log(total) - (counts * np.log(np.maximum(counts, 1))).sum(axis=-1) / total


def _columns(labels: np.ndarray) -> np.ndarray:
    labels = np.asarray(labels)
    return labels[:, None] if labels.ndim == 1 else labels


def _chunks(samples: int, clips: int) -> Iterator[slice]:
    step = max(1, _CHUNK // max(1, clips))
    for start in range(0, samples, step):
        yield slice(start, min(start + step, samples))
