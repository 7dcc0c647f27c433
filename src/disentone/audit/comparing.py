"""Differences between cards: paired item by item where outcomes are kept, else independent.

References
----------
B. Efron, R. Tibshirani, "An introduction to the bootstrap", 1993 (paired differences).
P. Good, "Permutation tests", 1994 (sign flips of paired differences).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from disentone.audit.card import ALL, Card
from disentone.audit.outcomes import Outcomes
from disentone.audit.records import Record
from disentone.audit.redrawing import redrawn, units_of
from disentone.errors import DataError

__all__ = ["INDEPENDENT", "PAIRED", "compare", "paired"]

REPLICATES = 2000
CHUNK = 4_000_000  # numbers held at once
PAIRED = "paired"
INDEPENDENT = "independent"
NAMED = ("measure", "facet", "factor", "metric", "variant", "with")  # what a number is of

Key = tuple[str, ...]


def compare(first: Card, second: Card, *, seed: int = 0) -> list[Record]:
    """Compare every number that two cards have in common, dimensions left out.

    Scores of probes, leaks and DSC deltas are compared item by item where both cards have their
    outcomes beside them and share at least two test items: the difference is that of the shared
    items, its interval a bootstrap over them (over recordings where several items are of one),
    and p that of flipping signs. Neither covers what another training of the probes would change.
    All other differences are taken for independent: the half-widths of the two intervals are added
    in quadrature, which is too wide where both cards are of the same items.

    Parameters
    ----------
    first, second : Card
    seed : int

    Returns
    -------
    list of dict
        ``measure``, ``facet``, ``factor``, ``metric``, ``first`` and ``second`` (the cards' own
        numbers), ``difference`` (second less first), ``low``, ``high`` (95 %), ``p``, ``n``
        (items shared; None where independent) and ``kind`` (``"paired"`` or ``"independent"``).

    Raises
    ------
    DataError
        If the cards have no number in common.
    """
    mine, theirs = _by_key(first), _by_key(second)
    shared = [key for key in mine if key in theirs]
    if not shared:
        factors, facets = (
            " and ".join(", ".join(names) or "none" for names in both)
            for both in (
                (first.factors, second.factors),
                (first.facets.names, second.facets.names),
            )
        )
        raise DataError(
            f"The audits have no number in common: their factors are {factors}, their facets "
            f"{facets}; compare audits of the same."
        )
    pairs = _Pairs(first.outcomes, second.outcomes)
    return [_difference(key, mine, theirs, pairs, seed) for key in shared]


def paired(
    first: np.ndarray, second: np.ndarray, *, groups: np.ndarray | None = None, seed: int = 0
) -> tuple[float, float, float, float]:
    """Give the mean of second - first, its 95 % interval and p.

    Parameters
    ----------
    first, second : ndarray, shape (items,)
        Of the same items.
    groups : ndarray, shape (items,), optional
        Items of one group are drawn, and their signs flipped, together.
    seed : int

    Returns
    -------
    difference, low, high, p : float
        Low and high by a bootstrap over groups; p in (0, 1] is the share of flips of signs whose
        mean is at least as far from 0, the difference itself counted.
    """
    each = np.asarray(second, dtype=float) - np.asarray(first, dtype=float)
    unit = units_of(groups, len(each))
    sums, sizes = np.bincount(unit, weights=each), np.bincount(unit).astype(float)
    value = float(each.mean())
    means, flipped = [], []
    rng = np.random.default_rng(seed)
    for count in _parts(len(sums)):
        weights = redrawn(len(sums), replicates=count, seed=int(rng.integers(2**31)))
        means.append((weights @ sums) / (weights @ sizes))
        signs = rng.choice([-1.0, 1.0], (count, len(sums)))
        flipped.append(signs @ sums / len(each))
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    reached = np.abs(np.concatenate(flipped)) >= abs(value) - 1e-12
    return value, float(low), float(high), (1 + int(reached.sum())) / (1 + len(reached))


def _parts(units: int) -> Iterator[int]:
    """Replicates at a time, so that a part is not larger than memory likes."""
    left, step = REPLICATES, max(1, CHUNK // max(1, units))
    while left > 0:
        yield min(step, left)
        left -= step


class _Pairs:
    """Outcomes of two cards on the test items that they share."""

    def __init__(self, first: Outcomes | None, second: Outcomes | None) -> None:
        self.sides: list[tuple[Outcomes, np.ndarray]] = []
        if first is None or second is None:
            return
        _, mine, theirs = np.intersect1d(first.clips, second.clips, return_indices=True)
        if len(mine) > 1:
            self.sides = [(first, mine), (second, theirs)]

    def of(self, record: Record) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Scores of both cards and recordings, of the items that both know; None without them."""
        found = [_scores(outcomes, record, rows) for outcomes, rows in self.sides]
        if not found or any(one is None for one in found):
            return None
        one, two = np.array(found)
        known = ~np.isnan(one + two)
        if known.sum() < 2:
            return None
        outcomes, rows = self.sides[0]
        return one[known], two[known], outcomes.groups[rows][known]


def _scores(outcomes: Outcomes, record: Record, rows: np.ndarray) -> np.ndarray | None:
    """What a record is the mean of, but for a constant; None where that is not kept."""
    if record["measure"] not in ("probe", "leak", "dsc_delta"):
        return None
    key = (record["facet"], record["factor"], record["metric"])
    own = outcomes.scores.get(key)
    if own is None or record["measure"] != "dsc_delta":
        return None if own is None else own[rows]
    other = outcomes.scores.get((record["other"], *key[1:]))
    return None if other is None else (own - other)[rows]


def _by_key(card: Card) -> dict[Key, Record]:
    found = {}
    for record in card.records:
        if record["facet"] in card.facets or record["facet"] == ALL or "[" not in record["facet"]:
            found.setdefault(tuple(str(record.get(name, "")) for name in NAMED), record)
    return found


def _difference(
    key: Key, mine: dict[Key, Record], theirs: dict[Key, Record], pairs: _Pairs, seed: int
) -> Record:
    one, two = mine[key], theirs[key]
    names: dict[str, Any] = {name: value for name, value in zip(NAMED, key) if value}
    record = names | {"first": one["value"], "second": two["value"]}
    both = pairs.of(one) if one.get("other") == two.get("other") else None
    if both is not None and _same_chance(key, mine, theirs):
        first, second, groups = both
        value, low, high, p = paired(first, second, groups=groups, seed=seed)
        return record | _numbers(value, low, high, p) | {"n": len(first), "kind": PAIRED}
    return record | _apart(one, two) | {"n": None, "kind": INDEPENDENT}


def _same_chance(key: Key, mine: dict[Key, Record], theirs: dict[Key, Record]) -> bool:
    """Whether two leaks are above the same constant answer, so that they differ as scores do."""
    if key[0] != "leak":
        return True
    one, two = (cards.get(("probe", *key[1:]), {}).get("chance") for cards in (mine, theirs))
    return abs(_real(one) - _real(two)) < 1e-9


def _apart(one: Record, two: Record) -> Record:
    """Difference of two numbers that are taken for independent."""
    first, second = ([_real(r.get(name)) for name in ("value", "low", "high")] for r in (one, two))
    value = second[0] - first[0]
    down = math.hypot(first[2] - first[0], second[0] - second[1])
    up = math.hypot(first[0] - first[1], second[2] - second[0])
    error = (up + down) / 2 / 1.96
    p = math.erfc(abs(value) / error / 2**0.5) if error > 0 else math.nan
    return _numbers(value, value - down, value + up, p)


def _real(value: float | None) -> float:
    return math.nan if value is None else value


def _numbers(value: float, low: float, high: float, p: float) -> Record:
    numbers = {"difference": value, "low": low, "high": high, "p": p}
    return {name: x if math.isfinite(x) else None for name, x in numbers.items()}
