"""Agreement: whether two clips go together in one factor, by its kind or by a rule of music."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from disentone.errors import DataError
from disentone.factors import Factor
from disentone.musical import key_codes, same_key, same_tempo

__all__ = ["TEMPO_WITHIN", "Agreement", "Rule", "agreement"]

Rule = Literal["same", "tempo", "key"]
"""The same value or a near one; a near tempo at any octave; the same or the parallel key."""

TEMPO_WITHIN = 5.0  # beats per minute, as in CSN, Section 3.3


@dataclass(frozen=True)
class Agreement:
    """Test of pairs of clips for agreeing in one factor.

    Usually made by :func:`agreement`.

    Parameters
    ----------
    values : ndarray, shape (clips,), or (clips, labels) of bool
        Codes, numbers, codes of keys, or which labels a clip has.
    known : ndarray of bool, shape (clips,)
    how : {"equal", "near", "tempo", "key", "labels"}
    within : float
        Tolerance of ``"near"`` and ``"tempo"``.
    """

    values: np.ndarray
    known: np.ndarray
    how: Literal["equal", "near", "tempo", "key", "labels"]
    within: float = 0.0

    def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Whether clips agree: indices of shapes that broadcast to bool; False where unknown."""
        one, other = self.values[first], self.values[second]
        if self.how == "tempo":
            return np.asarray(same_tempo(one, other, within=self.within))
        if self.how == "key":
            return np.asarray(same_key(one, other))
        if self.how == "labels":
            return np.asarray((one & other).any(axis=-1))
        if self.how == "near":
            return np.abs(one - other) <= self.within * (1 + 1e-9)  # False where one is NaN
        return (one == other) & self.known[first] & self.known[second]

    def both_known(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Whether the factor is known of both clips of every pair."""
        return self.known[first] & self.known[second]


def agreement(factor: Factor, *, rule: Rule = "same", within: float | None = None) -> Agreement:
    """Say what agreeing in a factor is.

    Parameters
    ----------
    factor : Factor
    rule : {"same", "tempo", "key"}
        The same category, a label in common, or numbers no farther apart than the tolerance; or
        the rules of :func:`~disentone.musical.same_tempo` and
        :func:`~disentone.musical.same_key`.
    within : float, optional
        Tolerance of numbers: the factor's own by default, 5 beats per minute of tempi.

    Raises
    ------
    DataError
        If the rule does not suit the factor, or its classes are no keys.
    """
    numbers = factor.kind in ("ordinal", "continuous")
    if rule == "tempo":
        if not numbers:
            raise DataError(_unsuited("tempo", factor, "numbers, in beats per minute"))
        reach = TEMPO_WITHIN if within is None else within
        return Agreement(factor.values, factor.values > 0, "tempo", reach)
    if rule == "key":
        if factor.kind != "categorical":
            raise DataError(_unsuited("key", factor, "names of keys, such as 'C# minor'"))
        try:
            codes = key_codes(factor.classes)
        except DataError as error:
            raise DataError(f"Factor '{factor.name}' is not of keys: {error}") from error
        values = np.append(codes, -1)[factor.values]  # unknown is the last place
        return Agreement(values, values >= 0, "key")
    if factor.kind == "multilabel":
        return Agreement((factor.values == 1) & factor.known[:, None], factor.known, "labels")
    if numbers:
        reach = factor.tolerance if within is None else within
        return Agreement(factor.values, factor.known, "near" if reach else "equal", reach or 0.0)
    return Agreement(factor.values, factor.known, "equal")


def _unsuited(rule: str, factor: Factor, wanted: str) -> str:
    return f"The rule '{rule}' is for {wanted}: '{factor.name}' is {factor.kind}."
