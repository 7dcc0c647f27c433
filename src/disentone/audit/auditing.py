"""The audit of an embedding: which facet tells which factor, and which should not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from disentone.audit.binning import quantile_codes
from disentone.audit.card import ALL, Card
from disentone.audit.information import Information, dimension_information, entropy
from disentone.audit.probes import fit_probe
from disentone.audit.records import (
    Outputs,
    Record,
    dimension_records,
    directional_records,
    probe_records,
    probe_scores,
)
from disentone.audit.scores import Scores
from disentone.audit.targets import Target, make_target
from disentone.errors import DataError, closest
from disentone.facets import Facets
from disentone.factors import Factor

__all__ = ["audit"]


@dataclass(frozen=True)
class _Plan:
    """What is audited, checked."""

    blocks: Mapping[str, np.ndarray]  # facet, ALL or baseline -> (clips, dims)
    targets: Mapping[str, Target]
    train: np.ndarray  # (clips,) bool
    test: np.ndarray  # (clips,) bool
    owns: Mapping[str, Sequence[str]]
    seeds: range
    limit: int | None


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
    jobs: int | None = None,
    seed: int = 0,
    run: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Card:
    """Audit an embedding, from any model, facet by facet.

    Probes are fitted on training clips and everything is measured on test clips; clips of the
    validation split, and clips whose factor is unknown, are left out. The card's measures are

    - ``probe``: ``accuracy`` of a two-layer probe (``jaccard`` and ``map`` for several labels), and
      ``within``, the share told within the factor's tolerance, where it has one. A continuous
      factor is told as the middle of a class, so its classes should not be wider than twice the
      tolerance. Chance is the best constant answer of the training clips.
    - ``leak``: accuracy (Jaccard) above that chance, where the facet does not own the factor.
    - ``dsc_delta``: score of the facet that owns the factor less that of the ``other`` facet, or
      of the best of several others (see :func:`~disentone.audit.directional.dsc_delta`).
    - ``information``: nats about the factor; of a facet the probe's held-out lower bound
      H(factor) - cross-entropy, of a dimension the plug-in with quantile bins, chance being the
      mean of a permutation null.

    Intervals are 95 %: of probes over seeds and test clips together, of dimensions by bootstrap.
    They take clips to be independent: where many clips are cut from one recording they are too
    narrow.

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
        The factors that each facet is meant to hold. A facet that is not named is not judged.
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
    jobs : int, optional
        Processes; all cores by default. The numbers do not depend on it.
    seed : int
        The same seed gives the same card.
    run : str
        Name kept on the card.
    progress : callable, optional
        Called with (done, total) after every step.

    Returns
    -------
    Card

    Raises
    ------
    DataError
        If shapes, names or splits do not fit, a value is not finite, there is no factor, or one
        has fewer than two classes in training or no known value in test.
    """
    if seeds < 1 or permutations < 1 or (train_limit is not None and train_limit < 2):
        raise DataError("An audit needs a seed, a permutation and two training clips at least.")
    blocks = _blocks(embedding, facets, baselines or {})
    split = np.asarray(split)
    _check(len(blocks[ALL]), facets, factors, split, owns or {}, classes or {})
    targets = {
        name: make_target(factor, train=split == "train", classes=(classes or {}).get(name))
        for name, factor in factors.items()
    }
    plan = _Plan(
        blocks,
        targets,
        split == "train",
        split == "test",
        owns or {},
        range(seed, seed + seeds),
        train_limit,
    )
    for name, target in targets.items():
        _check_target(name, target, plan)
    done = _run(_tasks(plan, bins, permutations, seed), jobs, progress)
    records: list[Record] = []
    main: dict[tuple[str, str], Scores] = {}
    for facet, factor in _pairs(plan):
        outputs = [next(done) for _ in plan.seeds]
        scores = _scored(plan, factor, outputs)
        main[facet, factor] = scores[0]
        records += _probed(plan, facet, factor, outputs, scores)
    records += directional_records(main, facets=facets, owns=plan.owns)
    for name in targets:
        records += dimension_records(next(done), facets=facets, factor=name)
    about = {
        name: t.describe() | {"entropy": entropy(t.codes[plan.test & t.known])}
        for name, t in targets.items()
    }
    return Card(facets, about, tuple(records), run)


def _blocks(
    embedding: np.ndarray, facets: Facets, baselines: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Everything that is probed, by name."""
    if ALL in facets:
        raise DataError(f"No facet may be called '{ALL}': the card keeps it for all of them.")
    embedding = _table("The embedding", embedding)
    blocks = {**facets.split(embedding), ALL: embedding}
    for name, block in baselines.items():
        if name in blocks:
            raise DataError(f"No baseline may be called '{name}': that is a facet's name.")
        blocks[name] = _table(f"Baseline '{name}'", block)
        if len(block) != len(embedding):
            raise DataError(f"Baseline '{name}' has {len(block)} rows for {len(embedding)} clips.")
    return {name: np.ascontiguousarray(block) for name, block in blocks.items()}


def _table(what: str, embedding: np.ndarray) -> np.ndarray:
    embedding = np.asarray(embedding)
    if embedding.ndim != 2 or not np.issubdtype(embedding.dtype, np.number):
        raise DataError(f"{what} is not a table of clips x dims, but {embedding.shape}.")
    bad = np.flatnonzero(~np.isfinite(embedding).all(axis=1))
    if len(bad):
        raise DataError(
            f"{what} of {len(bad)} clips (first: row {bad[0]}) is not finite: leave them out."
        )
    return embedding


def _check(
    count: int,
    facets: Facets,
    factors: Mapping[str, Factor],
    split: np.ndarray,
    owns: Mapping[str, Sequence[str]],
    classes: Mapping[str, int],
) -> None:
    if not factors:
        raise DataError("There is no factor to audit the embedding for: give at least one.")
    lengths = {"split": len(split)} | {name: len(f.values) for name, f in factors.items()}
    for name, length in lengths.items():
        if length != count:
            raise DataError(f"'{name}' has {length} values for an embedding of {count} clips.")
    for facet, owned in owns.items():
        if facet not in facets:
            raise DataError(f"There is no facet '{facet}'{closest(facet, facets)}")
        if isinstance(owned, str):
            raise DataError(f"What facet '{facet}' owns must be a list of factors: ['{owned}'].")
    for name in [*classes, *(name for owned in owns.values() for name in owned)]:
        if name not in factors:
            raise DataError(f"There is no factor '{name}'{closest(name, factors)}")
    wrong = sorted(set(split.tolist()) - {"train", "valid", "test"}, key=str)
    if wrong:
        raise DataError(f"Split '{wrong[0]}' is unknown: use train, valid or test.")


def _check_target(name: str, target: Target, plan: _Plan) -> None:
    if len(np.unique(target.codes[plan.train & target.known], axis=0)) < 2:
        raise DataError(f"Factor '{name}' has one class only in the training clips: leave it out.")
    if not (plan.test & target.known).any():
        raise DataError(f"No test clip has a known value of factor '{name}': leave it out.")


def _pairs(plan: _Plan) -> Iterator[tuple[str, str]]:
    return ((facet, factor) for factor in plan.targets for facet in plan.blocks)


def _tasks(plan: _Plan, bins: int, permutations: int, seed: int) -> list[tuple[Any, ...]]:
    """Every probe, in the order of facets and factors, then the information of every factor."""
    probes = [
        (_probe, plan.blocks[facet], plan.targets[factor], plan.train, plan.test, plan.limit, s)
        for facet, factor in _pairs(plan)
        for s in plan.seeds
    ]
    told = [
        (_information, plan.blocks[ALL], target, plan.test, bins, permutations, seed)
        for target in plan.targets.values()
    ]
    return probes + told


def _run(
    tasks: list[tuple[Any, ...]], jobs: int | None, progress: Callable[[int, int], None] | None
) -> Iterator[Any]:
    from joblib import Parallel, delayed

    work = Parallel(n_jobs=jobs or -1, return_as="generator")
    calls = (delayed(function)(*arguments) for function, *arguments in tasks)
    for done, result in enumerate(work(calls), start=1):
        if progress is not None:
            progress(done, len(tasks))
        yield result


def _probe(
    block: np.ndarray,
    target: Target,
    train: np.ndarray,
    test: np.ndarray,
    limit: int | None,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Fit on the training clips, predict the test clips."""
    rows = np.flatnonzero(train & target.known)
    if limit is not None and limit < len(rows):
        rows = np.sort(np.random.default_rng(seed).choice(rows, limit, replace=False))
    probe = fit_probe(embedding=block[rows], labels=target.codes[rows], seed=seed)
    return probe.probabilities(block[test & target.known]), probe.classes


def _scored(plan: _Plan, factor: str, outputs: Outputs) -> list[Scores]:
    target = plan.targets[factor]
    train, test = plan.train & target.known, plan.test & target.known
    return probe_scores(outputs, target=target, train=train, test=test)


def _probed(
    plan: _Plan, facet: str, factor: str, outputs: Outputs, scores: list[Scores]
) -> Iterator[Record]:
    target = plan.targets[factor]
    return probe_records(
        outputs,
        scores,
        facet=facet,
        factor=factor,
        target=target,
        train=plan.train & target.known,
        test=plan.test & target.known,
        limit=plan.limit,
        judged=facet in plan.owns and factor not in plan.owns[facet],
    )


def _information(
    block: np.ndarray, target: Target, test: np.ndarray, bins: int, permutations: int, seed: int
) -> Information:
    rows = test & target.known
    codes = quantile_codes(block[rows], bins=bins)
    return dimension_information(
        codes=codes, labels=target.codes[rows], permutations=permutations, seed=seed
    )
