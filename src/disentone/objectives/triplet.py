"""Conditional triplets: every facet orders clips by what they have in common (CSN, Section 3.3).

S. Ribecky, J. Abeßer and H. Lukashevich, "Multi-Input Architecture and Disentangled
Representation Learning for Multi-Dimensional Modeling of Music Similarity" (2021).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from disentone.agreement.balance import Alike
from disentone.agreement.pairs import Also
from disentone.facets import Facets
from disentone.factors import Factor
from disentone.models.lazy import torch
from disentone.objectives.distributed import all_gather
from disentone.objectives.similarity import cosines
from disentone.objectives.term import Term

if TYPE_CHECKING:
    from torch import Tensor, nn

    from disentone.models.multiview import Outputs

__all__ = ["Dimension", "Triplet"]


class Dimension(BaseModel):
    """What makes two clips alike in one facet."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    factor: str | None = Field(default=None, description="factor in which clips agree")
    rule: Literal["same", "tempo", "key", "views"] = Field(
        default="same",
        description="how they agree: same label or near number; near tempo at any octave; same or "
        "parallel key; or, without a factor, views of one clip in this facet",
    )
    within: float | None = Field(
        default=None, ge=0, description="tolerance of numbers, instead of the factor's own"
    )
    also: Also = Field(default="parallel", description="keys that count as the same")
    unlike: tuple[str, ...] = Field(
        default=(),
        description="facets whose views of a clip are its only negatives here: with the rule "
        "'views', what was changed for them is what this facet tells; other clips differ in more",
    )

    @model_validator(mode="after")
    def _agree(self) -> Dimension:
        if (self.factor is None) != (self.rule == "views"):
            raise ValueError("a dimension has either a factor or the rule 'views'")
        if self.within is not None and self.rule not in ("same", "tempo"):
            raise ValueError(f"'within' is for numbers: not for the rule '{self.rule}'")
        if self.also != "parallel" and self.rule != "key":
            raise ValueError("'also' is for the rule 'key'")
        if self.unlike and self.rule != "views":
            raise ValueError("'unlike' is for the rule 'views'")
        return self


class Triplet(Term):
    """Order each facet by its own factor: L_MD, the mean of the triplet losses (CSN, Eq. 1).

    A facet's loss is over the semi-hard triplets that its own part of the embedding makes in the
    batch, by cosine distance (:func:`semi_hard`). Every view of a batch is a row of its own. Rows
    whose label is unknown are in no triplet of that facet, and a facet of which the batch has no
    valid triplet does not count in the mean; without any, the value is 0.

    In validation the value is the share of all valid triplets that are out of order, so that the
    best model can be told: a loss would fall as well where a facet shrinks to a point. What is
    logged as the loss is over all valid triplets then (:func:`violation`).

    Logged for every facet: its loss (``triplet_NAME``), the share of pairs of anchor and positive
    that have a triplet (``active_NAME``) and the share of all valid triplets that are in order
    (``correct_NAME``); all are 0 in a batch without a valid triplet, and ``without_NAME`` is the
    share of these.
    """

    term: Literal["triplet"] = "triplet"
    dimensions: dict[str, str | Dimension] = Field(
        min_length=1,
        description="facet: factor, or {factor: tempo, rule: tempo}, {factor: key, rule: key}, "
        "{rule: views}",
    )
    margin: float = Field(default=0.1, gt=0, le=2, description="cosine distance")
    choose: Literal["all", "nearest"] = Field(
        default="all", description="semi-hard negatives of a pair: all, or the nearest"
    )
    fallback: bool = Field(
        default=True,
        description="a pair without a semi-hard negative takes the mildest of the harder ones",
    )

    def named_facets(self) -> tuple[str, ...]:
        """Facets that must exist."""
        unlike = [name for dimension in self.rules().values() for name in dimension.unlike]
        return tuple(dict.fromkeys([*self.dimensions, *unlike]))

    def named_factors(self) -> tuple[str, ...]:
        """Factors that must be known."""
        return tuple(dict.fromkeys(self.factors_of().values()))

    def build(self, facets: Facets, factors: Mapping[str, Factor]) -> nn.Module:
        """Look up what the rules need to know of the factors; there is nothing to learn."""
        from disentone.agreement.masks import FactorRule  # see disentone.models.lazy

        return torch.nn.ModuleList(
            torch.nn.Identity() if d.factor is None else FactorRule(d, factors[d.factor])
            for d in self.rules().values()
        )

    def factors_of(self) -> dict[str, str]:
        """Factor of every facet that has one."""
        return {facet: d.factor for facet, d in self.rules().items() if d.factor is not None}

    def alike(self, factors: Mapping[str, Factor]) -> dict[str, Alike]:
        """What makes clips agree in each facet that has a factor, as balanced batches need it."""
        from disentone.agreement.masks import FactorRule

        dimensions = self.rules()
        return {
            facet: FactorRule(dimensions[facet], factors[name]).alike(factors[name].values)
            for facet, name in self.factors_of().items()
        }

    def __call__(self, out: Outputs, module: nn.Module | None = None) -> dict[str, Tensor]:
        """Value in [0, 2 + margin], a cosine distance."""
        from disentone.agreement.masks import view_masks
        from disentone.objectives.mining import semi_hard, triplet_loss, violation

        assert isinstance(module, torch.nn.ModuleList)  # the objective hands over what build made
        total, present, logs = out.mean.new_zeros(()), out.mean.new_zeros(()), {}
        for (facet, dimension), rule in zip(self.rules().items(), module):
            columns = self.columns(out, facet if dimension.factor is None else None)
            others = [c for name in dimension.unlike for c in self.columns(out, name)[1:]]
            own = out.mean[:, columns + others, out.facets.slice(facet)]
            codes = all_gather(own)  # (B, V, dim)
            if dimension.factor is None:
                valid = view_masks(len(codes), len(columns), len(others), device=codes.device)
            else:
                valid = rule(all_gather(out.labels[dimension.factor][:, columns]).flatten(0, 1))
            codes = codes.flatten(0, 1)  # views are rows of their own
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

    def rules(self) -> dict[str, Dimension]:
        """What makes two clips alike in each facet."""
        return {
            facet: Dimension(factor=named) if isinstance(named, str) else named
            for facet, named in self.dimensions.items()
        }
