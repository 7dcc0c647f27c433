"""What is known about the clips of a table: factors, their crossings, what follows from what."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np

from disentone.clips import SPLITS, ClipTable
from disentone.factors import Factor

__all__ = [
    "Crossing",
    "FactorSummary",
    "cross",
    "find_decided",
    "find_leaks",
    "summarise_factors",
]

_MOST_CELLS = 4096  # of a crossing that can still be looked at
_CELLS_A_CLIP = 2  # with more, most cells must be empty
_RECURRING = 0.25  # share of clips without whose recurrence "decides" would mean little


@dataclass(frozen=True)
class FactorSummary:
    """One factor and its values.

    Parameters
    ----------
    name, kind : str
    unknown : int
        Clips whose value is unknown.
    counts : dict of str to int
        Clips of every value, most first; of a continuous factor none.
    extent : tuple of float, optional
        Lowest, middle and highest value of an ordinal or continuous factor.
    tolerance : float, optional
        Up to which difference values agree.
    absent : dict of str to list of str
        For each split, the values that only other splits have.
    """

    name: str
    kind: str
    unknown: int
    counts: dict[str, int]
    extent: tuple[float, float, float] | None
    tolerance: float | None
    absent: dict[str, list[str]]


@dataclass(frozen=True)
class Crossing:
    """Which combinations of the values of two factors exist.

    Parameters
    ----------
    factors : tuple of str
    cells : dict of str to dict of str to int
        Clips by value of the first and of the second factor, those without clips included.
    exist, possible : int
        Cells that have clips, and all cells.
    emptiest : tuple of str
        Factor and value with the smallest share of its cells.
    """

    factors: tuple[str, str]
    cells: dict[str, dict[str, int]]
    exist: int
    possible: int
    emptiest: tuple[str, str]


def summarise_factors(table: ClipTable) -> tuple[FactorSummary, ...]:
    """Summarise every factor of a table."""
    return tuple(_summary(table, factor) for factor in table.factors.values())


def cross(table: ClipTable, decided: dict[str, list[str]]) -> tuple[Crossing, ...]:
    """Cross the categorical and ordinal factors, two at a time.

    A crossing has at most 4096 cells, and at most two for each clip.

    Parameters
    ----------
    table : ClipTable
    decided : dict of str to list of str
        See :func:`find_decided`; such pairs are left out, for their cells follow, and so are
        factors that are equivalent to one before them.
    """
    codes, found = _codes(table), []
    for one, other in permutations(list(codes), 2):
        if other in decided.get(one, ()) and one in decided.get(other, ()) and one in codes:
            codes.pop(other, None)
    for one, other in combinations(codes, 2):
        if other in decided.get(one, ()) or one in decided.get(other, ()):
            continue
        crossing = _cross(table.factor(one), table.factor(other), codes[one], codes[other])
        if crossing is not None:
            found.append(crossing)
    return tuple(found)


def find_decided(table: ClipTable) -> dict[str, list[str]]:
    """Find the factors that follow from another factor, or from the recording.

    Only factors, and recordings, that recur are tested: at least a quarter of the clips must share
    their value with another clip.

    Parameters
    ----------
    table : ClipTable

    Returns
    -------
    dict of str to list of str
        Factors with one value, and more than one overall, wherever the key has one value.
    """
    codes = _codes(table)
    deciders = codes | {
        "recording": np.unique(table.recordings.astype(str), return_inverse=True)[1]
    }
    decided = defaultdict(list)
    for one, other in permutations(deciders, 2):
        if other in codes and _decides(deciders[one], codes[other]):
            decided[one].append(other)
    return dict(decided)


def find_leaks(table: ClipTable) -> dict[str, list[str]]:
    """Find recordings that are in several splits; ``;`` separates those of one clip.

    Parameters
    ----------
    table : ClipTable

    Returns
    -------
    dict of str to list of str
        The splits of each such recording.
    """
    where = defaultdict(set)
    for recordings, split in set(zip(table.recordings, table.split)):
        for recording in str(recordings).split(";"):
            where[recording.strip()].add(split)
    return {
        recording: [split for split in SPLITS if split in splits]
        for recording, splits in sorted(where.items())
        if len(splits) > 1
    }


def _summary(table: ClipTable, factor: Factor) -> FactorSummary:
    known = factor.known
    numbers = factor.values[known] if factor.kind in ("ordinal", "continuous") else np.empty(0)
    extent = np.quantile(numbers, [0, 0.5, 1]).tolist() if numbers.size else None
    by_split = {split: _counts(factor.take(table.where(split))) for split in SPLITS}
    counts = _counts(factor)
    return FactorSummary(
        name=factor.name,
        kind=factor.kind,
        unknown=int((~known).sum()),
        counts=dict(sorted(counts.items(), key=lambda item: -item[1])),
        extent=extent and (extent[0], extent[1], extent[2]),
        tolerance=factor.tolerance,
        absent={
            split: [value for value in counts if value not in found]
            for split, found in by_split.items()
            if len(table.where(split))
        },
    )


def _counts(factor: Factor) -> dict[str, int]:
    """Clips of every value that occurs, in the order of the values."""
    values = factor.values[factor.known]
    if factor.kind == "multilabel":
        return {name: int(n) for name, n in zip(factor.classes, values.sum(axis=0)) if n}
    if factor.kind == "continuous":
        return {}
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(_names(factor, found), counts.tolist()))


def _names(factor: Factor, values: np.ndarray) -> list[str]:
    if factor.kind == "categorical":
        return [factor.classes[value] for value in values]
    return [f"{value:g}" for value in values]


def _codes(table: ClipTable) -> dict[str, np.ndarray]:
    """Value of every clip in each categorical or ordinal factor: int (clips,), -1 if unknown."""
    codes = {}
    for name, factor in table.factors.items():
        if factor.kind in ("categorical", "ordinal"):
            codes[name] = np.full(len(table), -1)
            values = factor.values[factor.known]
            codes[name][factor.known] = np.unique(values, return_inverse=True)[1]
    return codes


def _cross(one: Factor, other: Factor, rows: np.ndarray, columns: np.ndarray) -> Crossing | None:
    """Cross two factors with these codes; None where one has one value, or cells are too many."""
    names = [list(_counts(one)), list(_counts(other))]
    shape = (len(names[0]), len(names[1]))
    known = (rows >= 0) & (columns >= 0)
    most = min(_MOST_CELLS, _CELLS_A_CLIP * int(known.sum()))
    if min(shape) < 2 or shape[0] * shape[1] > most:
        return None
    counts = np.zeros(shape, dtype=int)
    np.add.at(counts, (rows[known], columns[known]), 1)
    filled = counts > 0
    shares = np.concatenate([filled.mean(axis=1), filled.mean(axis=0)])
    values = [(one.name, name) for name in names[0]] + [(other.name, name) for name in names[1]]
    return Crossing(
        factors=(one.name, other.name),
        cells={name: dict(zip(names[1], row)) for name, row in zip(names[0], counts.tolist())},
        exist=int(filled.sum()),
        possible=filled.size,
        emptiest=values[int(shares.argmin())],
    )


def _decides(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether codes (clips,) follow from other codes wherever both are known."""
    known = (one >= 0) & (other >= 0)
    one, other = one[known], other[known]
    if len(np.unique(other)) < 2:
        return False
    sizes = np.unique(one, return_counts=True)[1]
    recurring = sizes[sizes > 1].sum() >= _RECURRING * len(one)
    return bool(recurring and len(np.unique(one * (other.max() + 1) + other)) == len(sizes))
