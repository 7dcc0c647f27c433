"""Given triplets: facets put the triplets of a table in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from disentone.agreement.given import label
from disentone.models.lazy import torch
from disentone.objectives.distributed import all_gather
from disentone.objectives.similarity import directions
from disentone.objectives.term import Term

if TYPE_CHECKING:
    from torch import Tensor, nn

    from disentone.models.multiview import Outputs

__all__ = ["Given", "given_triplets"]


def given_triplets(
    codes: Tensor, holds: Tensor | None = None, *, margin: float = 0.1
) -> tuple[Tensor, Tensor]:
    """Triplet loss of given triplets, and the share of them that are in order.

    The mean of ``max(0, d(a, p) - d(a, n) + margin)`` with cosine distances (Eq. 1 of CSN).

    Parameters
    ----------
    codes : Tensor, shape (triplets, 3, dim)
        Of anchor, positive and negative.
    holds : Tensor of bool or 0 and 1, shape (triplets,), optional
        Which triplets count; by default all.
    margin : float
        Cosine distance, above 0.

    Returns
    -------
    loss : Tensor
        Scalar in [0, 2 + margin], a cosine distance; 0 where no triplet counts.
    correct : Tensor
        Scalar in [0, 1]; 0 where no triplet counts.
    """
    codes = directions(codes)
    cosine = (codes[:, :1] * codes[:, 1:]).sum(-1)  # of anchor with positive, and negative
    beyond = cosine[:, 1] - cosine[:, 0]
    holds = torch.ones_like(beyond) if holds is None else holds
    count = holds.sum().clamp_min(1)
    loss = ((beyond + margin).clamp_min(0) * holds).sum() / count
    return loss, ((beyond < 0) * holds).sum() / count


class Given(Term):
    """Triplet loss of each facet over the given triplets that hold in its dimension.

    The mean of ``max(0, d(a, p) - d(a, n) + margin)``, cosine distances in the facet's own part of
    the embedding, and over facets the mean of those that have a triplet in the batch (CSN, Eq. 1);
    0 where none has. The triplets are those of ``sampling: {triplets: FILE}`` in the recipe.

    In validation the value is the share of triplets out of order, as that of
    :class:`~disentone.objectives.triplet.Triplet`.

    Logged for every facet: its loss (``given_NAME``) and the share of its triplets that are in
    order (``given_correct_NAME``).
    """

    term: Literal["given"] = "given"
    dimensions: dict[str, str] = Field(min_length=1, description="facet: dimension of the triplets")
    margin: float = Field(default=0.1, gt=0, le=2, description="cosine distance")

    def named_facets(self) -> tuple[str, ...]:
        """Facets that must exist."""
        return tuple(self.dimensions)

    def __call__(self, out: Outputs, module: nn.Module | None = None) -> dict[str, Tensor]:
        """Value in [0, 2 + margin], a cosine distance."""
        total, present, logs = out.mean.new_zeros(()), out.mean.new_zeros(()), {}
        for facet, dimension in self.dimensions.items():
            codes = all_gather(out.mean[..., out.facets.slice(facet)])  # (B, 3, dim)
            holds = all_gather(out.labels[label(dimension)])[:, 0]  # (B,)
            loss, right = given_triplets(codes, holds, margin=self.margin)
            any_holds = holds.sum() > 0
            total = total + (loss if out.model.training else (1 - right) * any_holds)
            present = present + any_holds
            logs[f"given_{facet}"] = loss.detach()
            logs[f"given_correct_{facet}"] = right
        return {"value": total / present.clamp_min(1), **logs}
