"""When a file counts as damaged, and what is said of it: the same for every format."""

from __future__ import annotations

from pathlib import Path

from disentone.audio.formats import RATES
from disentone.errors import AudioError

__all__ = [
    "TOLERANCE",
    "check_kind",
    "damaged",
    "is_likely",
    "is_short",
    "not_audio",
    "reason",
    "truncated",
]

TOLERANCE = 0.25  # seconds that a file may lack at its end, or in all in its middle
_SHARE = 0.1  # of what is promised: less of a short file may be missing
_PER_BYTE = 2048  # samples that a byte may stand for, as in silence that is coded well
_ALWAYS = 2**24  # samples that any file may have
_MOST_CHANNELS = 1024  # as in libsndfile


def is_short(promised: float, there: float, rate: float) -> bool:
    """Whether a file is damaged: more of what it promises is missing than a quarter of a second.

    Of less than 2.5 s, more than a tenth.

    Parameters
    ----------
    promised, there : float
        Frames.
    rate : float
        Hz.
    """
    return promised - there > min(TOLERANCE * rate, _SHARE * promised)


def is_likely(samples: float, size: int) -> bool:
    """Whether a file of so many bytes can hold so many samples, of all channels."""
    return samples <= max(_ALWAYS, _PER_BYTE * size)


def check_kind(path: Path, rate: float | None, channels: int | None) -> None:
    """Refuse what no recording has.

    Raises
    ------
    AudioError
    """
    low, high = RATES
    if not low <= (rate or 0) <= high:
        raise AudioError(
            f"'{path}' is not audio or is damaged: it claims a sample rate of {rate or 0} Hz, and "
            f"{low} Hz to {high // 10**6} MHz can be read."
        )
    if not 1 <= (channels or 0) <= _MOST_CHANNELS:
        raise AudioError(
            f"'{path}' is not audio or is damaged: it claims to have {channels or 0} channels."
        )


def truncated(path: Path) -> AudioError:
    """Say that the end is missing."""
    return AudioError(f"'{path}' is truncated: it promises more audio than it holds.")


def damaged(path: Path, why: str) -> AudioError:
    """Say that something in the middle is missing."""
    return AudioError(f"'{path}' is damaged or truncated: {why}.")


def not_audio(path: Path, error: BaseException) -> AudioError:
    """Say that nothing can be decoded."""
    return AudioError(f"'{path}' is not audio or is damaged: {reason(error)}.")


def reason(error: BaseException) -> str:
    """Give the message of a system or library, in one line without file name and final stop."""
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(words.removeprefix("Error : ").split()).rstrip(".")
