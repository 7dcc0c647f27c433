"""What a term of an objective is: a small configured function of the model's outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from disentone.agreement.relation import Relation
from disentone.facets import Facets
from disentone.factors import Factor

if TYPE_CHECKING:
    from torch import Tensor, nn

    from disentone.models.multiview import Outputs

__all__ = ["Term"]


class Term(BaseModel):
    """One term; a subclass adds its name in ``term``, its options, and ``__call__``."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    decodes: ClassVar[bool] = False  # whether it looks at the reconstruction
    compares_views: ClassVar[bool] = False  # whether a clip without partners is of no use to it

    term: str  # each concrete term has its own name as the default

    weight: float = Field(default=1.0, description="the term's value is multiplied by this")

    def named_facets(self) -> tuple[str, ...]:
        """Facets that the term needs; they are checked before training."""
        return ()

    def named_factors(self, relations: Mapping[str, Relation]) -> tuple[str, ...]:
        """Factors whose values the term needs, in ``out.labels``; none by default.

        ``relations`` are those of the facets that have one.
        """
        return ()

    def build(
        self,
        facets: Facets,
        factors: Mapping[str, Factor],
        relations: Mapping[str, Relation],
    ) -> nn.Module | None:
        """Make what the term itself learns, such as a critic; nothing by default.

        It is trained, saved and resumed with the model, and handed to every call. ``factors`` are
        those of the training clips, ``relations`` as in :meth:`named_factors`.
        """
        return None

    def columns(self, out: Outputs, facet: str | None) -> list[int]:
        """Views that agree in a facet; all of them for a facet without a relation."""
        return list(out.groups.get(facet or "", range(out.x.shape[1])))

    def __call__(self, out: Outputs, module: nn.Module | None = None) -> dict[str, Tensor]:
        """Value to minimise under ``"value"`` (a scalar); other entries are only logged."""
        raise NotImplementedError  # not abstract: pydantic makes these from recipes
