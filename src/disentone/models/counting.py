"""The multiply-adds of a network."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from disentone.models.multiview import MultiView

__all__ = ["multiply_adds"]


def multiply_adds(network: MultiView, *, frames: int, features: int) -> int:
    """Count the multiply-adds of matrix products and convolutions that embed one window."""
    training, device = network.training, next(network.parameters()).device
    network.eval()  # dropout would draw from the random state that training goes on with
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.posterior(torch.zeros((1, frames, features), device=device))
    network.train(training)
    return counter.get_total_flops() // 2
