"""Facets as blocks: gaps and purity between facets, from the probes that an audit fits anyway."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from disentone.audit.card import ALL
from disentone.audit.information import entropy
from disentone.audit.measures import BlockInformation, Measured, block_dci, block_mig
from disentone.audit.measures.between_facets import MEASURES
from disentone.audit.permuting import permuted
from disentone.audit.plan import Plan
from disentone.audit.records import Predictions, Record, record_of
from disentone.audit.redrawing import redrawn
from disentone.audit.scores import Estimate

__all__ = ["BLOCKS", "FacetInformation", "block_records", "facet_information"]

BLOCKS = {one.name: one for one in MEASURES}
REPLICATES = 200
INTERVAL = "bootstrap of held-out clips"


@dataclass(frozen=True)
class FacetInformation:
    """Information of a facet's probes about a factor, and what chance would give.

    Parameters
    ----------
    nats : ndarray, shape (clips,)
        Information of every test clip, mean over seeds: log-probability of its class less that of
        the class's share. NaN where the factor, or in training the class, is not known.
    null : ndarray, shape (permutations,)
        Mean information when the factor is permuted over clips.
    p : float
        Share of permutations that reach the mean itself, it counted: in (0, 1].
    """

    nats: np.ndarray
    null: np.ndarray
    p: float

    def about(self) -> Record:
        """Give p and the 95 % quantile of the null, for a record."""
        return {"p": self.p, "null": float(np.quantile(self.null, 0.95))}


def facet_information(
    outputs: Predictions,
    *,
    labels: np.ndarray,
    groups: np.ndarray | None,
    permutations: int,
    seed: int,
) -> FacetInformation:
    """Compare probes' predictions with the factor, and with the factor permuted over test clips.

    The probes stay as they are, so that the test is exact whatever they are (see
    :func:`~disentone.audit.measures.facet_permutation_test`). Where every recording has one value,
    recordings are permuted, each with the mean of its clips' predictions.

    Parameters
    ----------
    outputs : list of (probabilities (clips, outputs), classes (outputs,))
        Of each seed.
    labels : ndarray of int, shape (clips,) or (clips, labels)
        Of the test clips whose factor is known.
    groups : ndarray of int or None, shape (clips,)
        Their recordings.
    permutations, seed : int
    """
    weights, true, kept = _likelihoods(outputs, labels)
    nats = np.full(len(labels), np.nan)
    if not kept.any():
        return FacetInformation(nats, np.full(permutations, np.nan), 1.0)
    weights, true = weights[kept], true[kept]
    prior = entropy(labels[kept])
    share = true.mean(axis=0)
    nats[kept] = (true * weights).sum(axis=1)
    if labels.ndim == 1:
        nats[kept] -= (true * np.log(np.where(share > 0, share, 1.0))).sum(axis=1)
    else:
        nats[kept] += prior  # mean over labels; what one clip's labels have by themselves is lost
    if groups is not None:
        weights, true = _by_recording(weights, true, groups[kept])
    _, null, p = permuted(weights, true, permutations=permutations, seed=seed)
    return FacetInformation(nats, null + prior, p)


def block_records(
    found: Mapping[tuple[str, str], FacetInformation],
    *,
    plan: Plan,
    names: frozenset[str],
    seed: int,
) -> Iterator[Record]:
    """Yield gap, disentanglement and completeness of facets, and their parts.

    Parameters
    ----------
    found : mapping of (facet, factor) to FacetInformation
        Facets alone.
    plan : Plan
    names : frozenset of str
        Measures asked for.
    seed : int
        Of the bootstrap, which leaves probes, shares of classes and p as they are.
    """
    if len(plan.facets) < 2 or not names & set(BLOCKS):
        return
    factors = list(plan.targets)
    nats = _aligned(found, plan)  # (facets, factors, clips)
    weights = redrawn(
        nats.shape[-1],
        groups=plan.groups_of(plan.test),
        replicates=REPLICATES,
        seed=seed,
    )
    one = _information(found, plan, _means(nats, np.ones((1, nats.shape[-1])))[0])
    null = np.array([[found[facet, factor].null for factor in factors] for facet in plan.facets])
    everything = replace(one, p=np.zeros_like(one.p))
    value = _measures(one, plan)
    draws = [_measures(replace(one, value=mean), plan) for mean in _means(nats, weights)]
    chance = [_measures(replace(everything, value=x), plan) for x in np.moveaxis(null, -1, 0)]
    for name in BLOCKS:
        if name in names:
            yield from _records(name, value, draws, chance, plan)


def _likelihoods(
    outputs: Predictions, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log-probabilities (clips, classes), what is true as 0 and 1, and clips that count.

    Of labels the first are differences of log-odds, so that the sum of their products with what
    is true is the log-probability but for what no permutation changes.
    """
    if labels.ndim == 2:
        yes = np.mean([np.log(p) for p, _ in outputs], axis=0)
        no = np.mean([np.log(np.maximum(1 - p, 1e-12)) for p, _ in outputs], axis=0)
        count = labels.shape[1]
        both = np.concatenate([yes, no], axis=1) / count
        true = np.concatenate([labels == 1, labels == 0], axis=1) * 1.0
        return both, true, np.ones(len(labels), dtype=bool)
    seen = reduce(np.intersect1d, [classes for _, classes in outputs])
    logs = np.mean([np.log(p[:, np.isin(classes, seen)]) for p, classes in outputs], axis=0)
    return logs, (labels[:, None] == seen) * 1.0, np.isin(labels, seen)


def _by_recording(
    weights: np.ndarray, true: np.ndarray, groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Means of the clips of every recording, if all have one value each; else the clips."""
    names, first, unit = np.unique(groups, return_index=True, return_inverse=True)
    if (true != true[first][unit]).any():
        return weights, true
    sums = np.zeros((len(names), weights.shape[1]))
    np.add.at(sums, unit, weights)
    return sums / np.bincount(unit)[:, None], true[first]


def _aligned(found: Mapping[tuple[str, str], FacetInformation], plan: Plan) -> np.ndarray:
    """Information of every facet, factor and test clip; NaN where unknown."""
    nats = np.full((len(plan.facets), len(plan.targets), int(plan.test.sum())), np.nan)
    for i, facet in enumerate(plan.facets):
        for k, (factor, target) in enumerate(plan.targets.items()):
            nats[i, k, target.known[plan.test]] = found[facet, factor].nats
    return nats


def _means(nats: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted means over known clips, (rows of weights, facets, factors)."""
    known = ~np.isnan(nats)
    total = np.einsum("rn,fkn->rfk", weights, np.where(known, nats, 0.0), optimize=True)
    count = np.einsum("rn,fkn->rfk", weights, known * 1.0, optimize=True)
    return total / np.maximum(count, 1e-12)


def _information(
    found: Mapping[tuple[str, str], FacetInformation], plan: Plan, value: np.ndarray
) -> BlockInformation:
    entropies = [entropy(target.codes[plan.rows(name)[1]]) for name, target in plan.targets.items()]
    p = np.array([[found[facet, factor].p for factor in plan.targets] for facet in plan.facets])
    nothing = np.full_like(value, np.nan)  # neither intervals nor accuracies are asked for here
    return BlockInformation(
        value,
        nothing,
        nothing,
        p,
        nothing,
        np.array(entropies),
        tuple(plan.facets),
        tuple(plan.targets),
        int(plan.test.sum()),
        {"predictor": "probe", "seeds": len(plan.seeds)},
    )


def _measures(information: BlockInformation, plan: Plan) -> dict[str, Measured]:
    disentangled, complete = block_dci(information, owns=plan.owns)
    return {
        "block_mig": block_mig(information),
        "block_dci_disentanglement": disentangled,
        "block_dci_completeness": complete,
    }


def _records(
    name: str,
    value: Mapping[str, Measured],
    draws: list[dict[str, Measured]],
    chance: list[dict[str, Measured]],
    plan: Plan,
) -> Iterator[Record]:
    def numbers(found: Mapping[str, Measured]) -> dict[str, float]:
        return {"": found[name].value, **found[name].each}

    again = [numbers(draw) for draw in draws]
    by_chance = [numbers(draw) for draw in chance]
    for part, number in numbers(value).items():
        spread = np.array([one[part] for one in again])
        low, high = number + np.quantile(spread - spread.mean(), [0.025, 0.975])
        low, high = max(low, 0.0), min(high, 1.0)
        usual = float(np.mean([one[part] for one in by_chance]))
        estimate = Estimate(number, float(low), float(high), usual, value[name].n)
        of_facet = BLOCKS[name].parts == "facets" and part
        facet, factor = (part, ALL) if of_facet else (ALL, part or ALL)
        how = dict(value[name].how) | {"interval": INTERVAL}
        yield record_of(name, facet, factor, "score", estimate) | how
