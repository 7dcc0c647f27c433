"""One step of training: views through the model, their loss, its gradient, Adam."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from disentone.models import MultiView
from disentone.objectives import Objective
from disentone.runs.precision import resolved
from disentone.runs.processes import average_gradients, share_of_rows

if TYPE_CHECKING:
    from disentone.recipes.schema import TrainingConfig
    from disentone.runs.split import Split, Views

__all__ = ["Learner"]


class Learner:
    """A model and what its objective learns, with their optimiser.

    The optimiser is fused: one pass over parameters, gradients and moments, where one operation
    after the other would read them from memory ten times.

    Parameters
    ----------
    model : MultiView
    objective : Objective
    config : TrainingConfig
        A precision of ``auto`` becomes what suits the device.
    device : str or torch.device
    """

    def __init__(
        self,
        model: MultiView,
        objective: Objective,
        config: TrainingConfig,
        device: str | torch.device = "cpu",
    ) -> None:
        self.device = torch.device(device)
        precision = resolved(config.precision, self.device)
        self.config = config.model_copy(update={"precision": precision})
        self.model, self.objective = model.to(self.device), objective.to(self.device)
        self.modules: list[nn.Module] = [self.model, self.objective]
        self.parameters = [list(module.parameters()) for module in self.modules]
        kind = torch.optim.Adam if config.optimiser == "adam" else torch.optim.AdamW
        self.optimiser = kind(
            [
                {"params": parameters, "pace": pace}
                for parameters, pace in zip(self.parameters, (1.0, config.critic_lr_scale))
            ],
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            fused=True,
        )

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the model; that of the objective's own parts follows."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["pace"]

    def losses(
        self, split: Split, views: Views, progress: float = 1.0
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Total of the objective for some views of clips, and its parts for the log."""
        clips, windows = (share_of_rows(rows) for rows in views)
        with self._precision():
            out = self.model(
                split.batch(windows, self.device),
                split.sampler.groups,
                dataset_size=split.sampler.clips,
                progress=progress,
                decode=self.objective.decodes,
            )
        out = replace(out, labels=split.known(clips, self.device))
        return self.objective(out)  # in full precision: determinants and densities need it

    def step(self, split: Split, views: Views, progress: float) -> dict[str, Tensor]:
        """Learn from some views of clips; give the parts of the loss for the log."""
        total, logs = self.losses(split, views, progress)
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        for parameters in self.parameters:
            average_gradients(parameters)
            if self.config.max_grad_norm is not None:
                clip_gradients(parameters, self.config.max_grad_norm)
        self.optimiser.step()
        return logs

    def _precision(self) -> AbstractContextManager[Any]:
        low = self.config.precision == "bfloat16"
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=low)


def clip_gradients(parameters: list[nn.Parameter], largest: float) -> None:
    """Scale gradients down to a norm, all together; below it they are not touched.

    On a GPU they are multiplied by 1 instead: to look at the norm would make it wait.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return
    norm = nn.utils.get_total_norm(gradients, foreach=True)
    if gradients[0].is_cuda or not norm <= largest:  # so that no number counts as too large
        nn.utils.clip_grads_with_norm_(parameters, largest, norm, foreach=True)
