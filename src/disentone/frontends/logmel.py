"""Log-mel spectrograms in torch, on any device, in batches."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from disentone.frontends.config import LogMelConfig
from disentone.frontends.spectral import Spectral

__all__ = [
    "LogMel",
    "clips_at_once",
    "mel_blocks",
    "mel_filters",
    "mel_power",
    "power_spectrogram",
]

_FRAMES = 256  # of all clips at once, so that what is between two steps stays in a cache


def mel_filters(
    *, sample_rate: int, n_fft: int, n_mels: int, low: float = 0.0, high: float | None = None
) -> np.ndarray:
    """Triangular filters on Slaney's mel scale, each of unit area.

    Linear below 1 kHz (200/3 Hz a mel) and logarithmic above (27 mels a factor of 6.4), as in
    M. Slaney, "Auditory Toolbox" (1998), and as librosa's default.

    Returns
    -------
    ndarray of float32, shape (n_mels, 1 + n_fft // 2)
    """
    edges = _mel_to_hz(
        np.linspace(_hz_to_mel(low), _hz_to_mel(high or sample_rate / 2), n_mels + 2)
    )
    bins = np.arange(1 + n_fft // 2) * sample_rate / n_fft
    rise = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    filters = np.maximum(0, np.minimum(rise, fall))
    filters *= (2 / (edges[2:] - edges[:-2]))[:, None]
    return filters.astype(np.float32)


def _hz_to_mel(hz: float) -> float:
    return hz * 3 / 200 if hz < 1000 else 15 + 27 * np.log(hz / 1000) / np.log(6.4)


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    above = 1000 * 6.4 ** ((np.maximum(mel, 15) - 15) / 27)
    return np.where(mel < 15, mel * 200 / 3, above)


def power_spectrogram(wave: Tensor, window: Tensor, hop: int) -> Tensor:
    """Squared magnitudes of the short-time Fourier transform.

    Frames are centred, the signal is zero-padded at both ends, as by librosa.

    Parameters
    ----------
    wave : Tensor, shape (batch, samples)
    window : Tensor, shape (n_fft,)
    hop : int
        Samples between frames.

    Returns
    -------
    Tensor, shape (batch, 1 + samples // hop, 1 + n_fft // 2)
    """
    half = len(window) // 2
    frames = functional.pad(wave, (half, half)).unfold(-1, len(window), hop)
    parts = torch.view_as_real(torch.fft.rfft(frames * window)).square_()
    return parts[..., 0] + parts[..., 1]


def clips_at_once(wave: Tensor, hop: int) -> int:
    """How many clips of a batch (batch, samples) to transform at once: a CPU's cache holds few."""
    if wave.device.type != "cpu":
        return max(1, len(wave))
    return max(1, _FRAMES // (1 + wave.shape[-1] // hop))


def mel_blocks(filters: np.ndarray) -> list[tuple[slice, slice]]:
    """Split the bands of a filter bank into four runs, each with the bins that it reaches.

    Bands are narrow where there are many: all four products of such a run with its bins cost about
    a quarter of the product with the whole bank, which is mostly zeros.

    Parameters
    ----------
    filters : ndarray, shape (bands, bins)

    Returns
    -------
    list of (slice of bands, slice of bins)
    """
    blocks = []
    for bands in np.array_split(np.arange(len(filters)), min(4, len(filters))):
        bins = np.flatnonzero(filters[bands].any(axis=0))
        reach = slice(int(bins[0]), int(bins[-1]) + 1) if len(bins) else slice(0, 1)
        blocks.append((slice(int(bands[0]), int(bands[-1]) + 1), reach))
    return blocks


def mel_power(power: Tensor, filters: Tensor, blocks: list[tuple[slice, slice]]) -> Tensor:
    """Power in mel bands, ``power @ filters.T`` without most of its zeros.

    Parameters
    ----------
    power : Tensor, shape (batch, frames, bins)
    filters : Tensor, shape (bands, bins)
    blocks : list of (slice of bands, slice of bins)
        Of the filters, by :func:`mel_blocks`.

    Returns
    -------
    Tensor, shape (batch, frames, bands)
    """
    rows = power.reshape(-1, power.shape[-1])
    mel = power.new_empty(len(rows), len(filters))
    for bands, bins in blocks:
        torch.mm(rows[:, bins], filters[bands, bins].T, out=mel[:, bands])
    return mel.view(*power.shape[:-1], len(filters))


class LogMel(Spectral):
    """Waveforms to decibels of mel power.

    Parameters
    ----------
    config : LogMelConfig

    Shape
    -----
    Input (batch, samples), float32; output (batch, frames, features), dB of mel power with
    ``frames = 1 + samples // hop``. Frames are centred, the signal is zero-padded at both ends.
    No gradient flows back to the waveforms.
    """

    window: Tensor
    filters: Tensor

    per_feature = False
    """Decibels are standardised by one mean and one deviation: bands share a unit."""

    def __init__(self, config: LogMelConfig) -> None:
        super().__init__()
        self.config = config
        filters = mel_filters(
            sample_rate=config.sample_rate,
            n_fft=config.n_fft,
            n_mels=config.n_mels,
            low=config.low,
            high=config.high,
        )
        self.register_buffer("filters", torch.from_numpy(filters), persistent=False)
        self.blocks = mel_blocks(filters)
        window = torch.hann_window(config.n_fft)  # periodic, as librosa's
        self.register_buffer("window", window, persistent=False)

    @property
    def features(self) -> int:
        """Numbers in a frame."""
        return self.config.n_mels

    @torch.no_grad()
    def power(self, wave: Tensor) -> Tensor:
        """Mel power spectrogram: (batch, samples) -> (batch, frames, features)."""
        power = power_spectrogram(wave, self.window, self.config.hop)
        return mel_power(power, self.filters, self.blocks)

    @torch.no_grad()
    def forward(self, wave: Tensor) -> Tensor:
        """Waveforms (batch, samples) to features (batch, frames, features), in dB."""
        floor = 10 ** (self.config.floor_db / 10)
        decibel = 10 / math.log(10)  # natural logarithms are the fastest
        size = clips_at_once(wave, self.config.hop)
        out = wave.new_empty(len(wave), 1 + wave.shape[-1] // self.config.hop, self.features)
        for part, clips in zip(out.split(size), wave.split(size)):
            torch.mul(self.power(clips).clamp_min_(floor).log_(), decibel, out=part)
        return out
