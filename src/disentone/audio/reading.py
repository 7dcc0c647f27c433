"""Decode, resample, level, check and write audio files.

soundfile (libsndfile) reads wav, flac, ogg, opus and aiff; PyAV (FFmpeg) reads mp3, and what
libsndfile refuses, such as m4a and webm. Only the part of a file that is asked for is decoded.
"""

from __future__ import annotations

import math
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from disentone.audio import decoding
from disentone.audio.decoding import Part, decode, describe, existing, reason
from disentone.audio.formats import RATES, SUFFIXES
from disentone.errors import AudioError, SilenceError, printable

__all__ = [
    "SUFFIXES",
    "AudioInfo",
    "Skipped",
    "blocks",
    "check",
    "info",
    "read",
    "resample",
    "to_loudness",
    "to_mono",
    "write",
]

_SILENCE = 10 ** (-90 / 20)  # full scale = 1
_CANCELLED = 0.05  # level of a mean, beside that of unrelated channels, that counts as cancelled
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

    A part equals the same slice of the whole; where the file ends first, it is shorter. (Whether
    channels cancel is asked of the part.) What decodes to the end of the file is the file, whatever
    its header says of its length; up to a quarter of a second of what it promises, and up to a
    tenth, may be missing.

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
        Make one of the channels: :func:`to_mono`.
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
        No other exception is raised, whatever the file's bytes.
    """
    low, high = RATES
    lasts = 0 < (1 if seconds is None else seconds) < math.inf
    if not (0 <= start < math.inf and lasts and low <= (sample_rate or low) <= high):
        raise AudioError(
            f"'{path}' cannot be read from {start} s for {seconds} s at {sample_rate} Hz: the "
            f"start must not be negative, the length must be positive, the rate {low} Hz to "
            f"{high // 10**6} MHz."
        )
    path = existing(path)
    part = Part(start, seconds, sample_rate)
    wave, rate, first = decode(path, part)
    if mono:
        wave = to_mono(wave)[None]
    if wave.size:
        wave = part.cut(resample(wave, rate, sample_rate or rate), rate, first)
    if not wave.size:
        problem = f"ends before {start:g} s" if start else "has no samples"
        raise AudioError(f"'{path}' {problem}.")
    if lufs is not None:
        wave = to_loudness(wave, part.sample_rate or rate, lufs)
    return np.ascontiguousarray(wave[0] if mono else wave, dtype=np.float32)


def blocks(path: str | Path, *, size: int = 2**20) -> Iterator[np.ndarray]:
    """Decode a whole file at its own rate, block by block: long files are never in memory.

    Parameters
    ----------
    path : path
    size : int
        Samples of all channels that a block has, about.

    Yields
    ------
    ndarray of float32, shape (channels, samples)

    Raises
    ------
    AudioError
        As :func:`read`.
    """
    path = existing(path)
    _, channels, _ = describe(path)
    return decoding.blocks(path, max(1, size // channels))


def to_mono(wave: np.ndarray) -> np.ndarray:
    """Make one channel: the mean; where that cancels, the loudest channel.

    Channels cancel if their mean has less than a twentieth (-26 dB) of the level that the mean of
    unrelated channels as loud as these has; a level is the deviation from an offset. Of channels
    that are about as loud, the first is taken.

    Parameters
    ----------
    wave : ndarray of float32, shape (channels, samples)

    Returns
    -------
    ndarray of float32, shape (samples,)
    """
    if len(wave) == 1:
        return wave[0]
    with np.errstate(invalid="ignore", over="ignore"):  # the mean of Inf and -Inf is NaN
        mean = (np.full((1, len(wave)), 1 / len(wave), np.float32) @ wave)[0]
        if not wave.size or _surely_adds_up(wave, mean):
            return mean
        levels = wave.std(axis=1, dtype=np.float64)
        unrelated = np.sqrt((levels**2).sum()) / len(wave)
        if not mean.std(dtype=np.float64) < _CANCELLED * unrelated:
            return mean
    return wave[int(np.argmax(levels > 0.9 * levels.max()))]


def _surely_adds_up(wave: np.ndarray, mean: np.ndarray) -> bool:
    """Whether channels do not cancel, as two fast products show for most sound."""
    every = wave.ravel(order="K")
    unrelated = every @ every / mean.size / len(wave) ** 2  # and offsets: no less than the level
    return bool(mean @ mean / mean.size - mean.mean() ** 2 > 4 * _CANCELLED**2 * unrelated)


def resample(wave: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Resample a waveform at high quality (soxr HQ); nothing is done where the rates agree.

    A waveform that begins or ends with a constant keeps that to its very end, without a click: the
    line from its first sample to its last is taken off before, and put back.

    Parameters
    ----------
    wave : ndarray, shape (samples,) or (channels, samples)
    rate, wanted : int
        Hz, at least 1.

    Returns
    -------
    ndarray of the same kind, with ``samples * wanted / rate`` samples
    """
    if rate == wanted:
        return wave
    ends = wave[..., [0, -1]]
    if not (_rests(wave[..., : rate // 50 + 1]) or _rests(wave[..., -(rate // 50) - 1 :])):
        return soxr.resample(wave.T, rate, wanted, quality="HQ").T
    made = soxr.resample((wave - _line(ends, wave.shape[-1], 1)).T, rate, wanted, quality="HQ").T
    return made + _line(ends, made.shape[-1], rate / wanted * made.shape[-1] / wave.shape[-1])


def _rests(wave: np.ndarray) -> bool:
    """Whether a waveform stays at a constant that is not 0; two samples may show already."""
    if np.abs(wave[..., 0] - wave[..., wave.shape[-1] // 3]).max() >= 2 * _SILENCE:
        return False
    return _span(wave) < 2 * _SILENCE < 2 * float(np.abs(wave[..., 0]).max())


def _span(wave: np.ndarray) -> float:
    """How far apart the samples of a channel are, at most; NaN or Inf if one of them is."""
    with np.errstate(invalid="ignore", over="ignore"):
        return float(np.max(wave.max(axis=-1) - wave.min(axis=-1)))


def _line(ends: np.ndarray, count: int, stretch: float) -> np.ndarray:
    """Samples (..., count) on the way from one end to the other, which it may fall short of."""
    way = np.linspace(0, stretch, count, dtype=ends.dtype)
    return ends[..., :1] + (ends[..., 1:] - ends[..., :1]) * way


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
    if _span(wave) < 2 * _SILENCE:
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

    if not 2 * _SILENCE <= _span(wave) < np.inf:
        return wave
    measured = wave if len(wave) <= 5 else wave.mean(axis=0, keepdims=True)
    block = math.ceil(0.4 * rate)
    measured = np.tile(measured, math.ceil(block / measured.shape[1]))
    with np.errstate(divide="ignore", invalid="ignore"):
        loudness = pyloudnorm.Meter(rate).integrated_loudness(measured.T.astype(float))
    if not np.isfinite(loudness):  # every block is below the gate of -70 LUFS
        return wave
    return wave * np.float32(10 ** ((lufs - loudness) / 20))
