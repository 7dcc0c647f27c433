"""Reconstruction: how well decoded views match what came in."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from disentone.models.lazy import torch
from disentone.objectives.term import Term

if TYPE_CHECKING:
    from torch import Tensor, nn

    from disentone.models.multiview import Outputs

__all__ = ["Reconstruction", "reconstruction"]


def reconstruction(
    decoded: Tensor, x: Tensor, *, per: Literal["clip", "entry"] = "clip", scale: float = 1.0
) -> Tensor:
    """Gaussian negative log-likelihood of what came in, without its constant.

    ``0.5 * sum((x - decoded)^2) / scale^2`` of a clip and all its views: the first term of Eq. 1 of
    MARL with a fixed standard deviation. ``per="entry"`` is Eq. 1 of LATENT: squared errors
    averaged over the entries of a view and summed over views (over ``scale^2``).

    Parameters
    ----------
    decoded, x : Tensor, shape (clips, views, ...)
        In one unit, such as standardised features.
    per : {"clip", "entry"}
    scale : float
        Standard deviation, above 0, in that unit.

    Returns
    -------
    Tensor
        Scalar, a mean over clips: in nats a clip, or in the unit squared; at least 0.
    """
    entries = x[0].numel() if per == "clip" else 2 * x.shape[1]
    return 0.5 * entries / scale**2 * torch.nn.functional.mse_loss(decoded, x)


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
        both = out.reconstruction, out.x  # (B, V, frames, features)
        mse = torch.nn.functional.mse_loss(*both).detach()
        return {"value": reconstruction(*both, per=self.per, scale=self.scale), "mse": mse}
