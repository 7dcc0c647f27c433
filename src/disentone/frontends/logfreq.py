"""Spectrograms on a logarithmic frequency axis, on which a transposition is a shift.

Every bin is read from a Fourier transform whose window is as long as the bin's octave needs, as in
a constant-Q transform (J. C. Brown, "Calculation of a constant Q spectral transform", 1991), but
of a few lengths only: low notes are told apart, and high ones are found in time. When low ones
begin shows in octave bands of the shortest window.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from disentone.frontends.config import LogFrequencyConfig
from disentone.frontends.logmel import clips_at_once, mel_blocks, mel_power, power_spectrogram
from disentone.frontends.spectral import Spectral

__all__ = ["LogFrequency", "band_frequencies", "bin_frequencies", "bin_windows", "log_filters"]


def bin_frequencies(config: LogFrequencyConfig) -> np.ndarray:
    """Frequencies of the bins in Hz, ascending: float64 (bins,)."""
    return config.low * 2 ** (np.arange(config.bins) / config.bins_per_octave)


def band_frequencies(config: LogFrequencyConfig) -> np.ndarray:
    """Frequencies of the octave bands in Hz, from the second C of the bins on: float64 (bands,)."""
    return config.low * 2.0 ** np.arange(1, 1 + config.bands)


def bin_windows(config: LogFrequencyConfig) -> np.ndarray:
    """Window that every bin is read from, in samples: int (bins,).

    The shortest that tells a bin from the one ``resolution`` octaves above it, as far as the
    longest does: two tones are apart in a Hann window where they are two bins of its transform
    apart.
    """
    apart = bin_frequencies(config) * (2**config.resolution - 1)
    needed = 2 * config.sample_rate / apart
    lengths = 2 ** np.arange(int(math.log2(config.shortest)), 1 + int(math.log2(config.longest)))
    return lengths[np.searchsorted(lengths[:-1], needed)]


def log_filters(
    frequencies: np.ndarray, *, per_octave: int, n_fft: int, sample_rate: int
) -> np.ndarray:
    """Triangular filters around frequencies, 1 at their peaks.

    Each reaches to its neighbours on the logarithmic axis, or to those of the transform where
    these are further away, so that no filter falls between two of its bins.

    Parameters
    ----------
    frequencies : ndarray, shape (filters,)
        Hz.
    per_octave : int
        Filters in an octave.
    n_fft : int
    sample_rate : int
        Hz.

    Returns
    -------
    ndarray of float32, shape (filters, 1 + n_fft // 2)
    """
    step = 2 ** (1 / per_octave)
    width = sample_rate / n_fft
    bins = np.arange(1 + n_fft // 2) * width
    below = np.minimum(frequencies / step, frequencies - width)[:, None]
    above = np.maximum(frequencies * step, frequencies + width)[:, None]
    middle = frequencies[:, None]
    rise, fall = (bins - below) / (middle - below), (above - bins) / (above - middle)
    return np.maximum(0, np.minimum(rise, fall)).astype(np.float32)


class LogFrequency(Spectral):
    """Waveforms to decibels on a logarithmic frequency axis, and their level apart.

    Parameters
    ----------
    config : LogFrequencyConfig

    Shape
    -----
    Input (batch, samples), float32; output (batch, frames, bins + bands + 1) with
    ``frames = 1 + samples // hop``. The last column is the window's level, the same in every frame:
    dB of its loudest bin, 0 for a sine of full scale. The others are in dB relative to it: the
    bins in [-``range_db``, 0], then octave bands, not below -``range_db``. No gradient flows back
    to the waveforms.
    """

    per_feature = True
    """Bins and level are standardised each by itself."""

    def __init__(self, config: LogFrequencyConfig) -> None:
        super().__init__()
        self.config = config
        frequencies, lengths = bin_frequencies(config), bin_windows(config)
        self.blocks, self.columns = [], []
        for length in np.unique(lengths)[::-1]:
            rows = np.flatnonzero(lengths == length)
            self._add(frequencies[rows], int(length), config.bins_per_octave)
        self._add(band_frequencies(config), config.shortest, 1)

    def _add(self, frequencies: np.ndarray, n_fft: int, per_octave: int) -> None:
        """Read the next columns from a transform, by filters around some frequencies."""
        filters = log_filters(
            frequencies, per_octave=per_octave, n_fft=n_fft, sample_rate=self.config.sample_rate
        )
        window = torch.hann_window(n_fft)
        # A sine of amplitude 1 has this magnitude in the transform: its power becomes 1.
        filters = torch.from_numpy(filters) * (2 / float(window.sum())) ** 2
        number, first = len(self.columns), self.columns[-1].stop if self.columns else 0
        self.register_buffer(f"window{number}", window, persistent=False)
        self.register_buffer(f"filters{number}", filters, persistent=False)
        self.blocks.append(mel_blocks(filters.numpy()))
        self.columns.append(slice(first, first + len(frequencies)))

    @property
    def dtype(self) -> str:
        """Precision in which features are stored."""
        return self.config.dtype

    @property
    def features(self) -> int:
        """Numbers in a frame."""
        return self.config.bins + self.config.bands + 1

    @property
    def parts(self) -> dict[str, slice]:
        """Columns of the bins, of the octave bands and of the level."""
        bins, bands = self.config.bins, self.config.bins + self.config.bands
        return {
            "bins": slice(0, bins),
            "bands": slice(bins, bands),
            "level": slice(bands, bands + 1),
        }

    @torch.no_grad()
    def power(self, wave: Tensor) -> Tensor:
        """Power in every bin and band, 1 for a full sine: (batch, frames, bins + bands)."""
        hop = self.config.hop
        out = wave.new_empty(len(wave), 1 + wave.shape[-1] // hop, self.columns[-1].stop)
        power, transformed = wave, 0
        for number, (blocks, columns) in enumerate(zip(self.blocks, self.columns, strict=True)):
            window, filters = (getattr(self, f"{name}{number}") for name in ("window", "filters"))
            if len(window) != transformed:  # else the last one serves again
                power, transformed = power_spectrogram(wave, window, hop), len(window)
            out[..., columns] = mel_power(power, filters, blocks)
        return out

    @torch.no_grad()
    def forward(self, wave: Tensor) -> Tensor:
        """Waveforms (batch, samples) to features (batch, frames, bins + bands + 1), in dB."""
        floor = 10 ** (self.config.floor_db / 10)
        decibel = 10 / math.log(10)  # natural logarithms are the fastest
        size = clips_at_once(wave, self.config.hop)
        out = wave.new_empty(len(wave), 1 + wave.shape[-1] // self.config.hop, self.features)
        for part, clips in zip(out.split(size), wave.split(size)):
            level = self.power(clips).clamp_min_(floor).log_().mul_(decibel)
            loudest = level[..., : self.config.bins].amax((1, 2), keepdim=True)
            part[..., :-1] = level.sub_(loudest).clamp_min_(-self.config.range_db)
            part[..., -1:] = loudest
        return out
