"""An objective: the weighted sum of its terms, and what they learn themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from disentone.agreement.relation import Relation
from disentone.errors import DataError, RecipeError, closest, what_raised
from disentone.facets import Facets
from disentone.factors import Factor
from disentone.models.multiview import Outputs
from disentone.objectives.own import place_of
from disentone.objectives.term import Term

__all__ = ["Objective"]


class Objective(nn.Module):
    """A weighted sum of terms, with every part logged.

    Its parameters are what the terms themselves learn, such as critics.

    Parameters
    ----------
    terms : sequence of Term
    facets : Facets
        Facets of the model, against which the terms' facets are checked.
    factors : mapping of str to Factor
        Factors of the training clips, for terms that need labels.
    relations : mapping of str to Relation
        What makes clips agree in each facet that has a relation, for terms that compare clips by
        their labels.

    Raises
    ------
    RecipeError
        If a term names a facet that the model does not have or an unknown factor, or
        there is no term.
    """

    def __init__(
        self,
        terms: Sequence[Term],
        facets: Facets,
        factors: Mapping[str, Factor] | None = None,
        relations: Mapping[str, Relation] | None = None,
    ) -> None:
        super().__init__()
        if not terms:
            raise RecipeError("An objective needs at least one term, such as 'reconstruction'.")
        factors, relations = factors or {}, relations or {}
        self.terms = list(terms)
        self.decodes = any(term.decodes for term in terms)
        named = [name for term in terms for name in term.named_factors(relations)]
        self.factors = tuple(dict.fromkeys(named))
        self.learnt = nn.ModuleDict()
        for index, term in enumerate(terms):
            for name in term.named_facets():
                if name not in facets:
                    raise RecipeError(
                        f"Term '{term.term}' names a facet '{name}' that the model does not "
                        f"have{closest(name, facets.names)}"
                    )
            for name in term.named_factors(relations):
                if name not in factors:
                    raise RecipeError(
                        f"Term '{term.term}' needs factor '{name}', which the data does not have"
                        f"{closest(name, tuple(factors))}"
                    )
            try:
                module = term.build(facets, factors, relations)
            except DataError as error:
                raise RecipeError(f"Term '{term.term}': {error}") from error
            if module is not None:
                self.learnt[str(index)] = module

    def forward(self, out: Outputs) -> tuple[Tensor, dict[str, Tensor]]:
        """Total to minimise (a scalar), and a flat dictionary of parts for the log."""
        total = out.z.new_zeros(())
        logs: dict[str, Tensor] = {}
        for index, term in enumerate(self.terms):
            parts = _computed(term, out, dict(self.learnt.items()).get(str(index)))
            total = total + term.weight * parts["value"]
            name = term.term
            number = str(index) if name in logs else ""  # a second term of one kind
            logs[f"{name}{number}"] = parts.pop("value").detach()
            logs |= {f"{part}{number if part in logs else ''}": v for part, v in parts.items()}
        logs["total"] = total.detach()
        return total, logs


def _computed(term: Term, out: Outputs, module: nn.Module | None) -> dict[str, Tensor]:
    """Compute a term; of what a user's own raises there is one sentence."""
    if place_of(term) is None:
        return term(out, module)
    try:
        parts = dict(term(out, module))
        parts["value"].detach()
    except (Exception, SystemExit) as error:  # Ctrl-C is the user's
        raise RecipeError(
            f"Term '{term.term}' cannot be computed ({what_raised(error)}): mend it, or leave it "
            "out of the objective."
        ) from error
    return parts
