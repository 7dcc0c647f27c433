"""Decode, resample, level, check and write audio files.

soundfile (libsndfile) reads wav, flac, ogg, opus, mp3 and aiff; PyAV (FFmpeg) reads what it
refuses, such as m4a and webm. Only the part of a file that is asked for is decoded.
"""

from __future__ import annotations

import math
import os
import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from disentone.audio.decoding import Part, decode, describe, existing, reason
from disentone.errors import AudioError, SilenceError, printable

__all__ = [
    "SUFFIXES",
    "AudioInfo",
    "Skipped",
    "check",
    "info",
    "read",
    "resample",
    "to_loudness",
    "write",
]

# fmt: off
SUFFIXES = frozenset((
    ".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au",
    ".caf", ".w64", ".rf64", ".m4a", ".m4b", ".mp4", ".aac", ".webm", ".mka", ".mkv", ".mov",
    ".wma",
))
"""Endings of file names that are taken for audio, in lower case."""
# fmt: on

_SILENCE = 10 ** (-90 / 20)  # full scale = 1
_BLOCK = 8192  # samples that are written at once: a minute of Vorbis in one go crashes libsndfile


@dataclass(frozen=True)
class AudioInfo:
    """The properties in a file's header.

    Parameters
    ----------
    sample_rate : int
        Hz.
    channels : int
    frames : int
        Samples of one channel.
    seconds : float
    """

    sample_rate: int
    channels: int
    frames: int
    seconds: float


@dataclass(frozen=True)
class Skipped:
    """A clip that was left out, and why.

    Parameters
    ----------
    path : str
        The file, or the row of a table. What is no UTF-8 is escaped here and in the reason: both
        are for files that people read.
    reason : str
        One sentence.
    """

    path: str
    reason: str

    def __post_init__(self) -> None:
        for name in ("path", "reason"):
            object.__setattr__(self, name, printable(getattr(self, name)))


def info(path: str | Path) -> AudioInfo:
    """Look at a file without decoding it.

    Parameters
    ----------
    path : path

    Returns
    -------
    AudioInfo

    Raises
    ------
    AudioError
        If the file is missing, unreadable, empty, truncated, not audio, or has no samples.
    """
    path = existing(path)
    rate, channels, frames = describe(path)
    if not frames:
        raise AudioError(f"'{path}' has no samples.")
    return AudioInfo(rate, channels, frames, frames / rate)


def read(
    path: str | Path,
    *,
    sample_rate: int | None = None,
    start: float = 0.0,
    seconds: float | None = None,
    mono: bool = True,
    lufs: float | None = None,
) -> np.ndarray:
    """Decode a file or a part of it.

    A part equals the same slice of the whole; where the file ends first, it is shorter.

    Parameters
    ----------
    path : path
    sample_rate : int, optional
        Hz; the file's own by default. Resampled by soxr at high quality.
    start : float
        Seconds from the beginning, at least 0.
    seconds : float, optional
        Length, above 0; to the end by default.
    mono : bool
        Take the mean of the channels.
    lufs : float, optional
        Integrated loudness (ITU-R BS.1770) to bring the result to; samples may then exceed 1.
        Silence stays as it is. More than five channels are measured as their mean.

    Returns
    -------
    ndarray of float32, shape (samples,), or (channels, samples) if not mono
        Full scale is 1.

    Raises
    ------
    AudioError
        If the file is missing, unreadable, empty, truncated, not audio, or ends before `start`.
    """
    if start < 0 or (seconds is not None and seconds <= 0) or (sample_rate or 1) < 1:
        raise AudioError(
            f"'{path}' cannot be read from {start} s for {seconds} s at {sample_rate} Hz: "
            "the start must not be negative, length and rate must be positive."
        )
    path = existing(path)
    part = Part(start, seconds, sample_rate)
    wave, rate, first = decode(path, part)
    if mono and len(wave) > 1:
        with np.errstate(invalid="ignore", over="ignore"):  # the mean of Inf and -Inf is NaN
            wave = np.full((1, len(wave)), 1 / len(wave), np.float32) @ wave
    if wave.size:
        wave = part.cut(resample(wave, rate, sample_rate or rate), rate, first)
    if not wave.size:
        problem = f"ends before {start:g} s" if start else "has no samples"
        raise AudioError(f"'{path}' {problem}.")
    if lufs is not None:
        wave = to_loudness(wave, part.sample_rate or rate, lufs)
    return np.ascontiguousarray(wave[0] if mono else wave, dtype=np.float32)


def resample(wave: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Resample a waveform at high quality (soxr HQ); nothing is done where the rates agree.

    Parameters
    ----------
    wave : ndarray, shape (samples,) or (channels, samples)
    rate, wanted : int
        Hz, at least 1.

    Returns
    -------
    ndarray of the same kind, with ``samples * wanted / rate`` samples
    """
    return wave if rate == wanted else soxr.resample(wave.T, rate, wanted, quality="HQ").T


def check(wave: np.ndarray, path: str | Path) -> None:
    """Refuse a waveform that holds no sound.

    Parameters
    ----------
    wave : ndarray, shape (samples,) or (channels, samples)
    path : path
        What to call it in the error.

    Raises
    ------
    SilenceError
        If it stays within -90 dBFS of a constant.
    AudioError
        If it has no samples, NaN or Inf.
    """
    if not wave.size:
        raise AudioError(f"'{path}' has no samples.")
    low, high = wave.min(axis=-1), wave.max(axis=-1)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise AudioError(f"'{path}' has samples that are not finite numbers (NaN or Inf).")
    if np.max(high - low) < 2 * _SILENCE:
        raise SilenceError(f"'{path}' is silent: it stays within -90 dBFS of a constant.")


def write(path: str | Path, wave: np.ndarray, sample_rate: int) -> None:
    """Write a waveform; the suffix gives the format (wav, flac, ogg, opus, mp3, aiff and others).

    The file appears whole or not at all. Samples beyond full scale are clipped.

    Parameters
    ----------
    path : path
    wave : ndarray, shape (samples,) or (channels, samples)
        Full scale is 1.
    sample_rate : int
        Hz.

    Raises
    ------
    AudioError
        If the suffix is unknown, the format cannot hold this waveform, or the disk refuses it.
    """
    path = Path(path)
    kind = path.suffix[1:].upper()
    kind = {"AIF": "AIFF", "OGA": "OGG", "OPUS": "OGG", "WAVE": "WAV"}.get(kind, kind)
    if kind not in soundfile.available_formats() or kind == "RAW":
        raise AudioError(f"'{path}' cannot be written: use .wav, .flac, .ogg, .mp3 or .aiff.")
    subtype = "OPUS" if path.suffix.lower() == ".opus" else None
    temporary = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        _write_blocks(temporary, np.asarray(wave).T, sample_rate, kind, subtype)
        with temporary.open("rb+") as whole:
            os.fsync(whole.fileno())
        temporary.replace(path)
    except (OSError, ValueError, TypeError, soundfile.SoundFileError) as error:
        raise AudioError(f"'{path}' cannot be written: {reason(error)}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def _write_blocks(path: Path, wave: np.ndarray, rate: int, kind: str, subtype: str | None) -> None:
    """Write (samples,) or (samples, channels) with libsndfile, a block after the other."""
    channels = 1 if wave.ndim < 2 else wave.shape[1]
    with soundfile.SoundFile(path, "w", rate, channels, subtype, format=kind) as file:
        for start in range(0, len(wave), _BLOCK):
            file.write(wave[start : start + _BLOCK])


def to_loudness(wave: np.ndarray, rate: int, lufs: float) -> np.ndarray:
    """Scale a waveform to an integrated loudness (ITU-R BS.1770); silence stays as it is.

    Parameters
    ----------
    wave : ndarray of float32, shape (channels, samples)
        A clip under 0.4 s is measured as if repeated; more than five channels as their mean.
    rate : int
        Hz.
    lufs : float

    Returns
    -------
    ndarray of float32, shape (channels, samples)
    """
    import pyloudnorm

    peak = float(np.abs(wave).max())
    if not np.isfinite(peak) or peak < _SILENCE:
        return wave
    measured = wave if len(wave) <= 5 else wave.mean(axis=0, keepdims=True)
    block = math.ceil(0.4 * rate)
    measured = np.tile(measured, math.ceil(block / measured.shape[1]))
    with np.errstate(divide="ignore", invalid="ignore"):
        loudness = pyloudnorm.Meter(rate).integrated_loudness(measured.T.astype(float))
    if not np.isfinite(loudness):  # every block is below the gate of -70 LUFS
        return wave
    return wave * np.float32(10 ** ((lufs - loudness) / 20))
