"""What front-ends that cut a waveform into overlapping frames have in common."""

from __future__ import annotations

from typing import Any

from torch import nn

__all__ = ["Spectral"]


class Spectral(nn.Module):
    """Sizes of a front-end whose ``config`` has ``sample_rate``, ``seconds`` and ``hop``.

    Frames are centred: the first is around the first sample.
    """

    config: Any

    @property
    def sample_rate(self) -> int:
        """Rate of the waveforms that the front-end takes, in Hz."""
        return self.config.sample_rate

    @property
    def samples(self) -> int:
        """Length of the waveform of one clip."""
        return max(1, round(self.config.seconds * self.config.sample_rate))

    @property
    def frames(self) -> int:
        """Frames of one clip."""
        return 1 + self.samples // self.config.hop
