"""The sound in a file of chunks (WAV, AIFF, CAF, W64) or with one header (AU): where, and how much.

What the header says of its length is compared with the bytes that there are. A recorder that
crashed leaves 0, one that wrote to a pipe a placeholder, and some promise a few bytes too many.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

__all__ = ["Sound", "find_sound", "is_plain_wav"]

_STREAMED = 2**31 - 2**20  # sizes from here on are placeholders of programs that wrote to a pipe
_MOST_CHUNKS = 1000  # before the sound
_W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")  # of the GUID of its other chunks
_MPEG_TAGS = (0x50, 0x55)  # of a WAV file that holds MPEG audio


@dataclass(frozen=True)
class Sound:
    """Where the sound of a file is.

    Parameters
    ----------
    start : int
        Its first byte.
    claimed : int, optional
        Bytes that the header claims; None where that is a placeholder.
    there : int
        Bytes from its first one on that may be sound.
    field : tuple of int and str
        Where the claim is written, and how (:mod:`struct`).
    extra : int
        What the claim counts beside the sound: bytes of its own header.
    mpeg : bool
        Whether it is MPEG audio.
    """

    start: int
    claimed: int | None
    there: int
    field: tuple[int, str]
    extra: int = 0
    mpeg: bool = False

    @property
    def fits(self) -> bool:
        """Whether libsndfile takes the claim: a placeholder of 64 bits it only does in CAF."""
        placeholder = self.claimed is None and self.field[1] != "<Q"
        return placeholder or self.claimed == self.there

    @property
    def mended(self) -> tuple[int, bytes]:
        """What to write into the header, and where, for a claim that fits."""
        place, form = self.field
        most = 256 ** struct.calcsize(form) - 1
        return place, struct.pack(form, min(self.there + self.extra, most))


@dataclass(frozen=True)
class _Layout:
    """How a format writes its chunks."""

    first: int  # byte of the first chunk
    name: int  # bytes of a chunk's name
    size: str  # how its size is written
    align: int  # chunks begin at multiples of it
    sound: bytes  # name of the chunk with the sound
    header: int = 0  # bytes that begin that chunk and are no sound
    whole: bool = False  # whether a size counts the chunk's own name and size


_RIFF = _Layout(12, 4, "<I", 2, b"data")
_LAYOUTS = (
    (b"RIFF", _RIFF),
    (b"RIFX", _Layout(12, 4, ">I", 2, b"data")),
    (b"RF64", _RIFF),
    (b"FORM", _Layout(12, 4, ">I", 2, b"SSND", header=8)),
    (b"caff", _Layout(8, 4, ">Q", 1, b"data", header=4)),
    (_W64_RIFF, _Layout(40, 16, "<Q", 8, b"data" + _W64_TAIL, whole=True)),
)


def is_plain_wav(head: bytes, size: int) -> bool:
    """Whether a file is what most are: WAV with one chunk of sound that ends where the file does.

    Parameters
    ----------
    head : bytes
        The first 44 of the file, or more.
    size : int
        Its bytes.
    """
    return (
        head[:4] == b"RIFF"
        and head[36:40] == b"data"
        and int.from_bytes(head[40:44], "little") == size - 44
        and int.from_bytes(head[20:22], "little") not in _MPEG_TAGS
    )


def find_sound(file: BinaryIO, size: int) -> Sound | None:
    """Find the sound of a file.

    Parameters
    ----------
    file : binary file
        Moved to wherever.
    size : int
        Its bytes.

    Returns
    -------
    Sound or None
        None if the format is another, or no sound is found.
    """
    file.seek(0)
    head = file.read(40)
    if head[:4] in (b".snd", b"dns."):
        return _of_au(head, size)
    for magic, layout in _LAYOUTS:
        if head.startswith(magic):
            return _walk(file, size, layout, head)
    return None


def _of_au(head: bytes, size: int) -> Sound | None:
    order = ">" if head[:4] == b".snd" else "<"
    if len(head) < 12:
        return None
    start, claimed = struct.unpack(order + "II", head[4:12])
    if start > size:
        return None
    return Sound(
        start, None if claimed >= _STREAMED else claimed, size - start, (8, order + "I")
    )  # nothing follows the sound


def _walk(file: BinaryIO, size: int, layout: _Layout, head: bytes) -> Sound | None:
    """Go from chunk to chunk up to the sound."""
    place, mpeg, long = layout.first, False, None
    for _ in range(_MOST_CHUNKS):
        chunk = _chunk(file, place, layout)
        if chunk is None:
            return None
        name, length, begin = chunk
        if name == b"fmt ":
            mpeg = file.read(2) in [struct.pack(layout.size[0] + "H", tag) for tag in _MPEG_TAGS]
        if name == b"ds64" and length >= 16:
            long = place + 16, struct.unpack("<QQ", file.read(16))[1]
        if name == layout.sound:
            field = place + layout.name, layout.size
            if long and length >= _STREAMED and head.startswith(b"RF64"):
                field, length = (long[0], "<Q"), long[1]
            return _measure(file, size, layout, (field, length, begin, mpeg))
        place = _next(begin + length, layout)
    return None


def _measure(
    file: BinaryIO, size: int, layout: _Layout, found: tuple[tuple[int, str], int, int, bool]
) -> Sound | None:
    """Compare what a chunk of sound claims with what is there."""
    field, length, begin, mpeg = found
    start, rest = begin + layout.header, size - begin - layout.header
    if rest < 0:
        return None
    own = begin - field[0] + layout.name if layout.whole else 0
    extra = layout.header + own
    if length + own >= (2**63 if field[1][1] == "Q" else _STREAMED):
        return Sound(start, None, rest, field, extra, mpeg)
    claimed = max(0, length - layout.header)
    there = min(claimed, rest)
    if claimed < rest and not _goes_on(file, size, _next(begin + length, layout), layout):
        there = rest
    return Sound(start, claimed, there, field, extra, mpeg)


def _goes_on(file: BinaryIO, size: int, place: int, layout: _Layout) -> bool:
    """Whether the file ends at a place, but for a few bytes, or a chunk begins there."""
    if size - place < layout.name + struct.calcsize(layout.size):
        return True
    chunk = _chunk(file, place, layout)
    if chunk is None:
        return False
    name, length, begin = chunk
    return name[:4].isascii() and name[:4].decode().isprintable() and begin + length <= size + 8


def _chunk(file: BinaryIO, place: int, layout: _Layout) -> tuple[bytes, int, int] | None:
    """Name, length and first byte of the chunk at a place."""
    width = struct.calcsize(layout.size)
    file.seek(place)
    head = file.read(layout.name + width)
    if len(head) < layout.name + width:
        return None
    (length,) = struct.unpack(layout.size, head[layout.name :])
    begin = place + layout.name + width
    return head[: layout.name], max(0, length - len(head)) if layout.whole else length, begin


def _next(place: int, layout: _Layout) -> int:
    return -(-place // layout.align) * layout.align
