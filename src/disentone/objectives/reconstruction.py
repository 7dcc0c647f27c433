"""Reconstruction: how well decoded views match what came in."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from disentone.models.lazy import torch
from disentone.objectives.term import Term

if TYPE_CHECKING:
    from torch import Tensor, nn

    from disentone.models.multiview import Outputs

__all__ = ["Reconstruction"]


class Reconstruction(Term):
    """Gaussian negative log-likelihood of every view, summed over views, in nats per clip.

    ``0.5 * sum((x - x_hat)^2) / scale^2`` over all frames and features, without the constant;
    the first term of Eq. 1 of MARL with a fixed standard deviation. Eq. 1 of LATENT, squared
    errors averaged over a clip's entries and summed over views, is ``per: entry``.
    """

    decodes: ClassVar[bool] = True

    term: Literal["reconstruction"] = "reconstruction"
    per: Literal["clip", "entry"] = Field(
        default="clip", description="nats per clip, or the mean squared error of its entries"
    )
    scale: float = Field(
        default=1.0, gt=0, description="standard deviation, in standardised features"
    )

    def __call__(self, out: Outputs, module: nn.Module | None = None) -> dict[str, Tensor]:
        """Value in nats per clip or in squared features, and the mean squared error a feature."""
        mse = torch.nn.functional.mse_loss(out.reconstruction, out.x)  # of (B, V, frames, features)
        entries = out.x[0].numel() if self.per == "clip" else 2 * out.x.shape[1]
        return {"value": 0.5 * entries / self.scale**2 * mse, "mse": mse.detach()}
