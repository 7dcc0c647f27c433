"""The training loop: fit, validate, resume, alone or under torchrun."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch import distributed as dist

from disentone.embeddings.watcher import Progress
from disentone.errors import DataError, RecipeError
from disentone.files import append_line
from disentone.recipes.schema import TrainingConfig
from disentone.runs.checkpoint import read_history, restore, rewrite_history, save_state
from disentone.runs.processes import mean_over_processes, processes
from disentone.runs.schedule import reductions
from disentone.runs.split import Split, Views
from disentone.runs.step import Learner

__all__ = ["fit"]


def fit(
    learner: Learner,
    train: Split,
    valid: Split,
    *,
    out: Path,
    save_best: Callable[[], None],
    seed: int = 0,
    resume: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> list[dict[str, float]]:
    """Train a model; leave ``metrics.jsonl``, the best model and ``last/`` in a folder.

    Nothing random carries over from one epoch to the next: views, windows and noise are drawn
    from the seed and the epoch's number, so a resumed run repeats an uninterrupted one exactly.

    Parameters
    ----------
    learner : Learner
        The model and its objective.
    train, valid : Split
    out : Path
        Run folder.
    save_best : callable
        Called whenever the validation loss is the lowest so far, or after every epoch where the
        last one counts; writes the model.
    seed : int
    resume : bool
        Go on from ``out/last`` where there is one.
    progress : callable
        Called after every step.

    Returns
    -------
    list of dict
        One record an epoch, as in ``metrics.jsonl``.

    Raises
    ------
    RecipeError
        If a loss is not finite.
    DataError
        If there are too few clips to train or validate on.
    ArtifactError
        If what is to be resumed belongs to another model.
    """
    config, (rank, world) = learner.config, processes()
    state_file, metrics_file = out / "last" / "state.safetensors", out / "metrics.jsonl"
    first, best, best_epoch = 0, math.inf, -1
    if resume and state_file.exists():
        first, best, best_epoch = restore(state_file, learner.modules, learner.optimiser)
    history = read_history(metrics_file)[:first]
    if rank == 0:
        rewrite_history(metrics_file, history)
    steps = _batches(len(train.sampler), config.batch)
    _batches(len(valid.sampler), config.batch, "Validation")  # refused now, not after an epoch
    if world > 1:
        for parameter in chain(*learner.parameters):
            dist.broadcast(parameter.data, 0)
    for epoch in range(first, config.epochs):
        if config.patience is not None and epoch - best_epoch > config.patience and epoch > 0:
            break
        began = time.perf_counter()
        torch.manual_seed(_mix(seed, epoch, rank))
        learner.model.train()
        sums = _Means()
        losses = [record["valid/total"] for record in history]
        for step, views in enumerate(_slices(train.epoch(epoch), config.batch)):
            done, total = epoch * steps + step, config.epochs * steps
            learner.set_rate(_rate(config, done, total, losses))
            logs = learner.step(train, views, done / total)
            sums.add(logs, len(views.clips))
            if step % 10 == 0 or step == steps - 1:
                values = sums.values()
                if not math.isfinite(values["total"]):
                    raise RecipeError(
                        f"The loss is no longer finite in epoch {epoch}: "
                        "lower training.learning_rate or training.max_grad_norm."
                    )
                progress(Progress(epoch, config.epochs, step + 1, steps, values))
        record: dict[str, float] = {"epoch": epoch, "seconds": 0.0}
        trained = mean_over_processes(sums.values())  # each has seen its share of the batches
        record |= {f"train/{name}": value for name, value in trained.items()}
        validated = evaluate(learner, valid)
        if not math.isfinite(validated["total"]):
            raise RecipeError(
                f"The validation loss is not finite in epoch {epoch}: look at the valid clips, or "
                "lower training.learning_rate or training.max_grad_norm."
            )
        record |= {f"valid/{name}": value for name, value in validated.items()}
        record["seconds"] = round(time.perf_counter() - began, 3)
        record["learning_rate"] = learner.optimiser.param_groups[0]["lr"]  # of the last step
        history.append(record)
        better = validated["total"] < best
        if better:
            best, best_epoch = validated["total"], epoch
        if rank == 0 and (better or config.keep == "last"):
            save_best()
        if rank == 0:  # the state comes last: whatever it names is already on disk
            append_line(metrics_file, json.dumps(record))
            save_state(state_file, learner.modules, learner.optimiser, epoch + 1, best, best_epoch)
    if world > 1:
        dist.barrier()  # nobody reads the best model before it is written
    return history


def evaluate(learner: Learner, split: Split) -> dict[str, float]:
    """Mean losses of a split on the same windows every time, with posterior means as codes."""
    learner.model.eval()
    sums = _Means()
    with torch.no_grad():
        for views in _slices(split.epoch(0), learner.config.batch):
            sums.add(learner.losses(split, views)[1], len(views.clips))
    return mean_over_processes(sums.values())


def _rate(config: TrainingConfig, step: int, steps: int, losses: list[float]) -> float:
    """Learning rate of a step."""
    warmup = max(1, min(config.warmup, steps // 10))
    rate = config.learning_rate * min(1.0, (step + 1) / warmup)
    if config.schedule == "cosine":
        rate *= 0.5 * (1 + math.cos(math.pi * step / steps))
    if config.schedule == "plateau":
        reduced = rate * config.lr_factor ** reductions(losses, patience=config.plateau)
        rate = max(reduced, min(rate, config.min_lr))
    return rate


def _batches(rows: int, batch: int, what: str = "Training") -> int:
    """Count the batches of an epoch: none of a single clip, and none with less than one each."""
    least = max(2, processes()[1])
    if rows < least:
        raise DataError(f"{what} needs at least {least} clips with partners, and there are {rows}.")
    return max(1, min(round(rows / batch), rows // least))


def _slices(views: Views, batch: int) -> Iterator[Views]:
    """Cut an epoch in batches of nearly equal size, so that no clip and no short batch is lost."""
    count = _batches(len(views.clips), batch)
    return map(Views, *(np.array_split(part, count) for part in views))


def _mix(seed: int, epoch: int, rank: int) -> int:
    """One seed from three numbers, so that no two epochs or processes draw the same noise."""
    return int(np.random.SeedSequence((seed, epoch, rank)).generate_state(1, np.uint64)[0] >> 1)


class _Means:
    """Running means of logged scalars, weighted by rows; kept as tensors until asked for."""

    def __init__(self) -> None:
        self.rows = 0
        self.sums: dict[str, Tensor] = {}

    def add(self, logs: dict[str, Tensor], rows: int) -> None:
        self.rows += rows
        for name, value in logs.items():
            more = value.detach() * rows  # stays on its device: copying would wait for it
            self.sums[name] = self.sums[name] + more if name in self.sums else more

    def values(self) -> dict[str, float]:
        return {name: float(value) / self.rows for name, value in self.sums.items()}
