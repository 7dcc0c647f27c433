"""Conditional triplets: every facet orders clips by its own relation (CSN, Section 3.3).

S. Ribecky, J. Abeßer and H. Lukashevich, "Multi-Input Architecture and Disentangled
Representation Learning for Multi-Dimensional Modeling of Music Similarity" (2021).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from disentone.agreement.relation import Relation
from disentone.errors import RecipeError, closest
from disentone.facets import Facets
from disentone.factors import Factor
from disentone.models.lazy import torch
from disentone.objectives.distributed import all_gather
from disentone.objectives.similarity import cosines
from disentone.objectives.term import Term

if TYPE_CHECKING:
    from torch import Tensor, nn

    from disentone.models.multiview import Outputs

__all__ = ["Triplet"]

PREFIX = "of "  # a facet's name alone may be that of an attribute of modules


class Triplet(Term):
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
    facets: tuple[str, ...] | None = Field(
        default=None, description="facets to order; by default all that have a relation"
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
        return self.facets or ()

    def ordered(self, relations: Mapping[str, Relation]) -> dict[str, Relation]:
        """Facets that are ordered, and what makes clips agree in each.

        Raises
        ------
        RecipeError
            If a facet has no relation, or none has.
        """
        for name in self.facets or ():
            if name not in relations:
                raise RecipeError(
                    f"Term 'triplet' orders facet '{name}', which has no relation: give what clips "
                    "agree in, such as same: genre."
                )
        if not relations:
            raise RecipeError("Term 'triplet' needs a facet with 'same', or with 'augment'.")
        return {name: relations[name] for name in self.facets or relations}

    def named_factors(self, relations: Mapping[str, Relation]) -> tuple[str, ...]:
        """Factors that decide the relations."""
        of_labels = [one for one in self.ordered(relations).values() if one.is_of_labels]
        return tuple(dict.fromkeys(name for one in of_labels for name in one.factors))

    def build(
        self,
        facets: Facets,
        factors: Mapping[str, Factor],
        relations: Mapping[str, Relation],
    ) -> nn.Module:
        """Bind the relations to the factors; there is nothing to learn."""
        from disentone.agreement.masks import RelationMasks, ViewMasks  # see models.lazy

        ordered = self.ordered(relations)
        for name in (name for one in ordered.values() for name in one.unlike):
            if name not in facets:
                raise RecipeError(f"There is no facet '{name}' to be unlike{closest(name, facets)}")
        return torch.nn.ModuleDict(
            {
                PREFIX + name: RelationMasks(one, factors) if one.is_of_labels else ViewMasks(one)
                for name, one in ordered.items()
            }
        )

    def __call__(self, out: Outputs, module: nn.Module | None = None) -> dict[str, Tensor]:
        """Value in [0, 2 + margin], a cosine distance."""
        from disentone.objectives.mining import semi_hard, triplet_loss, violation

        assert isinstance(module, torch.nn.ModuleDict)  # the objective hands over what build made
        total, present, logs = out.mean.new_zeros(()), out.mean.new_zeros(()), {}
        for name, rule in module.items():
            facet = name.removeprefix(PREFIX)
            codes, valid = self._compared(out, facet, rule)
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

    def _compared(
        self, out: Outputs, facet: str, rule: nn.Module
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Codes (rows, dim) of all processes, a view a row, and which are positives, negatives."""
        from disentone.agreement.masks import RelationMasks, ViewMasks

        assert isinstance(rule, RelationMasks | ViewMasks)
        relation = rule.relation
        columns = self.columns(out, None if relation.is_of_labels else facet)
        others = [c for name in relation.unlike for c in self.columns(out, name)[1:]]
        codes = all_gather(out.mean[:, columns + others, out.facets.slice(facet)])  # (B, V, dim)
        if relation.is_of_labels:
            labels = {name: all_gather(out.labels[name][:, columns]) for name in relation.factors}
            valid = rule({name: values.flatten(0, 1) for name, values in labels.items()})
        else:
            valid = rule(len(codes), len(columns), len(others), codes.device)
        return codes.flatten(0, 1), valid
