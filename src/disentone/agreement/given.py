"""Triplets that are given, and batches of them: rows of anchor, positive and negative."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from disentone.clips import ClipTable, file_of, match_names
from disentone.errors import DataError, closest

__all__ = ["GivenTriplets", "TripletSampler", "label"]


@dataclass(frozen=True)
class GivenTriplets:
    """Triplets by the names of their clips.

    Parameters
    ----------
    names : ndarray of str, shape (triplets, 3)
        Anchor, positive, negative.
    dimensions : tuple of tuple of str
        For each triplet, the dimensions in which it holds.
    source : str
        For errors, such as the file.
    """

    names: np.ndarray
    dimensions: tuple[tuple[str, ...], ...]
    source: str

    def __len__(self) -> int:
        """Count the triplets."""
        return len(self.names)

    @property
    def named(self) -> tuple[str, ...]:
        """Dimensions in which some triplet holds, sorted; none of people's judgements."""
        return tuple(sorted({name for names in self.dimensions for name in names}))

    @property
    def key(self) -> str:
        """Text that changes with the triplets."""
        text = json.dumps([self.names.tolist(), self.dimensions])
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def take(self, rows: np.ndarray) -> GivenTriplets:
        """Give some of the triplets: rows int or bool (triplets,)."""
        rows = np.arange(len(self))[rows]
        return replace(
            self, names=self.names[rows], dimensions=tuple(self.dimensions[row] for row in rows)
        )

    def places(self, clips: Sequence[str]) -> np.ndarray:
        """Look the triplets' clips up among others by name: int (triplets, 3).

        Raises
        ------
        DataError
            If a clip is unknown.
        """
        place = match_names(clips, self.names.ravel().tolist())
        unknown = sorted(set(self.names.ravel().tolist()) - set(place))
        if unknown:
            more = f" and {len(unknown) - 1} more clips" if len(unknown) > 1 else ""
            raise DataError(
                f"{self.source} names '{unknown[0]}'{more}, which the data does not have"
                f"{closest(unknown[0], clips)}"
            )
        return np.array([[place[name] for name in row] for row in self.names.tolist()], dtype=int)

    def holds(self, dimension: str) -> np.ndarray:
        """Which triplets hold in a dimension: bool (triplets,).

        Raises
        ------
        DataError
            If there is none.
        """
        found = np.array([dimension in names for names in self.dimensions])
        if not found.any():
            raise DataError(
                f"{self.source} has no triplets of dimension '{dimension}'"
                f"{closest(dimension, self.named)}"
            )
        return found


class TripletSampler:
    """Give the triplets of one split in random order, a row (anchor, positive, negative) each.

    Where clips are cut in segments, each epoch draws one segment of every clip of a triplet.

    Parameters
    ----------
    table : ClipTable
        All clips; a triplet is used where its three clips are in the split.
    split : {"train", "valid", "test"}
    triplets : GivenTriplets
        Of clips by id, or by the file that segments are cut from.
    dimensions : iterable of str
        Those of the triplets that are asked for.
    seed : int

    Raises
    ------
    DataError
        If a clip is not known, no triplet has its three clips in the split, or none holds in one
        of the dimensions.
    """

    columns = 3
    groups: Mapping[str, tuple[int, ...]] = {}
    left_out: Mapping[str, int] = {}

    def __init__(
        self,
        table: ClipTable,
        split: str,
        triplets: GivenTriplets,
        *,
        dimensions: Iterable[str],
        seed: int = 0,
    ) -> None:
        self.seed = seed
        self._holds = {name: triplets.holds(name) for name in dimensions}
        rows = _rows_by_clip(table.ids.tolist())
        names = list(rows)
        places = triplets.places(names)
        inside = np.array([table.split[rows[name][0]] == split for name in names])
        used = inside[places].all(axis=1)
        if not used.any():
            raise DataError(
                f"None of the {len(triplets)} triplets of {triplets.source} is of three {split} "
                "clips: give triplets of the train split and of the valid split."
            )
        within = np.cumsum(table.split == split) - 1  # rows of the table to rows of the split
        members = [within[rows[name]] for name in names]
        self._sizes = np.array([len(part) for part in members])
        self._first = np.cumsum(self._sizes) - self._sizes
        self._members = np.concatenate(members)
        self._clips, self._used = places[used], np.flatnonzero(used)
        self.clips = len(np.unique(self._clips))

    def __len__(self) -> int:
        """Count the triplets, that is the rows of an epoch."""
        return len(self._clips)

    def epoch(self, number: int) -> np.ndarray:
        """Give the triplets of one epoch.

        Parameters
        ----------
        number : int
            The same number and seed give the same, whatever was drawn before.

        Returns
        -------
        ndarray of int, shape (triplets, 4)
            Rows of the split, and the triplet's number for :meth:`known`.
        """
        rng = np.random.default_rng((self.seed, number))
        order = rng.permutation(len(self))
        clips = self._clips[order]
        drawn = (rng.random(clips.shape) * self._sizes[clips]).astype(np.int64)
        rows = self._members[self._first[clips] + drawn]
        return np.concatenate([rows, self._used[order][:, None]], axis=1)

    def known(self, views: np.ndarray) -> dict[str, np.ndarray]:
        """Whether rows of :meth:`epoch` hold in each dimension, 0 or 1: float (rows, 1)."""
        number = views[:, self.columns :]
        return {
            label(name): holds[number].astype(np.float32) for name, holds in self._holds.items()
        }


def label(dimension: str) -> str:
    """Name of the label of whether a given triplet holds in a dimension."""
    return f"given {dimension}"


def _rows_by_clip(ids: Sequence[str]) -> dict[str, list[int]]:
    """Rows of a table by clip name: its id, and the name of the file that a segment is cut from."""
    found: dict[str, list[int]] = {}
    for row, name in enumerate(ids):
        for key in dict.fromkeys((name, file_of(name))):
            found.setdefault(key, []).append(row)
    return found
