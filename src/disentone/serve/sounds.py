"""Sounds of items as a browser plays them, and their outlines."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from disentone import audio
from disentone.errors import AudioError

__all__ = ["PLAYED", "called", "is_played", "is_whole", "outline", "write_wav"]

PLAYED = {  # what browsers play as it is
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".webm": "audio/webm",
}
PARTS = 240  # of an outline
_BLOCK = 60.0  # seconds that are in memory at once


@contextmanager
def called(name: str, path: Path) -> Iterator[None]:
    """Let errors call a file what its client calls it, and not by its path here."""
    try:
        yield
    except AudioError as error:
        raise AudioError(str(error).replace(str(path), name)) from error


def is_played(path: Path, start: float | None, end: float | None) -> bool:
    """Whether a browser can play a file itself, whole."""
    return path.suffix.lower() in PLAYED and is_whole(path, start, end)


def is_whole(path: Path, start: float | None, end: float | None) -> bool:
    """Whether a part of a file is all of it."""
    if start:
        return False
    return end is None or end > audio.info(path).seconds - 0.05


def write_wav(target: Path, path: Path, start: float | None, end: float | None) -> None:
    """Write a part of a file as 16-bit mono WAV at the file's rate, block by block.

    Raises
    ------
    AudioError
        If the file cannot be read.
    """
    rate = audio.info(path).sample_rate
    with soundfile.SoundFile(target, "w", rate, 1, "PCM_16", format="WAV") as file:
        for wave in _blocks(path, start or 0.0, end):
            file.write(wave)


def outline(
    path: Path, start: float | None = None, end: float | None = None
) -> tuple[float, list[float]]:
    """Length in seconds and outline of a file or a part of it.

    Raises
    ------
    AudioError
        If the file cannot be read.
    """
    about = audio.info(path)
    rate, start = about.sample_rate, start or 0.0
    total = max(1, round((min(end or math.inf, about.seconds) - start) * rate))
    peaks, position = np.zeros(PARTS), 0
    for wave in _blocks(path, start, end):
        parts = np.minimum((position + np.arange(len(wave))) * PARTS // total, PARTS - 1)
        np.maximum.at(peaks, parts, np.abs(wave))
        position += len(wave)
    return total / rate, [round(float(peak), 3) for peak in np.nan_to_num(np.minimum(peaks, 1))]


def _blocks(path: Path, start: float, end: float | None) -> Iterator[np.ndarray]:
    """Mono blocks of a part of a file."""
    stop = min(math.inf if end is None else end, audio.info(path).seconds)
    edges = np.arange(start, stop, _BLOCK)
    for low in edges:
        yield audio.read(path, start=float(low), seconds=min(_BLOCK, stop - float(low)))
