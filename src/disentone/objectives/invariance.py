"""Invariance: a facet must not change when the sound is changed in what the facet must ignore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from disentone.models.lazy import torch
from disentone.objectives.term import Term

if TYPE_CHECKING:
    from torch import Tensor, nn

    from disentone.models.multiview import Outputs

__all__ = ["Invariance", "jeffreys", "spectral_gate"]


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


def jeffreys(mean: Tensor, log_variance: Tensor, mean2: Tensor, log_variance2: Tensor) -> Tensor:
    """Half the symmetric Kullback-Leibler divergence of Gaussians, summed over dimensions.

    H. Jeffreys, "An invariant form for the prior probability in estimation problems" (1946).

    Parameters
    ----------
    mean, log_variance : Tensor, shape (clips, dim)
        Of one Gaussian a clip.
    mean2, log_variance2 : Tensor, shape (clips, dim)
        Of the other.

    Returns
    -------
    Tensor
        Scalar in nats, a mean over clips; 0 where both are the same.
    """
    distance = (mean - mean2).square()
    ratio = torch.cosh(log_variance - log_variance2) - 1
    precision = torch.exp(-log_variance) + torch.exp(-log_variance2)
    return 0.5 * (ratio + 0.5 * distance * precision).sum(-1).mean()


class Invariance(Term):
    """Make the posterior of a facet the same for a clip and for the clip behind a random gate.

    Half the symmetric KL of the two posteriors, after the consistency regularisation of S. Sinha
    and A. B. Dieng, "Consistency Regularization for Variational Auto-Encoders" (2021).
    """

    term: Literal["invariance"] = "invariance"
    facet: str = Field(default="private", description="facet that must not change")
    least: float = Field(
        default=0.1, gt=0, le=1, description="least share of the level range that is kept"
    )

    def named_facets(self) -> tuple[str, ...]:
        """Facets that must exist."""
        return (self.facet,)

    def __call__(self, out: Outputs, module: nn.Module | None = None) -> dict[str, Tensor]:
        """Value in nats per clip."""
        x, part = out.x[:, 0], out.facets.slice(self.facet)
        keep = self.least + (1 - self.least) * torch.rand(len(x), device=x.device)
        gated = out.model.posterior(spectral_gate(x, keep))
        mean, log_variance = out.mean[:, 0, part], out.log_variance[:, 0, part]
        return {"value": jeffreys(mean, log_variance, gated[0][:, part], gated[1][:, part])}
