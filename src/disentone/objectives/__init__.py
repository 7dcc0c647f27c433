"""Objectives: weighted sums of small terms, each acting on named facets of any model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from disentone.errors import RecipeError, closest
from disentone.facets import Facets
from disentone.models.multiview import Outputs
from disentone.objectives.agreement import Agreement, agreement
from disentone.objectives.divergence import Divergence, KLParts, decomposed_kl
from disentone.objectives.independence import Critic, Independence
from disentone.objectives.invariance import Invariance
from disentone.objectives.reconstruction import Reconstruction
from disentone.objectives.term import Term

__all__ = [
    "Agreement",
    "AnyTerm",
    "Critic",
    "Divergence",
    "Independence",
    "Invariance",
    "KLParts",
    "Objective",
    "Reconstruction",
    "Term",
    "agreement",
    "decomposed_kl",
]

AnyTerm = Annotated[
    Reconstruction | Divergence | Agreement | Independence | Invariance, Field(discriminator="term")
]


class Objective(nn.Module):
    """A weighted sum of terms, with every part logged.

    Its parameters are what the terms themselves learn, such as critics.

    Parameters
    ----------
    terms : sequence of Term
    facets : Facets
        Facets of the model, against which the terms' facets are checked.

    Raises
    ------
    RecipeError
        If a term names a facet that the model does not have, or there is no term.
    """

    def __init__(self, terms: Sequence[Term], facets: Facets) -> None:
        super().__init__()
        if not terms:
            raise RecipeError("An objective needs at least one term, such as 'reconstruction'.")
        self.terms = list(terms)
        self.learnt = nn.ModuleDict()
        for index, term in enumerate(terms):
            for name in term.named_facets():
                if name not in facets:
                    raise RecipeError(
                        f"Term '{_name(term)}' names a facet '{name}' that the model does not "
                        f"have{closest(name, facets.names)}"
                    )
            module = term.build(facets)
            if module is not None:
                self.learnt[str(index)] = module

    def forward(self, out: Outputs) -> tuple[Tensor, dict[str, Tensor]]:
        """Total to minimise (a scalar), and a flat dictionary of parts for the log."""
        total = out.z.new_zeros(())
        logs: dict[str, Tensor] = {}
        for index, term in enumerate(self.terms):
            parts = term(out, dict(self.learnt.items()).get(str(index)))
            total = total + term.weight * parts["value"]
            name = _name(term)
            name = name if name not in logs else f"{name}{index}"
            logs[name] = parts.pop("value").detach()
            logs.update(parts)
        logs["total"] = total.detach()
        return total, logs


def _name(term: Term) -> str:
    return term.term  # type: ignore[attr-defined]  # every concrete term has it
