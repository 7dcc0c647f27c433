"""Dropout whose random numbers cost little beside a step of training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Dropout"]

LEVELS = 1 << 16
"""Distinct probabilities: a decision takes 16 random bits."""

PER_DRAW = 4
"""Decisions that one random integer of 64 bits is enough for."""


class Dropout(nn.Module):
    """Set entries to 0 with a probability in training, and scale the others to the same mean.

    As ``torch.nn.Dropout``, which draws one Bernoulli variable after the other: on a CPU the four
    decisions of one random integer cost a sixth of that.

    Parameters
    ----------
    probability : float
        In [0, 1), to the nearest 1/65536; the scale is that of the probability so rounded.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.dropped = min(round(probability * LEVELS), LEVELS - 1)  # levels, of all

    def forward(self, x: Tensor) -> Tensor:
        """Map a tensor of any shape to one of the same shape and type."""
        if not (self.training and self.dropped):
            return x
        draws = torch.empty(-(-x.numel() // PER_DRAW), dtype=torch.int64, device=x.device)
        draws.random_(torch.iinfo(torch.int64).min, None)  # all 64 bits, the sign's included
        levels = draws.view(torch.int16)[: x.numel()].view(x.shape)
        kept = (levels >= self.dropped - LEVELS // 2).to(x.dtype)  # levels begin below 0
        return x * kept.mul_(LEVELS / (LEVELS - self.dropped))

    def extra_repr(self) -> str:
        """Show the probability where the network is printed."""
        return f"probability={self.dropped / LEVELS:g}"
