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
        In the order of :data:`disentone.musical.TONICS`.
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
    """Chroma energy normalised statistics: which pitch classes sound, whatever the loudness.

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
    shares = _unit(chroma, order=1)
    steps = sum(((shares > step).to(chroma.dtype) for step in _STEPS), torch.zeros_like(shares))
    half = len(smoothing) // 2
    around = functional.pad(steps / len(_STEPS), (0, 0, half, half)).unfold(1, len(smoothing), 1)
    smooth = around @ (smoothing / smoothing.sum())  # (batch, frames, 12)
    return _unit(smooth, order=2)


def _unit(rows: Tensor, *, order: int) -> Tensor:
    """Divide rows by their norm, and leave those without one as they are."""
    norm = torch.linalg.vector_norm(rows, order, dim=-1, keepdim=True)
    return rows / torch.where(norm < torch.finfo(norm.dtype).tiny, 1, norm)
