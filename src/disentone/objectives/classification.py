"""Classification: a linear head predicts a factor from a facet; the supervised upper bound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from disentone.agreement.relation import Relation
from disentone.errors import RecipeError
from disentone.facets import Facets
from disentone.factors import Factor
from disentone.models.lazy import torch
from disentone.objectives.distributed import all_gather
from disentone.objectives.term import Term

if TYPE_CHECKING:
    from torch import Tensor, nn

    from disentone.models.multiview import Outputs

__all__ = ["Classification", "classification"]


def classification(scores: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of classes, or binary cross-entropy of several labels, where they are known.

    Parameters
    ----------
    scores : Tensor, shape (rows, classes)
        Logits of the classes, or of the labels.
    labels : Tensor, shape (rows,) or (rows, labels)
        Class of every row, -1 where unknown; or 0 and 1 for every label, NaN where unknown.

    Returns
    -------
    Tensor
        Scalar in nats, a mean over what is known; 0 where nothing is.
    """
    if labels.ndim == 1:
        known = labels >= 0
        value = torch.nn.functional.cross_entropy(
            scores, labels.long().clamp_min(0), reduction="none"
        )
    else:
        known = torch.isfinite(labels)
        value = torch.nn.functional.binary_cross_entropy_with_logits(
            scores, torch.where(known, labels, 0.0), reduction="none"
        )
    return (value * known).sum() / known.sum().clamp_min(1)


class Classification(Term):
    """Cross-entropy of a categorical factor, or binary cross-entropy of a multi-label one.

    The head is linear and learnt with the model. Clips whose label is unknown take no part. Every
    view of a batch is a clip of its own.
    """

    term: Literal["classification"] = "classification"
    factor: str = Field(description="factor that is predicted; its labels are used in training")
    facet: str | None = Field(default=None, description="facet that predicts it; by default all")

    def named_facets(self) -> tuple[str, ...]:
        """Facets that must exist."""
        return () if self.facet is None else (self.facet,)

    def named_factors(self, relations: Mapping[str, Relation]) -> tuple[str, ...]:
        """Factors that must be known."""
        return (self.factor,)

    def build(
        self,
        facets: Facets,
        factors: Mapping[str, Factor],
        relations: Mapping[str, Relation],
    ) -> nn.Module:
        """Make the head."""
        factor = factors[self.factor]
        if factor.kind not in ("categorical", "multilabel"):
            raise RecipeError(
                f"Term 'classification' needs classes, and factor '{self.factor}' is {factor.kind}."
            )
        return torch.nn.Linear(
            facets.dim if self.facet is None else facets[self.facet], len(factor.classes)
        )

    def __call__(self, out: Outputs, module: nn.Module | None = None) -> dict[str, Tensor]:
        """Value in nats; of multi-label factors the mean over labels."""
        assert module is not None  # the objective hands over what build made
        part = slice(None) if self.facet is None else out.facets.slice(self.facet)
        # Processes may have different numbers of known labels: the mean is over those of all.
        scores = all_gather(module(out.mean[..., part])).flatten(0, 1)
        labels = all_gather(out.labels[self.factor]).flatten(0, 1)
        return {"value": classification(scores, labels)}
