"""What a front-end is to those that use one."""

from __future__ import annotations

from typing import Any, Protocol

import torch

__all__ = ["FrontEnd"]


class FrontEnd(Protocol):
    """What turns waveforms into features: a torch module with these attributes.

    ``samples`` is the length of the waveform of one clip at ``sample_rate`` (Hz); calling it
    maps (batch, samples) float32 to (batch, frames, features) float32. Three more attributes are
    for front-ends that need them: ``batch_samples``, the samples of a batch that fit into memory;
    ``dtype``, ``"float16"`` to keep features in half the space; and ``hop``, the samples to a
    frame, where a clip shorter than that is worth a note.
    """

    config: Any

    @property
    def sample_rate(self) -> int:
        """Hz."""
        ...

    @property
    def samples(self) -> int:
        """Of the waveform of a clip."""
        ...

    @property
    def frames(self) -> int:
        """Of a clip."""
        ...

    @property
    def features(self) -> int:
        """Of a frame."""
        ...

    def __call__(self, wave: torch.Tensor) -> torch.Tensor:
        """Features of waveforms."""
        ...
