"""Training over several processes, as torchrun starts them; alone, all of this does nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch import distributed as dist

__all__ = [
    "average_gradients",
    "join",
    "mean_over_processes",
    "of_first",
    "processes",
    "share_of_rows",
]


def join(device: str | torch.device) -> bool:
    """Join the processes that torchrun started, if it did; return whether this is the first."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if torch.device(device).type == "cuda" else "gloo")
    return processes()[0] == 0


def processes() -> tuple[int, int]:
    """Give the number of this process, and how many there are."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def of_first(value: Any) -> Any:
    """Give every process what the first one has."""
    values = [value]
    if processes()[1] > 1:
        dist.broadcast_object_list(values, 0)
    return values[0]


def share_of_rows(rows: np.ndarray) -> np.ndarray:
    """Rows of this process: consecutive and equally many, as gathering needs."""
    rank, world = processes()
    share = len(rows) // world
    return rows[rank * share : (rank + 1) * share]


def mean_over_processes(values: dict[str, float]) -> dict[str, float]:
    """Mean over processes, the same on each, so that all of them stop in the same epoch."""
    _, world = processes()
    if world == 1:
        return values
    parts: list[dict[str, float]] = [{} for _ in range(world)]
    dist.all_gather_object(parts, values)
    return {name: sum(part[name] for part in parts) / world for name in values}


def average_gradients(parameters: Sequence[Tensor]) -> None:
    """Replace every gradient by its mean over processes."""
    _, world = processes()
    if world == 1:
        return
    for parameter in parameters:
        if parameter.grad is not None:
            dist.all_reduce(parameter.grad)
            parameter.grad /= world
