"""The windows that a model takes of a clip, and a clip's windows among the rows of an array.

One policy for training, embedding, searching and auditing. Windows have the model's length and do
not overlap; a rest shorter than half a window is left out; a clip shorter than a window is one
window, which silence fills up. Windows without sound (:func:`disentone.audio.check`) are left out,
and a clip that has no others is refused. An embedding is the mean over a clip's windows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from disentone.audio.reading import Skipped, check
from disentone.errors import SilenceError

__all__ = ["ClipWindows", "Usable", "cut_wave", "window_counts"]


def window_counts(lengths: np.ndarray, size: int) -> np.ndarray:
    """Count the windows of clips.

    Parameters
    ----------
    lengths : ndarray of int, shape (clips,)
        Samples of each clip.
    size : int
        Samples of a window.

    Returns
    -------
    ndarray of int, shape (clips,)
        At least 1 each.
    """
    return np.maximum(1, lengths // size + (2 * (lengths % size) >= size))


def cut_wave(wave: np.ndarray, size: int, name: str) -> list[np.ndarray]:
    """Cut a clip into its windows that hold sound.

    Parameters
    ----------
    wave : ndarray, shape (samples,)
    size : int
        Samples of a window.
    name : str
        What to call the clip in the error.

    Returns
    -------
    list of ndarray, each of shape (size,) or shorter

    Raises
    ------
    SilenceError
        If no window holds sound.
    AudioError
        If it has no samples, or some that are not finite.
    """
    count = int(window_counts(np.array(len(wave)), size))
    windows, silence = [], None
    for start in range(0, count * size, size):
        window = wave[start : start + size]
        try:
            check(window, name)
        except SilenceError as error:
            silence = silence or error
        else:
            windows.append(window)
    if silence is not None and not windows:
        raise silence
    return windows


@dataclass(frozen=True)
class ClipWindows:
    """Which rows of an array are the windows of each clip: one after another, at least one each.

    Parameters
    ----------
    first : ndarray of int, shape (clips,)
        Row of each clip's first window.
    count : ndarray of int, shape (clips,)
        Windows of each clip.
    """

    first: np.ndarray
    count: np.ndarray

    @classmethod
    def single(cls, rows: np.ndarray) -> ClipWindows:
        """Clips of one window each."""
        return cls(np.asarray(rows, dtype=np.int64), np.ones(len(rows), dtype=np.int64))

    @classmethod
    def of_counts(cls, count: np.ndarray) -> ClipWindows:
        """Clips whose windows are all the rows, in order."""
        return cls(_starts(count), np.asarray(count, dtype=np.int64))

    def __len__(self) -> int:
        """Count the clips."""
        return len(self.first)

    def take(self, clips: np.ndarray) -> ClipWindows:
        """Give those of some clips, in that order."""
        return ClipWindows(self.first[clips], self.count[clips])

    @property
    def owner(self) -> np.ndarray:
        """Clip of each of :attr:`rows`."""
        return np.repeat(np.arange(len(self)), self.count)

    @property
    def rows(self) -> np.ndarray:
        """Rows of all windows, clip by clip."""
        offset = self.first - _starts(self.count)
        return np.arange(self.count.sum()) + np.repeat(offset, self.count)

    def draw(self, clips: np.ndarray, epoch: int, seed: int) -> np.ndarray:
        """Take one window of every clip of an epoch.

        Clips of the first column, an epoch's own, take their windows in turn from a random first
        one: another every epoch, and all of them in as many epochs as there are. The others are
        their partners, drawn with any window, so that windows meet in every combination.

        Parameters
        ----------
        clips : ndarray of int, shape (rows, columns)
        epoch : int
            The same number and seed give the same, whatever was drawn before.
        seed : int

        Returns
        -------
        ndarray of int, of the same shape
            Rows.
        """
        start = np.random.default_rng(seed).random(len(self))
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(epoch,)))
        place = (rng.random(clips.shape) * self.count[clips]).astype(np.int64)
        own = clips[:, 0]
        first = (start[own] * self.count[own]).astype(np.int64)
        place[:, 0] = (first + epoch + _times_before(own)) % self.count[own]
        return self.first[clips] + place

    def means(self, values: np.ndarray) -> np.ndarray:
        """Mean over the windows of each clip.

        Parameters
        ----------
        values : ndarray, shape (windows, ...)
            Of :attr:`rows`.

        Returns
        -------
        ndarray of the same dtype, shape (clips, ...)
        """
        if len(values) == len(self):  # one window each: nothing to round
            return values
        sums = np.add.reduceat(values, _starts(self.count), axis=0, dtype=np.float64)
        return (sums / self.count.reshape(-1, *[1] * (values.ndim - 1))).astype(values.dtype)


def _times_before(values: np.ndarray) -> np.ndarray:
    """How often each value of (values,) stands before its place."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    before = np.empty(len(values), dtype=np.int64)
    before[order] = np.arange(len(values)) - np.searchsorted(ordered, ordered)
    return before


def _starts(count: np.ndarray) -> np.ndarray:
    """Where each clip begins, if clips follow each other."""
    return np.cumsum(count) - count


class Usable:
    """Which clips can be used, from what became of their windows.

    A clip needs one window with sound, and none that cannot be read: those that have such a one
    are in ``broken``, with the reason.
    """

    def __init__(self, clips: int) -> None:
        self.sounding = np.zeros(clips, dtype=np.int64)
        self.broken: dict[int, str] = {}
        self._silent: dict[int, str] = {}

    def add(
        self,
        owner: np.ndarray,
        used: np.ndarray,
        lost: Mapping[int, Skipped],
        silent: Collection[int],
    ) -> None:
        """Add some windows.

        Parameters
        ----------
        owner : ndarray of int, shape (windows,)
            Clip of each.
        used : ndarray of int
            Windows with sound.
        lost : mapping of int to Skipped
            The others, with the reason.
        silent : collection of int
            Those of them that only lack sound.
        """
        self.sounding += np.bincount(owner[used], minlength=len(self.sounding))
        for window, item in lost.items():
            reasons = self._silent if window in silent else self.broken
            reasons.setdefault(int(owner[window]), item.reason)

    def refused(self) -> dict[int, str]:
        """Clips that cannot be used, in order, with the reason."""
        without = np.flatnonzero(self.sounding == 0).tolist()
        silent = {clip: self._silent[clip] for clip in without if clip in self._silent}
        return dict(sorted((silent | self.broken).items()))
