"""Factors: what is known about clips, typed, with unknown values that are never a class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from disentone.errors import DataError

__all__ = ["Factor", "FactorKind"]

FactorKind = Literal["categorical", "multilabel", "ordinal", "continuous"]


@dataclass(frozen=True)
class Factor:
    """What is known about every clip in one respect.

    Parameters
    ----------
    name : str
    kind : {"categorical", "multilabel", "ordinal", "continuous"}
    values : ndarray
        Categorical: int codes (clips,), -1 where unknown. Multi-label: float (clips, classes)
        of 0, 1 and NaN where unknown. Ordinal and continuous: float (clips,), NaN where unknown.
    classes : tuple of str, optional
        Names of the codes or columns; empty for ordinal and continuous factors.
    tolerance : float, optional
        Two clips agree in an ordinal or continuous factor when they differ by no more than this.
    unit : str
        For labels of figures, such as ``"Hz"``.
    """

    name: str
    kind: FactorKind
    values: np.ndarray
    classes: tuple[str, ...] = ()
    tolerance: float | None = None
    unit: str = ""

    @classmethod
    def categorical(cls, name: str, labels: Sequence[Any]) -> Factor:
        """Build a categorical factor from labels; None, NaN and "" mean unknown.

        Classes are sorted, numbers by value and the rest by name.
        """
        texts = [None if _missing(label) else str(label) for label in labels]
        known = sorted({text for text in texts if text is not None}, key=_natural)
        code = {text: index for index, text in enumerate(known)}
        values = np.array([-1 if t is None else code[t] for t in texts], dtype=np.int64)
        return cls(name, "categorical", values, tuple(known))

    @classmethod
    def continuous(
        cls,
        name: str,
        values: Sequence[Any] | np.ndarray,
        *,
        kind: Literal["ordinal", "continuous"] = "continuous",
        tolerance: float | None = None,
        unit: str = "",
    ) -> Factor:
        """Build an ordinal or continuous factor from numbers; None, NaN and "" mean unknown.

        Raises
        ------
        DataError
            If a value is not a number.
        """
        try:
            numbers = np.array([np.nan if _missing(v) else float(v) for v in values], dtype=float)
        except ValueError as error:
            raise DataError(f"Factor '{name}' is not all numbers: {error}.") from error
        return cls(name, kind, numbers, (), tolerance, unit)

    @property
    def known(self) -> np.ndarray:
        """Where the value is known: bool (clips,)."""
        if self.kind == "categorical":
            return self.values >= 0
        if self.kind == "multilabel":
            return np.asarray(~np.isnan(self.values).any(axis=1))
        return ~np.isnan(self.values)

    def __repr__(self) -> str:
        """Show the kind of the factor, and for how many clips it is known."""
        classes = f", {len(self.classes)} classes" if self.classes else ""
        known = f"known of {int(self.known.sum())} of {len(self.values)} clips"
        return f"Factor('{self.name}', {self.kind}{classes}, {known})"

    def take(self, indices: np.ndarray) -> Factor:
        """Give the same factor for some of the clips, classes kept."""
        return Factor(
            self.name, self.kind, self.values[indices], self.classes, self.tolerance, self.unit
        )

    def present(self) -> Factor:
        """Give the same factor with the classes that some clip has, and no others."""
        if self.kind != "categorical":
            return self
        return Factor.categorical(self.name, self.labels())

    def labels(self) -> list[str]:
        """Readable value of every clip, ``""`` where unknown."""
        known = self.known
        if self.kind == "categorical":
            return [self.classes[v] if ok else "" for v, ok in zip(self.values, known)]
        if self.kind == "multilabel":
            names = np.asarray(self.classes, dtype=object)
            return [";".join(names[r == 1]) if ok else "" for r, ok in zip(self.values, known)]
        return [f"{v:g}" if ok else "" for v, ok in zip(self.values, known)]


def _missing(value: Any) -> bool:
    if value is None or (isinstance(value, str) and not value.strip()):
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _natural(text: str) -> tuple[int, float, str]:
    try:
        return (0, float(text), text)
    except ValueError:
        return (1, 0.0, text)
