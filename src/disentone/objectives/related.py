"""What terms have in common that compare all clips of a batch, in each facet by its relation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pydantic import Field

from disentone.agreement.relation import Relation
from disentone.errors import RecipeError, closest
from disentone.facets import Facets
from disentone.factors import Factor
from disentone.models.lazy import torch
from disentone.objectives.distributed import all_gather
from disentone.objectives.term import Term

if TYPE_CHECKING:
    from torch import Tensor, nn

    from disentone.models.multiview import Outputs

__all__ = ["RelationTerm"]

PREFIX = "of "  # a facet's name alone may be that of an attribute of modules


class RelationTerm(Term):
    """A term on the rows of a batch, every view one, that agree or not in a facet's relation."""

    facets: tuple[str, ...] | None = Field(
        default=None, description="facets to compare; by default all that have a relation"
    )

    def named_facets(self) -> tuple[str, ...]:
        """Facets that must exist."""
        return self.facets or ()

    def ordered(self, relations: Mapping[str, Relation]) -> dict[str, Relation]:
        """Facets that are compared, and what makes clips agree in each.

        Raises
        ------
        RecipeError
            If a facet has no relation, or none has.
        """
        for name in self.facets or ():
            if name not in relations:
                raise RecipeError(
                    f"Term '{self.term}' compares clips by facet '{name}', which has no relation: "
                    "give what clips agree in, such as same: genre."
                )
        if not relations:
            raise RecipeError(f"Term '{self.term}' needs a facet with 'same', or with 'augment'.")
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

    def compared(
        self, out: Outputs, module: nn.Module | None
    ) -> Iterator[tuple[str, Tensor, tuple[Tensor, Tensor]]]:
        """Give each facet, its codes (rows, dim), and which rows are positives and negatives.

        The masks are bool (rows, rows); rows are of all processes.
        """
        assert isinstance(module, torch.nn.ModuleDict)  # the objective hands over what build made
        for name, rule in module.items():
            facet = name.removeprefix(PREFIX)
            yield facet, *self._compared(out, facet, rule)

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
