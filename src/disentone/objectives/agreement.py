"""Agreement: information that views share in a facet, against all the variance of the facet."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from disentone.errors import RecipeError
from disentone.models.lazy import torch
from disentone.objectives.distributed import all_gather
from disentone.objectives.term import Term

if TYPE_CHECKING:
    from torch import Tensor, nn

    from disentone.models.multiview import Outputs

__all__ = ["Agreement", "agreement"]


def agreement(views: Tensor, *, epsilon: float = 1e-4) -> Tensor:
    """Log-ratio of the volumes of the covariance within clips and of the whole covariance.

    ``0.5 * (log det(W + epsilon I) - log det(T + epsilon I))``, where W is the covariance of the
    views of a clip around their mean and T that of all views of all clips. For Gaussian facets
    this is minus the information, in nats, that a view has about what the views share; it is
    invariant to any invertible linear map of the facet, so a facet can neither shrink nor
    collapse to lower it (H. Hotelling, "Relations between two sets of variates", 1936, Section 4,
    for the determinants' ratio).

    Parameters
    ----------
    views : Tensor, shape (clips, views, dim)
    epsilon : float
        Variance below which differences do not count, in the facet's own unit squared.

    Returns
    -------
    Tensor
        Scalar in nats, at most 0 up to sampling; the lower, the more the views agree.
    """
    clips, count, dim = views.shape
    if clips < 2:
        raise RecipeError("Agreement compares clips in a batch: use a batch of 2 or more.")
    around = (views - views.mean(1, keepdim=True)).reshape(-1, dim)
    centred = (views - views.mean((0, 1))).reshape(-1, dim)
    floor = epsilon * torch.eye(dim, device=views.device, dtype=views.dtype)
    within = around.T @ around / (clips * (count - 1))
    whole = centred.T @ centred / (clips * count)
    # Positive definite, so that Cholesky factors give the determinants.
    factors, failed = torch.linalg.cholesky_ex(torch.stack([within + floor, whole + floor]))
    logs = factors.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    # Where rounding made one indefinite the value is NaN, which training refuses.
    return logs[0] - logs[1] + torch.where(failed.any(), torch.nan, 0.0)


class Agreement(Term):
    """Make the views of a clip agree in a facet, and clips differ in it."""

    compares_views: ClassVar[bool] = True

    term: Literal["agreement"] = "agreement"
    facet: str = Field(default="shared", description="facet with a relation")
    epsilon: float = Field(default=1e-4, gt=0, description="variance that does not count")

    def named_facets(self) -> tuple[str, ...]:
        """Facets that must exist."""
        return (self.facet,)

    def __call__(self, out: Outputs, module: nn.Module | None = None) -> dict[str, Tensor]:
        """Value in nats."""
        if self.facet not in out.groups:
            raise RecipeError(f"Term 'agreement' needs a relation for facet '{self.facet}'.")
        columns = list(out.groups[self.facet])
        views = all_gather(out.mean[:, columns, out.facets.slice(self.facet)])
        return {"value": agreement(views, epsilon=self.epsilon)}
