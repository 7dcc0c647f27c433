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
from disentone.audit.scores import Estimate
from disentone.errors import DataError
from disentone.factors import Factor

__all__ = ["estimated"]


def estimated(
    measure: Callable[..., Measured],
    *,
    codes: np.ndarray,
    factors: Factors,
    replicates: int = 100,
    permutations: int = 20,
    seed: int = 0,
    **options: Any,
) -> Estimate:
    """Give a measure's value with its 95 % interval, its chance level and its clips.

    Chance is the mean over permutations of the codes' rows: dimensions keep what they share, and
    so do factors, but no code goes with its clip. The interval is of half-samples: the measure of
    half of the clips, drawn without replacement, spreads about its mean as much as the measure of
    all clips does about the truth. A bootstrap would put the same clip among the fitted and the
    held-out ones. It says how far the value would move with other clips, not how far a measure
    with few clips is biased: for that, compare with chance. Clips are taken to be independent.

    Parameters
    ----------
    measure : callable
        Such as :func:`~disentone.audit.measures.mig`; for one number of several, a function that
        picks it: ``lambda **given: dci(**given).completeness``.
    codes : ndarray, shape (clips, dims)
    factors : mapping of str to Factor or ndarray
    replicates : int
        Half-samples, at least 2; fewer than 40 know little of a 95 % interval.
    permutations : int
        At least 1.
    seed : int
    **options
        Passed to the measure; ``test`` is cut with the clips.

    Returns
    -------
    Estimate
        ``low`` and ``high`` are not cut to the measure's range; they are NaN where a half-sample
        could not be measured.
    """
    if replicates < 2 or permutations < 1:
        raise DataError("An interval needs two half-samples, and chance a permutation.")
    codes = table(codes)
    clips, test = len(codes), options.pop("test", None)
    rng = np.random.default_rng(seed)

    def half() -> float:
        rows = np.sort(rng.choice(clips, clips // 2, replace=False))
        cut = {} if test is None else {"test": np.asarray(test)[rows]}
        return measure(codes=codes[rows], factors=_taken(factors, rows), **cut, **options).value

    given = options if test is None else options | {"test": test}
    found = measure(codes=codes, factors=factors, **given)
    halves = np.array([half() for _ in range(replicates)])
    low, high = found.value + np.quantile(halves - halves.mean(), [0.025, 0.975])
    chance = [
        measure(codes=rng.permutation(codes), factors=factors, **given).value
        for _ in range(permutations)
    ]
    return Estimate(found.value, float(low), float(high), float(np.mean(chance)), found.n)


def _taken(factors: Factors, rows: np.ndarray) -> Mapping[str, Factor | np.ndarray]:
    """The factors of some of the clips."""
    return {
        name: given.take(rows) if isinstance(given, Factor) else np.asarray(given)[rows]
        for name, given in factors.items()
    }
