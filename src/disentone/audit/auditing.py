"""The audit of an embedding: which facet predicts which factor, and which should not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np

from disentone.audit.binning import quantile_codes
from disentone.audit.card import ALL, Card
from disentone.audit.facet_information import FacetInformation, block_records, facet_information
from disentone.audit.families import measured
from disentone.audit.information import Information, dimension_information, entropy
from disentone.audit.measuring import family_inputs, family_records
from disentone.audit.numeric import number_records
from disentone.audit.outcomes import Outcomes
from disentone.audit.plan import AuditedClips, Plan, blocks_of, make_plan
from disentone.audit.probes import Question, fit_probes, one_thread, together
from disentone.audit.records import (
    Predictions,
    Record,
    dimension_records,
    directional_records,
    probe_records,
    probe_scores,
)
from disentone.audit.registry import chosen_measures, chosen_variants
from disentone.audit.scores import Scores
from disentone.errors import DataError
from disentone.facets import Facets
from disentone.factors import Factor

__all__ = ["audit"]

Show = Callable[[int, int], None]

FACET_PERMUTATIONS = 200  # permutations of the test of a facet and a factor
WORTH = 2**22  # numbers x factors x families: with fewer, to start processes takes longer than work


def audit(
    embedding: np.ndarray,
    *,
    facets: Facets,
    factors: Mapping[str, Factor],
    split: np.ndarray,
    owns: Mapping[str, Sequence[str]] | None = None,
    baselines: Mapping[str, np.ndarray] | None = None,
    classes: Mapping[str, int] | None = None,
    seeds: int = 5,
    permutations: int = 200,
    bins: int = 20,
    train_limit: int | None = None,
    measures: Sequence[str] = ("default",),
    variants: Sequence[str] = (),
    groups: np.ndarray | None = None,
    whole: bool = False,
    beside: Mapping[str, np.ndarray] | None = None,
    ids: np.ndarray | None = None,
    jobs: int | None = None,
    seed: int = 0,
    run: str = "",
    stage: Callable[[str], Show] | None = None,
) -> Card:
    """Audit an embedding, from any model, facet by facet.

    Probes are fitted on training clips and everything is measured on test clips; clips of the
    validation split, and clips whose factor is unknown, are left out. The card's measures are

    - ``probe``: ``accuracy`` of a two-layer probe (``jaccard`` and ``map`` for several labels), and
      ``within``, the share predicted within the factor's tolerance, where it has one. A continuous
      factor is predicted as the middle of a class, so its classes should not be wider than twice
      the tolerance. Chance is the best constant answer of the training clips. Of a continuous
      factor also ``r2``, by ridge regression on the facet or on random cosines of it: how well it
      is predicted as a number, 1 where exactly, below 0 where the mean of the test clips is better.
    - ``leak``: accuracy (Jaccard) above that chance, where the facet does not own the factor.
    - ``dsc_delta``: score of the facet that owns the factor less that of the ``other`` facet, or
      of the best of several others (see :func:`~disentone.audit.directional.dsc_delta`).
    - ``information``: nats about the factor; of a facet the probe's held-out lower bound
      H(factor) - cross-entropy, of a dimension the plug-in with quantile bins, chance being the
      mean of a permutation null. ``p`` is of a permutation test.
    - those of :mod:`disentone.audit.measures`, of the whole embedding (facet and factor
      ``"all"``) and of every factor or dimension.

    Intervals are 95 %: of probes over seeds and test clips together, of dimensions by bootstrap,
    of measures as their record says. With ``groups``, recordings and not clips are taken for
    independent.

    Parameters
    ----------
    embedding : ndarray, shape (clips, facets.dim)
        Finite numbers.
    facets : Facets
    factors : mapping of str to Factor
        Each with a value, known or not, for every clip.
    split : ndarray of str, shape (clips,)
        ``"train"``, ``"valid"`` or ``"test"``.
    owns : mapping of str to sequence of str, optional
        The factors that each facet is meant to encode. Leaks of a facet that is not named are not
        judged.
    baselines : mapping of str to ndarray, shape (clips, dims), optional
        Other embeddings of the same clips, probed in the same way to compare with.
    classes : mapping of str to int, optional
        Number of classes of equal width to cut an ordinal or continuous factor in.
    seeds : int
        Probes of every facet and factor, at least 1.
    permutations : int
        Of the null, and replicates of the bootstrap; at least 1, better 100.
    bins : int
        Quantile bins of a dimension.
    train_limit : int, optional
        At most so many training clips for a probe, drawn anew for each seed.
    measures : sequence of str
        Names of measures, ``"default"``, ``"all"`` or ``"none"``: see
        :data:`~disentone.audit.registry.MEASURES`.
    variants : sequence of str
        Published variants to compute beside the measures, such as ``"syntone"``, or ``"all"``.
    groups : ndarray, shape (clips,), optional
        The recording that each clip was cut from.
    whole : bool
        Measure what is not fitted on all clips, and not on test clips alone: right where no model
        was trained by this split.
    beside : mapping of str to ndarray, shape (clips, dims), optional
        Embeddings of the same clips by other runs, for UDR.
    ids : ndarray of str, shape (clips,), optional
        Names of the clips, by which cards are paired; row numbers by default.
    jobs : int, optional
        Threads of probes, and processes of measures where there is much to do; as many as torch
        uses threads by default. One starts no process. The numbers do not depend on it.
    seed : int
        The same seed gives the same card.
    run : str
        Name kept on the card.
    stage : callable, optional
        Called with the name of each stage; what it gives is called with (done, total).

    Returns
    -------
    Card

    Raises
    ------
    DataError
        If shapes, names or splits do not fit, a value is not finite, there is no factor, or one
        has fewer than two classes in training or no known value in test.
    """
    if permutations < 1:
        raise DataError("An audit needs a seed, a permutation and two training clips at least.")
    if jobs is not None and jobs < 1:
        raise DataError(f"An audit with {jobs} jobs would not begin: ask for one or more.")
    names, published = chosen_measures(measures), chosen_variants(variants)
    plan = make_plan(
        blocks_of(embedding, facets, baselines or {}),
        facets=facets,
        factors=factors,
        clips=AuditedClips(split, groups, whole),
        owns=owns or {},
        classes=classes or {},
        seeds=range(seed, seed + seeds),
        limit=train_limit,
    )
    asked, notes = family_inputs(
        plan, names=names, variants=published, beside=beside or {}, seed=seed
    )
    import torch  # what is mistyped was refused before

    begin = stage or (lambda name: lambda done, total: None)
    jobs = jobs or torch.get_num_threads()
    bare = replace(plan, blocks={ALL: plan.blocks[ALL]})  # all that a process needs
    work = plan.blocks[ALL].size * len(plan.targets) * (len(asked) + 1)
    processes = jobs if work > WORTH else 1
    with one_thread():
        families = [(measured, *one) for one in asked]
        found = list(_apart(families, processes, begin("Auditing: measures")))
        outputs = _outputs(plan, jobs, begin("Auditing: probes"))
        each = [(_information, bare, name, bins, permutations, seed) for name in plan.targets]
        dimensions = list(_apart(each, processes, begin("Auditing: dimensions")))
    records: list[Record] = []
    nats: dict[tuple[str, str], FacetInformation] = {}
    scores: dict[tuple[str, str], list[Scores]] = {}
    for pair in plan.pairs():
        train, test = plan.rows(pair[1])
        target, mine = plan.targets[pair[1]], plan.groups_of(test)
        scores[pair] = probe_scores(
            outputs[pair], target=target, train=train, test=test, groups=mine
        )
        nats[pair] = facet_information(
            outputs[pair],
            labels=target.codes[test],
            groups=mine,
            permutations=FACET_PERMUTATIONS,
            seed=seed,
        )
        records += probe_records(plan, *pair, outputs[pair], scores[pair], nats[pair].about())
    with one_thread():
        records += number_records(plan)
    main = {pair: several[0] for pair, several in scores.items()}
    records += directional_records(main, facets=facets, owns=plan.owns)
    records += block_records(nats, plan=plan, names=names, seed=seed)
    for (_, inputs), one in zip(asked, found):
        if isinstance(one, str):
            notes.append(f"Not measured, {one}")
        else:
            records += family_records(one, plan=plan, inputs=inputs)
    for name, one in zip(plan.targets, dimensions):
        records += dimension_records(one, facets=facets, factor=name, bins=bins, split=plan.split)
    described = {
        name: t.describe() | {"entropy": entropy(t.codes[plan.test & t.known])}
        for name, t in plan.targets.items()
    }
    outcomes = _outcomes(plan, scores, ids)
    return Card(facets, described, tuple(records), run, notes=tuple(notes), outcomes=outcomes)


def _apart(calls: Sequence[tuple[Any, ...]], processes: int, show: Show) -> Iterator[Any]:
    """Make calls of (function, *arguments) in processes; with one, in this.

    Measures are many small steps in Python, which threads could only take in turns; and
    scikit-learn's forests change the filters of warnings, which all threads share.
    """
    from joblib import Parallel, delayed, parallel_config

    with parallel_config("loky", n_jobs=processes, inner_max_num_threads=1):
        results = Parallel(return_as="generator")(delayed(call[0])(*call[1:]) for call in calls)
        for done, result in enumerate(results, start=1):
            show(done, len(calls))
            yield result


def _in_threads(
    calls: Sequence[tuple[Any, ...]], jobs: int, show: Show, steps: Sequence[int]
) -> Iterator[Any]:
    """Make calls of (function, *arguments) in threads, each of so many steps that are shown."""
    with ExitStack() as stack:
        doing: Any = map
        if jobs > 1 and len(calls) > 1:
            doing = stack.enter_context(ThreadPoolExecutor(jobs)).map
        done = 0
        for count, result in zip(steps, doing(lambda call: call[0](*call[1:]), calls)):
            done += count
            show(done, sum(steps))
            yield result


def _outputs(plan: Plan, jobs: int, show: Show) -> dict[tuple[str, str], Predictions]:
    """Predictions of the probes of every block and factor for the test clips, seed by seed."""
    questions, pairs = [], []
    known = {name: np.flatnonzero(plan.rows(name)[0]) for name in plan.targets}
    for block, factor in plan.pairs():
        for seed in plan.seeds:
            rows = plan.drawn(known[factor], seed)
            labels = plan.targets[factor].codes[rows]
            questions.append(Question(plan.blocks[block], rows, labels, seed))
            pairs.append((block, factor))
    stacks = together(questions)
    tests = [np.flatnonzero(plan.rows(factor)[1]) for _, factor in pairs]
    calls = [
        (_predictions, [questions[i] for i in some], [tests[i] for i in some]) for some in stacks
    ]
    parts = _in_threads(calls, jobs, show, [len(some) for some in stacks])
    answers = dict(zip((i for some in stacks for i in some), (a for part in parts for a in part)))
    found: dict[tuple[str, str], Predictions] = {}
    for place, pair in enumerate(pairs):
        found.setdefault(pair, []).append(answers[place])
    return found


def _predictions(questions: Sequence[Question], tests: Sequence[np.ndarray]) -> Predictions:
    """Fit probes in one stack, and give the predictions of each for its test clips."""
    return [
        (probe.probabilities(one.embedding[test]), probe.classes)
        for probe, one, test in zip(fit_probes(questions), questions, tests)
    ]


def _information(plan: Plan, factor: str, bins: int, permutations: int, seed: int) -> Information:
    target = plan.targets[factor]
    rows = plan.measured & target.known
    return dimension_information(
        codes=quantile_codes(plan.blocks[ALL][rows], bins=bins),
        labels=target.codes[rows],
        permutations=permutations,
        groups=plan.groups_of(rows),
        seed=seed,
    )


def _outcomes(
    plan: Plan, scores: Mapping[tuple[str, str], list[Scores]], ids: np.ndarray | None
) -> Outcomes:
    """Mean score over seeds of every test clip, where it is in [0, 1]."""
    found = {}
    for (facet, factor), several in scores.items():
        for score in several:
            if score.bounded:
                clips = np.full(int(plan.test.sum()), np.nan)
                clips[plan.targets[factor].known[plan.test]] = score.clips.mean(axis=0)
                found[facet, factor, score.metric] = clips
    rows = np.flatnonzero(plan.test)
    names = rows if ids is None else np.asarray(ids)[rows]
    groups = rows if plan.groups is None else plan.groups[rows]
    return Outcomes(names.astype(str), groups, found)
