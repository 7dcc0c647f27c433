"""Measures of facets: what a block of dimensions predicts, whatever its axes are.

Every measure here reads a facet through a probe (see :func:`~disentone.audit.probes.fit_probe`),
or a line, fitted on some clips and scored on others, so rotating a facet changes nothing that
matters. The information of a facet about a factor is the probe's held-out lower bound H(factor) -
cross-entropy, in nats.

Categorical and ordinal factors are classes, multi-label factors count label by label, continuous
ones are cut in ``factor_bins`` quantile bins.

References
----------
D. Barber, F. Agakov, "The IM algorithm: a variational approach to information maximization",
2003 (the bound).
R. T. Q. Chen, X. Li, R. Grosse, D. Duvenaud, "Isolating sources of disentanglement in variational
autoencoders", 2018 (MIG).
C. Eastwood, C. K. I. Williams, "A framework for the quantitative evaluation of disentangled
representations", 2018 (DCI).
B. Phipson, G. K. Smyth, "Permutation p-values should never be zero", 2010.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from disentone.audit.information import entropy
from disentone.audit.measures.inputs import (
    Column,
    Factors,
    chosen,
    columns,
    held_out,
    known_rows,
    table,
    z_scored,
)
from disentone.audit.permuting import permuted
from disentone.audit.probes import fit_probe
from disentone.audit.scores import class_scores
from disentone.errors import DataError

__all__ = [
    "BlockInformation",
    "FacetTest",
    "block_information",
    "facet_permutation_test",
]

FACTOR_BINS = 10


@dataclass(frozen=True)
class BlockInformation:
    """Information of every facet about every factor.

    Parameters
    ----------
    value : ndarray, shape (facets, factors)
        Mean over held-out clips of the bound, in nats, at most H(factor); about 0, or less, where
        the facet has none.
    low, high : ndarray, shape (facets, factors)
        95 % interval over held-out clips.
    p : ndarray, shape (facets, factors)
        Of the permutation test, in (0, 1].
    accuracy : ndarray, shape (facets, factors)
        Held-out accuracy of the probe, in [0, 1].
    entropies : ndarray, shape (factors,)
        Of the held-out classes, in nats.
    facets, factors : tuple of str
    n : int
        Held-out clips.
    how : mapping of str to object
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray
    accuracy: np.ndarray
    entropies: np.ndarray
    facets: tuple[str, ...]
    factors: tuple[str, ...]
    n: int
    how: Mapping[str, Any]

    @property
    def share(self) -> np.ndarray:
        """Share of every factor's entropy that a facet encodes, in [0, 1]: (facets, factors).

        What is not above chance (p > 0.05) is 0, and so is a factor of one held-out class.
        """
        significant = (self.p <= 0.05) & (self.entropies > 0)
        share = np.divide(
            self.value, self.entropies, out=np.zeros_like(self.value), where=significant
        )
        return np.clip(share, 0.0, 1.0)


@dataclass(frozen=True)
class FacetTest:
    """A permutation test of one facet and one factor.

    Parameters
    ----------
    statistic : float
        Information of the probe's answers about the factor, in nats.
    null_mean, null_high : float
        Mean and 95 % quantile over permutations of the held-out clips.
    p : float
        Share of permutations that reach the statistic, itself counted: in (0, 1].
    n : int
        Held-out clips.
    """

    statistic: float
    null_mean: float
    null_high: float
    p: float
    n: int


def block_information(
    *,
    facets: Mapping[str, np.ndarray],
    factors: Factors,
    test: np.ndarray | None = None,
    factor_bins: int = FACTOR_BINS,
    predictor: str = "probe",
    permutations: int = 1000,
    limit: int | None = 10_000,
    seed: int = 0,
) -> BlockInformation:
    """Information of every facet about every factor, in nats.

    Range: up to H(factor), which a facet that determines the factor comes near; a facet without
    information scores about 0, or less where the probe trusts what it learnt by chance.

    Parameters
    ----------
    facets : mapping of str to ndarray, shape (clips, dims)
    factors : mapping of str to Factor or ndarray
    test : ndarray of bool, shape (clips,), optional
        The held-out clips; a random third where it is not given.
    factor_bins : int
        Quantile bins of a continuous factor.
    predictor : {"probe", "linear"}
        The two-layer probe, or logistic regression on z-scored dimensions.
    permutations : int
        Of the test of every facet and factor.
    limit : int, optional
        At most so many clips to fit on and as many to measure on, drawn by the seed.
    seed : int
        Of the split, the probes and the permutations.

    Returns
    -------
    BlockInformation
    """
    blocks = _blocks(facets)
    clips = len(next(iter(blocks.values())))
    found = columns(factors, clips=clips)
    train, rest = held_out(clips=clips, test=test, limit=limit, seed=seed)
    cells = [
        [
            _cell(_predicted(b, c, train, rest, factor_bins, predictor, seed), permutations, seed)
            for c in found
        ]
        for b in blocks.values()
    ]
    labels = [column.classes(factor_bins)[rest] for column in found]
    how: dict[str, Any] = {"predictor": predictor, "train": len(train), "test": len(rest)}
    how |= {"factor_bins": factor_bins, "permutations": permutations}
    value, low, high, p, accuracy = np.moveaxis(np.array(cells), -1, 0)
    return BlockInformation(
        value,
        low,
        high,
        p,
        accuracy,
        np.array([entropy(known[known >= 0]) for known in labels]),
        tuple(blocks),
        tuple(column.name for column in found),
        len(rest),
        how,
    )


def facet_permutation_test(
    *,
    facet: np.ndarray,
    factor: Any,
    test: np.ndarray | None = None,
    factor_bins: int = FACTOR_BINS,
    predictor: str = "probe",
    permutations: int = 1000,
    seed: int = 0,
) -> FacetTest:
    """Test whether a facet's information about a factor is above chance.

    A probe is fitted once, on the training clips. Its answers for the held-out clips are then
    compared with the factor, and with the factor permuted over those clips: if the facet encodes
    nothing, every order is as likely, so p is exact whatever the probe is. The statistic is the
    mean log-probability of the true class, less that of the class's share, in nats. It takes
    held-out clips to be independent of each other.

    Parameters
    ----------
    facet : ndarray, shape (clips, dims)
    factor : Factor or ndarray, shape (clips,)
        Not multi-label: test its labels one by one.
    test : ndarray of bool, shape (clips,), optional
        The held-out clips; a random third where it is not given.
    factor_bins : int
        Quantile bins of a continuous factor.
    predictor : {"probe", "linear"}
        The two-layer probe, or logistic regression on z-scored dimensions.
    permutations : int
        The least p is 1 / (permutations + 1).
    seed : int

    Returns
    -------
    FacetTest
    """
    facet = table(facet, what="facet")
    found = columns({"factor": factor}, clips=len(facet))
    if len(found) > 1:
        raise DataError("Test the labels of a multi-label factor one by one.")
    train, rest = held_out(clips=len(facet), test=test, seed=seed)
    predicted = _predicted(facet, found[0], train, rest, factor_bins, predictor, seed)
    return _tested(predicted, permutations, seed)


def _blocks(facets: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    if not facets:
        raise DataError("There is no facet to measure: give at least one.")
    blocks = {name: table(block, what=f"facet '{name}'") for name, block in facets.items()}
    if len({len(block) for block in blocks.values()}) > 1:
        raise DataError("The facets must have the same clips, row by row.")
    return blocks


@dataclass(frozen=True)
class _Predicted:
    """A predictor's probabilities of the held-out clips, and what is true."""

    probabilities: np.ndarray  # (clips, classes)
    labels: np.ndarray  # (clips,)
    classes: np.ndarray  # (classes,)
    before: np.ndarray  # (train clips,)


def _predicted(
    block: np.ndarray,
    column: Column,
    train: np.ndarray,
    rest: np.ndarray,
    factor_bins: int,
    predictor: str,
    seed: int,
) -> _Predicted:
    chosen(predictor, ("probe", "linear"))
    labels = column.classes(factor_bins)
    train, rest = known_rows(column, train=train, rest=rest)
    if predictor == "probe":
        probe = fit_probe(embedding=block[train], labels=labels[train], seed=seed)
        probabilities, classes = probe.probabilities(block[rest]), probe.classes
    else:
        probabilities, classes = _linear(block[train], labels[train], block[rest])
    return _Predicted(probabilities, labels[rest], classes, labels[train])


def _linear(
    inputs: np.ndarray, labels: np.ndarray, new: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (clips, classes) and classes of a logistic regression."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=1000).fit(z_scored(inputs, fit=inputs), labels)
    probabilities = model.predict_proba(z_scored(new, fit=inputs))
    return np.maximum(probabilities, 1e-12), np.asarray(model.classes_)


def _cell(predicted: _Predicted, permutations: int, seed: int) -> list[float]:
    """Information, its interval, its p and the accuracy, of one facet and one factor."""
    accuracy, nats = class_scores(
        probabilities=[predicted.probabilities],
        classes=[predicted.classes],
        labels=predicted.labels,
        train=predicted.before,
    )
    bound, p = nats.estimate(), _tested(predicted, permutations, seed).p
    return [bound.value, bound.low, bound.high, p, accuracy.estimate().value]


def _tested(predicted: _Predicted, permutations: int, seed: int) -> FacetTest:
    kept = np.isin(predicted.labels, predicted.classes)
    labels = predicted.labels[kept]
    true = (labels[:, None] == predicted.classes) * 1.0
    found, null, p = permuted(
        np.log(predicted.probabilities[kept]), true, permutations=permutations, seed=seed
    )
    prior = entropy(labels) if len(labels) else 0.0
    null = null + prior
    high = float(np.quantile(null, 0.95))
    return FacetTest(found + prior, float(null.mean()), high, p, len(labels))
