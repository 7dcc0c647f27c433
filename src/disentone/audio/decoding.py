"""Decode a part of an audio file at its own rate, by whichever decoder is right about it.

libsndfile reads what it knows, if the length that it gives is what the file holds; MPEG audio is
found frame by frame; FFmpeg reads the rest. Lengths in headers are hints: what decodes to the end
of the file is the file. Memory and time depend on the bytes of a file, and not on what it claims.
"""

from __future__ import annotations

import functools
import math
import os
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from disentone.audio.damage import is_likely, not_audio, reason
from disentone.audio.ffmpeg import FFmpegSource
from disentone.audio.mpeg import looks_like_mpeg, open_mpeg
from disentone.audio.sndfile import open_sndfile
from disentone.errors import AudioError

__all__ = ["Part", "blocks", "decode", "describe", "existing", "irregular", "reason"]

_CONTEXT = 0.1  # seconds decoded on either side of a part, so that resampling it leaves no edge
_BLOCK = 2**18  # frames that are decoded at once, unless the file is long
_PER_BYTE = 16  # frames that are decoded at once of a long one
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe (fifo)",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Source(Protocol):
    """An open file, as one of the decoders gives it; read once."""

    rate: int
    channels: int

    def frames(self) -> int:
        """Count the samples of a channel that the file holds."""
        ...

    def blocks(self, first: int, count: int | None, size: int) -> Iterator[np.ndarray]:
        """Decode from a sample on: float32 (channels, samples), about `size` samples at once."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


@dataclass(frozen=True)
class Part:
    """Which part of a file is wanted, and at which rate."""

    start: float
    seconds: float | None
    sample_rate: int | None

    def frames(self, rate: int) -> tuple[int, int | None]:
        """First frame and number of frames to decode, with context where it is resampled."""
        target = self.sample_rate or rate
        if target == rate:
            count = None if self.seconds is None else max(1, round(self.seconds * rate))
            return round(self.start * rate), count
        grid = rate // math.gcd(rate, target)  # only here do frames of both rates coincide
        first = max(0, math.floor((self.start - _CONTEXT) * rate / grid)) * grid
        if self.seconds is None:
            return first, None
        return first, math.ceil((self.start + self.seconds + _CONTEXT) * rate) - first

    def cut(self, wave: np.ndarray, rate: int, first: int) -> np.ndarray:
        """Take the context off decoded and resampled audio (channels, samples)."""
        target = self.sample_rate or rate
        begin = round(self.start * target) - first * target // rate
        length = None if self.seconds is None else max(1, round(self.seconds * target))
        return wave[:, begin : None if length is None else begin + length]


def describe(path: Path) -> tuple[int, int, int]:
    """Rate, channels and frames of a file, as it decodes; remembered while the file stays."""
    status = path.stat()
    return _describe(
        path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    )


@functools.lru_cache(maxsize=10_000)
def _describe(path: Path, *stamp: int) -> tuple[int, int, int]:
    with _opened(path) as (source, _):
        return source.rate, source.channels, source.frames()


def decode(path: Path, part: Part) -> tuple[np.ndarray, int, int]:
    """Decode a part: float32 (channels, frames), the file's rate, and the first frame's place."""
    with _opened(path) as (source, size):
        first, count = part.frames(source.rate)
        step = max(_BLOCK, _PER_BYTE * size // source.channels)
        found = list(_bounded(path, source.blocks(first, count, step), size))
        if len(found) != 1:
            found = [np.concatenate([np.empty((source.channels, 0), np.float32), *found], axis=1)]
        return found[0], source.rate, first


def blocks(path: Path, size: int) -> Iterator[np.ndarray]:
    """Decode a file block by block: float32 (channels, about `size` samples)."""
    with _opened(path) as (source, length):
        yield from _bounded(path, source.blocks(0, None, size), length)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Source, int]]:
    """Open a file with the decoder that suits it; gives its bytes as well.

    Whatever a decoder raises on broken bytes becomes an AudioError.
    """
    try:
        with path.open("rb") as raw:
            size = os.fstat(raw.fileno()).st_size
            head = raw.read(4)
            source: Source | None
            if looks_like_mpeg(head):
                source = open_mpeg(path, raw)
            else:
                source = open_sndfile(path, raw, size)
                if source is None and head == bytes(4):  # MP3 that begins with nothing
                    source = open_mpeg(path, raw)
            with closing(source or FFmpegSource(path, size)) as source:
                yield source, size
    except AudioError:
        raise
    except MemoryError as error:
        raise AudioError(f"'{path}' takes more memory to decode than there is.") from error
    except Exception as error:  # FFmpeg's wrapper meets broken files with errors of many kinds
        raise not_audio(path, error) from error


def _bounded(path: Path, decoded: Iterator[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Refuse a file that grows to more samples than its bytes can sensibly stand for."""
    samples = 0
    for block in decoded:
        samples += block.size
        if not is_likely(samples, size):
            raise AudioError(f"'{path}' is damaged: its {size:,} bytes decode to hours of nothing.")
        yield block


def irregular(mode: int) -> str:
    """What a file is by its mode (:func:`os.stat`) if it is no regular one, such as a pipe.

    Nothing of the kind is opened: a pipe would be waited for.
    """
    return "" if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "no regular file")


def existing(path: str | Path) -> Path:
    """Refuse a file that cannot be opened with a plain reason, before a decoder's obscure one."""
    path = Path(path)
    try:
        status = path.stat()
        if kind := irregular(status.st_mode):
            raise AudioError(f"'{path}' is {kind}, not an audio file.")
        if not status.st_size:
            raise AudioError(f"'{path}' is empty (0 bytes).")
        if not os.access(path, os.R_OK):
            raise AudioError(f"'{path}' may not be read: permission denied.")
    except FileNotFoundError as error:
        raise AudioError(f"'{path}' does not exist.") from error
    except PermissionError as error:
        raise AudioError(f"'{path}' may not be read: permission denied.") from error
    except (OSError, ValueError) as error:
        raise AudioError(f"'{path}' cannot be opened: {reason(error)}.") from error
    return path
