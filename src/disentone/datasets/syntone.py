"""SynTone: tones whose timbre and frequency are known, made from a seed.

After Brima, Krumnack, Pika and Heidemann, "Learning Disentangled Audio Representations through
Controlled Synthesis" (2024), in the protocol of Wilkins, Ding, Fuentes and Bello,
"Self-Supervised Multi-View Learning for Disentangled Music Audio Representations" (2024).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

import numpy as np
import soxr
from pydantic import BaseModel, ConfigDict, Field, model_validator

from disentone.clips import ClipTable, random_split
from disentone.factors import Factor

__all__ = ["TIMBRES", "SynTone", "SynToneSounds", "synthesise", "syntone"]

TIMBRES = ("sine", "triangle", "sawtooth", "square")
"""Waveforms, in the order of their codes."""


class SynTone(BaseModel):
    """What to synthesise: four waveforms crossed with a linear grid of frequencies.

    Naive waves alias above a few kilohertz and are the papers' protocol; band-limited waves are
    sums of the harmonics below half the sample rate, cut at twelve decibels under full scale.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: Literal["syntone"] = "syntone"
    frequencies: int = Field(
        default=8000, ge=2, le=10**6, description="fundamental frequencies on the grid"
    )
    low: float = Field(default=440.0, gt=0, description="lowest fundamental, Hz")
    high: float = Field(default=7900.0, gt=0, description="highest fundamental, Hz")
    sample_rate: int = Field(default=16000, ge=2000, le=768_000, description="Hz")
    seconds: float = Field(default=1.0, gt=0, le=60, description="length of a clip")
    band_limited: bool = Field(default=False, description="sum of harmonics instead of naive waves")
    quietest_db: float = Field(
        default=0.0, ge=-300, le=0, description="level drawn in [quietest_db, 0] dB"
    )
    seed: int = Field(default=0, ge=0, lt=2**32)

    @model_validator(mode="after")
    def _below_nyquist(self) -> SynTone:
        if not self.low < self.high < self.sample_rate / 2:
            raise ValueError("low < high < sample_rate / 2 must hold")
        return self


def synthesise(
    timbre: np.ndarray,
    frequency: np.ndarray,
    phase: np.ndarray,
    level: np.ndarray,
    *,
    samples: int,
    sample_rate: int,
    band_limited: bool = False,
) -> np.ndarray:
    """Tones as waveforms.

    Parameters
    ----------
    timbre : int array, shape (clips,)
        Index into :data:`TIMBRES`.
    frequency : array, shape (clips,)
        Fundamental in Hz.
    phase : array, shape (clips,)
        Start of the period, in cycles within [0, 1).
    level : array, shape (clips,)
        Peak amplitude of the naive wave, linear, at most 1.
    samples, sample_rate : int
    band_limited : bool
        Sum the harmonics below half the sample rate instead of aliasing.

    Returns
    -------
    ndarray of float32, shape (clips, samples)
    """
    # Phases as 64-bit fractions of a period: they wrap by themselves, and stay exact for hours.
    step = np.round(frequency / sample_rate * 2.0**64).astype(np.uint64)
    turns = np.arange(samples, dtype=np.uint64) * step[:, None]
    turns += (phase * 2.0**64).astype(np.uint64)[:, None]
    turns >>= np.uint64(40)  # the 24 bits that float32 holds
    position = turns.astype(np.float32)  # (clips, samples)
    position *= np.float32(2.0**-24)  # in [0, 1)
    wave = np.empty_like(position)
    make = _harmonic if band_limited else _naive
    for index, name in enumerate(TIMBRES):
        rows = np.flatnonzero(timbre == index)
        if len(rows):
            limit = sample_rate / 2 / frequency[rows]
            wave[rows] = make(name, position[rows], limit)
    wave *= level.astype(np.float32)[:, None]
    return wave


def _naive(name: str, position: np.ndarray, limit: np.ndarray) -> np.ndarray:
    if name == "sine":
        return np.sin(2 * np.pi * position)
    if name == "triangle":
        return 4 * np.abs(np.abs(position - np.float32(0.25)) - np.float32(0.5)) - 1
    if name == "sawtooth":
        return 2 * position - 1
    return np.where(position < 0.5, np.float32(1), np.float32(-1))


def _harmonic(name: str, position: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Fourier series of the naive wave, cut below Nyquist (``limit`` harmonics a clip)."""
    wave = np.zeros_like(position)
    highest = 1 if name == "sine" else int(np.ceil(limit.max()))
    step = 1 if name == "sawtooth" else 2  # triangle and square have odd harmonics only
    for k in range(1, highest + 1, step):
        weight = {
            "sine": 1.0,
            "triangle": 8 / np.pi**2 / k**2 * (-1) ** ((k - 1) // 2),
            "sawtooth": -2 / np.pi / k,
            "square": 4 / np.pi / k,
        }[name]
        audible = ((k < limit) * weight).astype(np.float32)[:, None]
        wave += audible * np.sin(2 * np.pi * k * position)
    return wave


@dataclass(frozen=True)
class SynToneSounds:
    """The recipe of every clip of a SynTone table; nothing is stored as audio."""

    config: SynTone
    timbre: np.ndarray  # (clips,) index into TIMBRES
    frequency: np.ndarray  # (clips,) Hz
    phase: np.ndarray  # (clips,) cycles
    level: np.ndarray  # (clips,) peak amplitude

    def read_many(self, indices: np.ndarray, sample_rate: int) -> np.ndarray:
        """Waveforms of several clips at once: float32 (clips, samples)."""
        config = self.config
        wave = synthesise(
            self.timbre[indices],
            self.frequency[indices],
            self.phase[indices],
            self.level[indices],
            samples=round(config.seconds * config.sample_rate),
            sample_rate=config.sample_rate,
            band_limited=config.band_limited,
        )
        if sample_rate != config.sample_rate:
            wave = soxr.resample(wave.T, config.sample_rate, sample_rate).T
        return np.ascontiguousarray(wave, dtype=np.float32)

    def read(self, index: int, sample_rate: int) -> np.ndarray:
        """Waveform of one clip: mono float32 (samples,)."""
        return self.read_many(np.array([index]), sample_rate)[0]

    def take(self, indices: np.ndarray) -> SynToneSounds:
        """Give the sounds of some of the clips, in that order."""
        return SynToneSounds(
            self.config,
            self.timbre[indices],
            self.frequency[indices],
            self.phase[indices],
            self.level[indices],
        )

    def key(self, index: int) -> str:
        """Text that names the clip's waveform exactly."""
        recipe = [
            int(self.timbre[index]),
            *(float(x[index]) for x in (self.frequency, self.phase, self.level)),
        ]
        return json.dumps([self.config.model_dump(exclude={"frequencies", "seed"}), recipe])


def syntone(config: SynTone | None = None) -> ClipTable:
    """Make the clip table of SynTone: every waveform at every frequency, split 80/10/10.

    Parameters
    ----------
    config : SynTone, optional
        By default the protocol: 4 waveforms x 8,000 frequencies, 1 s at 16 kHz.

    Returns
    -------
    ClipTable
        Factors ``timbre`` (categorical) and ``frequency`` (continuous, Hz), and ``level``
        (continuous, dB) where it varies. Waveforms are computed when read.
    """
    config = config or SynTone()
    rng = np.random.default_rng(config.seed)
    grid = np.linspace(config.low, config.high, config.frequencies)
    timbre = np.repeat(np.arange(len(TIMBRES)), config.frequencies)
    frequency = np.tile(grid, len(TIMBRES))
    count = len(timbre)
    phase = rng.random(count)
    decibels = rng.uniform(config.quietest_db, 0, count)
    # Half of full scale leaves room for the overshoot of band-limited waves.
    sounds = SynToneSounds(config, timbre, frequency, phase, 0.5 * 10 ** (decibels / 20))
    factors = {
        "timbre": Factor("timbre", "categorical", timbre.astype(np.int64), TIMBRES),
        "frequency": Factor.continuous("frequency", frequency, unit="Hz"),
    }
    if config.quietest_db < 0:
        factors["level"] = Factor.continuous("level", decibels, unit="dB")
    steps = np.tile(np.arange(config.frequencies), len(TIMBRES))
    ids = np.array([f"{TIMBRES[t]}-{i:05d}" for t, i in zip(timbre, steps)], dtype=object)
    return ClipTable(ids, factors, random_split(count, seed=config.seed), sounds)
