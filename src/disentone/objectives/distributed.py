"""In-batch terms across processes: the whole batch on each of them, with gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from disentone.models.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["all_gather"]


def all_gather(x: Tensor) -> Tensor:
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
    dist = torch.distributed
    if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
        from disentone.objectives.all_gather import AllGather  # see disentone.models.lazy

        return AllGather.apply(x)
    return x
