"""Chance and interval of any measure of codes and factors, by drawing clips anew.

References
----------
D. N. Politis, J. P. Romano, "Large sample confidence regions based on subsamples under minimal
assumptions", 1994 (intervals from samples without replacement).
P. Good, "Permutation tests", 1994.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from disentone.audit.measures.inputs import Factors, table
from disentone.audit.measures.measured import Measured
from disentone.audit.redrawing import units_of
from disentone.audit.scores import Estimate
from disentone.errors import DataError
from disentone.factors import Factor

__all__ = ["Several", "estimated", "estimates", "taken"]

Several = Callable[..., Mapping[str, Measured]]
MISSING = 0.1  # share of half-samples that may fail before there is no interval


def estimated(
    measure: Callable[..., Measured],
    *,
    codes: np.ndarray,
    factors: Factors,
    replicates: int = 100,
    permutations: int = 20,
    groups: np.ndarray | None = None,
    most: int | None = None,
    seed: int = 0,
    **options: Any,
) -> Estimate:
    """Give a measure's value with its 95 % interval, its chance level and its clips.

    Chance is the mean over permutations of the codes' rows: dimensions keep what they share, and
    so do factors, but no code goes with its clip. The interval is of half-samples: the measure of
    half of the clips, drawn without replacement, spreads about its mean as much as the measure of
    all clips does about the truth. A bootstrap would put the same clip among the fitted and the
    held-out ones. It covers how far the value would move with other clips, not how far a measure
    with few clips is biased: for that, compare with chance.

    Parameters
    ----------
    measure : callable
        Such as :func:`~disentone.audit.measures.mig`; for one number of several, a function that
        picks it: ``lambda **given: dci(**given).completeness``.
    codes : ndarray, shape (clips, dims)
    factors : mapping of str to Factor or ndarray
    replicates : int
        Half-samples, at least 2; fewer than 40 make a poor 95 % interval.
    permutations : int
        At least 1.
    groups : ndarray, shape (clips,), optional
        The recording of every clip: those of one are drawn together. By default clips are taken
        to be independent.
    most : int, optional
        Clips of a sample at most. A sample of the share s of the clips spreads more than half of
        them do; its deviations are made smaller by sqrt(s / (1 - s)), as for a mean.
    seed : int
    **options
        Passed to the measure; ``test`` is cut with the clips.

    Returns
    -------
    Estimate
        ``low`` and ``high`` are not cut to the measure's range; they are NaN where more than a
        tenth of the samples could not be measured.
    """

    def alone(**given: Any) -> dict[str, Measured]:
        return {"": measure(**given)}

    return estimates(
        alone,
        codes=codes,
        factors=factors,
        replicates=replicates,
        permutations=permutations,
        groups=groups,
        most=most,
        seed=seed,
        **options,
    )["", ""]


def estimates(
    measure: Several,
    *,
    codes: np.ndarray,
    factors: Factors,
    replicates: int = 100,
    permutations: int = 20,
    groups: np.ndarray | None = None,
    most: int | None = None,
    seed: int = 0,
    **options: Any,
) -> dict[tuple[str, str], Estimate]:
    """Give several measures at once, and their parts, as :func:`estimated` gives one.

    Parameters
    ----------
    measure : callable
        Gives a mapping of names to :class:`Measured`, so that measures can share their work.
    codes, factors, replicates, permutations, groups, most, seed, options
        As of :func:`estimated`.

    Returns
    -------
    dict of (name, part) to Estimate
        The part ``""`` is the measure itself, others are those of ``Measured.each``.
    """
    if replicates < 2 or permutations < 1:
        raise DataError("An interval needs two half-samples, and chance a permutation.")
    codes = table(codes)
    clips, test = len(codes), options.pop("test", None)
    rng = np.random.default_rng(seed)
    unit = units_of(groups, clips)
    units = int(unit.max()) + 1
    size = max(1, min(units // 2, round(units * most / clips) if most else units))
    scale = (size / max(1, units - size)) ** 0.5

    def part() -> dict[tuple[str, str], float]:
        drawn = np.zeros(units, dtype=bool)
        drawn[rng.choice(units, size, replace=False)] = True
        rows = np.flatnonzero(drawn[unit])
        cut = {} if test is None else {"test": np.asarray(test)[rows]}
        try:
            return _numbers(
                measure(codes=codes[rows], factors=taken(factors, rows), **cut, **options)
            )
        except DataError:  # a sample without a class of some factor, or without held-out clips
            return {}

    given = options if test is None else options | {"test": test}
    found = measure(codes=codes, factors=factors, **given)
    parts = [part() for _ in range(replicates)]
    chance = [
        _numbers(measure(codes=rng.permutation(codes), factors=factors, **given))
        for _ in range(permutations)
    ]
    return {
        key: Estimate(
            value,
            *_interval(value, [one.get(key, np.nan) for one in parts], scale),
            _mean([one.get(key, np.nan) for one in chance]),
            found[key[0]].n,
        )
        for key, value in _numbers(found).items()
    }


def taken(factors: Factors, rows: np.ndarray) -> Mapping[str, Factor | np.ndarray]:
    """Give the factors of some of the clips."""
    return {
        name: given.take(rows) if isinstance(given, Factor) else np.asarray(given)[rows]
        for name, given in factors.items()
    }


def _numbers(found: Mapping[str, Measured]) -> dict[tuple[str, str], float]:
    """Every measure and every part of it."""
    parts = {(name, part): x for name, one in found.items() for part, x in one.each.items()}
    return {(name, ""): one.value for name, one in found.items()} | parts


def _interval(value: float, drawn: list[float], scale: float) -> tuple[float, float]:
    known = np.array(drawn)[np.isfinite(drawn)]
    if len(known) < max(2, (1 - MISSING) * len(drawn)):
        return float("nan"), float("nan")
    low, high = value + scale * np.quantile(known - known.mean(), [0.025, 0.975])
    return float(low), float(high)


def _mean(drawn: list[float]) -> float:
    known = np.array(drawn)[np.isfinite(drawn)]
    return float(known.mean()) if len(known) else float("nan")
