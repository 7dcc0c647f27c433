"""Onset strength and the autocorrelation tempogram in torch, in batches."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["onset_strength", "tempogram"]

_LEAST_POWER = 1e-10  # -100 dB
_RANGE_DB = 80.0


def onset_strength(mel: Tensor, *, delay: int = 0) -> Tensor:
    """How much louder the bands get from frame to frame: the spectral flux of a mel spectrogram.

    Decibels are cut at 80 below the loudest of the clip; their rises are averaged over the bands.
    After S. Böck and G. Widmer, "Maximum filter vibrato suppression for onset detection" (2013),
    without the filter, as librosa's ``onset_strength`` has it.

    Parameters
    ----------
    mel : Tensor, shape (batch, frames, bands)
        Mel power.
    delay : int
        Frames by which onsets come later, as a centred window hears them before they are there:
        ``n_fft // (2 * hop)`` in librosa.

    Returns
    -------
    Tensor, shape (batch, frames)
        dB a frame; zeros where nothing gets louder, as in silence.
    """
    decibels = 10 * mel.clamp_min(_LEAST_POWER).log10()
    decibels = torch.maximum(decibels, decibels.amax((1, 2), keepdim=True) - _RANGE_DB)
    rise = decibels.diff(dim=1).relu().mean(dim=2)  # (batch, frames - 1)
    return functional.pad(rise, (1 + delay, 0))[:, : mel.shape[1]]


def tempogram(onsets: Tensor, window: Tensor) -> Tensor:
    """Local autocorrelation of an onset strength: which lags the rhythm repeats at, and when.

    Around each frame, the windowed onset strength is correlated with itself and divided by its
    largest value, which is the one at lag 0. Past both ends of the clip the onset strength falls
    to zero along a line as long as half the window. After P. Grosche, M. Müller and F. Kurth,
    "Cyclic tempogram - a mid-level tempo representation for music signals" (2010), as librosa's
    ``feature.tempogram`` has it: the lags are not folded into tempo octaves.

    Parameters
    ----------
    onsets : Tensor, shape (batch, frames)
    window : Tensor, shape (lags,)

    Returns
    -------
    Tensor, shape (batch, frames, lags)
        At most 1, and 1 at lag 0; a lag is as long as a frame. Zeros where the window holds no
        onset.
    """
    lags, half = len(window), len(window) // 2
    ramp = torch.arange(half, device=onsets.device, dtype=onsets.dtype) / max(1, half)
    padded = torch.cat([onsets[:, :1] * ramp, onsets, onsets[:, -1:] * ramp.flip(0)], dim=1)
    framed = padded.unfold(1, lags, 1)[:, : onsets.shape[1]] * window  # (batch, frames, lags)
    spectrum = torch.fft.rfft(framed, 2 * lags)  # long enough that nothing wraps around
    correlation = torch.fft.irfft(spectrum * spectrum.conj(), 2 * lags)[..., :lags]
    largest = correlation[..., :1]  # by Cauchy and Schwarz
    return correlation / torch.where(largest < torch.finfo(largest.dtype).tiny, 1, largest)
