"""What libsndfile reads, where the length that it gives is that of the sound in the file."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile
import soxr

from disentone.audio import flac, ogg
from disentone.audio.chunks import find_sound, is_plain_wav
from disentone.audio.damage import check_kind, damaged, is_likely, is_short, reason, truncated

__all__ = ["ChainedSource", "SndfileSource", "open_sndfile"]

_SEEKABLE = re.compile("PCM_|FLOAT|DOUBLE|ULAW|ALAW|VORBIS|OPUS|ALAC")  # subtypes
_LAST_PAGE = 2**16  # frames before an end in which libsndfile misses a place by what is cut off it
_SKIPPED = 2**16  # frames that are decoded at once, on the way to a place


class SndfileSource:
    """A file that libsndfile has open; read once.

    Parameters
    ----------
    path : Path
        What to call it in an error.
    file : SoundFile
    """

    def __init__(self, path: Path, file: soundfile.SoundFile) -> None:
        self._path, self._file = path, file
        self.rate, self.channels = file.samplerate, file.channels

    @property
    def form(self) -> str:
        """The format, as libsndfile calls it."""
        return self._file.format

    @property
    def log(self) -> str:
        """What libsndfile noted when it opened the file."""
        return self._file.extra_info

    def frames(self) -> int:
        """Count the samples of a channel."""
        return self._file.frames

    def blocks(self, first: int, count: int | None, size: int) -> Iterator[np.ndarray]:
        """Decode from a sample on: float32 (channels, samples), `size` samples at once."""
        stop = self._file.frames if count is None else min(self._file.frames, first + count)
        if first >= stop:
            return
        try:
            if first and not self._go_to(first):
                raise truncated(self._path)
            for start in range(first, stop, size):
                wanted = min(size, stop - start)
                block = self._file.read(wanted, dtype="float32", always_2d=True)
                if len(block):
                    yield block.T
                if len(block) < wanted:
                    if is_short(stop, start + len(block), self.rate):
                        raise truncated(self._path)
                    return
        except soundfile.SoundFileError as error:
            raise damaged(self._path, reason(error)) from error

    def _go_to(self, first: int) -> bool:
        """Find a place: by decoding up to it, where the coding knows no other way."""
        begin = 0
        if _SEEKABLE.match(self._file.subtype):
            begin = first
            if self._file.subtype == "VORBIS":
                begin = min(first, max(0, self._file.frames - _LAST_PAGE))
            self._file.seek(begin)
        return self._skip(first - begin)

    def _skip(self, frames: int) -> bool:
        for start in range(0, frames, _SKIPPED):
            wanted = min(_SKIPPED, frames - start)
            if len(self._file.read(wanted, dtype="float32", always_2d=True)) < wanted:
                return False
        return True

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class ChainedSource:
    """Ogg streams that follow one another, as radio stations send them: one sound.

    Streams of another rate or of other channels than the first are made to fit it.

    Parameters
    ----------
    links : list of SndfileSource
    """

    def __init__(self, links: list[SndfileSource]) -> None:
        self._links = links
        self.rate, self.channels = links[0].rate, links[0].channels

    def _length(self, link: SndfileSource) -> int:
        return -(-link.frames() * self.rate // link.rate)

    def frames(self) -> int:
        """Count the samples of a channel."""
        return sum(map(self._length, self._links))

    def blocks(self, first: int, count: int | None, size: int) -> Iterator[np.ndarray]:
        """Decode from a sample on: float32 (channels, samples)."""
        begin, stop = 0, self.frames() if count is None else first + count
        for link in self._links:
            end = begin + self._length(link)
            low, high = max(first, begin) - begin, min(stop, end) - begin
            begin = end
            if low >= high:
                continue
            if link.rate == self.rate:
                for block in link.blocks(low, high - low, size):
                    yield self._fitted(block)
            else:
                wave = np.concatenate(list(link.blocks(0, None, size)), axis=1)
                wave = soxr.resample(wave.T, link.rate, self.rate, quality="HQ").T
                yield self._fitted(wave)[:, low:high]

    def _fitted(self, block: np.ndarray) -> np.ndarray:
        if len(block) == self.channels:
            return block
        return np.repeat(block.mean(axis=0, keepdims=True), self.channels, axis=0)

    def close(self) -> None:
        """Close all."""
        for link in self._links:
            link.close()


def open_sndfile(path: Path, raw: BinaryIO, size: int) -> SndfileSource | ChainedSource | None:
    """Open with libsndfile.

    Parameters
    ----------
    path : Path
    raw : binary file
        The same. It is opened there and not by name: libsndfile takes any name that
        ends in .mp3 for MP3.
    size : int
        Its bytes.

    Returns
    -------
    SndfileSource, ChainedSource or None
        None if the format is unknown, or its header gives another length than the file has.

    Raises
    ------
    AudioError
        If a part of the file is missing.
    """
    raw.seek(0)
    head = raw.read(1024)  # as much as a NIST header has
    if head[:4] == b"OggS":
        return _open_ogg(path, raw, head, size)
    claims = flac.streaminfo(head)
    if claims is not None and not flac.length_is_right(raw, size, claims):
        return None
    if is_plain_wav(head, size):
        return _open(path, raw, size)
    sound = find_sound(raw, size)
    if sound and sound.mpeg:
        return None
    view = raw if sound is None or sound.fits else _Mended(raw, *sound.mended)
    source = _open(path, view, size)
    if source is None:
        return None
    if sound is None:
        _check_others(path, source, head)
    elif sound.claimed:
        _check_claim(path, source, sound.claimed, sound.there)
    return source


def _open(path: Path, view: BinaryIO | io.RawIOBase, size: int) -> SndfileSource | None:
    """Open what libsndfile knows, unless its length cannot be true."""
    handle: Any = view
    if isinstance(view, io.BytesIO | _Mended):
        view.seek(0)
    else:
        handle = view.fileno()
        os.lseek(handle, 0, os.SEEK_SET)
    try:
        file = _Forward(handle, closefd=False)
    except soundfile.SoundFileError:
        return None
    if file.format == "MP3" or file.subtype.startswith("MPEG"):
        file.close()
        return None
    check_kind(path, file.samplerate, file.channels)
    if is_likely(file.frames * file.channels, size):
        return SndfileSource(path, file)
    file.close()
    return None


class _Forward(soundfile.SoundFile):
    """A file that is read from one place on, without a seek after every read.

    Where it may, soundfile seeks to where it already is, which some codings cannot.
    """

    def seekable(self) -> bool:
        return False


class _Mended(io.RawIOBase):
    """A file whose header is read with other bytes at one place, as soundfile takes one."""

    def __init__(self, raw: BinaryIO, place: int, patch: bytes) -> None:
        self._raw, self._place, self._patch = raw, place, patch
        raw.seek(0)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        begin, place = self._raw.tell(), self._place
        data = self._raw.read(len(buffer))
        buffer[: len(data)] = data
        low, high = max(begin, place), min(begin + len(data), place + len(self._patch))
        if low < high:
            buffer[low - begin : high - begin] = self._patch[low - place : high - place]
        return len(data)


def _check_claim(path: Path, source: SndfileSource, claimed: int, there: int) -> None:
    """Refuse a file that promises more bytes of sound than it has."""
    frames = source.frames()
    if there < claimed and is_short(frames * claimed / max(1, there), frames, source.rate):
        raise truncated(path)


def _check_others(path: Path, source: SndfileSource, head: bytes) -> None:
    """Refuse a cut file of the other formats: by a NIST header, or as libsndfile noted it."""
    if source.form == "NIST" and (match := re.search(rb"sample_count -i (\d+)", head)):
        _check_claim(path, source, int(match[1]), source.frames())
    elif match := re.search(r":\s*(\d+) \(should be (\d+)\)", source.log):
        _check_claim(path, source, int(match[1]), int(match[2]))


def _open_ogg(
    path: Path, raw: BinaryIO, head: bytes, size: int
) -> SndfileSource | ChainedSource | None:
    tail = ogg.tail(raw)
    if not ogg.ends_in_a_whole_page(tail):
        raise truncated(path)
    begins = ogg.links(raw)
    if len(begins) > 1:
        return _open_links(path, raw, begins, size)
    return _open(path, raw, size) if ogg.length_is_likely(head, tail) else None


def _open_links(path: Path, raw: BinaryIO, begins: list[int], size: int) -> ChainedSource | None:
    links = []
    for begin, end in zip(begins, [*begins[1:], size]):
        raw.seek(begin)
        data = raw.read(end - begin)
        link = (
            _open(path, io.BytesIO(data), len(data))
            if ogg.length_is_likely(data[:1024], data)
            else None
        )
        if link is None:
            return None
        links.append(link)
    return ChainedSource(links)
