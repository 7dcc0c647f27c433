"""Onset strength and the autocorrelation tempogram in torch, in batches."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["folding", "folding_of_spectra", "onset_strength", "tempogram"]

_LEAST_POWER = 1e-10  # -100 dB
_RANGE = 1e-8  # -80 dB
_SLOWEST = 30.0  # beats per minute; four octaves up from here are folded into one
_OCTAVES = 4


def onset_strength(mel: Tensor, *, delay: int = 0) -> Tensor:
    """Increase of the bands' level from frame to frame: the spectral flux of a mel spectrogram.

    Decibels are cut at 80 below the loudest of the clip; their rises are averaged over the bands.
    After S. Böck and G. Widmer, "Maximum filter vibrato suppression for onset detection" (2013),
    without the filter, as librosa's ``onset_strength`` has it.

    Parameters
    ----------
    mel : Tensor, shape (batch, frames, bands)
        Mel power.
    delay : int
        Frames by which onsets are delayed, as a centred window reaches them before their time:
        ``n_fft // (2 * hop)`` in librosa.

    Returns
    -------
    Tensor, shape (batch, frames)
        dB a frame; zeros where nothing gets louder, as in silence.
    """
    floor = (mel.amax((1, 2), keepdim=True) * _RANGE).clamp_min(_LEAST_POWER)
    level = torch.maximum(mel, floor).log_()  # of powers; one factor makes rises decibels
    rise = (level[:, 1:] - level[:, :-1]).relu_().mean(dim=2)  # (batch, frames - 1)
    rise *= 10 / math.log(10)
    return functional.pad(rise, (1 + delay, 0))[:, : mel.shape[1]]


def tempogram(onsets: Tensor, window: Tensor, cyclic: Tensor | None = None) -> Tensor:
    """Local autocorrelation of an onset strength: the lags at which the rhythm repeats, over time.

    Around each frame, the windowed onset strength is correlated with itself and divided by its
    largest value, which is the one at lag 0. Past both ends of the clip the onset strength falls
    to zero along a line as long as half the window. After P. Grosche, M. Müller and F. Kurth,
    "Cyclic tempogram - a mid-level tempo representation for music signals" (2010), as librosa's
    ``feature.tempogram`` has it: the lags are not folded into tempo octaves.

    Parameters
    ----------
    onsets : Tensor, shape (batch, frames)
    window : Tensor, shape (lags,)
    cyclic : Tensor, shape (1 + lags, 1 + bins), optional
        Weights by :func:`folding_of_spectra`, to fold the lags into an octave of tempo.

    Returns
    -------
    Tensor, shape (batch, frames, lags) or (batch, frames, bins)
        At most 1, and 1 at lag 0; a lag is as long as a frame. Zeros where the window holds no
        onset.
    """
    lags, half = len(window), len(window) // 2
    ramp = torch.arange(half, device=onsets.device, dtype=onsets.dtype) / max(1, half)
    padded = torch.cat([onsets[:, :1] * ramp, onsets, onsets[:, -1:] * ramp.flip(0)], dim=1)
    frames = padded.unfold(1, lags, 1)[:, : onsets.shape[1]]
    framed = frames.new_empty(*frames.shape[:2], 2 * lags)  # long enough that nothing wraps around
    framed[..., lags:] = 0
    torch.mul(frames, window, out=framed[..., :lags])
    spectrum = torch.fft.rfft(framed)
    if cyclic is None:
        spectrum *= spectrum.conj()
        correlation = torch.fft.irfft(spectrum, 2 * lags)[..., :lags]
        correlation /= _norm(correlation[..., :1])
        return correlation
    parts = torch.view_as_real(spectrum).square_()
    folded = (parts[..., 0] + parts[..., 1]) @ cyclic
    return folded[..., 1:] / _norm(folded[..., :1])


def _norm(largest: Tensor) -> Tensor:
    """Correlations at lag 0, by Cauchy and Schwarz the largest; 1 instead of nothing."""
    return torch.where(largest < torch.finfo(largest.dtype).tiny, 1, largest)


def folding(lags: int, *, rate: float, bins: int) -> np.ndarray:
    """Weights that fold the lags of a tempogram into one octave of tempo.

    Tempi whose ratio is a power of two belong together: a bin is the mean over the tempi from 30
    to 480 beats per minute that do, each interpolated between its two neighbouring lags. Tempi
    slower than the longest lag do not count. After P. Grosche, M. Müller and F. Kurth, "Cyclic
    tempogram - a mid-level tempo representation for music signals" (2010), Section 2.

    Parameters
    ----------
    lags : int
        Of the tempogram, a frame each.
    rate : float
        Frames a second.
    bins : int
        In an octave; bin k belongs to ``30 * 2 ** (k / bins)`` beats per minute.

    Returns
    -------
    ndarray of float32, shape (lags, bins)
        Columns sum to 1, or to 0 where no lag is long enough.
    """
    octave, bin_ = np.divmod(np.arange(_OCTAVES * bins), bins)
    lag = 60 * rate / (_SLOWEST * 2.0 ** (octave + bin_ / bins))
    within = lag <= lags - 1
    low, bin_, share = np.floor(lag[within]).astype(int), bin_[within], lag[within] % 1
    weights = np.zeros((lags, bins))
    np.add.at(weights, (low, bin_), 1 - share)
    np.add.at(weights, (np.minimum(low + 1, lags - 1), bin_), share)
    return (weights / np.maximum(1, np.bincount(bin_, minlength=bins))).astype(np.float32)


def folding_of_spectra(weights: np.ndarray) -> np.ndarray:
    """Weights that fold an autocorrelation and are applied to the power spectrum it comes from.

    One product takes the place of a Fourier transform and a product, as both are linear.

    Parameters
    ----------
    weights : ndarray, shape (lags, bins)
        By :func:`folding`.

    Returns
    -------
    ndarray of float32, shape (1 + lags, 1 + bins)
        For spectra of frames that are padded to twice the lags; the first column gives lag 0.
    """
    lags = len(weights)
    to_lags = np.cos(np.pi / lags * np.outer(np.arange(1 + lags), np.arange(lags))) / lags
    to_lags[[0, lags]] /= 2  # every other frequency stands for its negative too
    return np.hstack([to_lags[:, :1], to_lags @ weights]).astype(np.float32)
