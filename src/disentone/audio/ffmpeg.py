"""What FFmpeg reads (PyAV): formats that libsndfile refuses, and files whose header is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from disentone.audio.damage import (
    TOLERANCE,
    check_kind,
    damaged,
    is_likely,
    is_short,
    not_audio,
    truncated,
)
from disentone.audio.formats import CONTAINERS
from disentone.errors import AudioError

__all__ = ["FFmpegSource"]

_OPTIONS = {  # nothing but the file itself is opened, whatever it names
    "format_whitelist": ",".join(CONTAINERS),
    "protocol_whitelist": "file",
}
_SEGMENT = b"\x18\x53\x80\x67"  # of Matroska (RFC 9559): the element that holds all others
_HEAD = 4096  # bytes in which it begins
_SEEKABLE = "mov,|matroska"  # where a place is found exactly


class FFmpegSource:
    """An audio stream that FFmpeg decodes; read once.

    Parameters
    ----------
    path : Path
    size : int
        Bytes of the file.

    Raises
    ------
    AudioError
        If it is not audio, or of a format that is not on the list.
    """

    def __init__(self, path: Path, size: int) -> None:
        import av.error  # only for what libsndfile does not read: it is slow to import

        self._path, self._size = path, size
        try:
            self._container = av.open(f"file:{path}", metadata_errors="ignore", options=_OPTIONS)
        except av.error.ArgumentError as error:  # what it is, is not on the list
            raise AudioError(
                f"'{path}' has no audio in it, or is of a format that is not read: convert it."
            ) from error
        if not self._container.streams.audio:
            raise AudioError(f"'{path}' has no audio in it.")
        self._stream: Any = self._container.streams.audio[0]
        if self._stream.codec_context is None:
            raise AudioError(f"'{path}' is of a coding that cannot be decoded: convert it to wav.")
        self.rate, self.channels = self._stream.rate, self._stream.channels
        check_kind(path, self.rate, self.channels)
        self._name = self._container.format.name
        if "matroska" in self._name and _segment_is_cut(path, size):
            raise truncated(path)
        duration = self._stream.duration
        claimed = None if duration is None else duration * self._stream.time_base * self.rate
        self._promised = None if claimed is None or self._name == "aac" else round(claimed)
        self._longest = 0  # packet, in units of the stream's time

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def frames(self) -> int:
        """Count the samples of a channel: from the packets of MP4, else by decoding."""
        if "mov," in self._name:
            frames = self._count_packets()
            if is_likely(frames * self.channels, self._size):
                return frames
            self._container.seek(0)
        return sum(block.shape[1] for block in self.blocks(0, None, 0))

    def blocks(self, first: int, count: int | None, size: int) -> Iterator[np.ndarray]:
        """Decode from a sample on: float32 (channels, samples)."""
        position = 0
        if first and re.search(_SEEKABLE, self._name):
            self._container.seek(int(max(0.0, first / self.rate - 0.5) * 1e6))
            position = -1
        decoded = self._decode(position)
        if count is None and "mov," in self._name:
            decoded = self._without_padding(decoded)
        for position, block in decoded:
            low, high = first - position, None if count is None else first + count - position
            if low < block.shape[1] and (high is None or high > 0):
                yield block[:, max(0, low) : high]
            if high is not None and high <= block.shape[1]:
                return

    def _decode(self, position: int) -> Iterator[tuple[int, np.ndarray]]:
        """Decode all, each block with its place; `position` -1 asks the first for it."""
        import av
        from av.error import FFmpegError

        convert = av.AudioResampler(format="fltp")
        broken: FFmpegError | None = None
        lost = 0.0
        for packet in self._packets():
            if isinstance(packet, FFmpegError):
                broken = packet
                continue
            try:
                frames = packet.decode()
            except FFmpegError as error:
                broken, lost = error, lost + float((packet.duration or 0) * packet.time_base)
                continue
            if frames and broken is not None:
                raise damaged(self._path, "a part of it cannot be decoded") from broken
            for frame in frames:
                if position < 0:  # after a seek, the first frame has the position
                    begin = max(0, self._stream.start_time or 0)
                    position = round((frame.pts - begin) * self._stream.time_base * self.rate)
                for converted in convert.resample(frame):
                    block = converted.to_ndarray()
                    yield position, block
                    position += block.shape[1]
        self._check_end(position, broken, lost)

    def _packets(self) -> Iterator[Any]:
        """Packets of the stream; an error of reading them is the last one."""
        from av.error import FFmpegError

        try:
            for packet in self._container.demux(self._stream):
                self._longest = max(self._longest, packet.duration or 0)
                yield packet
        except FFmpegError as error:
            yield error

    def _check_end(self, position: int, broken: Exception | None, lost: float) -> None:
        """Refuse a file that breaks off; one that decodes to its end is whole."""
        if position <= 0:
            error = broken or ValueError("nothing can be decoded")
            raise not_audio(self._path, error) from broken
        promised = self._indexed() if broken is None else self._promised or 0
        if is_short(promised, position, self.rate):
            raise truncated(self._path) from broken
        if lost > TOLERANCE:
            raise damaged(self._path, "its end cannot be decoded") from broken

    def _indexed(self) -> float:
        """Samples that an MP4 file both claims and has in its index; 0 for other formats."""
        if "mov," not in self._name:
            return 0
        each = self._longest * float(self._stream.time_base) * self.rate
        return min(self._promised or 0, self._stream.frames * each)

    def _count_packets(self) -> int:
        """Samples by the packets of an MP4 file, which know their places."""
        end = 0
        for packet in self._packets():
            if isinstance(packet, Exception):
                raise truncated(self._path) from packet
            if packet.pts is not None:
                end = max(end, packet.pts + (packet.duration or 0))
        begin = max(0, self._stream.start_time or 0)
        frames = round((end - begin) * self._stream.time_base * self.rate)
        if is_short(self._indexed(), frames, self.rate):
            raise truncated(self._path)
        if self._promised and abs(frames - self._promised) <= TOLERANCE * self.rate:
            return self._promised
        return frames

    def _without_padding(
        self, decoded: Iterable[tuple[int, np.ndarray]]
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Take off what a coder adds to fill its last packet: AAC ends in padding."""
        held: list[tuple[int, np.ndarray]] = []
        end = self._promised
        for position, block in decoded:
            if end is None or position + block.shape[1] <= end:
                yield position, block
                continue
            held.append((position, block))
            if position + block.shape[1] > end + TOLERANCE * self.rate:
                end = None  # the promise is wrong
                yield from held
                held = []
        for position, block in held:
            if end is not None and position < end:
                yield position, block[:, : end - position]


def _segment_is_cut(path: Path, size: int) -> bool:
    """Whether a Matroska file is shorter than the segment that it is made of."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    at = head.find(_SEGMENT)
    if at < 0 or len(head) < at + 13:
        return False
    width = 9 - head[at + 4].bit_length()  # of the length, as EBML codes it (RFC 8794)
    if not 1 <= width <= 8:
        return False
    length = int.from_bytes(head[at + 4 : at + 4 + width]) & (1 << 7 * width) - 1
    unknown = length == (1 << 7 * width) - 1
    return not unknown and at + 4 + width + length > size
