"""Similarity and separation: cosines between the views' codes of a facet (LATENT, Eqs. 2 to 5)."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from disentone.errors import RecipeError
from disentone.models.lazy import torch
from disentone.objectives.distributed import all_gather
from disentone.objectives.term import Term

if TYPE_CHECKING:
    from torch import Tensor, nn

    from disentone.models.multiview import Outputs

__all__ = [
    "PairTerm",
    "Separation",
    "Similarity",
    "cosines",
    "directions",
    "infonce",
    "separation",
    "similarity",
    "tangent_log",
]

SHORT = 1e-6
"""Vectors shorter than this have no direction."""


def cosines(first: Tensor, second: Tensor) -> Tensor:
    """Cosine of every row of one set with every row of another.

    A vector of zeros has no direction: its cosines are 0 and it gets no gradient.

    Parameters
    ----------
    first, second : Tensor, shape (rows, dim)

    Returns
    -------
    Tensor, shape (rows, rows)
        In [-1, 1].
    """
    return directions(first) @ directions(second).T


def directions(x: Tensor) -> Tensor:
    """Scale vectors (..., dim) to length 1; zeros stay, and get no gradient."""
    length = torch.linalg.vector_norm(x.detach(), dim=-1, keepdim=True)
    known = torch.where(length > SHORT, x, torch.ones_like(x))  # its gradient is finite
    return torch.where(
        length > SHORT, torch.nn.functional.normalize(known, dim=-1), torch.zeros_like(x)
    )


def tangent_log(x: Tensor, *, least: float) -> Tensor:
    """Logarithm down to ``least``; below it, its tangent there, so it is defined for any number.

    Where the logarithm of a cosine is not defined, a floor would give the gradient 0 just where
    two views disagree most; the tangent keeps pulling, with the slope ``1 / least``.

    Parameters
    ----------
    x : Tensor
    least : float
        Above 0.
    """
    line = torch.log(torch.tensor(least)) + (x - least) / least
    return torch.where(x >= least, torch.log(x.clamp_min(least)), line)


def infonce(first: Tensor, second: Tensor, *, temperature: float = 0.1) -> Tensor:
    """Cross-entropy of finding each row's partner among all rows of the batch.

    ``-mean_j log(exp(c_jj / t) / sum_k exp(c_jk / t))`` with cosines ``c``: A. van den Oord,
    Y. Li and O. Vinyals, "Representation Learning with Contrastive Predictive Coding" (2018);
    with a temperature of 1, Eq. 4 of LATENT.

    Parameters
    ----------
    first, second : Tensor, shape (rows, dim)
        Rows of the same number belong together.
    temperature : float
        Above 0; with one below 0 the partner is to be the worst match in the batch.

    Returns
    -------
    Tensor
        Scalar in nats; log(rows) where no partner is found.

    Raises
    ------
    RecipeError
        If there is but one row, which has no negatives.
    """
    scores = cosines(first, second) / temperature
    _check_rows(scores, "InfoNCE and batch-level similarity")
    return (torch.logsumexp(scores, dim=1) - scores.diagonal()).mean()


def similarity(
    first: Tensor,
    second: Tensor,
    *,
    level: Literal["sample", "batch"] = "sample",
    least: float = 0.1,
) -> Tensor:
    """Make rows of the same number point in one direction.

    Eqs. 2 and 4 of LATENT: by ``sample`` ``-mean log c`` with the cosine ``c`` of two rows of the
    same number, whose logarithm goes on below ``least`` as its tangent (:func:`tangent_log`), so
    that it is defined and not steeper than ``1 / least``; by ``batch`` :func:`infonce` with a
    temperature of 1, where the other rows are negatives.

    Parameters
    ----------
    first, second : Tensor, shape (rows, dim)
        Codes of two views; of a batch level, of 2 rows or more.
    level : {"sample", "batch"}
    least : float
        Cosine in (0, 1] below which the logarithm is a line.

    Returns
    -------
    Tensor
        Scalar in nats; 0 by sample where all point in one direction.

    Raises
    ------
    RecipeError
        If a batch has but one row.
    """
    if level == "batch":
        return infonce(first, second, temperature=1.0)
    cosine = (directions(first) * directions(second)).sum(-1)
    return -tangent_log(cosine, least=least).mean()


def separation(
    first: Tensor,
    second: Tensor,
    *,
    level: Literal["sample", "batch"] = "sample",
    least: float = 0.1,
) -> Tensor:
    """Make rows point in different directions.

    Eqs. 3 and 5 of LATENT: ``-mean log(1 - c)`` with the cosine ``c`` of two rows of the same
    number (``sample``) or of any row of the first with any of the second (``batch``). Where two
    rows are parallel the logarithm has no bound: below ``least`` it goes on as its tangent.

    Parameters
    ----------
    first, second : Tensor, shape (rows, dim)
    level : {"sample", "batch"}
    least : float
        In (0, 1]: ``1 - c`` below which the logarithm is a line.

    Returns
    -------
    Tensor
        Scalar in nats, not below -log 2.

    Raises
    ------
    RecipeError
        If a batch has but one row.
    """
    if level == "batch":
        cosine = cosines(first, second)
        _check_rows(cosine, "Batch-level separations")
    else:
        cosine = (directions(first) * directions(second)).sum(-1)
    return -tangent_log(1 - cosine, least=least).mean()


def _check_rows(scores: Tensor, what: str) -> None:
    if len(scores) < 2:
        raise RecipeError(f"{what} compare clips in a batch: use a batch of 2 or more.")


class PairTerm(Term):
    """A term on pairs of views of one facet."""

    compares_views: ClassVar[bool] = True

    facet: str | None = Field(
        default="shared", description="facet whose codes are compared; none: the whole embedding"
    )

    def named_facets(self) -> tuple[str, ...]:
        """Facets that must exist."""
        return () if self.facet is None else (self.facet,)

    def pairs(self, out: Outputs) -> list[tuple[Tensor, Tensor]]:
        """Codes (batch, dim) of every two views that agree in the facet, of all processes."""
        columns = self.columns(out, self.facet)
        if len(columns) < 2:
            raise RecipeError(f"Term '{self.term}' compares views: some facet needs a relation.")
        part = slice(None) if self.facet is None else out.facets.slice(self.facet)
        codes = {column: all_gather(out.mean[:, column, part]) for column in columns}
        # The clip itself is the first view; partners for two facets agree with it, not in pairs.
        groups = [set(group) for group in out.groups.values()]
        return [
            (codes[a], codes[b])
            for a, b in combinations(columns, 2)
            if any({a, b} <= group for group in groups)
        ]


class Similarity(PairTerm):
    """Make the views' codes of a facet point in one direction: :func:`similarity`."""

    term: Literal["similarity"] = "similarity"
    level: Literal["sample", "batch"] = "sample"
    least: float = Field(default=0.1, gt=0, le=1, description="cosine below which it is a line")

    def __call__(self, out: Outputs, module: nn.Module | None = None) -> dict[str, Tensor]:
        """Mean over pairs of views, in nats."""
        values = [similarity(*two, level=self.level, least=self.least) for two in self.pairs(out)]
        return {"value": torch.stack(values).mean()}


class Separation(PairTerm):
    """Make the views' codes of a facet point in different directions: :func:`separation`."""

    term: Literal["separation"] = "separation"
    facet: str | None = Field(
        default="private", description="facet whose codes are compared; none: the whole embedding"
    )
    level: Literal["sample", "batch"] = "sample"
    least: float = Field(default=0.1, gt=0, le=1, description="1 - cosine below which it is a line")

    def __call__(self, out: Outputs, module: nn.Module | None = None) -> dict[str, Tensor]:
        """Mean over pairs of views, in nats; not below -log 2."""
        values = [separation(*two, level=self.level, least=self.least) for two in self.pairs(out)]
        return {"value": torch.stack(values).mean()}
