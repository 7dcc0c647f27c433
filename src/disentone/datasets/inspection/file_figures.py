"""Figures of audio files: level, clipping, silence, duplicates, in one pass over each."""

from __future__ import annotations

import filecmp
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from disentone import audio
from disentone.audio import AudioInfo, Skipped
from disentone.clips import SPLITS
from disentone.errors import AudioError

__all__ = ["Duplicates", "FileFigures", "find_duplicates", "measure", "measure_all"]

_BLOCK = 2**20  # samples, of all channels together, that are in memory at once
_FULL_SCALE = 32767 / 32768  # the highest value that 16 bits can hold
_RUN = 3  # samples in a row at full scale that are taken for clipping


@dataclass(frozen=True)
class FileFigures:
    """Figures of the audio of a file.

    Parameters
    ----------
    path : str
        As the collection names it.
    sample_rate : int
        Hz.
    channels : int
    seconds : float
    peak, rms : float
        Over all channels; full scale is 1.
    clipped : float
        Share of the samples, in [0, 1], that are in a run of three or more at full scale
        (32767/32768 or beyond) in one channel. Audio that was made quieter after it was clipped,
        or then coded with loss, need not show here.
    offset : float
        Mean of the channel whose mean is farthest from 0 (DC offset).
    not_finite : int
        Samples that are NaN or Inf; the other figures take them for 0.
    silent : bool
        One channel made of all, the input of models (:func:`disentone.audio.to_mono`), stays within
        -90 dBFS of a constant.
    digest : str
        The same for files of one rate of which the same one channel is made, bit by bit.
    """

    path: str
    sample_rate: int
    channels: int
    seconds: float
    peak: float
    rms: float
    clipped: float
    offset: float
    not_finite: int
    silent: bool
    digest: str

    @property
    def usable(self) -> bool:
        """Whether training would take clips of it."""
        return not (self.silent or self.not_finite)


@dataclass(frozen=True)
class Duplicates:
    """Files that hold the same audio, as equal bytes or as another lossless file of it.

    Parameters
    ----------
    paths : tuple of str
    same_bytes : bool
        Whether the files are equal as a whole.
    splits : tuple of str
        Splits that clips of them are in.
    """

    paths: tuple[str, ...]
    same_bytes: bool
    splits: tuple[str, ...]


def measure(path: str, *, name: str | None = None) -> FileFigures:
    """Decode a file part by part and compute its figures.

    Parameters
    ----------
    path : str
    name : str, optional
        What to call it in the figures.

    Returns
    -------
    FileFigures

    Raises
    ------
    AudioError
        If the file cannot be decoded to its end.
    """
    info = audio.info(path)
    tally = _Tally(info)
    for block in audio.blocks(path, size=_BLOCK):
        tally.add(block)
    if not tally.frames:
        raise AudioError(f"'{path}' has no samples.")
    return tally.figures(name or path)


def measure_all(
    files: Mapping[str, str],
    *,
    jobs: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[FileFigures], list[Skipped]]:
    """Measure files in parallel.

    Parameters
    ----------
    files : mapping of str to str
        Path of each file by its name in the collection.
    jobs : int
        Threads that decode.
    progress : callable, optional
        Called with the files that are done and all files.

    Returns
    -------
    figures : list of FileFigures
        Of the files that can be decoded, in order.
    broken : list of Skipped
        The others, with the reason.
    """

    def attempt(name: str) -> FileFigures | Skipped:
        try:
            return measure(files[name], name=name)
        except AudioError as error:
            return Skipped(name, str(error).replace(f"'{files[name]}'", "The file"))

    results = []
    pool = ThreadPoolExecutor(max(1, jobs))
    try:
        for result in pool.map(attempt, files):
            results.append(result)
            if progress:
                progress(len(results), len(files))
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C need not wait for the files in the queue
    figures = [result for result in results if isinstance(result, FileFigures)]
    return figures, [result for result in results if isinstance(result, Skipped)]


def find_duplicates(
    figures: Sequence[FileFigures], files: Mapping[str, str], splits: Mapping[str, Iterable[str]]
) -> tuple[Duplicates, ...]:
    """Find files with the same audio; silent and not finite ones are no one's duplicate.

    Only files whose decoded samples agree are compared byte by byte. A lossy copy, such as an MP3
    of a WAV, or a resampled one, decodes to other samples and is not found.

    Parameters
    ----------
    figures : sequence of FileFigures
    files : mapping of str to str
        Path of each file by its name.
    splits : mapping of str to iterable of str
        Splits of each file.

    Returns
    -------
    tuple of Duplicates
    """
    groups = defaultdict(list)
    for one in figures:
        if one.usable:
            groups[one.digest].append(one.path)
    return tuple(
        Duplicates(
            tuple(names),
            all(_same_bytes(files[names[0]], files[name]) for name in names[1:]),
            tuple(sorted({split for name in names for split in splits[name]}, key=SPLITS.index)),
        )
        for names in groups.values()
        if len(names) > 1
    )


def _same_bytes(one: str, other: str) -> bool:
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:  # it went away since it was decoded
        return False


class _Tally:
    """Sums over the blocks of a file."""

    def __init__(self, info: AudioInfo) -> None:
        self.info = info
        self.frames = self.not_finite = self.clipped = 0
        self.sum = np.zeros(info.channels)
        self.squares = self.peak = 0.0
        self.low, self.high = np.inf, -np.inf  # of the one channel made of all
        self.digest = hashlib.blake2b(str(info.sample_rate).encode(), digest_size=16)
        self.before = np.zeros((info.channels, _RUN), dtype=bool)  # last samples: at full scale?

    def add(self, block: np.ndarray) -> None:
        """Add a block: float32 (channels, samples)."""
        wave = block.astype(float, order="C")
        finite = np.isfinite(wave)
        if not finite.all():
            self.not_finite += int(np.count_nonzero(~finite))
            wave[~finite] = 0
        self.frames += wave.shape[1]
        self.sum += wave.sum(axis=1)
        self.squares += float(np.einsum("cs,cs->", wave, wave))
        peak = max(float(wave.max()), -float(wave.min()))
        self.peak = max(self.peak, peak)
        self._count_clipped(wave, peak)
        mono = audio.to_mono(wave) + 0.0  # -0.0 becomes 0.0: the same sound, the same bytes
        self.low, self.high = min(self.low, mono.min()), max(self.high, mono.max())
        self.digest.update(mono.astype("<f4").tobytes())

    def _count_clipped(self, wave: np.ndarray, peak: float) -> None:
        """Count samples in runs, which may begin in the block before.

        A run of k samples is k - 2 triples in a row: one more for each, and two for the first.
        """
        loud = np.abs(wave) >= _FULL_SCALE if peak >= _FULL_SCALE else np.zeros(wave.shape, bool)
        loud = np.concatenate([self.before, loud], axis=1)
        self.before = loud[:, -_RUN:]
        triple = loud[:, :-2] & loud[:, 1:-1] & loud[:, 2:]
        new, first = triple[:, 1:], triple[:, 1:] & ~triple[:, :-1]
        self.clipped += int(np.count_nonzero(new) + 2 * np.count_nonzero(first))

    def figures(self, name: str) -> FileFigures:
        samples = self.frames * self.info.channels
        means = self.sum / self.frames
        return FileFigures(
            path=name,
            sample_rate=self.info.sample_rate,
            channels=self.info.channels,
            seconds=self.frames / self.info.sample_rate,
            peak=self.peak,
            rms=float(np.sqrt(self.squares / samples)),
            clipped=self.clipped / samples,
            offset=float(means[np.abs(means).argmax()]),
            not_finite=self.not_finite,
            silent=not self.not_finite and self._is_silent(name),
            digest=self.digest.hexdigest(),
        )

    def _is_silent(self, name: str) -> bool:
        try:
            audio.check(np.array([self.low, self.high]), name)  # asks for the extremes alone
        except AudioError:
            return True
        return False
