"""Records: the flat rows of a card, from what probes and histograms gave."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from disentone.audit.directional import dsc_delta, rivals
from disentone.audit.information import Information
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
    "Outputs",
    "Record",
    "dimension_records",
    "directional_records",
    "probe_records",
    "probe_scores",
]

Record = dict[str, Any]
Outputs = list[tuple[np.ndarray, np.ndarray]]  # of each seed: probabilities, their classes


def probe_scores(
    outputs: Outputs, *, target: Target, train: np.ndarray, test: np.ndarray
) -> list[Scores]:
    """Score probes clip by clip; the factor's main metric comes first.

    Parameters
    ----------
    outputs : list of (probabilities (test clips, outputs), classes (outputs,))
        Of each seed.
    target : Target
    train, test : ndarray of bool, shape (clips,)
        Clips of the split whose class is known.
    """
    probabilities, classes = [p for p, _ in outputs], [c for _, c in outputs]
    labels, before = target.codes[test], target.codes[train]
    if target.codes.ndim == 2:
        return label_scores(probabilities=probabilities, labels=labels, train=before)
    scores = class_scores(probabilities=probabilities, classes=classes, labels=labels, train=before)
    if target.factor.tolerance is not None and len(target.centres):
        within = within_scores(
            probabilities=probabilities,
            classes=classes,
            centres=target.centres,
            values=target.factor.values[test],
            train=target.factor.values[train],
            tolerance=target.factor.tolerance,
        )
        scores.append(within)
    return scores


def probe_records(
    outputs: Outputs,
    scores: Sequence[Scores],
    *,
    facet: str,
    factor: str,
    target: Target,
    train: np.ndarray,
    test: np.ndarray,
    limit: int | None,
    judged: bool,
) -> Iterator[Record]:
    """Yield the probe, information and, where the facet is judged by it, leak of one factor.

    Parameters
    ----------
    outputs : list of (probabilities (test clips, outputs), classes (outputs,))
        Of each seed.
    scores : sequence of Scores
        What :func:`probe_scores` made of the outputs.
    facet, factor : str
    target : Target
    train, test : ndarray of bool, shape (clips,)
        Clips of the split whose class is known.
    limit : int or None
        Training clips of a probe at most.
    judged : bool
        Whether the facet owns something, but not this factor.
    """
    fitted = int(train.sum()) if limit is None else min(limit, int(train.sum()))
    extra = {"train": fitted, "seeds": len(outputs)}
    for score in scores:
        measure = "information" if score.metric == "nats" else "probe"
        yield _record(measure, facet, factor, score.metric, score.estimate()) | extra
    if target.codes.ndim == 2:
        precision = mean_average_precision(
            probabilities=[p for p, _ in outputs], labels=target.codes[test]
        )
        yield _record("probe", facet, factor, "map", precision) | extra
    if judged:
        yield _record("leak", facet, factor, scores[0].metric, scores[0].leak()) | extra


def directional_records(
    scores: Mapping[tuple[str, str], Scores],
    *,
    facets: Facets,
    owns: Mapping[str, Sequence[str]],
) -> Iterator[Record]:
    """Yield how much better each facet tells its own factors than any other facet does.

    Parameters
    ----------
    scores : mapping of (facet, factor) to Scores
        Main metric of every pair.
    facets : Facets
    owns : mapping of str to sequence of str
    """
    clips = {pair: score.clips for pair, score in scores.items()}
    for facet, factor, other in rivals(clips, facets=list(facets), owns=owns):
        found = dsc_delta(own=clips[facet, factor], other=clips[other, factor])
        record = _record("dsc_delta", facet, factor, scores[facet, factor].metric, found)
        yield record | {"other": other, "seeds": len(clips[facet, factor])}


def dimension_records(found: Information, *, facets: Facets, factor: str) -> Iterator[Record]:
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
        yield _record("information", f"{facet}[{index}]", factor, "nats", estimate) | {
            "dimension": index,
            "p": float(found.p[column]),
            "null": float(found.null_high[column]),
        }


def _record(measure: str, facet: str, factor: str, metric: str, found: Estimate) -> Record:
    names = {"measure": measure, "facet": facet, "factor": factor, "metric": metric}
    numbers = {
        name: (float(value) if np.isfinite(value) else None)
        for name, value in dataclasses.asdict(found).items()
    }
    return names | numbers | {"n": found.n, "split": "test"}
