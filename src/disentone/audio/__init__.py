"""Everything from a file to a waveform: decode, resample, level, check and write."""

from disentone.audio.reading import (
    SUFFIXES,
    AudioInfo,
    Skipped,
    blocks,
    check,
    info,
    read,
    resample,
    to_loudness,
    to_mono,
    write,
)

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
