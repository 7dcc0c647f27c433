"""Cross-view reconstruction: a view is decoded with the shared facets of another view."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from disentone.objectives.term import Term

if TYPE_CHECKING:
    from torch import Tensor, nn

    from disentone.models.multiview import Outputs

__all__ = ["CrossView"]


class CrossView(Term):
    """Squared error of views decoded from their own code with another view's shared facets.

    Averaged over entries, summed over views. Facets without a relation stay the view's own, so a
    shared facet is of use only as far as the views agree in it.
    """

    compares_views: ClassVar[bool] = True

    term: Literal["cross_view"] = "cross_view"

    def __call__(self, out: Outputs, module: nn.Module | None = None) -> dict[str, Tensor]:
        """Value in squared features."""
        decoded = out.model.decode(out.model.swap(out.own, out.groups))
        return {"value": (decoded - out.x).square().mean((0, 2, 3)).sum()}
