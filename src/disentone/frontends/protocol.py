"""What a front-end is to those that use one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import torch

__all__ = ["FrontEnd"]


class FrontEnd(Protocol):
    """What turns waveforms into features: a torch module with these attributes.

    ``config`` is what built it: all that decides the features. ``samples`` is the length of the
    waveform of one clip at ``sample_rate`` (Hz); calling it maps (batch, samples) float32 to
    (batch, frames, features) float32. Features are standardised for the network, each by itself
    where ``per_feature``, else all by one mean and deviation.

    More attributes are for front-ends that need them: ``batch_samples``, the samples of a batch
    that fit into memory; ``dtype``, ``"float16"`` to keep features in half the space; ``hop``, the
    samples to a frame, where a clip shorter than that is worth a note; and ``parts``, the columns
    of each of several inputs; ``kept()``, the tensors of it that a model holds.
    """

    config: Any
    per_feature: bool

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

    def parameters(self) -> Iterator[torch.nn.Parameter]:
        """Weights, of which most front-ends have none."""
        ...

    def to(self, device: Any) -> Any:
        """Move it to a device."""
        ...
