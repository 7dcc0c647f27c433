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

__all__ = ["Independence", "independence"]


def independence(
    first: Tensor, second: Tensor, critic: nn.Module, *, strength: float = 1.0, weight: float = 1.0
) -> tuple[Tensor, Tensor]:
    """What a critic can tell of one facet from another, and a loss for both that play.

    The second facet is left as it is. Both are standardised over the batch first, so that neither
    scale nor dead dimensions hide what can be told.

    One pass serves both: on its way back the gradient turns from the critic's, who loses what it
    cannot tell, into the model's, who pays for what it can (Y. Ganin et al., "Domain-Adversarial
    Training of Neural Networks", 2016).

    Parameters
    ----------
    first : Tensor, shape (rows, dim)
        Of the facet that must hold nothing of the other.
    second : Tensor, shape (rows, dim of it)
        Of the other.
    critic : nn.Module
        From both, standardised, to a lower bound on their mutual information in nats, such as
        :class:`~disentone.objectives.critic.Critic`; its parameters are learnt from this loss.
    strength : float
        In [0, 1]: how much of what can be told the model pays for.
    weight : float
        What the value will be multiplied by; the critic's own loss does not depend on it.

    Returns
    -------
    value : Tensor
        Scalar to minimise, for the model and the critic at once.
    information : Tensor
        Scalar in nats, at least 0 and without gradient: the critic's bound.
    """
    first = _standardised(first, floor=1e-3)
    second = _standardised(second, floor=1e-4).detach()
    weight = max(weight, 1e-12)
    reversed_ = first.clone() if first.requires_grad else first
    bound = critic(reversed_, second)
    information = bound.detach().clamp(min=0)
    if reversed_.requires_grad:
        pays = -strength * weight * (bound.detach() > 0)
        reversed_.register_hook(lambda gradient: gradient * pays)
    return strength * information - (bound - bound.detach()) / weight, information


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
        strength = min(1.0, max(0.0, (out.progress - self.begin) / self.ramp))
        value, information = independence(
            first.flatten(0, 1), second.flatten(0, 1), module, strength=strength, weight=self.weight
        )
        return {"value": value, "told": information}


def _standardised(x: Tensor, *, floor: float) -> Tensor:
    return (x - x.mean(0)) / (x.var(0) + floor).sqrt()
