"""Agreement: whether two clips go together in one factor, by its kind or by a rule of music."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from disentone.agreement.rules import key_codes, same_key, same_tempo
from disentone.errors import DataError
from disentone.factors import Factor

__all__ = ["ROUNDING", "TEMPO_WITHIN", "Agreement", "Also", "Rule", "agree", "agreement"]

Rule = Literal["same", "tempo", "key"]
"""The same value or a near one; a near tempo at any octave; the same or the parallel key."""

Also = Literal["parallel", "relative", "none"]
"""Keys that count as the same (:func:`~disentone.agreement.rules.same_key`)."""

TEMPO_WITHIN = 5.0  # beats per minute, as in CSN, Section 3.3
ROUNDING = float(np.finfo(np.float32).eps)
"""Of labels, which may be tensors of single precision, relative to their size."""


def agree(
    first: Any,
    second: Any,
    *,
    rule: Rule = "same",
    within: float | None = None,
    also: Also = "parallel",
) -> Any:
    """Whether known codes or numbers, arrays or tensors alike, agree.

    Parameters
    ----------
    first, second : ndarray or Tensor
        Of shapes that broadcast.
    rule : {"same", "tempo", "key"}
    within : float, optional
        Tolerance of numbers; 0 by default, and 5 beats per minute of tempi.
    also : {"parallel", "relative", "none"}
        Keys that count as the same.
    """
    if rule == "key":
        return same_key(first, second, also=also)
    if rule == "tempo":
        return same_tempo(first, second, within=TEMPO_WITHIN if within is None else within)
    if not within:
        return first == second
    return abs(first - second) <= within + ROUNDING * (abs(first) + abs(second))


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
        if self.how == "labels":
            return np.asarray((one & other).any(axis=-1))
        rule = self.how if self.how in ("tempo", "key") else "same"
        same = agree(one, other, rule=rule, within=self.within)
        return same & self.both_known(first, second)

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
        the rules of :func:`~disentone.agreement.rules.same_tempo` and
        :func:`~disentone.agreement.rules.same_key`.
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
