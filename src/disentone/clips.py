"""Clip tables: which clips there are, what is known about them, and how they are split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from disentone.errors import DataError, closest

__all__ = ["SPLITS", "ClipTable", "Factor", "FactorKind", "Sounds", "random_split"]

FactorKind = Literal["categorical", "multilabel", "ordinal", "continuous"]
SPLITS = ("train", "valid", "test")


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
            return ~np.isnan(self.values).any(axis=1)
        return ~np.isnan(self.values)

    def take(self, indices: np.ndarray) -> Factor:
        """Give the same factor for some of the clips, classes kept."""
        return Factor(
            self.name, self.kind, self.values[indices], self.classes, self.tolerance, self.unit
        )

    def labels(self) -> list[str]:
        """Readable value of every clip, ``""`` where unknown."""
        known = self.known
        if self.kind == "categorical":
            return [self.classes[v] if ok else "" for v, ok in zip(self.values, known)]
        if self.kind == "multilabel":
            names = np.asarray(self.classes, dtype=object)
            return [";".join(names[r == 1]) if ok else "" for r, ok in zip(self.values, known)]
        return [f"{v:g}" if ok else "" for v, ok in zip(self.values, known)]


class Sounds(Protocol):
    """Where the waveforms of a clip table come from: files, or a synthesis recipe."""

    def read(self, index: int, sample_rate: int) -> np.ndarray:
        """Waveform of one clip: mono float32 (samples,) at the rate asked for.

        Raises
        ------
        AudioError
            If the clip cannot be read; the message names it.
        """
        ...

    def take(self, indices: np.ndarray) -> Sounds:
        """Give the sounds of some of the clips, in that order."""
        ...

    def key(self, index: int) -> str:
        """Text that changes when, and only when, the clip's audio may have changed."""
        ...


@dataclass(frozen=True)
class ClipTable:
    """Clips, their factors, their split, and where their sound comes from.

    Parameters
    ----------
    ids : sequence of str
        One unique name a clip; for files the path relative to the collection.
    factors : mapping of str to Factor
        What is known; every factor has as many values as there are clips.
    split : sequence of str
        ``"train"``, ``"valid"`` or ``"test"`` for every clip.
    sounds : Sounds
        Gives the waveform of a clip.
    recordings : sequence of str, optional
        The recording that each clip was cut from; by default every clip is its own.

    Raises
    ------
    DataError
        If lengths differ, an id occurs twice, or a split has another name.
    """

    ids: np.ndarray
    factors: Mapping[str, Factor]
    split: np.ndarray
    sounds: Sounds
    recordings: np.ndarray = field(default=None)  # type: ignore[assignment]  # set below

    def __post_init__(self) -> None:
        count = len(self.ids)
        set_field = object.__setattr__  # the class is frozen for everyone else
        set_field(self, "ids", np.asarray(self.ids, dtype=object))
        set_field(self, "split", np.asarray(self.split, dtype=object))
        recordings = self.ids if self.recordings is None else self.recordings
        set_field(self, "recordings", np.asarray(recordings, dtype=object))
        for factor in self.factors.values():
            if len(factor.values) != count:
                raise DataError(
                    f"Factor '{factor.name}' has {len(factor.values)} values for {count} clips."
                )
        if len(self.split) != count or len(self.recordings) != count:
            raise DataError(f"Every one of the {count} clips needs a split and a recording.")
        wrong = sorted(set(self.split) - set(SPLITS))
        if wrong:
            raise DataError(f"Split '{wrong[0]}' is unknown: use train, valid or test.")
        if len(set(self.ids)) != count:
            ids, counts = np.unique(self.ids.astype(str), return_counts=True)
            raise DataError(f"Clip '{ids[counts > 1][0]}' occurs twice in the table.")

    def __len__(self) -> int:
        """Count the clips."""
        return len(self.ids)

    def factor(self, name: str) -> Factor:
        """Look up a factor by name.

        Raises
        ------
        DataError
            If there is no such factor.
        """
        if name not in self.factors:
            raise DataError(f"There is no factor '{name}'{closest(name, self.factors)}")
        return self.factors[name]

    def where(self, split: str) -> np.ndarray:
        """Indices of the clips of one split, in table order."""
        return np.flatnonzero(self.split == split)

    def take(self, indices: np.ndarray | Sequence[int]) -> ClipTable:
        """Give a table of some of the clips, in that order; classes of factors are kept."""
        index = np.asarray(indices, dtype=np.int64)
        return ClipTable(
            self.ids[index],
            {name: factor.take(index) for name, factor in self.factors.items()},
            self.split[index],
            self.sounds.take(index),
            self.recordings[index],
        )

    def describe(self) -> str:
        """One line for people: clips, splits and factors."""
        splits = ", ".join(f"{name} {int((self.split == name).sum())}" for name in SPLITS)
        kinds = ", ".join(
            f"{f.name} ({len(f.classes)} classes)" if f.classes else f"{f.name} ({f.kind})"
            for f in self.factors.values()
        )
        return f"{len(self)} clips ({splits}); factors: {kinds or 'none'}"


def random_split(count: int, *, seed: int, valid: float = 0.1, test: float = 0.1) -> np.ndarray:
    """Assign clips to train, valid and test at random, with exact shares.

    Parameters
    ----------
    count : int
        Clips.
    seed : int
    valid, test : float
        Shares, each in [0, 1); what is left is train.

    Returns
    -------
    ndarray of object, shape (count,)
    """
    order = np.random.default_rng(seed).permutation(count)
    split = np.full(count, "train", dtype=object)
    tests, valids = round(count * test), round(count * valid)
    split[order[:tests]] = "test"
    split[order[tests : tests + valids]] = "valid"
    return split


def _missing(value: Any) -> bool:
    if value is None or (isinstance(value, str) and not value.strip()):
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _natural(text: str) -> tuple[int, float, str]:
    try:
        return (0, float(text), text)
    except ValueError:
        return (1, 0.0, text)
