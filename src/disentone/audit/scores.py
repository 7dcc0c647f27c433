"""Scores of predictions, clip by clip, each beside the score of the best constant prediction.

A score is kept for every seed and every test clip, and so is its baseline: the best constant
answer, learnt from the training clips. From the two follow the value, the interval, the chance
level and the leak.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from disentone.audit.redrawing import redrawn, units_of

__all__ = [
    "REPLICATES",
    "Estimate",
    "Scores",
    "class_scores",
    "label_scores",
    "mean_average_precision",
    "paired_difference",
    "weighted_average_precision",
    "within_scores",
]

REPLICATES = 200  # of the bootstrap over clips, where a score is not a mean over clips


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval, its chance level and the test clips behind it."""

    value: float
    low: float
    high: float
    chance: float
    n: int


@dataclass(frozen=True)
class Scores:
    """One metric, for every seed and test clip.

    Parameters
    ----------
    metric : str
        ``"accuracy"``, ``"within"``, ``"jaccard"`` or ``"nats"``.
    clips : ndarray, shape (seeds, clips)
    baseline : ndarray, shape (clips,)
        Score of the best constant answer.
    bounded : bool
        Whether a clip scores in [0, 1].
    groups : ndarray, shape (clips,), optional
        The recording of every clip: the interval takes recordings, not clips, for independent.
    """

    metric: str
    clips: np.ndarray
    baseline: np.ndarray
    bounded: bool = True
    groups: np.ndarray | None = None

    def estimate(self) -> Estimate:
        """Give the mean over clips and seeds, beside the baseline's."""
        bounds = (0.0, 1.0) if self.bounded else None
        chance = float(self.baseline.mean()) if self.baseline.size else np.nan
        return _estimate(self.clips, bounds, chance, self.groups)

    def leak(self) -> Estimate:
        """Give the mean of score minus baseline, compared clip by clip; its chance is 0."""
        bounds = (-1.0, 1.0) if self.bounded else None
        return _estimate(self.clips - self.baseline, bounds, 0.0, self.groups)


def class_scores(
    *,
    probabilities: Sequence[np.ndarray],
    classes: Sequence[np.ndarray],
    labels: np.ndarray,
    train: np.ndarray,
    groups: np.ndarray | None = None,
) -> list[Scores]:
    """Accuracy and information of predicted classes.

    *accuracy*: share of clips whose most probable class is right; a class that training did not
    have is never right. *nats*: H(y) - cross-entropy, a lower bound of the mutual information of
    the facet and the factor (D. Barber, F. Agakov, "The IM algorithm", 2003), held-out, so that a
    facet without information scores 0 or just below; clips of classes that training did not have
    are left out.

    Parameters
    ----------
    probabilities : sequence of ndarray, shape (clips, outputs), one for each seed
    classes : sequence of ndarray of int, shape (outputs,), one for each seed
        What the outputs stand for, increasing.
    labels : ndarray of int, shape (clips,)
        Test classes.
    train : ndarray of int, shape (train clips,)
        Training classes, for the baseline.
    groups : ndarray, shape (clips,), optional
        The recording of every clip.

    Returns
    -------
    list of Scores
    """
    predicted = _most_probable(probabilities, classes)
    usual = np.bincount(train).argmax()
    return [
        Scores("accuracy", (predicted == labels) * 1.0, (labels == usual) * 1.0, groups=groups),
        _class_nats(probabilities, classes, labels, groups),
    ]


def within_scores(
    *,
    probabilities: Sequence[np.ndarray],
    classes: Sequence[np.ndarray],
    centres: np.ndarray,
    values: np.ndarray,
    train: np.ndarray,
    tolerance: float,
    groups: np.ndarray | None = None,
) -> Scores:
    """Score clips whose most probable class stands for a value within the tolerance.

    Parameters
    ----------
    probabilities, classes : sequence of ndarray
        As in :func:`class_scores`.
    centres : ndarray, shape (all classes,)
        Value that each class stands for, in the factor's unit.
    values, train : ndarray, shapes (clips,) and (train clips,)
        The factor itself, of test and training clips.
    tolerance : float
        In the factor's unit; a difference of exactly the tolerance is within it.
    groups : ndarray, shape (clips,), optional
        The recording of every clip.
    """
    reach = tolerance * (1 + 1e-9)
    constant = (np.abs(train[:, None] - centres) <= reach).mean(axis=0).argmax()
    within = np.abs(centres[_most_probable(probabilities, classes)] - values) <= reach
    usual = np.abs(centres[constant] - values) <= reach
    return Scores("within", within * 1.0, usual * 1.0, groups=groups)


def label_scores(
    *,
    probabilities: Sequence[np.ndarray],
    labels: np.ndarray,
    train: np.ndarray,
    groups: np.ndarray | None = None,
) -> list[Scores]:
    """Jaccard index and information of predicted label sets.

    *jaccard*: labels both predicted (probability of a half or more) and true, over labels predicted
    or true, averaged over clips; two empty sets agree (1). *nats*: mean over labels of H(label) -
    cross-entropy.

    Parameters
    ----------
    probabilities : sequence of ndarray, shape (clips, labels), one for each seed
    labels : ndarray of 0 and 1, shape (clips, labels)
        Test labels.
    train : ndarray of 0 and 1, shape (train clips, labels)
        Training labels: the baseline is the best of "the k most frequent labels".
    groups : ndarray, shape (clips,), optional
        The recording of every clip.

    Returns
    -------
    list of Scores
    """
    predicted = np.array([p >= 0.5 for p in probabilities])
    frequent = np.argsort(-train.mean(axis=0), kind="stable")
    usual = np.zeros((len(frequent) + 1, len(frequent)), dtype=bool)
    for count in range(len(frequent)):
        usual[count + 1 :, frequent[count]] = True
    best = max(usual, key=lambda answer: _jaccard(answer, train).mean())
    share = labels.mean(axis=0)
    prior = np.where(labels == 1, share, 1 - share)
    of_label = [np.where(labels == 1, p, np.maximum(1 - p, 1e-12)) for p in probabilities]
    nats = (np.log(np.array(of_label)) - np.log(prior)).mean(axis=2)
    overlap, guessed = np.array([_jaccard(t, labels) for t in predicted]), _jaccard(best, labels)
    return [
        Scores("jaccard", overlap, guessed, groups=groups),
        Scores("nats", nats, np.zeros(len(labels)), bounded=False, groups=groups),
    ]


def paired_difference(
    own: np.ndarray, other: np.ndarray, groups: np.ndarray | None = None
) -> Estimate:
    """Mean of own - other with its interval, compared by seed and clip; its chance is 0.

    Parameters
    ----------
    own, other : ndarray, shape (seeds, clips)
        In [0, 1].
    groups : ndarray, shape (clips,), optional
        The recording of every clip.
    """
    return _estimate(own - other, (-1.0, 1.0), 0.0, groups)


def mean_average_precision(
    *,
    probabilities: Sequence[np.ndarray],
    labels: np.ndarray,
    groups: np.ndarray | None = None,
) -> Estimate:
    """Mean over labels of average precision (macro mAP).

    Average precision is the sum over thresholds of precision times the step in recall, not
    interpolated; clips with equal probability share a threshold. The interval covers seeds (t)
    and test clips (bootstrap of 200 replicates), added in quadrature; a perfect ranking stays
    perfect in every replicate, so its interval is a point and too narrow.

    Parameters
    ----------
    probabilities : sequence of ndarray, shape (clips, labels), one for each seed
    labels : ndarray of 0 and 1, shape (clips, labels)
        Labels that no clip or every clip has are left out.
    groups : ndarray, shape (clips,), optional
        The recording of every clip: the bootstrap draws those of one together.

    Returns
    -------
    Estimate
        Chance is the mean share of clips that have the label; all NaN if no label is left.
    """
    share = labels.mean(axis=0)
    used = np.flatnonzero((share > 0) & (share < 1))
    clips = len(labels)
    if not len(used):
        return Estimate(np.nan, np.nan, np.nan, np.nan, clips)
    draws = redrawn(clips, groups=groups, replicates=REPLICATES)
    weights = np.concatenate([np.ones((1, clips)), draws])  # the first is the clips themselves
    each = np.array(
        [
            [weighted_average_precision(p[:, i], labels[:, i], weights) for i in used]
            for p in probabilities
        ]
    )  # (seeds, labels, 1 + replicates), NaN where a replicate has no clip with the label
    count = (~np.isnan(each)).sum(axis=1)
    means = np.where(count > 0, np.nansum(each, axis=1) / np.maximum(count, 1), np.nan)
    seeds = means[:, 0]
    spread = float(np.nanstd(means[:, 1:].mean(axis=0), ddof=1))
    half = float(np.hypot(_seed_half_width(seeds), 1.96 * spread))
    value = float(seeds.mean())
    chance = float(share[used].mean())
    return Estimate(value, max(0.0, value - half), min(1.0, value + half), chance, clips)


def weighted_average_precision(
    scores: np.ndarray, label: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Average precision of one label under every row of clip weights.

    Parameters
    ----------
    scores : ndarray, shape (clips,)
        Probabilities; equal ones share a threshold.
    label : ndarray of 0 and 1, shape (clips,)
    weights : ndarray of int, shape (rows, clips)

    Returns
    -------
    ndarray, shape (rows,)
        In [0, 1]; NaN where no clip with weight has the label.
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # the last of equal ones
    weights = weights[:, order]
    hits = np.cumsum(weights * label[order], axis=1)[:, ends]
    found = np.cumsum(weights, axis=1)[:, ends]
    precision = hits / np.maximum(found, 1)
    steps = np.diff(hits, axis=1, prepend=0)
    total = hits[:, -1]
    summed = (steps * precision).sum(axis=1)
    return np.where(total > 0, summed / np.maximum(total, 1), np.nan)


def _most_probable(
    probabilities: Sequence[np.ndarray], classes: Sequence[np.ndarray]
) -> np.ndarray:
    """Most probable class, (seeds, clips)."""
    return np.array([seen[p.argmax(axis=1)] for p, seen in zip(probabilities, classes)])


def _class_nats(
    probabilities: Sequence[np.ndarray],
    classes: Sequence[np.ndarray],
    labels: np.ndarray,
    groups: np.ndarray | None,
) -> Scores:
    seen = classes[0]
    for others in classes[1:]:
        seen = np.intersect1d(seen, others)
    kept = np.isin(labels, seen)
    labels = labels[kept]
    share = np.bincount(labels) / max(1, len(labels))
    rows = np.arange(len(labels))
    nats = [
        np.log(p[kept][rows, np.searchsorted(own, labels)]) - np.log(share[labels])
        for p, own in zip(probabilities, classes)
    ]
    groups = None if groups is None else groups[kept]
    return Scores("nats", np.array(nats), np.zeros(len(labels)), bounded=False, groups=groups)


def _jaccard(predicted: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Overlap over union of label sets, per clip; 1 where both are empty."""
    true = labels == 1
    union = (predicted | true).sum(axis=-1)
    return np.where(union > 0, (predicted & true).sum(axis=-1) / np.maximum(union, 1), 1.0)


def _estimate(
    scores: np.ndarray,
    bounds: tuple[float, float] | None,
    chance: float,
    groups: np.ndarray | None,
) -> Estimate:
    """Mean with an interval that covers both the probe's seeds and the choice of test clips.

    The half-widths of a t-interval over seeds and of a normal interval over clips are added in
    quadrature. Of grouped clips it is the deviations summed by group that are independent (the
    cluster-robust error, to which the bootstrap over groups converges). For bounded scores two
    clips are imagined at either bound (A. Agresti, B. A. Coull, "Approximate is better than
    'exact'", 1998), so that 20 right answers of 20 are not taken for certainty.
    """
    if scores.size == 0:
        return Estimate(np.nan, np.nan, np.nan, chance, 0)
    value = float(scores.mean())
    clips, unit = scores.mean(axis=0), units_of(groups, scores.shape[1])
    if bounds is not None:
        clips = np.concatenate([clips, np.repeat(bounds, 2)])
        unit = np.concatenate([unit, unit.max() + 1 + np.arange(4)])
    half = float(np.hypot(_seed_half_width(scores.mean(axis=1)), 1.96 * _error(clips, unit)))
    low, high = bounds or (-np.inf, np.inf)
    return Estimate(value, max(low, value - half), min(high, value + half), chance, scores.shape[1])


def _error(values: np.ndarray, unit: np.ndarray) -> float:
    """Standard error of a mean of values (clips,) that depend on each other within units."""
    sums = np.bincount(unit, weights=values - values.mean())
    units = len(sums)
    if units < 2:
        return 0.0
    return float(np.sqrt(units / (units - 1) * (sums**2).sum()) / len(values))


def _seed_half_width(seeds: np.ndarray) -> float:
    """Half of a 95 % t-interval over seeds; 0 for a single seed, which has no spread."""
    if len(seeds) < 2:
        return 0.0
    from scipy.special import stdtrit

    return float(stdtrit(len(seeds) - 1, 0.975) * seeds.std(ddof=1) / len(seeds) ** 0.5)
