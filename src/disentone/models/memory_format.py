"""The memory format of convolutions."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["channels_last"]


def channels_last(x: Tensor) -> Tensor:
    """Lay pictures (batch, channels, height, width) out with their channels innermost.

    Convolutions and poolings keep that layout. With few channels they, and above all the poolings,
    are about twice as fast in it on a CPU (``bench/steps.py``); the numbers stay the same but for
    rounding. One channel counts as laid out in either way, and torch then goes on with channels
    outermost: CSN's first convolutions stay so, as they are slower in the other layout.
    """
    return x.contiguous(memory_format=torch.channels_last)
