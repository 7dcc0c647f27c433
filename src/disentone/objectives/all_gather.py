"""Rows of all processes in one tensor, with the gradient of each."""

from __future__ import annotations

import torch
from torch import Tensor
from torch import distributed as dist

__all__ = ["AllGather"]


class AllGather(torch.autograd.Function):
    """Concatenate over processes; the backward pass sums what every process wants of our part."""

    @staticmethod
    def forward(context: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        """Rows (batch, ...) of every process to (processes * batch, ...)."""
        parts = [torch.empty_like(x) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(context: torch.autograd.function.FunctionCtx, grad: Tensor) -> Tensor:
        """Sum the gradients of all processes, and give the part of this one's rows."""
        total = grad.contiguous()
        dist.all_reduce(total)
        return total.chunk(dist.get_world_size())[dist.get_rank()]
