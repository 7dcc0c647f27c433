"""Pages of Ogg files (RFC 3533): whether the last one is whole, and where chained streams begin."""

from __future__ import annotations

import mmap
import os
import struct
from typing import BinaryIO

__all__ = ["ends_in_a_whole_page", "length_is_likely", "links"]

_PAGE = 65_307  # bytes of a page at most
_PACKET = 5760  # samples of a packet at most: 120 ms of Opus; a block of FLAC is 4096 or 4608
_FIRST = b"OggS\x00\x02"  # how the first page of a stream begins


def ends_in_a_whole_page(tail: bytes) -> bool:
    """Whether the last page is whole.

    Parameters
    ----------
    tail : bytes
        The end of a file, of 128 KiB or more where it has them.
    """
    at = tail.rfind(b"OggS")
    page = tail[at:]
    if at < 0 or len(page) < 27:
        return False
    return len(page) >= 27 + page[26] + sum(page[27 : 27 + page[26]])


def length_is_likely(head: bytes, tail: bytes) -> bool:
    """Whether the last page's position, from which the length is read, can follow the one before.

    Parameters
    ----------
    head : bytes
        The beginning of the stream.
    tail : bytes
        The end of a file, of 128 KiB or more where it has them.
    """
    places, packets, at = [], 0, len(tail)
    while len(places) < 2 and (at := tail.rfind(b"OggS", 0, at)) >= 0:
        if len(tail) - at < 27:
            continue
        if not places:  # packets that end on the page, or on one after it that says no place
            packets += sum(length < 255 for length in tail[at + 27 : at + 27 + tail[at + 26]])
        (place,) = struct.unpack("<q", tail[at + 6 : at + 14])
        places += [place] if place >= 0 else []  # -1: no packet ends on the page
    last, before = (*places, 0, 0)[:2]
    longest = 1 << (blocks[0] >> 4) - 1 if (blocks := _vorbis_blocks(head)) else _PACKET
    return before <= last <= before + packets * longest


def _vorbis_blocks(head: bytes) -> bytes:
    """The byte with the lengths of blocks in the header of Vorbis (Vorbis I, section 4.2.2)."""
    at = head.find(b"\x01vorbis")
    return head[at + 28 : at + 29] if at >= 0 else b""


def links(file: BinaryIO) -> list[int]:
    """Where each of the streams that follow one another begins.

    Parameters
    ----------
    file : binary file
        An Ogg file, of one byte at least.

    Returns
    -------
    list of int
        Bytes; streams side by side, such as sound and video, begin once.
    """
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found, at, beside = [], data.find(_FIRST), -1
        while at >= 0:
            if at != beside:
                found.append(at)
            head = data[at : at + 27 + 255]
            beside = at + 27 + head[26] + sum(head[27 : 27 + head[26]]) if len(head) > 27 else -1
            at = data.find(_FIRST, at + 1)
    return found


def tail(file: BinaryIO) -> bytes:
    """Give the end of a file: two pages."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 2 * _PAGE))
    return file.read()
