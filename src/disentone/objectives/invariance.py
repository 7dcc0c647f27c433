"""Invariance: a facet must not change when the sound is changed in what the facet must ignore."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from disentone.models.multiview import Outputs
from disentone.objectives.agreement import agreement
from disentone.objectives.distributed import gather
from disentone.objectives.term import Term

__all__ = ["Invariance", "spectral_gate"]


def spectral_gate(x: Tensor, keep: Tensor) -> Tensor:
    """Silence whatever is far below the loudest point of a clip's spectrogram.

    It thins timbre out: with a small ``keep`` nothing but the strongest partial is left.

    Parameters
    ----------
    x : Tensor, shape (clips, frames, features)
        Levels in dB, of any scale.
    keep : Tensor, shape (clips,)
        Share in (0, 1] of the range between the clip's lowest and highest level that stays.

    Returns
    -------
    Tensor, shape (clips, frames, features)
        Levels below the threshold are at the clip's lowest level.
    """
    low, high = x.amin((1, 2), keepdim=True), x.amax((1, 2), keepdim=True)
    threshold = high - keep[:, None, None] * (high - low)
    return torch.where(x < threshold, low, x)


class Invariance(Term):
    """Make a facet of a clip agree with that of the clip behind a random spectral gate."""

    term: Literal["invariance"] = "invariance"
    facet: str = Field(default="private", description="facet that must not change")
    least: float = Field(
        default=0.1, gt=0, le=1, description="least share of the level range that is kept"
    )
    epsilon: float = Field(default=1e-4, gt=0, description="variance that does not count")

    def named_facets(self) -> tuple[str, ...]:
        """Facets that must exist."""
        return (self.facet,)

    def __call__(self, out: Outputs, module: nn.Module | None = None) -> dict[str, Tensor]:
        """Value in nats: minus the information that the gated clip's facet has of the clip's."""
        x = out.x[:, 0]
        keep = self.least + (1 - self.least) * torch.rand(len(x), device=x.device)
        part = out.facets.slice(self.facet)
        gated = out.model.posterior(spectral_gate(x, keep))[0][:, part]
        views = gather(torch.stack([out.posterior_mean[:, 0, part], gated], dim=1))
        return {"value": agreement(views, epsilon=self.epsilon)}
