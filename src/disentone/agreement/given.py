"""Sampling triplets that are given: each is a row of anchor, positive and negative."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from disentone.clips import ClipTable
from disentone.errors import DataError

if TYPE_CHECKING:
    from disentone.datasets.triplets import GivenTriplets

__all__ = ["TripletSampler", "label"]


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
        places = triplets.places({name: place for place, name in enumerate(names)})
        inside = np.array([table.split[rows[name][0]] == split for name in names])
        used = inside[places].all(axis=1)
        if not used.any():
            raise DataError(
                f"None of the {len(triplets)} triplets of {triplets.whence} is of three {split} "
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
    """Name of the label that says whether a given triplet holds in a dimension."""
    return f"given {dimension}"


def _rows_by_clip(ids: Sequence[str]) -> dict[str, list[int]]:
    """Rows of a table by clip name: its id, and the name of the file that a segment is cut from."""
    found: dict[str, list[int]] = {}
    for row, name in enumerate(ids):
        for key in dict.fromkeys((name, name.rpartition("@")[0] or name)):
            found.setdefault(key, []).append(row)
    return found
