"""The length of a FLAC file from its last frame (RFC 9639), beside what its header claims."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

__all__ = ["Streaminfo", "length_is_right", "streaminfo"]

_TAIL = 2**18  # bytes in which the last frame must begin where the header has no greatest frame


@dataclass(frozen=True)
class Streaminfo:
    """What a header claims (section 8.2): frames of samples, 0 for unknown; sizes of blocks."""

    frames: int
    block: int
    fixed: bool
    largest: int


def streaminfo(head: bytes) -> Streaminfo | None:
    """Read a header.

    Parameters
    ----------
    head : bytes
        The first 42 of a file.

    Returns
    -------
    Streaminfo or None
        None if this is no FLAC file, or one with something before its header.
    """
    if len(head) < 42 or head[:4] != b"fLaC" or head[4] & 127:
        return None
    least, most = int.from_bytes(head[8:10]), int.from_bytes(head[10:12])
    frames = int.from_bytes(head[18:26]) & (2**36 - 1)
    return Streaminfo(frames, most, least == most, int.from_bytes(head[15:18]))


def length_is_right(file: BinaryIO, size: int, info: Streaminfo) -> bool:
    """Whether the last frame of a file ends where its header says that the sound does.

    Parameters
    ----------
    file : binary file
    size : int
        Its bytes.
    info : Streaminfo
    """
    sync = b"\xff\xf8" if info.fixed else b"\xff\xf9"
    for span in (2 * info.largest + 64 if info.largest else 0, _TAIL):
        file.seek(max(0, size - span))
        tail = file.read()
        at = len(tail)
        while span and (at := tail.rfind(sync, 0, at)) >= 0:
            end = _end(tail[at : at + 16], info)
            if end is not None:
                return end == info.frames
    return False


def _end(head: bytes, info: Streaminfo) -> int | None:
    """Where the frame ends whose header this may be (section 9.1)."""
    if len(head) < 6:
        return None
    coded = _coded_number(head[4:])
    if coded is None:
        return None
    number, length = coded
    code, rate, place = head[2] >> 4, head[2] & 15, 4 + length
    wide = {6: 1, 7: 2}.get(code, 0)
    block = _block(code, head[place : place + wide])
    place += wide + {12: 1, 13: 2, 14: 2}.get(rate, 0)
    if block is None or place >= len(head) or _crc8(head[:place]) != head[place]:
        return None
    return (number * info.block if info.fixed else number) + block


def _block(code: int, wide: bytes) -> int | None:
    """Samples of a frame (section 9.1.1)."""
    if code in (6, 7):
        return int.from_bytes(wide) + 1
    if code == 1:
        return 192
    if 2 <= code <= 5:
        return 144 << code
    return 1 << code if code else None


def _coded_number(data: bytes) -> tuple[int, int] | None:
    """A number as UTF-8 codes it, up to 36 bits (section 9.1.5), and its bytes."""
    first = data[0]
    if first < 0x80:
        return first, 1
    length = 8 - (first ^ 0xFF).bit_length()
    if not 2 <= length <= 7 or len(data) < length:
        return None
    number = first & (0x7F >> length)
    for byte in data[1:length]:
        if byte & 0xC0 != 0x80:
            return None
        number = number << 6 | byte & 0x3F
    return number, length


def _crc8(data: bytes) -> int:
    """Checksum of a frame's header: polynomial x^8 + x^2 + x + 1 (section 9.1.8)."""
    crc = 0
    for byte in data:
        crc = _CRC8[crc ^ byte]
    return crc


def _remainder(byte: int) -> int:
    for _ in range(8):
        byte = (byte << 1 ^ 0x07 if byte & 0x80 else byte << 1) & 0xFF
    return byte


_CRC8 = [_remainder(byte) for byte in range(256)]
