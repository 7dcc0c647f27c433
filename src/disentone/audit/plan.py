"""The plan of an audit: what is measured on which clips, checked before anything is fitted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from disentone.audit.card import ALL
from disentone.audit.targets import Target, make_target
from disentone.errors import DataError, closest
from disentone.facets import Facets
from disentone.factors import Factor

__all__ = ["AuditedClips", "Plan", "blocks_of", "make_plan"]


@dataclass(frozen=True)
class AuditedClips:
    """Which clips are fitted and which are measured on.

    Parameters
    ----------
    split : ndarray of str, shape (clips,)
        ``"train"``, ``"valid"`` or ``"test"``.
    groups : sequence, shape (clips,), optional
        The recording of every clip.
    whole : bool
        Measure on all clips where nothing is fitted.
    """

    split: np.ndarray
    groups: np.ndarray | None = None
    whole: bool = False


@dataclass(frozen=True)
class Plan:
    """What is audited, checked.

    Parameters
    ----------
    facets : Facets
    blocks : mapping of str to ndarray, shape (clips, dims)
        Every facet, all of them, and the baselines.
    targets : mapping of str to Target
    train, test : ndarray of bool, shape (clips,)
        Clips to fit on, and to measure on.
    measured : ndarray of bool, shape (clips,)
        Clips to measure on where nothing is fitted.
    groups : ndarray or None, shape (clips,)
        The recording of every clip, where several clips are of one.
    owns : mapping of str to sequence of str
    seeds : range
    limit : int or None
        Clips that a probe is fitted on at most.
    """

    facets: Facets
    blocks: Mapping[str, np.ndarray]
    targets: Mapping[str, Target]
    train: np.ndarray
    test: np.ndarray
    measured: np.ndarray
    groups: np.ndarray | None
    owns: Mapping[str, Sequence[str]]
    seeds: range
    limit: int | None

    @property
    def split(self) -> str:
        """Name of the clips on which nothing is fitted."""
        return "test" if (self.measured == self.test).all() else "all"

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Every block with every factor."""
        return ((block, factor) for factor in self.targets for block in self.blocks)

    def rows(self, factor: str) -> tuple[np.ndarray, np.ndarray]:
        """Training and test clips whose factor is known: bool (clips,)."""
        known = self.targets[factor].known
        return self.train & known, self.test & known

    def drawn(self, rows: np.ndarray, seed: int) -> np.ndarray:
        """Give the rows that a probe is fitted on: all, or by the seed as many as the limit."""
        if self.limit is None or self.limit >= len(rows):
            return rows
        return np.sort(np.random.default_rng(seed).choice(rows, self.limit, replace=False))

    def groups_of(self, mask: np.ndarray) -> np.ndarray | None:
        """Recordings of some clips; None where every clip is its own."""
        return None if self.groups is None else self.groups[mask]


def make_plan(
    blocks: Mapping[str, np.ndarray],
    *,
    facets: Facets,
    factors: Mapping[str, Factor],
    clips: AuditedClips,
    owns: Mapping[str, Sequence[str]],
    classes: Mapping[str, int],
    seeds: range,
    limit: int | None,
) -> Plan:
    """Check what :func:`~disentone.audit.audit` was given; blocks are those of :func:`blocks_of`.

    Raises
    ------
    DataError
        If anything does not fit; see there.
    """
    if len(seeds) < 1 or (limit is not None and limit < 2):
        raise DataError("An audit needs a seed, a permutation and two training clips at least.")
    split, groups = np.asarray(clips.split), clips.groups
    count = len(blocks[ALL])
    _check(count, facets, factors, split, owns, classes)
    if groups is not None:
        groups = np.unique(np.asarray(groups).astype(str), return_inverse=True)[1]
        if len(groups) != count:
            raise DataError(f"There are {len(groups)} recordings named for {count} clips.")
        groups = None if int(groups.max()) + 1 == count else groups
    train, test = split == "train", split == "test"
    targets = {
        name: make_target(factor, train=train, classes=classes.get(name))
        for name, factor in factors.items()
    }
    measured = np.ones(count, dtype=bool) if clips.whole else test
    plan = Plan(facets, blocks, targets, train, test, measured, groups, owns, seeds, limit)
    for name in targets:
        _check_target(name, plan)
    return plan


def blocks_of(
    embedding: np.ndarray, facets: Facets, baselines: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Everything that is probed, by name, each (clips, dims).

    Raises
    ------
    DataError
        If shapes do not fit, a value is not finite, or a name is taken.
    """
    if ALL in facets:
        raise DataError(f"No facet may be called '{ALL}': that is the whole embedding.")
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


def _check_target(name: str, plan: Plan) -> None:
    train, test = plan.rows(name)
    if len(np.unique(plan.targets[name].codes[train], axis=0)) < 2:
        raise DataError(f"Factor '{name}' has one class only in the training clips: leave it out.")
    if not test.any():
        raise DataError(f"No test clip has a known value of factor '{name}': leave it out.")
