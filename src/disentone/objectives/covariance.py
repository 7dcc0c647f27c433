"""Covariance: two facets, or the dimensions of one, must not be correlated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from disentone.errors import RecipeError
from disentone.models.lazy import torch
from disentone.objectives.distributed import all_gather
from disentone.objectives.term import Term

if TYPE_CHECKING:
    from torch import Tensor, nn

    from disentone.models.multiview import Outputs

__all__ = ["Covariance", "correlations", "covariance"]


def correlations(first: Tensor, second: Tensor, *, epsilon: float = 1e-4) -> Tensor:
    """Correlation over a batch of every dimension of one facet with every one of another.

    Parameters
    ----------
    first, second : Tensor, shape (rows, dims)
        They may differ in dims.
    epsilon : float
        Added to every variance, so that a dimension that never changes has correlations of 0.

    Returns
    -------
    Tensor, shape (dims of first, dims of second)
        In [-1, 1].
    """
    scaled = [
        (x - x.mean(0)) / torch.sqrt(x.var(0, correction=0) + epsilon) for x in (first, second)
    ]
    return scaled[0].T @ scaled[1] / len(first)


def covariance(first: Tensor, second: Tensor | None = None, *, epsilon: float = 1e-4) -> Tensor:
    """Mean squared correlation of two facets, or between the dimensions of one.

    After the decorrelation terms of J. Zbontar et al., "Barlow Twins" (2021), and A. Bardes,
    J. Ponce and Y. LeCun, "VICReg" (2022).

    Parameters
    ----------
    first, second : Tensor, shape (rows, dims)
        They may differ in dims. Without the second: of every two dimensions of the first.
    epsilon : float
        As in :func:`correlations`.

    Returns
    -------
    Tensor
        Scalar in [0, 1].

    Raises
    ------
    RecipeError
        If there is but one row.
    """
    if len(first) < 2:
        raise RecipeError("Covariance compares clips in a batch: use a batch of 2 or more.")
    squared = correlations(first, first if second is None else second, epsilon=epsilon).square()
    if second is not None:
        return squared.mean()
    dim = len(squared)
    return (squared.sum() - squared.diagonal().sum()) / max(1, dim * (dim - 1))


class Covariance(Term):
    """Mean squared correlation between two facets of a clip, or between dimensions of one facet.

    After the decorrelation terms of J. Zbontar et al., "Barlow Twins" (2021), and A. Bardes,
    J. Ponce and Y. LeCun, "VICReg" (2022), here from facet to facet: it removes what is
    *linearly* the same in both.
    """

    term: Literal["covariance"] = "covariance"
    facet: str = "private"
    of: str | None = Field(
        default="shared", description="the other facet; none: the dimensions of the facet itself"
    )

    def named_facets(self) -> tuple[str, ...]:
        """Facets that must exist."""
        return (self.facet,) if self.of is None else (self.facet, self.of)

    def __call__(self, out: Outputs, module: nn.Module | None = None) -> dict[str, Tensor]:
        """Value in [0, 1]."""
        codes = all_gather(out.mean)
        if len(codes) < 2:  # views of one clip are no batch
            raise RecipeError("Covariance compares clips in a batch: use a batch of 2 or more.")
        codes = codes.flatten(0, 1)  # views are rows of their own
        second = None if self.of is None else codes[:, out.facets.slice(self.of)]
        return {"value": covariance(codes[:, out.facets.slice(self.facet)], second)}
