"""Decode a part of an audio file at its own rate: libsndfile first, FFmpeg for what it refuses."""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from disentone.errors import AudioError

__all__ = ["Part", "decode", "describe", "existing", "reason"]

_CONTEXT = 0.1  # seconds decoded on either side of a part, so that resampling it leaves no edge
_MP3_PREROLL = 4608  # frames: after a seek, the first MP3 frames lack their bit reservoir
_STREAMED = 2**31 - 2**20  # sizes from here on are placeholders of programs that wrote to a pipe


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
    """Rate, channels and frames of a file, without decoding it where the format has them."""
    with _soundfile(path) as file:
        if file is not None:
            return file.samplerate, file.channels, file.frames
    return _av_info(path)


def decode(path: Path, part: Part) -> tuple[np.ndarray, int, int]:
    """Decode a part: float32 (channels, frames), the file's rate, and the first frame's place."""
    with _soundfile(path) as file:
        if file is not None:
            return _read(path, file, part)
    return _av_read(path, part)


def existing(path: str | Path) -> Path:
    """Refuse a file that cannot be opened with a plain reason, before a decoder's obscure one."""
    path = Path(path)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise AudioError(f"'{path}' is a folder, not an audio file.")
        if not stat.S_ISREG(status.st_mode):
            raise AudioError(f"'{path}' is not a regular file.")
        if not status.st_size:
            raise AudioError(f"'{path}' is empty (0 bytes).")
        with path.open("rb"):
            pass
    except FileNotFoundError as error:
        raise AudioError(f"'{path}' does not exist.") from error
    except PermissionError as error:
        raise AudioError(f"'{path}' may not be read: permission denied.") from error
    except (OSError, ValueError) as error:
        raise AudioError(f"'{path}' cannot be opened: {reason(error)}.") from error
    return path


@contextmanager
def _soundfile(path: Path) -> Iterator[soundfile.SoundFile | None]:
    """Open with libsndfile; give None if it does not know the format.

    The file is opened here and not by name: libsndfile takes any name ending in .mp3 for MP3.
    """
    with path.open("rb") as raw:
        try:
            file = soundfile.SoundFile(raw.fileno(), closefd=False)
        except soundfile.SoundFileError:
            file = None
        if file is None or file.frames >= 2**62:  # a FLAC stream may not have its length
            yield None
            return
        with file:
            if _promises_more(file) or (file.format == "OGG" and _last_page_is_cut(path)):
                raise _truncated(path)
            yield file


def _promises_more(file: soundfile.SoundFile) -> bool:
    """Whether the data chunk of a wav, aiff, au or w64 file is longer than the file."""
    names = "riff" if file.format == "W64" else "data|SSND|Data Size"
    match = re.search(rf"(?:{names})\s*:\s*(\d+) \(should be (\d+)\)", file.extra_info)
    if match is None:
        return False
    promised, there = int(match[1]), int(match[2])
    return there < promised < _STREAMED


def _last_page_is_cut(path: Path) -> bool:
    """Whether the last page of an Ogg file (RFC 3533, section 6) goes beyond the file's end."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 2**17))  # a page has at most 65,307 bytes
        tail = file.read()
    at = tail.rfind(b"OggS")
    page = tail[at:]
    if at < 0 or len(page) < 27:
        return True
    table = page[27 : 27 + page[26]]
    return len(page) < 27 + page[26] + sum(table)


def _read(path: Path, file: soundfile.SoundFile, part: Part) -> tuple[np.ndarray, int, int]:
    """Decode with libsndfile: (channels, frames), rate, first frame."""
    rate = file.samplerate
    first, count = part.frames(rate)
    if first >= file.frames:
        return np.empty((file.channels, 0), np.float32), rate, first
    preroll = min(first, _MP3_PREROLL) if file.format == "MP3" else 0
    wanted = min(file.frames - first, count or file.frames) + preroll
    try:
        if first:
            file.seek(first - preroll)
        wave = file.read(wanted, dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        words = str(error).removeprefix("Error : ").rstrip(".")
        raise AudioError(f"'{path}' is damaged or truncated: {words}.") from error
    if len(wave) < wanted:
        raise _truncated(path)
    return wave[preroll:].T, rate, first


def _av_info(path: Path) -> tuple[int, int, int]:
    """Rate, channels and frames of a file that only FFmpeg reads."""
    import av.error  # only for what libsndfile refuses: it is slow to import

    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            stream = _audio_stream(container, path)
            frames = _promised(container, stream)
            if frames is None:
                frames = sum(frame.samples for frame in container.decode(stream))
            if not frames:
                raise AudioError(f"'{path}' is not audio or is damaged: nothing can be decoded.")
            return stream.rate, stream.channels, frames
    except av.error.FFmpegError as error:
        raise _not_audio(path, error) from error


def _av_read(path: Path, part: Part) -> tuple[np.ndarray, int, int]:
    """Decode with FFmpeg: (channels, frames), rate, first frame."""
    import av.error

    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            stream = _audio_stream(container, path)
            first, count = part.frames(stream.rate)
            promised = _promised(container, stream)
            if count is None and promised is not None:  # AAC ends in padding that is no audio
                count = max(0, promised - first)
            blocks, position = _av_blocks(container, stream, first, count)
            if not position:
                raise AudioError(f"'{path}' is not audio or is damaged: nothing can be decoded.")
            if promised and position < min(promised, first + (count or 0)) - stream.rate // 4:
                raise _truncated(path)
            empty = np.empty((stream.channels, 0), np.float32)
            return np.concatenate([empty, *blocks], axis=1), stream.rate, first
    except av.error.FFmpegError as error:
        raise _not_audio(path, error) from error


def _av_blocks(
    container: Any, stream: Any, first: int, count: int | None
) -> tuple[list[np.ndarray], int]:
    """Decoded blocks that cover the frames asked for, and the position where decoding ended."""
    import av

    convert = av.AudioResampler(format="fltp")
    blocks, position = [], 0
    if first:
        container.seek(int(max(0.0, first / stream.rate - 0.5) * 1e6))
        position = -1
    for frame in container.decode(stream):
        if position < 0:  # after a seek, the first frame has the position
            seconds = (frame.pts - max(0, stream.start_time or 0)) * stream.time_base
            position = round(seconds * stream.rate)
        for block in (converted.to_ndarray() for converted in convert.resample(frame)):
            low, high = first - position, None if count is None else first + count - position
            position += block.shape[1]
            if low < block.shape[1] and (high is None or high > 0):
                blocks.append(block[:, max(0, low) : high])
        if count is not None and position >= first + count:
            break
    return blocks, position


def _audio_stream(container: Any, path: Path) -> Any:
    """First audio stream of a container."""
    if not container.streams.audio:
        raise AudioError(f"'{path}' has no audio in it.")
    return container.streams.audio[0]


def _promised(container: Any, stream: Any) -> int | None:
    """Frames that an MP4 or Matroska header promises; other formats only estimate."""
    if not re.search("mp4|matroska", container.format.name):
        return None
    if stream.duration is not None:
        return round(stream.duration * stream.time_base * stream.rate)
    return None if container.duration is None else round(container.duration * stream.rate / 1e6)


def _truncated(path: Path) -> AudioError:
    return AudioError(f"'{path}' is truncated: it promises more audio than it holds.")


def _not_audio(path: Path, error: Exception) -> AudioError:
    return AudioError(f"'{path}' is not audio or is damaged: {reason(error)}.")


def reason(error: BaseException) -> str:
    """The message of a system or library, without file name and final stop."""
    return (getattr(error, "strerror", None) or str(error)).strip().rstrip(".")
