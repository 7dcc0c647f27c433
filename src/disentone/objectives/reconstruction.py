"""Reconstruction: how well decoded views match what came in."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from disentone.models.multiview import Outputs
from disentone.objectives.term import Term

__all__ = ["Reconstruction"]


class Reconstruction(Term):
    """Gaussian negative log-likelihood of every view, summed over views, in nats per clip.

    ``0.5 * sum((x - x_hat)^2) / scale^2`` over all frames and features, without the constant;
    the first term of Eq. 1 of MARL with a fixed standard deviation.
    """

    term: Literal["reconstruction"] = "reconstruction"
    scale: float = Field(
        default=1.0, gt=0, description="standard deviation, in standardised features"
    )
    blurs: tuple[int, ...] = Field(
        default=(), description="also compare features averaged over so many neighbours"
    )

    def __call__(self, out: Outputs, module: nn.Module | None = None) -> dict[str, Tensor]:
        """Value in nats per clip, and the mean squared error a feature."""
        difference = out.reconstruction - out.x  # (B, V, frames, features)
        value = difference.square().sum((1, 2, 3)).mean()
        for blur in self.blurs:
            blurred = functional.avg_pool1d(difference.flatten(0, 1), blur)
            value = value + blur * blurred.square().sum((1, 2)).mean() * out.x.shape[1]
        return {"value": 0.5 / self.scale**2 * value, "mse": difference.detach().square().mean()}
