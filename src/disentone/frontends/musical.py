"""Mel, tempogram and chroma of music on one time axis, side by side."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from disentone.agreement.rules import TONICS
from disentone.frontends.chroma import cens, chroma_filters
from disentone.frontends.config import MusicalConfig
from disentone.frontends.logmel import (
    clips_at_once,
    mel_blocks,
    mel_filters,
    mel_power,
    power_spectrogram,
)
from disentone.frontends.spectral import Spectral
from disentone.frontends.tempogram import folding, folding_of_spectra, onset_strength, tempogram

__all__ = ["Musical"]


class Musical(Spectral):
    """Waveforms to up to three inputs on one time axis, from one short-time Fourier transform.

    - ``mel``, `n_mels` columns: log10(1 + 10 S), S the mel power.
    - ``tempogram``, a column for each lag, or `cyclic` columns where lags are folded into an octave
      of tempo: autocorrelation of the onset strength, at most 1.
    - ``cens``, 12 columns: smoothed steps of the shares of the pitch classes, from 0 to 1.

    They are those of librosa on the same spectrogram. With the default window, bins are 43 Hz
    apart, which is less than a semitone from 720 Hz upwards only: the pitch classes of low notes
    are found in their partials. With ``chroma_fft`` CENS gets a spectrogram of its own, of longer
    windows around the same frames.

    Parameters
    ----------
    config : MusicalConfig

    Shape
    -----
    Input (batch, samples), float32; output (batch, frames, features), float32, rounded to what
    float16 holds where so configured, with ``frames = 1 + samples // hop``. Frames are
    centred, the signal is zero-padded at both ends. No gradient flows back to the waveforms.
    """

    window: Tensor
    chroma_window: Tensor
    mel_weights: Tensor
    chroma_weights: Tensor
    lag_window: Tensor
    folding: Tensor
    smoothing: Tensor

    per_feature = True
    """Inputs have no common unit: each feature is standardised on its own."""

    def __init__(self, config: MusicalConfig) -> None:
        super().__init__()
        self.config = config
        rate, chroma_fft = config.sample_rate, config.chroma_fft or config.n_fft
        mel = mel_filters(sample_rate=rate, n_fft=config.n_fft, n_mels=config.n_mels)
        chroma = chroma_filters(sample_rate=rate, n_fft=chroma_fft, tuning=config.tuning)
        folded = folding(config.lags, rate=rate / config.hop, bins=config.cyclic or 2)
        self.blocks = mel_blocks(mel)
        edges = _hann(config.smoothing + 2, periodic=False)  # librosa's: the zeros do not count
        for name, values in {
            "window": torch.hann_window(config.n_fft),
            "chroma_window": torch.hann_window(chroma_fft),
            "mel_weights": torch.from_numpy(mel),
            "chroma_weights": torch.from_numpy(chroma),
            "lag_window": _hann(config.lags, periodic=True),
            "folding": torch.from_numpy(folding_of_spectra(folded)),
            "smoothing": edges[1:-1],
        }.items():
            self.register_buffer(name, values, persistent=False)

    @property
    def hop(self) -> int:
        """Samples between frames."""
        return self.config.hop

    @property
    def parts(self) -> dict[str, slice]:
        """Columns of each input in the features, in their order."""
        widths = {
            "mel": self.config.n_mels,
            "tempogram": self.config.cyclic or self.config.lags,
            "cens": len(TONICS),
        }
        parts, start = {}, 0
        for name in self.config.inputs.chosen():
            parts[name] = slice(start, start + widths[name])
            start += widths[name]
        return parts

    @property
    def features(self) -> int:
        """Numbers in a frame."""
        return max(columns.stop for columns in self.parts.values())

    @property
    def dtype(self) -> str:
        """Precision in which a store keeps the features."""
        return self.config.dtype

    @torch.no_grad()
    def forward(self, wave: Tensor) -> Tensor:
        """Waveforms (batch, samples) to features (batch, frames, features)."""
        out = wave.new_empty(len(wave), 1 + wave.shape[-1] // self.hop, self.features)
        size = clips_at_once(wave, self.hop)
        for part, clips in zip(out.split(size), wave.split(size)):
            self._fill(part, clips)
        if columns := self.parts.get("cens"):  # small, and the faster the more at once
            out[..., columns] = cens(out[..., columns], self.smoothing)
        return out.half().float() if self.dtype == "float16" else out

    def _fill(self, out: Tensor, wave: Tensor) -> None:
        """Write the features of waveforms (batch, samples) where they belong, chroma for CENS."""
        parts = self.parts
        power = power_spectrogram(wave, self.window, self.hop)  # (batch, frames, bins)
        if "mel" in parts or "tempogram" in parts:
            mel = mel_power(power, self.mel_weights, self.blocks)
            if "tempogram" in parts:
                onsets = onset_strength(mel, delay=self.config.n_fft // (2 * self.hop))
                folded = None if self.config.cyclic is None else self.folding
                out[..., parts["tempogram"]] = tempogram(onsets, self.lag_window, folded)
            if "mel" in parts:
                mel = mel.mul_(10).log1p_()
                torch.mul(mel, 1 / math.log(10), out=out[..., parts["mel"]])
        if "cens" in parts:
            if len(self.chroma_window) != len(self.window):
                power = power_spectrogram(wave, self.chroma_window, self.hop)
            out[..., parts["cens"]] = power @ self.chroma_weights.T


def _hann(length: int, *, periodic: bool) -> Tensor:
    """Give a Hann window whose small values are exact to float32."""
    return torch.hann_window(length, periodic=periodic, dtype=torch.float64).float()
