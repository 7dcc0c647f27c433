"""Players: waveforms as files inside the page, each with a small spectrogram."""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from disentone.report.inputs import ReportInputs, Sound
from disentone.report.svg import data_uri, element, heat_png
from disentone.report.template import Section, render

__all__ = ["encode", "section"]

PEAK = 0.9  # of the loudest sound of a row
WAV_BYTES = 2_500_000  # beyond this, FLAC: half the size, and every browser since 2017 plays it
RANGE_DB = 60.0


def section(inputs: ReportInputs) -> Section | None:
    """Lay out the rows of players; the sounds of a row are scaled together."""
    rows = [(caption, list(sounds)) for caption, sounds in inputs.sounds if sounds]
    if not rows:
        return None
    total = sum(2 * len(sound.wave) for _, sounds in rows for sound in sounds)
    lossless = "wav" if total <= WAV_BYTES else "flac"
    shown = [(caption, _row(caption, sounds, lossless)) for caption, sounds in rows]
    return Section("sounds", "Listen", render("sounds.html", rows=shown, columns=columns))


def columns(count: int) -> int:
    """Choose how many players stand side by side, so that the last line is as full as can be."""
    return count if count <= 5 else min((5, 4, 3), key=lambda columns: (-count % columns, -columns))


def _row(caption: str, sounds: Sequence[Sound], codec: str) -> list[dict[str, object]]:
    waves = [np.nan_to_num(np.asarray(sound.wave, dtype=np.float32).ravel()) for sound in sounds]
    peak = max((float(np.abs(wave).max()) for wave in waves if wave.size), default=0.0)
    gain = PEAK / peak if peak > 0 else 1.0
    levels = [_levels(wave * gain, sound.sample_rate) for wave, sound in zip(waves, sounds)]
    top = max((float(level.max()) for level in levels if level.size), default=0.0)
    return [
        {
            "caption": sound.caption,
            "label": f"{caption}: {sound.caption}",
            "uri": encode(wave * gain, sound.sample_rate, codec=codec) if wave.size else "",
            "seconds": wave.size / sound.sample_rate,
            "picture": _thumbnail(level, top, sound.caption) if level.size else "",
        }
        for sound, wave, level in zip(sounds, waves, levels)
    ]


def encode(samples: np.ndarray, sample_rate: int, *, codec: str = "wav") -> str:
    """Write a waveform as a data address.

    Parameters
    ----------
    samples : ndarray of float, shape (samples,)
        Within -1 and 1; what is beyond is clipped.
    sample_rate : int
        In Hz.
    codec : {"wav", "flac"}
        Both 16 bit.

    Returns
    -------
    str
        ``data:audio/wav;base64,...``
    """
    pcm = np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2")
    target = io.BytesIO()
    if codec == "flac":
        import soundfile

        soundfile.write(target, pcm, sample_rate, format="FLAC", subtype="PCM_16")
    else:
        with wave.open(target, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(int(sample_rate))
            file.writeframes(pcm.tobytes())
    return data_uri(target.getvalue(), f"audio/{codec}")


def _levels(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Power in dB (bands, frames), low bands last, frequencies spaced as the ear does."""
    if samples.size < 2:
        return np.zeros((0, 0))
    size = 512
    padded = np.pad(samples, (0, max(size - samples.size, 0)))
    starts = np.linspace(0, len(padded) - size, 96).astype(int)
    frames = padded[starts[:, None] + np.arange(size)] * np.hanning(size)
    power = np.abs(np.fft.rfft(frames)) ** 2  # (96, 257)
    top = 2595 * np.log10(1 + sample_rate / 2 / 700)
    hertz = 700 * (10 ** (np.linspace(0, top, 48) / 2595) - 1)
    edges = np.clip(np.rint(hertz / (sample_rate / 2) * (size // 2)).astype(int), 0, size // 2)
    bands = np.stack([power[:, e : max(f, e + 1)].max(1) for e, f in zip(edges, [*edges[1:], 257])])
    return 10 * np.log10(bands[::-1] + 1e-9)


def _thumbnail(level: np.ndarray, top: float, caption: str) -> Markup:
    picture = heat_png(level, top - RANGE_DB, top)
    return element(
        "img", src=data_uri(picture, "image/png"), alt=f"Spectrogram of {caption}", class_="thumb"
    )
