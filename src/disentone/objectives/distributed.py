"""In-batch terms across processes: the whole batch on each of them, with gradient."""

from __future__ import annotations

import torch
from torch import Tensor
from torch import distributed as dist

__all__ = ["gather"]


class _Gather(torch.autograd.Function):
    """Concatenate over processes; the backward pass sums what every process wants of our part."""

    @staticmethod
    def forward(context: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        parts = [torch.empty_like(x) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(context: torch.autograd.function.FunctionCtx, grad: Tensor) -> Tensor:
        total = grad.contiguous()
        dist.all_reduce(total)
        return total.chunk(dist.get_world_size())[dist.get_rank()]


def gather(x: Tensor) -> Tensor:
    """Rows of the batch from all processes, in rank order; ``x`` itself in a single process.

    Every process computes an in-batch term on all the rows, and gradients are averaged over
    processes after the backward pass, so the gradient is that of one process with the whole
    batch.

    Parameters
    ----------
    x : Tensor, shape (batch, ...)
        The same batch size on every process.

    Returns
    -------
    Tensor, shape (processes * batch, ...)
    """
    if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
        return _Gather.apply(x)
    return x
