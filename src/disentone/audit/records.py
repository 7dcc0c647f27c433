"""Records: the flat rows of a card, from what probes and histograms gave."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from disentone.audit.directional import dsc_delta, rivals
from disentone.audit.information import Information
from disentone.audit.plan import Plan
from disentone.audit.scores import (
    Estimate,
    Scores,
    class_scores,
    label_scores,
    mean_average_precision,
    within_scores,
)
from disentone.audit.targets import Target
from disentone.facets import Facets

__all__ = [
    "Predictions",
    "Record",
    "dimension_records",
    "directional_records",
    "probe_records",
    "probe_scores",
    "record_of",
]

Record = dict[str, Any]
Predictions = list[tuple[np.ndarray, np.ndarray]]  # of each seed: probabilities, their classes


def probe_scores(
    outputs: Predictions,
    *,
    target: Target,
    train: np.ndarray,
    test: np.ndarray,
    groups: np.ndarray | None = None,
) -> list[Scores]:
    """Score probes clip by clip; the factor's main metric comes first.

    Parameters
    ----------
    outputs : list of (probabilities (test clips, outputs), classes (outputs,))
        Of each seed.
    target : Target
    train, test : ndarray of bool, shape (clips,)
        Clips of the split whose class is known.
    groups : ndarray or None, shape (test clips,)
        Their recordings.
    """
    probabilities, classes = [p for p, _ in outputs], [c for _, c in outputs]
    labels, before = target.codes[test], target.codes[train]
    if target.codes.ndim == 2:
        return label_scores(probabilities=probabilities, labels=labels, train=before, groups=groups)
    scores = class_scores(
        probabilities=probabilities, classes=classes, labels=labels, train=before, groups=groups
    )
    if target.factor.tolerance is not None and len(target.centres):
        within = within_scores(
            probabilities=probabilities,
            classes=classes,
            centres=target.centres,
            values=target.factor.values[test],
            train=target.factor.values[train],
            tolerance=target.factor.tolerance,
            groups=groups,
        )
        scores.append(within)
    return scores


def probe_records(
    plan: Plan,
    facet: str,
    factor: str,
    outputs: Predictions,
    scores: Sequence[Scores],
    about: Record,
) -> Iterator[Record]:
    """Yield the probe, information and, where the facet is judged by it, leak of one factor.

    Parameters
    ----------
    plan : Plan
    facet, factor : str
    outputs : list of (probabilities (test clips, outputs), classes (outputs,))
        Of each seed.
    scores : sequence of Scores
        What :func:`probe_scores` made of the outputs.
    about : dict
        Goes with the information: p, and the null's 95 % quantile.
    """
    train, test = plan.rows(factor)
    target = plan.targets[factor]
    fitted = int(train.sum()) if plan.limit is None else min(plan.limit, int(train.sum()))
    extra = {"train": fitted, "seeds": len(outputs), "predictor": "two-layer probe"}
    for score in scores:
        measure = "information" if score.metric == "nats" else "probe"
        record = record_of(measure, facet, factor, score.metric, score.estimate()) | extra
        yield record | about if measure == "information" else record
    if target.codes.ndim == 2:
        precision = mean_average_precision(
            probabilities=[p for p, _ in outputs],
            labels=target.codes[test],
            groups=scores[0].groups,
        )
        yield record_of("probe", facet, factor, "map", precision) | extra
    if facet in plan.owns and factor not in plan.owns[facet]:
        yield record_of("leak", facet, factor, scores[0].metric, scores[0].leak()) | extra


def directional_records(
    scores: Mapping[tuple[str, str], Scores],
    *,
    facets: Facets,
    owns: Mapping[str, Sequence[str]],
) -> Iterator[Record]:
    """Yield how much better each facet predicts its own factors than any other facet does.

    Parameters
    ----------
    scores : mapping of (facet, factor) to Scores
        Main metric of every pair.
    facets : Facets
    owns : mapping of str to sequence of str
    """
    clips = {pair: score.clips for pair, score in scores.items()}
    for facet, factor, other in rivals(clips, facets=list(facets), owns=owns):
        own, groups = clips[facet, factor], scores[facet, factor].groups
        found = dsc_delta(own=own, other=clips[other, factor], groups=groups)
        record = record_of("dsc_delta", facet, factor, scores[facet, factor].metric, found)
        yield record | {"other": other, "seeds": len(clips[facet, factor])}


def dimension_records(
    found: Information, *, facets: Facets, factor: str, bins: int, split: str
) -> Iterator[Record]:
    """Yield the information of every dimension about one factor."""
    names = [(facet, index) for facet, size in facets.items() for index in range(size)]
    for column, (facet, index) in enumerate(names):
        estimate = Estimate(
            found.value[column],
            found.low[column],
            found.high[column],
            found.null_mean[column],
            found.clips,
        )
        yield record_of("information", f"{facet}[{index}]", factor, "nats", estimate) | {
            "dimension": index,
            "bins": bins,
            "split": split,
            "p": float(found.p[column]),
            "null": float(found.null_high[column]),
        }


def record_of(measure: str, facet: str, factor: str, metric: str, found: Estimate) -> Record:
    """Give one number as a record."""
    names = {"measure": measure, "facet": facet, "factor": factor, "metric": metric}
    numbers = {
        name: (float(value) if np.isfinite(value) else None)
        for name, value in dataclasses.asdict(found).items()
    }
    return names | numbers | {"n": found.n, "split": "test"}
