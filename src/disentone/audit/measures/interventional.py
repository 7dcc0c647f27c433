"""Measures from recorded pairs: two clips that share one factor, or that differ in one only.

A pair is two rows of codes and the factor that its clips share (or that alone was changed).
Pairs of the same factor are put together in batches; every batch gives one small vector, and a
classifier must predict from it which factor the batch was about. Half of the batches fit the
classifier, the other half are measured; no pair is in two batches.

The score is accuracy from chance, 1/factors, to 1, no unit; ``variant="corrected"`` scales it to
(accuracy - chance) / (1 - chance). The factors need no kind: only that clips share them counts.
:func:`agreeing_pairs` and :func:`changed_pairs` find pairs among clips with known factors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from disentone.audit.measures.inputs import Factors, chosen, columns, table, z_scored
from disentone.audit.measures.measured import Measure, Measured
from disentone.audit.redrawing import redrawn
from disentone.errors import DataError

__all__ = ["Pairs", "agreeing_pairs", "changed_pairs", "z_diff", "z_max_variance", "z_min_variance"]

Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Of each pair: the row of one item, that of its partner, and the factor that they are about."""


def z_diff(
    *,
    first: np.ndarray,
    second: np.ndarray,
    factor: np.ndarray,
    batch: int = 16,
    variant: str = "corrected",
    replicates: int = 0,
    seed: int = 0,
) -> Measured:
    """Z-diff score of beta-VAE: the shared factor from the mean absolute difference of codes.

    A batch gives the mean of abs(first - second), z-scored; a linear classifier names the factor.
    A perfect code scores 1, for the shared factor's dimension does not differ; noise scores
    chance. It also gives 1 to rotated codes, often, and to codes that encode a factor twice: it
    asks whether factors can be distinguished, not whether each has a dimension.

    Source: I. Higgins, L. Matthey, A. Pal, C. Burgess, X. Glorot, M. Botvinick, S. Mohamed,
    A. Lerchner, "beta-VAE: learning basic visual concepts with a constrained variational
    framework", 2017.

    Parameters
    ----------
    first, second : ndarray, shape (pairs, dims)
        Codes of the two clips of every pair.
    factor : ndarray of int or str, shape (pairs,)
        The factor that the two share.
    batch : int
        Pairs of a batch.
    variant : {"corrected", "paper"}
        "paper": accuracy as it is.
    replicates : int
        Bootstrap samples of the measured batches, for ``draws``.
    seed : int
        Of the batches.

    Returns
    -------
    Measured
        ``each``: by factor; ``n``: batches measured.
    """
    from sklearn.linear_model import LogisticRegression

    first, second = _checked_pairs(first, second, factor)
    spread = _spread(first, second)
    differences = np.abs(first - second) / spread

    def answer(fit: np.ndarray, labels: np.ndarray, new: np.ndarray) -> np.ndarray:
        model = LogisticRegression(max_iter=1000, C=10.0).fit(z_scored(fit, fit=fit), labels)
        return model.predict(z_scored(new, fit=fit))

    return _scored(differences, factor, answer, batch, variant, replicates, seed)


def z_min_variance(
    *,
    first: np.ndarray,
    second: np.ndarray,
    factor: np.ndarray,
    batch: int = 16,
    variant: str = "corrected",
    replicates: int = 0,
    seed: int = 0,
) -> Measured:
    """Z-min variance score of FactorVAE: the shared factor from the dimension that varies least.

    A batch gives one number: the dimension with the smallest within-pair variance, mean of
    (first - second)^2 / 2 over the variance of the dimension over all clips. The classifier is a
    majority vote for each dimension. A perfect code scores 1, and so does one that encodes a factor
    twice; rotated codes score less, noise chance. Dimensions that never vary are left out.

    Source: H. Kim, A. Mnih, "Disentangling by factorising", 2018, section 4; here the clips of a
    batch share the factor pair by pair and not all with each other, as recordings come.

    Parameters
    ----------
    first, second : ndarray, shape (pairs, dims)
        Codes of the two clips of every pair.
    factor : ndarray of int or str, shape (pairs,)
        The factor that the two share.
    batch : int
        Pairs of a batch.
    variant : {"corrected", "paper"}
        "paper": accuracy as it is.
    replicates : int
        Bootstrap samples of the measured batches, for ``draws``.
    seed : int
        Of the batches.

    Returns
    -------
    Measured
        ``each``: by factor; ``n``: batches measured.
    """
    return _by_variance(first, second, factor, batch, variant, replicates, seed, np.argmin)


def z_max_variance(
    *,
    first: np.ndarray,
    second: np.ndarray,
    factor: np.ndarray,
    batch: int = 16,
    variant: str = "corrected",
    replicates: int = 0,
    seed: int = 0,
) -> Measured:
    """Z-max variance score: the one changed factor from the dimension that varies most.

    As :func:`z_min_variance`, but the clips of a pair share every factor *except* the one named,
    and a batch gives the dimension with the largest within-pair variance. A perfect code scores
    1, and so does one that encodes a factor twice; noise scores chance. Noise dimensions beside
    perfect ones pull it down, for they vary in every pair, as far as a changed factor's does.

    Source: M. Kim, Y. Wang, P. Sahu, V. Pavlovic, "Relevance factor VAE: learning and identifying
    disentangled factors", 2019.

    Parameters
    ----------
    first, second : ndarray, shape (pairs, dims)
        Codes of the two clips of every pair.
    factor : ndarray of int or str, shape (pairs,)
        The factor in which alone the two differ.
    batch : int
        Pairs of a batch.
    variant : {"corrected", "paper"}
        "paper": accuracy as it is.
    replicates : int
        Bootstrap samples of the measured batches, for ``draws``.
    seed : int
        Of the batches.

    Returns
    -------
    Measured
        ``each``: by factor; ``n``: batches measured.
    """
    return _by_variance(first, second, factor, batch, variant, replicates, seed, np.argmax)


def agreeing_pairs(
    *, factors: Factors, clips: int, pairs: int = 1000, factor_bins: int = 20, seed: int = 0
) -> Pairs:
    """Draw pairs of clips that share one factor, whatever the others are.

    Parameters
    ----------
    factors : mapping of str to Factor or ndarray
        Continuous factors are shared within one of ``factor_bins`` quantile bins.
    clips : int
        Clips of the codes.
    pairs : int
        Pairs for each factor, drawn with replacement.
    factor_bins : int
    seed : int

    Returns
    -------
    first, second : ndarray of int, shape (factors x pairs,)
        Rows of the codes.
    factor : ndarray of str, shape (factors x pairs,)
        Name of the factor that the clips of a pair share.
    """
    found = columns(factors, clips=clips)
    labels = [column.classes(factor_bins) for column in found]
    return _drawn([c.name for c in found], labels, pairs, seed)


def changed_pairs(
    *, factors: Factors, clips: int, pairs: int = 1000, factor_bins: int = 20, seed: int = 0
) -> Pairs:
    """Draw pairs of clips that share every factor except one, in which they differ.

    Parameters
    ----------
    factors : mapping of str to Factor or ndarray
        At least two. Continuous factors are shared within one of ``factor_bins`` quantile bins.
    clips : int
        Clips of the codes.
    pairs : int
        Pairs for each factor, drawn with replacement.
    factor_bins : int
    seed : int

    Returns
    -------
    first, second : ndarray of int, shape (factors x pairs,)
        Rows of the codes.
    factor : ndarray of str, shape (factors x pairs,)
        Name of the factor in which the clips of a pair differ.

    Raises
    ------
    DataError
        If no two clips differ in one factor alone.
    """
    found = columns(factors, clips=clips)
    if len(found) < 2:
        raise DataError("To change one factor alone, there must be another that is kept.")
    labels = np.array([column.classes(factor_bins) for column in found])
    known = (labels >= 0).all(axis=0)
    kept = []
    for k in range(len(found)):
        rest = np.delete(labels, k, axis=0)
        cell = np.unique(rest, axis=1, return_inverse=True)[1].reshape(-1)
        kept.append(np.where(known, cell, -1))
    return _drawn([c.name for c in found], kept, pairs, seed, apart=list(labels))


def _drawn(
    names: list[str],
    shared: Sequence[np.ndarray],
    pairs: int,
    seed: int,
    apart: Sequence[np.ndarray] | None = None,
) -> Pairs:
    """Pairs that agree in ``shared[k]`` and, where given, differ in ``apart[k]``."""
    rng = np.random.default_rng(seed)
    first, second = [], []
    for k, name in enumerate(names):
        order = np.argsort(shared[k], kind="stable")
        cells = shared[k][order]
        one = rng.choice(np.flatnonzero(shared[k] >= 0), 20 * pairs)
        low = np.searchsorted(cells, shared[k][one], side="left")
        high = np.searchsorted(cells, shared[k][one], side="right")
        two = order[rng.integers(low, high)]
        good = one != two if apart is None else apart[k][one] != apart[k][two]
        if good.sum() < pairs:
            what = "share" if apart is None else "differ only in"
            raise DataError(f"Too few clips {what} factor '{name}' to draw {pairs} pairs.")
        first.append(one[good][:pairs])
        second.append(two[good][:pairs])
    return np.concatenate(first), np.concatenate(second), np.repeat(names, pairs)


def _by_variance(
    first: np.ndarray,
    second: np.ndarray,
    factor: np.ndarray,
    batch: int,
    variant: str,
    replicates: int,
    seed: int,
    extreme: Callable[..., np.ndarray],
) -> Measured:
    first, second = _checked_pairs(first, second, factor)
    alive = np.r_[first, second].std(axis=0) > 0
    if not alive.any():
        raise DataError("No dimension varies: there is nothing to measure.")
    variances = ((first - second) / _spread(first, second))[:, alive] ** 2 / 2

    def answer(fit: np.ndarray, labels: np.ndarray, new: np.ndarray) -> np.ndarray:
        classes, index = np.unique(labels, return_inverse=True)
        votes = np.zeros((fit.shape[1], len(classes)))
        np.add.at(votes, (extreme(fit, axis=1), index), 1)
        return classes[votes.argmax(axis=1)][extreme(new, axis=1)]

    return _scored(variances, factor, answer, batch, variant, replicates, seed)


def _scored(
    features: np.ndarray,
    factor: np.ndarray,
    answer: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    batch: int,
    variant: str,
    replicates: int,
    seed: int,
) -> Measured:
    chosen(variant, ("corrected", "paper"))
    fit, before, new, labels = _batches(features, np.asarray(factor), batch, seed)
    right = answer(fit, before, new) == labels
    chance = 1 / len(np.unique(labels))
    if variant == "corrected":
        right = (right - chance) / (1 - chance)
    each = {str(name): float(right[labels == name].mean()) for name in np.unique(labels)}
    how = {"variant": variant, "batch": batch, "train": len(before), "test": len(labels)}
    how["chance"] = 0.0 if variant == "corrected" else chance
    draws = _draws(right, labels, replicates, seed) if replicates else {}
    return Measured(float(np.mean(list(each.values()))), each, len(labels), how, draws)


def _draws(
    right: np.ndarray, labels: np.ndarray, replicates: int, seed: int
) -> dict[str, np.ndarray]:
    """Scores of batches drawn anew, factor by factor, and their mean."""
    parts = {}
    for index, name in enumerate(np.unique(labels)):
        mine = right[labels == name]
        weights = redrawn(len(mine), replicates=replicates, seed=seed + index)
        parts[str(name)] = weights @ mine / len(mine)
    return {"": np.mean(list(parts.values()), axis=0)} | parts


def _batches(
    features: np.ndarray, factor: np.ndarray, batch: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Means and factors of the batches to fit on, and of those to measure on."""
    rng = np.random.default_rng(seed)
    names = np.unique(factor)
    if len(names) < 2:
        raise DataError("There must be pairs of at least two factors.")
    sides: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for name in names:
        rows = rng.permutation(np.flatnonzero(factor == name))
        half = len(rows) // batch // 2
        if half < 1:
            raise DataError(f"Factor '{name}' has too few pairs for two batches of {batch}.")
        means = features[rows[: 2 * half * batch]].reshape(2 * half, batch, -1).mean(axis=1)
        sides[0].append(means[:half])
        sides[1].append(means[half:])
    fit, new = (np.concatenate(side) for side in sides)
    labels = [np.repeat(names, [len(part) for part in side]) for side in sides]
    return fit, labels[0], new, labels[1]


def _checked_pairs(
    first: np.ndarray, second: np.ndarray, factor: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    first, second = table(first), table(second)
    if first.shape != second.shape or len(factor) != len(first):
        raise DataError("Every pair needs two rows of codes and the factor that it is about.")
    return first, second


def _spread(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    spread = np.r_[first, second].std(axis=0)
    return np.where(spread > 0, spread, 1.0)


_PAPER = "The paper's number is the accuracy itself, where chance is 1/factors; here chance is 0."

MEASURES = (
    Measure(
        "z_diff",
        "Z-diff",
        "do differences of codes show which factor was shared?",
        z_diff,
        group="pairs",
        family="shared pairs",
        signed=True,
        variants={"paper": _PAPER},
    ),
    Measure(
        "z_min_variance",
        "Z-min variance",
        "does a dimension stay constant with each factor?",
        z_min_variance,
        group="pairs",
        family="shared pairs",
        signed=True,
        variants={"paper": _PAPER},
    ),
    Measure(
        "z_max_variance",
        "Z-max variance",
        "does a dimension change with each factor?",
        z_max_variance,
        group="pairs",
        family="changed pairs",
        signed=True,
        variants={"paper": _PAPER},
    ),
)
