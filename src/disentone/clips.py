"""Clip tables: which clips there are, what is known about them, and how they are split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from disentone.errors import DataError, closest
from disentone.factors import Factor

__all__ = ["SPLITS", "ClipTable", "Sounds", "random_split"]

SPLITS = ("train", "valid", "test")


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
    origins : sequence of str, optional
        The clip that each is a transformed copy of; by default every clip is its own.
    copy_for : sequence of str, optional
        The facet that each transformed copy was made for, ``""`` for the clips themselves.

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
    origins: np.ndarray = field(default=None)  # type: ignore[assignment]  # set below
    copy_for: np.ndarray = field(default=None)  # type: ignore[assignment]  # set below

    def __post_init__(self) -> None:
        count = len(self.ids)
        set_field = object.__setattr__  # the class is frozen for everyone else
        set_field(self, "ids", np.asarray(self.ids, dtype=object))
        set_field(self, "split", np.asarray(self.split, dtype=object))
        defaults = {"recordings": self.ids, "origins": self.ids, "copy_for": [""] * count}
        for name, default in defaults.items():
            given = getattr(self, name)
            set_field(self, name, np.asarray(default if given is None else given, dtype=object))
            if len(getattr(self, name)) != count:
                raise DataError(f"The {count} clips of a table need as many {name}.")
        for factor in self.factors.values():
            if len(factor.values) != count:
                raise DataError(
                    f"Factor '{factor.name}' has {len(factor.values)} values for {count} clips."
                )
        if len(self.split) != count:
            raise DataError(f"Every one of the {count} clips needs a split.")
        wrong = sorted(set(self.split) - set(SPLITS))
        if wrong:
            raise DataError(f"Split '{wrong[0]}' is unknown: use train, valid or test.")
        if len(set(self.ids)) != count:
            ids, counts = np.unique(self.ids.astype(str), return_counts=True)
            raise DataError(f"Clip '{ids[counts > 1][0]}' occurs twice in the table.")

    def __len__(self) -> int:
        """Count the clips."""
        return len(self.ids)

    def __repr__(self) -> str:
        """Show how many clips there are, and their factors."""
        return f"ClipTable({self.describe()})"

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
            self.origins[index],
            self.copy_for[index],
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
