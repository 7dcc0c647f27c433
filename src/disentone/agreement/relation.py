"""Relations: what makes two clips views of each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from disentone.agreement.pairs import ROUNDING, Agreement, Rule, agreement
from disentone.clips import ClipTable
from disentone.errors import DataError
from disentone.factors import Factor

__all__ = ["CLIP", "RECORDING", "Near", "Relation"]

RECORDING = "recording"
CLIP = "clip"

Test = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Whether clips of one index array go with those of another: two (n,) to bool (n,)."""

_OCTAVES = 10  # of tempo, up and down


class Near(NamedTuple):
    """A factor in which clips agree up to a tolerance.

    Parameters
    ----------
    values : ndarray of float, shape (clips,)
        NaN where unknown.
    agree : Agreement
    """

    values: np.ndarray
    agree: Agreement

    def intervals(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Centres (clips,) and half-widths (clips,) of intervals that hold all that may agree.

        Tempi have one for each octave; the tolerance counts at the faster tempo.
        """
        within = self.agree.within + 3 * ROUNDING * np.abs(self.values)
        if self.agree.how != "tempo":
            return [(self.values, within)]
        values = np.where(self.agree.known, self.values, np.nan)
        octaves = 2.0 ** np.arange(-_OCTAVES, _OCTAVES + 1)
        found = [(values * times, within * min(1.0, times)) for times in octaves]
        return [(centre, width + 1e-5 * centre) for centre, width in found]


@dataclass(frozen=True)
class Relation:
    """Two clips are views of each other when they agree in some factors and differ in others.

    Clips agree in a categorical factor when its value is the same, in a multi-label one when they
    share a label, and in an ordinal or continuous one when their values are no farther apart than
    its tolerance. They differ when both values are known and they do not agree.

    Parameters
    ----------
    same : str or sequence of str
        Factors in which views agree; ``"recording"`` for clips cut from the same recording and
        ``"clip"`` for transformed copies of one clip.
    differ : str or sequence of str, optional
        Factors in which every two views differ; ``"recording"`` for clips of different recordings.
    within : float, optional
        Tolerance of the ordinal and continuous factors in `same`, instead of their own.
    rule : {"same", "tempo", "key"}
        How views agree in the first factor of `same`: ``"tempo"`` within 5 beats per minute (or
        `within`) at any octave, ``"key"`` in the same or the parallel key
        (:mod:`disentone.agreement.rules`).
    """

    same: str | Sequence[str]
    differ: str | Sequence[str] | None = None
    within: float | None = None
    rule: Rule = "same"

    @property
    def sames(self) -> tuple[str, ...]:
        """Names in which views agree."""
        return _names(self.same)

    @property
    def differs(self) -> tuple[str, ...]:
        """Names in which views differ."""
        return _names(self.differ)

    def __str__(self) -> str:
        """Say the relation in words."""
        text = f"same {' and '.join(self.sames)}"
        text += f" by the rule of {self.rule}" if self.rule != "same" else ""
        text += f" within {self.within:g}" if self.within is not None else ""
        return text + (f", different {' and '.join(self.differs)}" if self.differs else "")

    def codes(self, table: ClipTable) -> np.ndarray:
        """Group of every clip by all the exact factors of `same`: int (clips,), -1 if unknown.

        Raises
        ------
        DataError
            If a factor does not exist, or clips cannot agree in it and not in others.
        """
        codes = np.zeros(len(table), dtype=np.int64)
        for name in self.sames:
            if name in (RECORDING, CLIP):
                values = table.recordings if name == RECORDING else table.origins
                more = np.unique(values.astype(str), return_inverse=True)[1]
            elif self._rule(name) == "key":
                values = agreement(table.factor(name), rule="key").values
                more = np.where(values >= 0, values // 2, -1)  # keys of one tonic are parallel
            elif self._is_exact(table.factor(name)):
                more = _exact(table.factor(name))
            else:
                continue
            _refuse_one_class(name, more, len(table))
            known = (codes >= 0) & (more >= 0)
            pairs = np.stack([codes, more])[:, known]
            codes = np.full(len(table), -1, dtype=np.int64)
            codes[known] = np.unique(pairs, axis=1, return_inverse=True)[1].ravel()
        return codes

    def near(self, table: ClipTable) -> list[Near]:
        """Factors agreed in up to a tolerance.

        Raises
        ------
        DataError
            If `within` or the rule suits no factor, or clips cannot agree in one and not in
            another.
        """
        factors = [table.factor(n) for n in self.sames if n not in (RECORDING, CLIP)]
        numbers = any(f.kind in ("ordinal", "continuous") for f in factors)
        if self.within is not None and not numbers:
            raise DataError(f"'within' is for ordinal and continuous factors: not for '{self}'.")
        if self.rule != "same" and self.sames[0] in (RECORDING, CLIP):
            raise DataError(f"The rule '{self.rule}' needs its factor first, not '{self}'.")
        found = []
        for factor in factors:
            rule = self._rule(factor.name)
            test = agreement(factor, rule=rule, within=self.within)
            if rule == "tempo" or test.how == "near":
                _refuse_one_class(factor.name, _exact(factor), len(table))
                found.append(Near(factor.values, test))
        return found

    def labels(self, table: ClipTable) -> list[np.ndarray]:
        """Which labels each clip has, bool (clips, classes), for the multi-label factors."""
        factors = [table.factor(n) for n in self.sames if n not in (RECORDING, CLIP)]
        found = [f for f in factors if f.kind == "multilabel"]
        for factor in found:
            if factor.values.shape[1] < 2:
                raise DataError(_one_class(factor.name, len(factor.classes), len(table)))
        return [factor.values == 1 for factor in found]

    def differing(self, table: ClipTable) -> Test:
        """Test of two clips for differing in every factor of `differ`.

        Raises
        ------
        DataError
            If a factor does not exist, or has one class only.
        """
        tests = [
            _other_recording(table) if name == RECORDING else _differing(table.factor(name))
            for name in self.differs
        ]
        return lambda first, second: np.logical_and.reduce(
            [np.ones(len(first), dtype=bool), *(test(first, second) for test in tests)]
        )

    def _rule(self, name: str) -> Rule:
        """Rule by which views agree in a factor."""
        return self.rule if name == self.sames[0] else "same"

    def _is_exact(self, factor: Factor) -> bool:
        """Whether views agree in a factor when its values are equal."""
        rule = self._rule(factor.name)
        return rule == "same" and agreement(factor, within=self.within).how == "equal"


def _names(names: str | Sequence[str] | None) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names or ())


def _exact(factor: Factor) -> np.ndarray:
    """Code of every clip's value, -1 where it is unknown."""
    if factor.kind == "categorical":
        return factor.values
    codes = np.full(len(factor.values), -1, dtype=np.int64)
    codes[factor.known] = np.unique(factor.values[factor.known], return_inverse=True)[1]
    return codes


def _other_recording(table: ClipTable) -> Test:
    codes = np.unique(table.recordings.astype(str), return_inverse=True)[1]
    if len(table) and codes.max() == 0:
        raise DataError("Views cannot differ in their recording: all clips are of the same one.")
    return lambda i, j: codes[i] != codes[j]


def _differing(factor: Factor) -> Test:
    if factor.kind != "multilabel":
        codes = _exact(factor)
        if len(np.unique(codes[codes >= 0])) < 2:
            raise DataError(f"Views cannot differ in '{factor.name}': it has one class only.")
    agree = agreement(factor)
    return lambda i, j: agree.both_known(i, j) & ~agree(i, j)


def _refuse_one_class(name: str, codes: np.ndarray, clips: int) -> None:
    present = len(np.unique(codes[codes >= 0]))
    if present < 2:
        raise DataError(_one_class(name, present, clips))


def _one_class(name: str, present: int, clips: int) -> str:
    found = f"only {present} class" if present else "no known value"
    return (
        f"Views with the same '{name}' need at least two classes of it, "
        f"but these {clips} clips have {found}."
    )
