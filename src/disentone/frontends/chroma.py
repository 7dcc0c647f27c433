"""Chroma of a spectrogram, and its energy-normalised statistics (CENS), in torch, in batches."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["cens", "chroma_filters"]

_STEPS = (0.05, 0.1, 0.2, 0.4)  # shares of a frame's energy


def chroma_filters(*, sample_rate: int, n_fft: int, tuning: float = 0.0) -> np.ndarray:
    """Weights of each bin of a spectrum in each of the twelve pitch classes.

    A Gaussian bump around each pitch class, as wide as a bin where bins are wider than a semitone;
    all bins weigh the same but for a bell two octaves wide around 880 Hz. After D. P. W. Ellis,
    "Chroma feature analysis and synthesis" (2007), and as librosa's ``filters.chroma``.

    Parameters
    ----------
    sample_rate : int
        Hz.
    n_fft : int
    tuning : float
        Semitones by which the music is tuned above A = 440 Hz.

    Returns
    -------
    ndarray of float32, shape (12, 1 + n_fft // 2)
        In the order of :data:`disentone.agreement.rules.TONICS`.
    """
    hz = np.arange(1, n_fft) * sample_rate / n_fft
    semitones = 12 * np.log2(hz * 16 / 440) - tuning  # above 27.5 Hz, an A
    semitones = np.concatenate([semitones[:1] - 18, semitones])  # 0 Hz: between all classes
    widths = np.append(np.maximum(np.diff(semitones), 1), 1)
    distance = np.mod(semitones - np.arange(12)[:, None] + 6, 12) - 6  # (12, n_fft)
    bumps = np.exp(-2 * (distance / widths) ** 2)
    bumps /= np.linalg.norm(bumps, axis=0)
    bumps *= np.exp(-0.5 * ((semitones / 12 - 5) / 2) ** 2)
    from_c = np.roll(bumps, -3, axis=0)
    return np.ascontiguousarray(from_c[:, : 1 + n_fft // 2], dtype=np.float32)


def cens(chroma: Tensor, smoothing: Tensor) -> Tensor:
    """Chroma energy normalised statistics: energy of the pitch classes, independent of loudness.

    Each frame's energies become shares, each share one of five steps, so that 0.05, 0.1, 0.2 and
    0.4 of the energy count a quarter each; steps are smoothed over time and each frame is brought
    to unit length. After M. Müller and S. Ewert, "Chroma Toolbox: MATLAB implementations for
    extracting variants of chroma-based audio features" (2011), as librosa's ``chroma_cens``.

    Parameters
    ----------
    chroma : Tensor, shape (batch, frames, 12)
        Energies.
    smoothing : Tensor, shape (odd number of frames,)
        Window, symmetric, centred on the frame.

    Returns
    -------
    Tensor, shape (batch, frames, 12)
        From 0 to 1; rows have unit length, or are zeros where there is silence.
    """
    shares = chroma / _norm(chroma.sum(dim=-1, keepdim=True))
    steps, over = torch.zeros_like(shares), torch.empty_like(shares)
    for step in _STEPS:
        steps += torch.gt(shares, step, out=over)  # as numbers: truth values are slow to add
    half = len(smoothing) // 2
    padded = functional.pad(steps.transpose(1, 2), (half, half))  # (batch, 12, frames)
    window = smoothing / (len(_STEPS) * smoothing.sum())
    smooth = functional.conv1d(padded, window.expand(12, 1, -1), groups=12)
    norms = smooth.square().sum(dim=1, keepdim=True).sqrt()  # torch's norm is ten times slower
    return (smooth / _norm(norms)).transpose(1, 2)


def _norm(norms: Tensor) -> Tensor:
    """Norms to divide by: 1 where there is nothing, which stays nothing."""
    return torch.where(norms < torch.finfo(norms.dtype).tiny, 1, norms)
