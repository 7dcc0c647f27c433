"""Independence: one facet must not tell what another facet holds.

The critic is trained beside the model to tell which shared code belongs to which private one
among all the codes of the batch; what it can tell is a lower bound on the mutual information of
the two facets (van den Oord, Li and Vinyals, "Representation Learning with Contrastive
Predictive Coding", 2018), and the model is trained to leave it nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from disentone.agreement.relation import Relation
from disentone.errors import RecipeError
from disentone.facets import Facets
from disentone.factors import Factor
from disentone.objectives.distributed import all_gather
from disentone.objectives.term import Term

if TYPE_CHECKING:
    from torch import Tensor, nn

    from disentone.models.multiview import Outputs

__all__ = ["Independence"]


class Independence(Term):
    """Make the means of ``facet`` tell nothing about facet ``of``, which is left as it is.

    Both are standardised over the batch first, so that neither scale nor dead dimensions hide
    what is told. Of a facet in which views agree, another view's code is taken: what the views
    have in common is what must not be told.
    """

    term: Literal["independence"] = "independence"
    facet: str = Field(default="private", description="facet that must not tell")
    of: str = Field(default="shared", description="facet that it must not tell about")
    width: int = Field(default=256, ge=1, description="units of the critic's layers")
    begin: float = Field(default=0.1, ge=0, lt=1, description="share of training before it acts")
    ramp: float = Field(default=0.5, gt=0, le=1, description="share of training in which it grows")

    def named_facets(self) -> tuple[str, ...]:
        """Facets that must exist."""
        return (self.facet, self.of)

    def build(
        self,
        facets: Facets,
        factors: Mapping[str, Factor],
        relations: Mapping[str, Relation],
    ) -> nn.Module:
        """Make the critic."""
        from disentone.objectives.critic import Critic  # see disentone.models.lazy

        return Critic(facets[self.facet], facets[self.of], width=self.width)

    def __call__(self, out: Outputs, module: nn.Module | None = None) -> dict[str, Tensor]:
        """Value: what the critic loses, plus, for the model only, what the critic can tell."""
        assert module is not None
        first = out.posterior_mean[..., out.facets.slice(self.facet)]
        second = out.posterior_mean[..., out.facets.slice(self.of)]
        columns = out.groups.get(self.of)
        if columns:
            other = [*columns[1:], columns[0]]
            first, second = first[:, list(columns)], second[:, other]
        first, second = all_gather(first), all_gather(second)
        if len(first) < 2:
            raise RecipeError("Independence compares clips in a batch: use a batch of 2 or more.")
        first = _standardised(first.flatten(0, 1), floor=1e-3)
        second = _standardised(second.flatten(0, 1), floor=1e-4).detach()
        strength = min(1.0, max(0.0, (out.progress - self.begin) / self.ramp))
        # One pass serves both: on its way back the gradient turns from the critic's, who loses
        # what it cannot tell, into the model's, who pays for what it can (Y. Ganin et al.,
        # "Domain-Adversarial Training of Neural Networks", 2016). The critic's own loss is divided
        # by the weight, which multiplies the whole term.
        weight = max(self.weight, 1e-12)
        reversed_ = first.clone() if first.requires_grad else first
        told = module(reversed_, second)
        if reversed_.requires_grad:
            pays = -strength * weight * (told.detach() > 0)
            reversed_.register_hook(lambda gradient: gradient * pays)
        value = strength * told.detach().clamp(min=0) - (told - told.detach()) / weight
        return {"value": value, "told": told.detach().clamp(min=0)}


def _standardised(x: Tensor, *, floor: float) -> Tensor:
    return (x - x.mean(0)) / (x.var(0) + floor).sqrt()
