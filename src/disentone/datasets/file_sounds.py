"""The sounds of clips that are audio files or parts of them."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from disentone import audio
from disentone.audio.decoding import irregular
from disentone.errors import AudioError

__all__ = ["FileSounds"]


@dataclass(frozen=True)
class FileSounds:
    """Clips that are audio files or parts of them; reads nothing before it is asked.

    Parameters
    ----------
    paths : ndarray of str, shape (clips,)
    start : ndarray of float, shape (clips,)
        Where each clip begins in its file, in seconds.
    seconds : ndarray of float, shape (clips,)
        How long each clip is; NaN for up to the end of the file.
    lufs : float, optional
        Loudness that every clip is brought to (ITU-R BS.1770).
    limit : float, optional
        Seconds from a clip's start beyond which nothing is decoded.
    """

    paths: np.ndarray
    start: np.ndarray
    seconds: np.ndarray
    lufs: float | None = None
    limit: float | None = None

    def __len__(self) -> int:
        """Count the clips."""
        return len(self.paths)

    def read(self, index: int, sample_rate: int) -> np.ndarray:
        """Waveform of one clip: mono float32 (samples,) at the rate asked for.

        Raises
        ------
        AudioError
            If the clip cannot be read; the message names it.
        """
        lengths = [self.seconds[index], np.inf if self.limit is None else self.limit]
        seconds = float(np.nanmin(lengths))
        return audio.read(
            self.paths[index],
            sample_rate=sample_rate,
            start=float(self.start[index]),
            seconds=None if np.isinf(seconds) else seconds,
            lufs=self.lufs,
        )

    def take(self, indices: np.ndarray) -> FileSounds:
        """Give the sounds of some of the clips, in that order."""
        return replace(
            self,
            paths=self.paths[indices],
            start=self.start[indices],
            seconds=self.seconds[indices],
        )

    def cropped(self, seconds: float) -> FileSounds:
        """Give the same clips, of which no more than the first seconds are decoded."""
        return replace(self, limit=seconds)

    def key(self, index: int) -> str:
        """Text that depends on the bytes of the file and on the part of it, and on nothing else.

        Raises
        ------
        AudioError
            If the file cannot be read.
        """
        return f"{_digest(*self._identity(index))} {self._part(index)}"

    def stamp(self, index: int) -> str:
        """Text that changes whenever :meth:`key` may have changed, without reading the file.

        Made of path, size and times of change.

        Raises
        ------
        AudioError
            If there is no such file.
        """
        return " ".join(map(str, (*self._identity(index), self._part(index))))

    def _identity(self, index: int) -> tuple[str, int, int, int]:
        path = Path(self.paths[index])
        try:
            status = path.stat()
        except (OSError, ValueError) as error:
            raise AudioError(f"'{path}' does not exist or may not be looked at.") from error
        if kind := irregular(status.st_mode):
            raise AudioError(f"'{path}' is {kind}, not an audio file.")
        return str(path.absolute()), status.st_size, status.st_mtime_ns, status.st_ctime_ns

    def _part(self, index: int) -> str:
        return f"{self.start[index]:g} {self.seconds[index]:g} {self.lufs}"


@functools.lru_cache(maxsize=100_000)
def _digest(path: str, size: int, modified: int, changed: int) -> str:
    """Hash of a file's bytes, remembered while its size and times stay."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise AudioError(f"'{path}' cannot be read: {error.strerror}.") from error
