"""When two values of a factor agree, in arrays and tensors: by its kind, or a musical rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from disentone.agreement.rules import key_codes, key_groups, same_key, same_tempo
from disentone.errors import DataError
from disentone.factors import Factor

__all__ = ["ROUNDING", "TEMPO_WITHIN", "Also", "Criterion", "Rule", "criterion"]

Rule = Literal["same", "tempo", "key"]
"""The same value or a near one; a near tempo at any octave; the same or the parallel key."""

Also = Literal["parallel", "relative", "none"]
"""Keys that count as the same (:func:`~disentone.agreement.rules.same_key`)."""

TEMPO_WITHIN = 5.0  # beats per minute, as in CSN, Section 3.3
ROUNDING = float(np.finfo(np.float32).eps)
"""Of labels, which may be tensors of single precision, relative to their size."""


@dataclass(frozen=True, eq=False)
class Criterion:
    """Test of values of one factor for agreeing; usually made by :func:`criterion`.

    Parameters
    ----------
    how : {"equal", "near", "tempo", "key", "labels"}
    is_number : bool
        Whether an unknown value is NaN; it is -1 otherwise.
    within : float
        Tolerance of ``"near"`` and ``"tempo"``, in the factor's unit.
    also : {"parallel", "relative", "none"}
        Keys that count as the same.
    codes : ndarray of int, shape (classes + 1,), optional
        Code of each class's key, and of the unknown one.
    """

    how: Literal["equal", "near", "tempo", "key", "labels"]
    is_number: bool = False
    within: float = 0.0
    also: Also = "parallel"
    codes: np.ndarray | None = None

    def comparable(self, values: np.ndarray) -> np.ndarray:
        """Give a factor's values, (clips,) or (clips, labels), as the other methods take them."""
        return values if self.codes is None else self.codes[values]

    def known(self, values: Any) -> Any:
        """Whether values, arrays or tensors, are known; labels if all of a clip's are."""
        if self.how == "tempo":
            return values > 0
        if self.how == "labels":
            return (values == values).all(-1)  # NaN is not equal to itself
        return values == values if self.is_number else values >= 0

    def agree(self, one: Any, other: Any) -> Any:
        """Whether values, of shapes that broadcast, agree; False where one is unknown."""
        if self.how == "labels":
            same = ((one == 1) & (other == 1)).any(-1)
        elif self.how == "key":
            same = same_key(one, other, also=self.also)
        elif self.how == "tempo":
            same = same_tempo(one, other, within=self.within)
        elif self.how == "near":
            same = abs(one - other) <= self.within + ROUNDING * (abs(one) + abs(other))
        else:
            same = one == other
        return same & self.known(one) & self.known(other)

    def order(self, values: np.ndarray) -> np.ndarray:
        """Numbers (clips,) by which clips that agree are sorted together; NaN where unknown.

        Clips of several labels stand by the rarest of theirs, tempi by their place in an octave.
        """
        if self.how == "labels":
            has = values == 1
            rarest = np.where(has, has.sum(0), np.inf).argmin(1)
            return np.where(has.any(1) & self.known(values), rarest, np.nan)
        known, order = self.known(values), values.astype(float)
        if self.how == "key":
            order = key_groups(order, also=self.also)
        if self.how == "tempo":
            order = np.log2(np.where(known, values, 1.0)) % 1
        return np.where(known, order, np.nan)


def criterion(
    factor: Factor,
    *,
    rule: Rule = "same",
    within: float | None = None,
    also: Also = "parallel",
) -> Criterion:
    """Give the test for two values of a factor to agree.

    Parameters
    ----------
    factor : Factor
    rule : {"same", "tempo", "key"}
        The same category, a label in common, or numbers no farther apart than the tolerance; or
        the rules of :func:`~disentone.agreement.rules.same_tempo` and
        :func:`~disentone.agreement.rules.same_key`.
    within : float, optional
        Tolerance of numbers: the factor's own by default, 5 beats per minute of tempi.
    also : {"parallel", "relative", "none"}
        Keys that count as the same.

    Raises
    ------
    DataError
        If the rule or the tolerance does not suit the factor, or its classes are no keys.
    """
    numbers = factor.kind in ("ordinal", "continuous")
    if within is not None and not numbers:
        raise DataError(_unsuited("tolerance 'within'", factor, "numbers"))
    if rule == "tempo":
        if not numbers:
            raise DataError(_unsuited("rule 'tempo'", factor, "numbers, in beats per minute"))
        return Criterion("tempo", True, TEMPO_WITHIN if within is None else within)
    if rule == "key":
        if factor.kind != "categorical":
            raise DataError(_unsuited("rule 'key'", factor, "names of keys, such as 'C# minor'"))
        try:
            codes = key_codes(factor.classes)
        except DataError as error:
            raise DataError(f"Factor '{factor.name}' is not of keys: {error}") from error
        return Criterion("key", also=also, codes=np.append(codes, -1))  # unknown is the last place
    if factor.kind == "multilabel":
        return Criterion("labels", True)
    if numbers:
        reach = factor.tolerance if within is None else within
        return Criterion("near" if reach else "equal", True, reach or 0.0)
    return Criterion("equal")


def _unsuited(what: str, factor: Factor, wanted: str) -> str:
    return f"The {what} is for {wanted}: '{factor.name}' is {factor.kind}."
