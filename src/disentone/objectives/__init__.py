"""Objectives: weighted sums of small terms, each acting on named facets of any model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from torch import Tensor

from disentone.errors import RecipeError, closest
from disentone.facets import Facets
from disentone.models.multiview import Outputs
from disentone.objectives.divergence import Divergence, KLParts, decomposed_kl
from disentone.objectives.reconstruction import Reconstruction
from disentone.objectives.term import Term

__all__ = [
    "AnyTerm",
    "Divergence",
    "KLParts",
    "Objective",
    "Reconstruction",
    "Term",
    "decomposed_kl",
]

AnyTerm = Annotated[Reconstruction | Divergence, Field(discriminator="term")]


class Objective:
    """A weighted sum of terms, with every part logged.

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
        if not terms:
            raise RecipeError("An objective needs at least one term, such as 'reconstruction'.")
        for term in terms:
            named = getattr(term, "facets", None) or ()
            for name in (named,) if isinstance(named, str) else named:
                if name not in facets:
                    raise RecipeError(
                        f"Term '{term.term}' names a facet '{name}' that the model does not have"  # type: ignore[attr-defined]
                        f"{closest(name, facets.names)}"
                    )
        self.terms = list(terms)

    def __call__(self, out: Outputs) -> tuple[Tensor, dict[str, Tensor]]:
        """Total to minimise (a scalar), and a flat dictionary of parts for the log."""
        total = out.z.new_zeros(())
        logs: dict[str, Tensor] = {}
        for term in self.terms:
            parts = term(out)
            total = total + term.weight * parts["value"]
            name = term.term  # type: ignore[attr-defined]
            logs[name] = parts.pop("value").detach()
            logs.update(parts)
        logs["total"] = total.detach()
        return total, logs
