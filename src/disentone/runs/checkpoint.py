"""The state of a training run on disk, so that it can be resumed exactly."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from disentone.embeddings.networks import write_tensors
from disentone.errors import ArtifactError
from disentone.files import write_bytes

__all__ = ["read_history", "restore", "rewrite_history", "save_state"]


def save_state(
    file: Path,
    learners: Sequence[nn.Module],
    optimiser: torch.optim.Optimizer,
    epoch: int,
    best: float,
    best_epoch: int,
) -> None:
    """Write weights, the optimiser's state, the next epoch and the best one so far."""
    tensors = {}
    for number, learner in enumerate(learners):
        tensors |= {f"learner{number}.{name}": t for name, t in learner.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{key}": value for key, value in state.items()}
    about = {"epoch": epoch, "best": best, "best_epoch": best_epoch}
    write_tensors(file, tensors, {"state": json.dumps(about)})


def restore(
    file: Path, learners: Sequence[nn.Module], optimiser: torch.optim.Optimizer
) -> tuple[int, float, int]:
    """Take up what :func:`save_state` wrote; give the next epoch, the best loss and its epoch.

    Raises
    ------
    ArtifactError
        If the file is damaged or belongs to another model.
    """
    try:
        with safe_open(file, "pt") as stored:
            about = json.loads(stored.metadata()["state"])
            names = list(stored.keys())
            # Copies: Windows does not replace a file of which a tensor is still a map.
            tensors = {name: stored.get_tensor(name).clone() for name in names}
        for number, learner in enumerate(learners):
            start = f"learner{number}."
            learner.load_state_dict(
                {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}
            )
    except (RuntimeError, SafetensorError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"{file} is damaged or belongs to another model: start in a new folder."
        ) from error
    packed = optimiser.state_dict()
    for name, tensor in tensors.items():
        if name.startswith("optimiser."):
            _, index, key = name.split(".", 2)
            packed["state"].setdefault(int(index), {})[key] = tensor
    optimiser.load_state_dict(packed)
    return about["epoch"], about["best"], about["best_epoch"]


def read_history(file: Path) -> list[dict[str, float]]:
    """Read the records of whole epochs; none where there is no file."""
    if not file.exists():
        return []
    lines = file.read_text(encoding="utf-8").splitlines()
    history = []
    for line in lines:
        try:
            history.append(json.loads(line))
        except json.JSONDecodeError:
            break  # a kill can cut the last line short; its epoch is repeated
    return history


def rewrite_history(file: Path, history: list[dict[str, float]]) -> None:
    """Keep some records and no others."""
    write_bytes(file, "".join(json.dumps(record) + "\n" for record in history).encode())
