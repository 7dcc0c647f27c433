"""Masking: a reconstruction for which a random share of a facet's code is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from disentone.facets import Facets
from disentone.models.lazy import torch
from disentone.objectives.reconstruction import reconstruction
from disentone.objectives.term import Term

if TYPE_CHECKING:
    from torch import Tensor, nn

    from disentone.models.multiview import Outputs

__all__ = ["Masking", "masked"]


def masked(code: Tensor, facets: Facets, facet: str, *, share: float) -> Tensor:
    """Set random entries of one facet's code to zero.

    Parameters
    ----------
    code : Tensor, shape (..., dim)
    facets : Facets
    facet : str
    share : float
        Probability that an entry is masked, in [0, 1].

    Returns
    -------
    Tensor, shape (..., dim)
        Entries that stay keep their value; the other facets are as they were.
    """
    part = facets.slice(facet)
    kept = torch.rand_like(code[..., part]) >= share
    return torch.cat([code[..., : part.start], code[..., part] * kept, code[..., part.stop :]], -1)


class Masking(Term):
    """Squared error of views decoded from a masked code, averaged over entries, summed over views.

    It takes the place of ``reconstruction`` (LATENT, Section 2.2): what may be masked in a
    facet is learnt by the others. In validation nothing is masked.
    """

    term: Literal["masking"] = "masking"
    facet: str = Field(default="private", description="facet that is masked")
    share: float = Field(default=0.4, ge=0, le=1, description="share of its entries")

    def named_facets(self) -> tuple[str, ...]:
        """Facets that must exist."""
        return (self.facet,)

    def __call__(self, out: Outputs, module: nn.Module | None = None) -> dict[str, Tensor]:
        """Value in squared features."""
        share = self.share if out.model.training else 0.0
        decoded = out.model.decode(masked(out.code, out.facets, self.facet, share=share))
        return {"value": reconstruction(decoded, out.x, per="entry")}
