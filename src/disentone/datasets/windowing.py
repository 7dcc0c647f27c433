"""Windows of clips as sounds: neighbours in a file are decoded together, ahead of the reader."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from dataclasses import replace
from threading import Lock
from typing import NamedTuple

import numpy as np

from disentone import audio
from disentone.agreement.copies import AugmentedSounds
from disentone.audio.windows import ClipWindows, window_counts
from disentone.clips import Sounds
from disentone.datasets.file_sounds import FileSounds
from disentone.datasets.segments import segment

__all__ = ["SoundWindows", "WindowSounds", "Windows", "cut_sounds", "model_windows"]

_STRETCH = 30.0  # seconds of a file that are decoded at once
_GAP = 0.5  # seconds between two windows that are cheaper to decode than to leave out
_KEPT = 16  # stretches behind the last one that was asked for: threads overtake each other
_ENTIRE = 1e9  # seconds: longer than any file


class Windows(NamedTuple):
    """The windows that a model takes of each of some parts of files.

    Attributes
    ----------
    rows : ndarray of int, shape (windows,)
        Which part each window is of, in order.
    start, seconds : ndarray of float, shape (windows,)
        Place in the file and length; NaN seconds for up to the end of the file.
    """

    rows: np.ndarray
    start: np.ndarray
    seconds: np.ndarray


def model_windows(
    start: np.ndarray, duration: np.ndarray, given: np.ndarray, *, samples: int, rate: int
) -> Windows:
    """Cut parts of files into windows, by the rules of :mod:`disentone.audio.windows`.

    Parameters
    ----------
    start, duration : ndarray of float, shape (parts,)
        In seconds.
    given : ndarray of float, shape (parts,)
        What a part of one window is to be called: its duration, or NaN for up to the end of the
        file. A feature store knows it by this.
    samples, rate : int
        Length of a window, and its sample rate in Hz.

    Returns
    -------
    Windows
    """
    counts = window_counts(np.round(duration * rate).astype(np.int64), samples)
    windows = ClipWindows.of_counts(counts)
    rows = windows.owner
    begin = (windows.rows - windows.first[rows]) * samples / rate
    seconds = np.minimum(samples / rate, duration[rows] - begin)
    seconds = np.where(counts[rows] == 1, given[rows], seconds)
    return Windows(rows, start[rows] + begin, seconds)


class SoundWindows(NamedTuple):
    """Windows of clips, and their sounds.

    Parameters
    ----------
    owner : ndarray of int, shape (windows,)
        Which clip each window is of, in order.
    begin : ndarray of float, shape (windows,)
        Seconds into the clip.
    sounds : Sounds
        Of the windows; a sound that is longer is to be cut to a window.
    """

    owner: np.ndarray
    begin: np.ndarray
    sounds: Sounds


def cut_sounds(
    sounds: Sounds, clips: int, *, samples: int, rate: int, pool: Executor
) -> SoundWindows:
    """Cut clips into windows, by the rules of :mod:`disentone.audio.windows`.

    Those of a transformed copy are the transformed windows of its original. A sound that is made
    and not read, such as a tone, gives its first window.

    Parameters
    ----------
    sounds : Sounds
    clips : int
        How many there are.
    samples, rate : int
        Length of a window, and its sample rate in Hz.
    pool : Executor
        Where files are decoded ahead.

    Returns
    -------
    SoundWindows
    """
    if isinstance(sounds, AugmentedSounds):
        return _cut_copies(sounds, samples=samples, rate=rate, pool=pool)
    whole = SoundWindows(np.arange(clips), np.zeros(clips), sounds)
    if not isinstance(sounds, FileSounds):
        return whole
    duration = _durations(sounds, enough=1.25 * samples / rate)
    cut = model_windows(sounds.start, duration, sounds.seconds, samples=samples, rate=rate)
    if len(cut.rows) == clips:
        return whole  # nothing is to be cut: each is read by itself
    files = FileSounds(sounds.paths[cut.rows], cut.start, cut.seconds, sounds.lufs)
    parts = WindowSounds(files, samples=samples, rate=rate, pool=pool)
    return SoundWindows(cut.rows, cut.start - sounds.start[cut.rows], parts)


def _cut_copies(
    sounds: AugmentedSounds, *, samples: int, rate: int, pool: Executor
) -> SoundWindows:
    """Windows of clips and of their transformed copies."""
    originals = int(sounds.source.max(initial=-1)) + 1
    owner, begin, base = cut_sounds(sounds.base, originals, samples=samples, rate=rate, pool=pool)
    of_each = ClipWindows.of_counts(np.bincount(owner, minlength=originals)).take(sounds.source)
    parts = of_each.owner
    copies = replace(
        sounds,
        base=base,
        source=of_each.rows,
        copy_for=sounds.copy_for[parts],
        number=sounds.number[parts],
    )
    return SoundWindows(parts, begin[of_each.rows], copies)


def _durations(files: FileSounds, *, enough: float) -> np.ndarray:
    """Seconds of clips: 0 where a file cannot be read, with the reason when it is read.

    Headers are looked at for those alone that a table does not call shorter than `enough`.
    """
    duration = files.seconds.astype(float)
    rows = np.flatnonzero(~(duration <= enough))
    paths = files.paths[rows].tolist()
    whole = segment(paths, files.start[rows], files.seconds[rows], length=_ENTIRE)
    duration[rows] = 0
    duration[rows[whole.rows]] = whole.seconds
    return duration


class WindowSounds:
    """Windows of files; where several lie close together in a file, it is opened once for them.

    Opening a compressed file and finding a place in it costs as much as decoding a second.

    Parameters
    ----------
    files : FileSounds
        Windows in order of their files.
    samples, rate : int
        Length of a window at most, and its sample rate in Hz.
    pool : Executor
        Where files are decoded.
    ahead : int
        Stretches that are decoded before they are asked for.
    """

    def __init__(
        self, files: FileSounds, *, samples: int, rate: int, pool: Executor, ahead: int = 2
    ) -> None:
        self._files, self._samples, self._rate = files, samples, rate
        self._pool, self._ahead = pool, ahead
        seconds = np.fmin(files.seconds.astype(float), samples / rate)
        ends = files.start + seconds
        self._first = _stretches(files.paths, files.start, ends)  # windows that begin a stretch
        self._stretch = np.searchsorted(self._first, np.arange(len(files)), side="right") - 1
        self._end = np.maximum.reduceat(ends, self._first) if len(files) else ends
        self._decoded: dict[int, Future[np.ndarray]] = {}
        self._lock = Lock()
        self._seen: dict[str, str] = {}  # stamps of files, for as long as nothing was read
        self._reading = False

    def read(self, index: int, sample_rate: int) -> np.ndarray:
        """Waveform of one window: mono float32 (samples,), shorter where its file ends.

        Raises
        ------
        SilenceError
            If the window holds no sound.
        AudioError
            If the file cannot be read, or the window is not finite.
        """
        wave = self._cut(index)
        audio.check(wave, self._files.paths[index])
        if self._files.lufs is not None:
            wave = audio.to_loudness(wave[None], sample_rate, self._files.lufs)[0]
        return wave

    def key(self, index: int) -> str:
        """Text that depends on the bytes of the file and on the window, and on nothing else."""
        return self._files.key(index)

    def stamp(self, index: int) -> str:
        """Text that changes whenever :meth:`key` may have changed, without reading the file."""
        if self._reading:
            return self._files.stamp(index)
        path = self._files.paths[index]  # looked at once for all of its windows
        if path not in self._seen:
            self._seen[path] = self._files.stamp(index).removesuffix(self._files._part(index))
        return self._seen[path] + self._files._part(index)

    def take(self, indices: np.ndarray) -> WindowSounds:
        """Give some of the windows, in that order."""
        return WindowSounds(
            self._files.take(indices),
            samples=self._samples,
            rate=self._rate,
            pool=self._pool,
            ahead=self._ahead,
        )

    def _cut(self, index: int) -> np.ndarray:
        stretch = int(self._stretch[index])
        origin, start = (
            round(float(self._files.start[i]) * self._rate) for i in (self._first[stretch], index)
        )
        seconds = float(self._files.seconds[index])
        length = self._samples if np.isnan(seconds) else round(seconds * self._rate)
        wave = self._wave(stretch).result()
        return wave[start - origin :][: min(length, self._samples)]

    def _wave(self, stretch: int) -> Future[np.ndarray]:
        """Ask for a stretch and those that follow; forget those that were passed long ago."""
        with self._lock:
            self._reading = True
            for number in range(stretch, min(stretch + 1 + self._ahead, len(self._first))):
                if number not in self._decoded:
                    self._decoded[number] = self._pool.submit(self._decode, number)
            for number in [n for n in self._decoded if n < stretch - _KEPT]:
                del self._decoded[number]
            return self._decoded[stretch]

    def _decode(self, stretch: int) -> np.ndarray:
        first = self._first[stretch]
        start = float(self._files.start[first])
        seconds = float(self._end[stretch]) - start
        return audio.read(
            str(self._files.paths[first]), sample_rate=self._rate, start=start, seconds=seconds
        )


def _stretches(paths: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Windows that begin a stretch: of another file, further back, or too long with the last."""
    first: list[int] = []
    for index in range(len(paths)):
        begun = first[-1] if first else -1
        if (
            begun < 0
            or paths[index] != paths[begun]
            or not start[begun] <= start[index] <= end[index - 1] + _GAP
            or end[index] - start[begun] > _STRETCH
        ):
            first.append(index)
    return np.array(first, dtype=np.int64)
