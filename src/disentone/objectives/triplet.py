"""Conditional triplets: every facet orders clips by its own relation (CSN, Section 3.3).

S. Ribecky, J. Abeßer and H. Lukashevich, "Multi-Input Architecture and Disentangled
Representation Learning for Multi-Dimensional Modeling of Music Similarity" (2021).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from disentone.objectives.related import RelationTerm
from disentone.objectives.similarity import cosines

if TYPE_CHECKING:
    from torch import Tensor, nn

    from disentone.models.multiview import Outputs

__all__ = ["Triplet"]


class Triplet(RelationTerm):
    """Order each facet by its own relation: L_MD, the mean of the triplet losses (CSN, Eq. 1).

    A facet's loss is over the semi-hard triplets that its own part of the embedding makes in the
    batch, by cosine distance (:func:`semi_hard`). Every view of a batch is a row of its own. Rows
    whose label is unknown are in no triplet of that facet, and a facet of which the batch has no
    valid triplet does not count in the mean; without any, the value is 0.

    In validation the value is the share of all valid triplets that are out of order, so that
    models can be compared: a loss would fall as well where a facet shrinks to a point. What is
    logged as the loss is over all valid triplets then (:func:`violation`).

    Logged for every facet: its loss (``triplet_NAME``), the share of pairs of anchor and positive
    that have a triplet (``active_NAME``) and the share of all valid triplets that are in order
    (``correct_NAME``); all are 0 in a batch without a valid triplet, and ``without_NAME`` is the
    share of these.
    """

    term: Literal["triplet"] = "triplet"
    margin: float = Field(default=0.1, gt=0, le=2, description="cosine distance")
    choose: Literal["all", "nearest"] = Field(
        default="all", description="semi-hard negatives of a pair: all, or the nearest"
    )
    fallback: bool = Field(
        default=True,
        description="a pair without a semi-hard negative takes the mildest of the harder ones",
    )

    def __call__(self, out: Outputs, module: nn.Module | None = None) -> dict[str, Tensor]:
        """Value in [0, 2 + margin], a cosine distance."""
        from disentone.objectives.mining import semi_hard, triplet_loss, violation

        total, present, logs = out.mean.new_zeros(()), out.mean.new_zeros(()), {}
        for facet, codes, valid in self.compared(out, module):
            distances = 1 - cosines(codes, codes)
            mined = semi_hard(
                distances, *valid, margin=self.margin, choose=self.choose, fallback=self.fallback
            )
            if out.model.training:
                value = loss = triplet_loss(distances, mined, margin=self.margin)
            else:
                loss = violation(distances, mined, margin=self.margin)
                value = (1 - mined.correct) * (mined.pairs > 0)
            total, present = total + value, present + (mined.pairs > 0)
            logs[f"triplet_{facet}"] = loss.detach()
            logs[f"active_{facet}"] = mined.active
            logs[f"correct_{facet}"] = mined.correct
            logs[f"without_{facet}"] = (mined.pairs == 0).float()
        return {"value": total / present.clamp_min(1), **logs}
