"""From mel spectrograms back to sound: non-negative least squares, then Griffin-Lim."""

from __future__ import annotations

import torch
from torch import Tensor

from disentone.errors import DataError

__all__ = ["griffin_lim", "mel_to_linear"]


def mel_to_linear(mel_power: Tensor, filters: Tensor, *, iterations: int = 100) -> Tensor:
    """Find the magnitude spectra whose mel power is nearest to the one given.

    Solves ``min ||W (P F' - M)||, P >= 0`` for every frame at once by accelerated projected
    gradient (Beck & Teboulle, "A Fast Iterative Shrinkage-Thresholding Algorithm for Linear
    Inverse Problems", 2009), warm-started at the clipped least-norm solution. ``W`` divides each
    band by the norm of its filter, so that bands count equally whatever the filters' normalisation.

    Parameters
    ----------
    mel_power : Tensor, shape (batch, frames, mels)
        Mel power (not magnitude, not dB), non-negative; negative values count as 0.
    filters : Tensor, shape (mels, bins)
        The filter bank that made it, ``bins = n_fft // 2 + 1``.
    iterations : int
        Gradient steps.

    Returns
    -------
    Tensor, shape (batch, frames, bins)
        Magnitudes: square roots of the power spectra found.

    Raises
    ------
    DataError
        If the bands of the spectrogram and of the filters differ, or values are not finite.
    """
    if mel_power.shape[-1] != filters.shape[0]:
        raise DataError(
            f"The spectrogram has {mel_power.shape[-1]} mel bands, "
            f"but the filter bank has {filters.shape[0]}."
        )
    if not torch.isfinite(mel_power).all():
        raise DataError("The mel spectrogram to invert has values that are not finite.")
    filters = filters.to(mel_power)
    norms = filters.norm(dim=1)
    weight = torch.where(norms > 0, 1 / norms.clamp(min=1e-12), 0.0)  # empty bands do not count
    bank = filters * weight[:, None]  # (mels, bins)
    target = mel_power.clamp(min=0) * weight  # (batch, frames, mels)
    step = 1 / torch.linalg.matrix_norm(bank, ord=2).square().clamp(min=1e-12)
    power = (target @ torch.linalg.pinv(bank).mT).clamp(min=0)  # (batch, frames, bins)
    ahead, pace = power, 1.0
    for _ in range(iterations):
        descended = (ahead - step * ((ahead @ bank.mT - target) @ bank)).clamp(min=0)
        next_pace = (1 + (1 + 4 * pace**2) ** 0.5) / 2
        ahead = descended + (pace - 1) / next_pace * (descended - power)
        power, pace = descended, next_pace
    return power.sqrt()


def griffin_lim(
    magnitude: Tensor,
    *,
    n_fft: int,
    hop: int,
    iterations: int = 64,
    momentum: float = 0.99,
    length: int | None = None,
    seed: int = 0,
) -> Tensor:
    """Find waveforms whose short-time spectra have the magnitudes given.

    Griffin & Lim, "Signal Estimation from Modified Short-Time Fourier Transform", 1984, with the
    momentum of Perraudin, Balazs & Sondergaard, "A Fast Griffin-Lim Algorithm", 2013. Periodic
    Hann window of ``n_fft`` samples, centred frames.

    Parameters
    ----------
    magnitude : Tensor, shape (batch, frames, bins)
        Magnitudes, ``bins = n_fft // 2 + 1``.
    n_fft, hop : int
        Window and step in samples, ``hop <= n_fft // 2``.
    iterations : int
        Rounds of synthesis and analysis.
    momentum : float
        0 is the 1984 algorithm; in [0, 1).
    length : int, optional
        Samples to return; ``(frames - 1) * hop`` by default, one hop for a single frame.
    seed : int
        Of the first phases; the result is the same on every call.

    Returns
    -------
    Tensor, shape (batch, length)

    Raises
    ------
    DataError
        If the bins do not belong to ``n_fft``, or the hop leaves gaps between windows.
    """
    frames, bins = magnitude.shape[-2:]
    if bins != n_fft // 2 + 1:
        raise DataError(f"A window of {n_fft} samples has {n_fft // 2 + 1} bins, not {bins}.")
    if not 1 <= hop <= n_fft // 2:
        raise DataError(f"The hop of {hop} samples must be within 1 and {n_fft // 2}.")
    length = length or max(frames - 1, 1) * hop
    spanned = min(length, (frames - 1) * hop + n_fft // 2)  # what the windows reach
    window = torch.hann_window(n_fft, dtype=magnitude.dtype, device=magnitude.device)
    target = magnitude.mT  # (batch, bins, frames)

    def synthesise(spectra: Tensor) -> Tensor:
        return torch.istft(spectra, n_fft, hop, window=window, length=spanned)

    def analyse(waves: Tensor) -> Tensor:
        spectra = torch.stft(
            waves, n_fft, hop, window=window, pad_mode="constant", return_complex=True
        )
        missing = frames - spectra.shape[-1]  # the length asked for may hold more or fewer frames
        return torch.nn.functional.pad(spectra, (0, missing))

    generator = torch.Generator().manual_seed(seed)
    angles = 2 * torch.pi * torch.rand(target.shape, generator=generator)
    phases = torch.polar(torch.ones_like(angles), angles).to(
        target.device, target.dtype.to_complex()
    )
    previous = torch.zeros_like(phases)
    for _ in range(iterations):
        consistent = analyse(synthesise(target * phases))
        direction = consistent + momentum * (consistent - previous)
        phases = direction / direction.abs().clamp(min=torch.finfo(target.dtype).tiny)
        previous = consistent
    return torch.nn.functional.pad(synthesise(target * phases), (0, length - spanned))
