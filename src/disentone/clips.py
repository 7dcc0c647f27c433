"""Clip tables: which clips there are, their names, what is known about them, and their splits."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from disentone.errors import DataError, closest
from disentone.factors import Factor

__all__ = ["SPLITS", "ClipTable", "Sounds", "file_of", "match_names", "random_split"]

SPLITS = ("train", "valid", "test")
_PART = re.compile(r"(.+)@(\d+(?:\.\d+)?(?:e[+-]?\d+)?)", re.DOTALL)  # a part of a file: path@start


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


def file_of(name: str) -> str:
    """Name of the file of a clip, which may be a part of it: ``a.wav`` of ``a.wav@2.5``."""
    part = _PART.fullmatch(name)
    return part[1] if part else name


def match_names(ids: Sequence[str], wanted: Iterable[str]) -> dict[str, int]:
    r"""Find the clips that names mean which are not written quite as the clips' own.

    A name means the clip of the same name; else, with ``/`` for ``\\`` and in one normal form of
    Unicode, the only clip whose path ends with it, whose file it is without its suffix, or with
    whose path it ends. If no name is found so, folders differ: then as many last parts of the
    paths have to be the same as make most names match. What two clips or names share is no match.

    Parameters
    ----------
    ids : sequence of str
        Names of the clips.
    wanted : iterable of str

    Returns
    -------
    dict of str to int
        Which of the ids each name means, without those that mean none.
    """
    wanted = list(dict.fromkeys(wanted))
    same = _once((name, row) for row, name in enumerate(ids))
    found = {name: same[name] for name in wanted if name in same}
    if len(found) == len(wanted):
        return found
    clips = [_split(name) for name in ids]
    left = {name: _split(name) for name in wanted if name not in found}
    found |= _that_end_with(clips, left)
    left = {name: parts for name, parts in left.items() if name not in found}
    found |= _ends_of(clips, left)
    return found or _by_common_ends(clips, left)


_Parts = tuple[tuple[str, ...], str]


def _split(name: str) -> _Parts:
    """Folders and file of a name, and the ``@start`` behind it."""
    file = file_of(name)
    parts = unicodedata.normalize("NFC", file).replace("\\", "/").split("/")
    return tuple(part for part in parts if part not in ("", ".")), name[len(file) :]


def _once(pairs: Iterable[tuple[Any, int]]) -> dict[Any, int]:
    """Rows by key, without keys that several rows have."""
    rows: dict[Any, int] = {}
    for key, row in pairs:
        rows[key] = row if rows.setdefault(key, row) == row else -1
    return {key: row for key, row in rows.items() if row >= 0}


def _that_end_with(clips: Sequence[_Parts], names: Mapping[str, _Parts]) -> dict[str, int]:
    """Clips whose path ends with a name, or whose file has that stem."""
    found = {}
    for depth in {len(parts) for parts, _ in names.values()}:
        ends = [((p[-depth:], at), row) for row, (p, at) in enumerate(clips) if len(p) >= depth]
        if depth == 1:
            ends += [(((re.sub(r"\.[A-Za-z]\w*$", "", p[0]),), at), row) for (p, at), row in ends]
        rows = _once(ends)
        for name, parts in names.items():
            if len(parts[0]) == depth and parts in rows:
                found[name] = rows[parts]
    return found


def _ends_of(clips: Sequence[_Parts], names: Mapping[str, _Parts]) -> dict[str, int]:
    """Clips whose whole path is what one name, and no other, ends with."""
    rows = _once((clip, row) for row, clip in enumerate(clips))
    depths = sorted({len(parts) for parts, _ in clips} - {0}, reverse=True)
    found = {}
    for name, (parts, at) in names.items():
        ends = ((parts[-depth:], at) for depth in depths if depth < len(parts))
        row = next((rows[end] for end in ends if end in rows), None)
        if row is not None:
            found[name] = row
    names_of = Counter(found.values())
    return {name: row for name, row in found.items() if names_of[row] == 1}


def _by_common_ends(clips: Sequence[_Parts], names: Mapping[str, _Parts]) -> dict[str, int]:
    """Clips whose path has as many last parts in common with a name as make most names match."""
    best: dict[str, int] = {}
    for depth in range(max((len(parts) for parts, _ in clips), default=0), 0, -1):
        rows = _once(((p[-depth:], at), row) for row, (p, at) in enumerate(clips))
        ends = {name: (p[-depth:], at) for name, (p, at) in names.items()}
        named = Counter(ends.values())
        found = {n: rows[end] for n, end in ends.items() if named[end] == 1 and end in rows}
        if len(found) > len(best):
            best = found
    return best
