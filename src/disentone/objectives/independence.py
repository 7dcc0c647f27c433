"""Independence: one facet must not predict another.

The critic is trained beside the model to find which shared code belongs to which private one
among all the codes of the batch; its success is a lower bound on the mutual information of
the two facets (van den Oord, Li and Vinyals, "Representation Learning with Contrastive
Predictive Coding", 2018), and the model is trained to reduce it to 0.
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
    """Information of one facet about another by a critic, and a loss for model and critic.

    The second facet is left as it is. Both are standardised over the batch first, so that neither
    scale nor dead dimensions hide information.

    One pass serves both: on its way back the critic's gradient, which increases the bound, is
    reversed into the model's, which decreases it (Y. Ganin et al., "Domain-Adversarial
    Training of Neural Networks", 2016).

    Parameters
    ----------
    first : Tensor, shape (rows, dim)
        Of the facet that must encode nothing of the other.
    second : Tensor, shape (rows, dim of it)
        Of the other.
    critic : nn.Module
        From both, standardised, to a lower bound on their mutual information in nats, such as
        :class:`~disentone.objectives.critic.Critic`; its parameters are learnt from this loss.
    strength : float
        In [0, 1]: weight of the bound in the model's loss.
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
    """Make the means of ``facet`` predict nothing of facet ``of``, which is left as it is.

    Both are standardised over the batch first, so that neither scale nor dead dimensions hide
    information. Of a facet in which views agree, another view's code is taken: what the views
    have in common must not be predicted.
    """

    term: Literal["independence"] = "independence"
    facet: str = Field(default="private", description="facet that must not predict")
    of: str = Field(default="shared", description="facet that it must not predict")
    width: int = Field(default=256, ge=1, le=2**16, description="units of the critic's layers")
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
        """Value: the critic's loss, plus, for the model only, its bound, logged as told."""
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
