"""InfoNCE: every view finds its partner among all clips of the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from disentone.models.lazy import torch
from disentone.objectives.similarity import PairTerm, infonce

if TYPE_CHECKING:
    from torch import Tensor, nn

    from disentone.models.multiview import Outputs

__all__ = ["Contrast"]


class Contrast(PairTerm):
    """InfoNCE with a temperature, from the first view to the second and back.

    ``away`` reverses it: the views of a clip become the worst match in the batch, which is
    InfoNCE's way to separate what must be particular to a view.
    """

    term: Literal["infonce"] = "infonce"
    temperature: float = Field(default=0.1, gt=0)
    away: bool = Field(default=False, description="push the views of a clip apart")

    def __call__(self, out: Outputs, module: nn.Module | None = None) -> dict[str, Tensor]:
        """Mean over pairs of views and both directions, in nats."""
        temperature = -self.temperature if self.away else self.temperature
        values = [
            infonce(one, other, temperature=temperature)
            for first, second in self.pairs(out)
            for one, other in ((first, second), (second, first))
        ]
        return {"value": torch.stack(values).mean()}
