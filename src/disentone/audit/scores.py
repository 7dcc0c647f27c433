"""Scores of predictions, clip by clip, each beside what a reader of nothing would score.

A score is kept for every seed and every test clip, and so is its baseline: the best constant
answer, learnt from the training clips. From the two follow the value, the interval, the chance
level and the leak.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = [
    "Estimate",
    "Scores",
    "class_scores",
    "label_scores",
    "mean_average_precision",
    "within_scores",
]


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
    """

    metric: str
    clips: np.ndarray
    baseline: np.ndarray
    bounded: bool = True

    def estimate(self) -> Estimate:
        """Give the mean over clips and seeds, beside the baseline's."""
        bounds = (0.0, 1.0) if self.bounded else None
        chance = float(self.baseline.mean()) if self.baseline.size else np.nan
        return _estimate(self.clips, bounds, chance)

    def leak(self) -> Estimate:
        """Give the mean of score minus baseline, compared clip by clip; its chance is 0."""
        bounds = (-1.0, 1.0) if self.bounded else None
        return _estimate(self.clips - self.baseline, bounds, 0.0)


def class_scores(
    *,
    probabilities: Sequence[np.ndarray],
    classes: Sequence[np.ndarray],
    labels: np.ndarray,
    train: np.ndarray,
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

    Returns
    -------
    list of Scores
    """
    told = _told(probabilities, classes)
    usual = np.bincount(train).argmax()
    return [
        Scores("accuracy", (told == labels) * 1.0, (labels == usual) * 1.0),
        _class_nats(probabilities, classes, labels),
    ]


def within_scores(
    *,
    probabilities: Sequence[np.ndarray],
    classes: Sequence[np.ndarray],
    centres: np.ndarray,
    values: np.ndarray,
    train: np.ndarray,
    tolerance: float,
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
    """
    reach = tolerance * (1 + 1e-9)
    constant = (np.abs(train[:, None] - centres) <= reach).mean(axis=0).argmax()
    within = np.abs(centres[_told(probabilities, classes)] - values) <= reach
    usual = np.abs(centres[constant] - values) <= reach
    return Scores("within", within * 1.0, usual * 1.0)


def label_scores(
    *, probabilities: Sequence[np.ndarray], labels: np.ndarray, train: np.ndarray
) -> list[Scores]:
    """Jaccard index and information of predicted label sets.

    *jaccard*: labels both told (probability of a half or more) and true, over labels told or
    true, averaged over clips; two empty sets agree (1). *nats*: mean over labels of
    H(label) - cross-entropy.

    Parameters
    ----------
    probabilities : sequence of ndarray, shape (clips, labels), one for each seed
    labels : ndarray of 0 and 1, shape (clips, labels)
        Test labels.
    train : ndarray of 0 and 1, shape (train clips, labels)
        Training labels: the baseline is the best of "the k most frequent labels".

    Returns
    -------
    list of Scores
    """
    told = np.array([p >= 0.5 for p in probabilities])
    frequent = np.argsort(-train.mean(axis=0), kind="stable")
    usual = np.zeros((len(frequent) + 1, len(frequent)), dtype=bool)
    for count in range(len(frequent)):
        usual[count + 1 :, frequent[count]] = True
    best = max(usual, key=lambda answer: _jaccard(answer, train).mean())
    share = labels.mean(axis=0)
    prior = np.where(labels == 1, share, 1 - share)
    of_label = [np.where(labels == 1, p, np.maximum(1 - p, 1e-12)) for p in probabilities]
    nats = (np.log(np.array(of_label)) - np.log(prior)).mean(axis=2)
    return [
        Scores("jaccard", np.array([_jaccard(t, labels) for t in told]), _jaccard(best, labels)),
        Scores("nats", nats, np.zeros(len(labels)), bounded=False),
    ]


def mean_average_precision(*, probabilities: Sequence[np.ndarray], labels: np.ndarray) -> Estimate:
    """Mean over labels of average precision, with an interval over seeds alone.

    Parameters
    ----------
    probabilities : sequence of ndarray, shape (clips, labels), one for each seed
    labels : ndarray of 0 and 1, shape (clips, labels)
        Labels that no clip or every clip has are left out.

    Returns
    -------
    Estimate
        Chance is the mean share of clips that have the label; all NaN if no label is left.
    """
    from sklearn.metrics import average_precision_score

    share = labels.mean(axis=0)
    used = (share > 0) & (share < 1)
    if not used.any():
        return Estimate(np.nan, np.nan, np.nan, np.nan, len(labels))
    each = [
        [average_precision_score(labels[:, i], p[:, i]) for i in np.flatnonzero(used)]
        for p in probabilities
    ]
    seeds = np.mean(each, axis=1)
    half = _seed_half_width(seeds)
    value = float(seeds.mean())
    return Estimate(
        value,
        max(0.0, value - half),
        min(1.0, value + half),
        float(share[used].mean()),
        len(labels),
    )


def _told(probabilities: Sequence[np.ndarray], classes: Sequence[np.ndarray]) -> np.ndarray:
    """Most probable class, (seeds, clips)."""
    return np.array([seen[p.argmax(axis=1)] for p, seen in zip(probabilities, classes)])


def _class_nats(
    probabilities: Sequence[np.ndarray], classes: Sequence[np.ndarray], labels: np.ndarray
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
    return Scores("nats", np.array(nats), np.zeros(len(labels)), bounded=False)


def _jaccard(told: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Overlap over union of label sets, per clip; 1 where both are empty."""
    true = labels == 1
    union = (told | true).sum(axis=-1)
    return np.where(union > 0, (told & true).sum(axis=-1) / np.maximum(union, 1), 1.0)


def _estimate(scores: np.ndarray, bounds: tuple[float, float] | None, chance: float) -> Estimate:
    """Mean with an interval that covers both the probe's seeds and the choice of test clips.

    The half-widths of a t-interval over seeds and of a normal interval over clips are added in
    quadrature. For bounded scores two clips are imagined at either bound (A. Agresti,
    B. A. Coull, "Approximate is better than 'exact'", 1998), so that 20 right answers of 20 are
    not taken for certainty.
    """
    if scores.size == 0:
        return Estimate(np.nan, np.nan, np.nan, chance, 0)
    value = float(scores.mean())
    clips = scores.mean(axis=0)
    if bounds is not None:
        clips = np.concatenate([clips, np.repeat(bounds, 2)])
    spread = float(clips.std(ddof=1)) if len(clips) > 1 else 0.0
    half = float(np.hypot(_seed_half_width(scores.mean(axis=1)), 1.96 * spread / len(clips) ** 0.5))
    low, high = bounds or (-np.inf, np.inf)
    return Estimate(value, max(low, value - half), min(high, value + half), chance, scores.shape[1])


def _seed_half_width(seeds: np.ndarray) -> float:
    """Half of a 95 % t-interval over seeds; 0 for a single seed, which tells no spread."""
    if len(seeds) < 2:
        return 0.0
    from scipy.special import stdtrit

    return float(stdtrit(len(seeds) - 1, 0.975) * seeds.std(ddof=1) / len(seeds) ** 0.5)
