"""Log-mel spectrograms in torch, on any device, in batches."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from disentone.frontends.config import LogMelConfig

__all__ = ["LogMel", "mel_filters", "power_spectrogram"]


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
    spectrum = torch.stft(
        wave,
        len(window),
        hop,
        window=window,
        center=True,
        pad_mode="constant",
        return_complex=True,
    )  # (batch, bins, frames)
    return (spectrum.real.square() + spectrum.imag.square()).transpose(1, 2)


class LogMel(nn.Module):
    """Waveforms to decibels of mel power.

    Parameters
    ----------
    config : LogMelConfig

    Shape
    -----
    Input (batch, samples), float32; output (batch, frames, features), dB of mel power with
    ``frames = 1 + samples // hop``. Frames are centred, the signal is zero-padded at both ends.
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
        window = torch.hann_window(config.n_fft)  # periodic, as librosa's
        self.register_buffer("window", window, persistent=False)

    @property
    def sample_rate(self) -> int:
        """Rate of the waveforms that the front-end takes, in Hz."""
        return self.config.sample_rate

    @property
    def samples(self) -> int:
        """Length of the waveform of one clip."""
        return round(self.config.seconds * self.config.sample_rate)

    @property
    def frames(self) -> int:
        """Frames of one clip."""
        return 1 + self.samples // self.config.hop

    @property
    def features(self) -> int:
        """Numbers in a frame."""
        return self.config.n_mels

    def power(self, wave: Tensor) -> Tensor:
        """Mel power spectrogram: (batch, samples) -> (batch, frames, features)."""
        return power_spectrogram(wave, self.window, self.config.hop) @ self.filters.T

    def forward(self, wave: Tensor) -> Tensor:
        """Waveforms (batch, samples) to features (batch, frames, features), in dB."""
        floor = 10 ** (self.config.floor_db / 10)
        return 10 * torch.log10(self.power(wave).clamp_min(floor))
