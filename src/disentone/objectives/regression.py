"""Regression: a linear head predicts numbers that are known of a clip from a facet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
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

__all__ = ["Regression", "regression"]


def regression(predicted: Tensor, values: Tensor) -> Tensor:
    """Squared error where the value is known, a mean over rows and then over factors.

    Parameters
    ----------
    predicted : Tensor, shape (rows, factors)
    values : Tensor, shape (rows, factors)
        NaN where unknown.

    Returns
    -------
    Tensor
        Scalar, in the square of the values' unit; 0 where nothing is known.
    """
    known = torch.isfinite(values)
    error = (predicted - torch.where(known, values, 0.0)).square() * known
    counts = known.sum(0)
    means = error.sum(0) / counts.clamp_min(1)
    return means.sum() / (counts > 0).sum().clamp_min(1)


class Regression(Term):
    """Squared error of ordinal or continuous factors, each in units of its deviation in training.

    The head is linear and learnt with the model. Clips of which a factor is unknown take no part
    in its error. Every view of a batch is a clip of its own.
    """

    term: Literal["regression"] = "regression"
    factors: tuple[str, ...] = Field(
        min_length=1, description="that are predicted; their values are used in training"
    )
    facet: str | None = Field(default=None, description="facet that predicts them; by default all")

    def named_facets(self) -> tuple[str, ...]:
        """Facets that must exist."""
        return () if self.facet is None else (self.facet,)

    def named_factors(self, relations: Mapping[str, Relation]) -> tuple[str, ...]:
        """Factors that must be known."""
        return self.factors

    def build(
        self,
        facets: Facets,
        factors: Mapping[str, Factor],
        relations: Mapping[str, Relation],
    ) -> nn.Module:
        """Make the head, with the mean and deviation of each factor."""
        moments = []
        for name in self.factors:
            factor = factors[name]
            if factor.kind not in ("ordinal", "continuous"):
                raise RecipeError(
                    f"Term 'regression' needs numbers, and factor '{name}' is {factor.kind}: use "
                    "'classification'."
                )
            values = np.asarray(factor.values, dtype=float)
            values = values[np.isfinite(values)]
            if len(np.unique(values)) < 2:
                raise RecipeError(f"Term 'regression' needs two values of factor '{name}' or more.")
            moments.append((values.mean(), values.std()))
        dim = facets.dim if self.facet is None else facets[self.facet]
        head = torch.nn.Linear(dim, len(self.factors))
        mean, deviation = torch.tensor(moments, dtype=torch.float32).T
        head.register_buffer("mean", mean)
        head.register_buffer("deviation", deviation)
        return head

    def __call__(self, out: Outputs, module: nn.Module | None = None) -> dict[str, Tensor]:
        """Value in units of the factors' variances: 1 where no more than the mean is known."""
        assert isinstance(module, torch.nn.Linear)  # the objective hands over what build made
        part = slice(None) if self.facet is None else out.facets.slice(self.facet)
        # Processes may have different numbers of known values: the mean is over those of all.
        predicted = all_gather(module(out.mean[..., part])).flatten(0, 1)
        values = torch.stack([out.labels[name] for name in self.factors], dim=-1)
        mean, deviation = module.get_buffer("mean"), module.get_buffer("deviation")
        values = (all_gather(values).flatten(0, 1) - mean) / deviation
        return {"value": regression(predicted, values)}
