"""MPEG audio (MP3, MP2): the length is that of its frames, not what a header says of them.

The frames are found in the file (ISO/IEC 11172-3, section 2.4.1, and 13818-3) and decoded by
FFmpeg. Without an Info frame the length cannot be told from the file's size, and libsndfile writes
warnings to the terminal.
"""

from __future__ import annotations

import functools
import itertools
import mmap
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from disentone.audio.damage import TOLERANCE, check_kind, damaged, is_short, truncated

__all__ = ["MpegSource", "looks_like_mpeg", "open_mpeg"]

_BITRATES = {  # kbit/s by (MPEG-1?, layer)
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44100, 48000, 32000)
_DIVISOR = {3: 1, 2: 2, 0: 4}  # of the rate, by the bits of the version
_LEAD = 2**17  # bytes in which the first frame must begin, after the tags
_RESERVOIR = 1024  # bytes before a frame in which parts of it may be: 511, and headers
_DECODER_DELAY = 529  # samples, which tags do not count
_GATHERED = 256  # frames in a block
_TAGGERS = (b"LAME", b"Lavf", b"Lavc", b"L3.9")


@dataclass(frozen=True)
class _Header:
    """What the frames of a stream have in common, and the bytes that one has."""

    rate: int
    layer: int
    samples: int
    length: int

    @property
    def family(self) -> tuple[int, int, int]:
        return self.rate, self.layer, self.samples


def _headers() -> dict[bytes, _Header]:
    """Every header there is, by its first three bytes (section 2.4.2.3)."""
    table = {}
    for version, layer, crc in itertools.product(_DIVISOR, (1, 2, 3), (0, 1)):
        bitrates = _BITRATES[version == 3, layer]
        samples = {1: 384, 2: 1152, 3: 1152 if version == 3 else 576}[layer]
        for (code, kbits), (rate_code, rate), pad, private in itertools.product(
            enumerate(bitrates, 1), enumerate(_RATES), (0, 1), (0, 1)
        ):
            rate //= _DIVISOR[version]
            slot = 4 if layer == 1 else 1
            length = (samples // 8 * 1000 * kbits // rate // slot + pad) * slot
            second = 0xE0 | version << 3 | (4 - layer) << 1 | crc
            third = code << 4 | rate_code << 2 | pad << 1 | private
            table[bytes((0xFF, second, third))] = _Header(rate, layer, samples, length)
    return table


_HEADERS = _headers()


@functools.cache
def _of_family(family: tuple[int, int, int]) -> tuple[dict[bytes, int], re.Pattern[bytes]]:
    """Bytes of the frames of a kind by their headers, and an expression for these."""
    lengths = {key: one.length for key, one in _HEADERS.items() if one.family == family}
    return lengths, re.compile(b"|".join(map(re.escape, lengths)), re.DOTALL)


def looks_like_mpeg(head: bytes) -> bool:
    """Whether a file begins as MPEG audio may: with an ID3 tag or a frame."""
    return head[:3] == b"ID3" or (len(head) > 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0)


@dataclass(frozen=True)
class _Scan:
    """Where the frames of a file are.

    Parameters
    ----------
    header : _Header
        Of the first.
    places, lengths : array of int
        Bytes.
    missing : float
        Seconds of bytes between frames that are none.
    cut : bool
        Whether the file ends within a frame.
    """

    header: _Header
    places: array[int]
    lengths: array[int]
    missing: float
    cut: bool


def _scan(data: mmap.mmap) -> _Scan | None:
    """Find all frames."""
    at = _first_frame(data)
    if at is None:
        return None
    header, size = _HEADERS[data[at : at + 3]], len(data)
    lengths, any_of = _of_family(header.family)
    places, sizes, strange, cut = array("q"), array("q"), 0, False
    while at < size - 3:
        length = lengths.get(data[at : at + 3])
        if length is None:
            found = _again(data, at, lengths, any_of)
            if found is None:  # tags, or whatever else follows the last frame
                break
            strange, at = strange + found - at, found
            continue
        if at + length > size:
            cut = True
            break
        places.append(at)
        sizes.append(length)
        at += length
    if not places:
        return None
    per_second = sum(sizes) / (len(places) * header.samples / header.rate)
    return _Scan(header, places, sizes, strange / per_second, cut)


def _first_frame(data: mmap.mmap) -> int | None:
    """Where the first of three frames in a row begins; or of fewer that end the file."""
    at = 0
    while data[at : at + 3] == b"ID3" and len(data) > at + 10:
        bits = data[at + 6 : at + 10]
        at += 10 + sum((bit & 127) << 7 * (3 - n) for n, bit in enumerate(bits))
        at += 10 if data[at + 5 : at + 6] and data[at + 5] & 16 else 0
    start = at
    while 0 <= (at := data.find(b"\xff", at)) < start + _LEAD:
        if _follows(data, at, 3, at == start):
            return at
        at += 1
    return None


def _follows(data: mmap.mmap, at: int, count: int, alone: bool) -> bool:
    """Whether so many frames of one kind follow one another, or, if alone, fewer up to the end."""
    family = None
    for number in range(count):
        header = _HEADERS.get(data[at : at + 3])
        if header is None or family not in (None, header.family):
            return alone and number > 0 and (at >= len(data) or data[at : at + 3] == b"TAG")
        family = header.family
        at += header.length
    return True


def _again(
    data: mmap.mmap, at: int, lengths: dict[bytes, int], any_of: re.Pattern[bytes]
) -> int | None:
    """Where frames go on after bytes that are none."""
    for match in any_of.finditer(data, at):
        place = match.start()
        after = place + lengths[match[0]]
        if data[after : after + 3] in lengths:
            return place
    return None


@dataclass(frozen=True)
class _Info:
    """What an Info frame says (Xing, LAME): frames and bytes, 0 for unknown, and padding."""

    frames: int = 0
    size: int = 0
    before: int = 0
    after: int = 0


def _info(frame: bytes) -> _Info | None:
    """Read a frame that holds no sound, but what an encoder says of those that follow."""
    if frame[36:40] == b"VBRI":
        return _Info(int.from_bytes(frame[50:54]), int.from_bytes(frame[46:50]))
    at = max(frame.find(b"Xing", 4, 48), frame.find(b"Info", 4, 48))
    if at < 0:
        return None
    flags, at = int.from_bytes(frame[at + 4 : at + 8]), at + 8
    values = []
    for bit, length in ((1, 4), (2, 4), (4, 100), (8, 4)):
        values.append(int.from_bytes(frame[at : at + 4]) if flags & bit else 0)
        at += length if flags & bit else 0
    pads = int.from_bytes(frame[at + 21 : at + 24])
    if frame[at : at + 4] not in _TAGGERS or not pads:
        return _Info(values[0], values[1])
    return _Info(
        values[0], values[1], (pads >> 12) + _DECODER_DELAY, max(0, (pads & 4095) - _DECODER_DELAY)
    )


class MpegSource:
    """MPEG audio whose frames are known.

    Parameters
    ----------
    path : Path
    data : mmap
        The file.
    scan : _Scan
    """

    def __init__(self, path: Path, data: mmap.mmap, scan: _Scan) -> None:
        self._path, self._data, self._scan = path, data, scan
        self.rate, self._samples = scan.header.rate, scan.header.samples
        self.channels = 1 if data[scan.places[0] + 3] >> 6 == 3 else 2
        info = _info(data[scan.places[0] : scan.places[0] + scan.lengths[0]])
        self._from = int(info is not None)  # the first frame with sound
        info = info or _Info()
        whole = (len(scan.places) - self._from) * self._samples
        check_kind(path, self.rate, self.channels)
        self._check(info, whole)
        self._skip = info.before if info.before < whole else 0
        ends = info.after if info.frames * self._samples == whole else 0
        self._frames = max(0, whole - self._skip - ends)

    def _check(self, info: _Info, whole: int) -> None:
        """Refuse a file of which a part is missing."""
        scan = self._scan
        if scan.missing > TOLERANCE:
            raise damaged(self._path, f"{scan.missing:.1f} s in it are no MPEG audio")
        if not is_short(info.frames * self._samples, whole, self.rate):
            return
        if scan.cut or info.size > len(self._data) - scan.places[0] + scan.lengths[-1]:
            raise truncated(self._path)

    def frames(self) -> int:
        """Count the samples of a channel."""
        return self._frames

    def blocks(self, first: int, count: int | None, size: int) -> Iterator[np.ndarray]:
        """Decode from a sample on: float32 (channels, samples)."""
        start, stop = first + self._skip, self._skip + self._frames
        if count is not None:
            stop = min(stop, start + count)
        begin, end = start // self._samples, -(-stop // self._samples)
        position, gathered = begin * self._samples, []
        for number, block in enumerate(self._decode(begin, end), 1):
            gathered.append(block[:, max(0, start - position) : max(0, stop - position)])
            position += self._samples
            if number % _GATHERED == 0:
                yield np.concatenate(gathered, axis=1)
                gathered = []
        if gathered:
            yield np.concatenate(gathered, axis=1)

    def close(self) -> None:
        """Close the file."""
        self._data.close()

    def _decode(self, begin: int, end: int) -> Iterator[np.ndarray]:
        """Decode frames, after those that they depend on."""
        from av import Packet
        from av.codec import CodecContext

        codec = CodecContext.create(f"mp{self._scan.header.layer}float", "r")
        places, lengths = self._scan.places, self._scan.lengths
        begin, end = begin + self._from, min(end + self._from, len(places))
        early = begin
        while early > self._from and places[begin] - places[early] < _RESERVOIR:
            early -= 1
        broken = 0
        for number in range(max(self._from, early - 2), end):
            place = places[number]
            block = self._frame(codec, Packet(self._data[place : place + lengths[number]]))
            if number < begin:
                continue
            broken += block is None
            if broken * self._samples > TOLERANCE * self.rate:
                raise damaged(self._path, "frames of it cannot be decoded")
            yield np.zeros((self.channels, self._samples), np.float32) if block is None else block

    def _frame(self, codec: Any, packet: Any) -> np.ndarray | None:
        """Decode a frame; None if that is not possible."""
        from av.error import FFmpegError

        try:
            wave = np.concatenate([one.to_ndarray() for one in codec.decode(packet)], axis=1)
        except (FFmpegError, ValueError):  # ValueError: the decoder gives nothing
            return None
        if wave.shape[1] != self._samples:
            return None
        if len(wave) != self.channels:  # some encoders go over to mono where both are equal
            wave = np.repeat(wave.mean(axis=0, keepdims=True), self.channels, axis=0)
        return wave.astype(np.float32, copy=False)


def open_mpeg(path: Path, raw: BinaryIO) -> MpegSource | None:
    """Find the frames of a file.

    Parameters
    ----------
    path : Path
    raw : binary file

    Returns
    -------
    MpegSource or None
        None if it is no MPEG audio.

    Raises
    ------
    AudioError
        If a part of it is missing.
    """
    data = mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ)
    scan = _scan(data)
    return None if scan is None else MpegSource(path, data, scan)
