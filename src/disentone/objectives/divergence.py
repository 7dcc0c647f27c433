"""The Kullback-Leibler divergence of a facet, decomposed.

Chen, Li, Grosse and Duvenaud, "Isolating Sources of Disentanglement in Variational Autoencoders"
(2018), Eq. 2: KL(q(z|x) || p(z)), averaged over the data, is the mutual information of clip and
code, plus the total correlation of the code's dimensions, plus the dimension-wise KL. The
aggregate posterior is estimated in the batch by stratified sampling (their appendix C.2). The
weights here are 1/N for the clip's own posterior and (N-1)/(N(B-1)) for each other one; a
widespread implementation puts 1/N in the wrong place and overestimates total correlation.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import Field

from disentone.errors import RecipeError
from disentone.models.lazy import torch
from disentone.objectives.distributed import all_gather
from disentone.objectives.term import Term

if TYPE_CHECKING:
    from torch import Tensor, nn

    from disentone.models.multiview import Outputs

__all__ = ["Divergence", "KLParts", "decomposed_kl", "sampled_kl"]


class KLParts(NamedTuple):
    """The three parts of a KL divergence, scalars in nats per clip; their sum is the KL."""

    information: Tensor
    total_correlation: Tensor
    dimensionwise: Tensor


def decomposed_kl(*, z: Tensor, mean: Tensor, log_variance: Tensor, dataset_size: int) -> KLParts:
    """Estimate the three parts of the KL of a facet in one batch.

    Parameters
    ----------
    z : Tensor, shape (..., batch, dim)
        Samples from the posteriors: the very ones that were decoded.
    mean, log_variance : Tensor, shape (..., batch, dim)
        Gaussian posteriors of the clips; each batch, such as a view, is estimated by itself.
    dataset_size : int
        Clips in the training split, at least the batch size.

    Returns
    -------
    KLParts
        Each of shape (...), in nats per clip.

    Raises
    ------
    RecipeError
        If the batch has one clip, or more clips than the data set.
    """
    batch = z.shape[-2]
    if batch < 2:
        raise RecipeError("The decomposed KL compares clips in a batch: use a batch of 2 or more.")
    if dataset_size < batch:
        raise RecipeError(f"A batch of {batch} does not fit a training split of {dataset_size}.")
    pairwise = _log_normal(  # (..., batch z, batch q, dim)
        z.unsqueeze(-2), mean.unsqueeze(-3), log_variance.unsqueeze(-3)
    )
    own = _log_normal(z, mean, log_variance).sum(-1)  # (..., batch)
    log_weight = _stratified(batch, dataset_size, z)
    joint = torch.logsumexp(pairwise.sum(-1) + log_weight, dim=-1)  # (..., batch) log q(z)
    marginals = torch.logsumexp(pairwise + log_weight.unsqueeze(-1), dim=-2).sum(-1)
    return KLParts(
        information=(own - joint).mean(-1),
        total_correlation=(joint - marginals).mean(-1),
        dimensionwise=(marginals - _log_prior(z)).mean(-1),
    )


def sampled_kl(*, z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL of the posteriors to the prior by their samples: the sum of the three parts.

    The aggregate posterior cancels in the sum, so that nothing is compared between clips.

    Parameters
    ----------
    z, mean, log_variance : Tensor, shape (..., batch, dim)
        As of :func:`decomposed_kl`.

    Returns
    -------
    Tensor, shape (...)
        In nats per clip.
    """
    return (_log_normal(z, mean, log_variance).sum(-1) - _log_prior(z)).mean(-1)


def _stratified(batch: int, dataset_size: int, like: Tensor) -> Tensor:
    """Log weights of posterior j in the aggregate at sample i: (batch, batch)."""
    others = (dataset_size - 1) / (dataset_size * (batch - 1))
    weight = torch.full((batch, batch), math.log(others), device=like.device, dtype=like.dtype)
    return weight.fill_diagonal_(-math.log(dataset_size))


def _log_normal(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    at_mean = -0.5 * (log_variance + math.log(2 * math.pi))
    return torch.addcmul(at_mean, (z - mean).square(), -0.5 * torch.exp(-log_variance))


def _log_prior(z: Tensor) -> Tensor:
    """Log-density of samples (..., dim) under N(0, 1) in every dimension."""
    return -0.5 * (z.square().sum(-1) + z.shape[-1] * math.log(2 * math.pi))


class Divergence(Term):
    """Weighted parts of the KL of facets, summed over facets and views (Eq. 1 of MARL).

    With ``alpha = beta = gamma`` it is the plain KL in expectation.
    """

    term: Literal["kl"] = "kl"
    facets: tuple[str, ...] | None = Field(
        default=None, description="facets it acts on; all by default"
    )
    alpha: float = Field(default=1.0, description="weight of mutual information")
    beta: float = Field(default=1.0, description="weight of total correlation")
    gamma: float = Field(default=1.0, description="weight of dimension-wise KL")

    def named_facets(self) -> tuple[str, ...]:
        """Facets that must exist."""
        return self.facets or ()

    def __call__(self, out: Outputs, module: nn.Module | None = None) -> dict[str, Tensor]:
        """Weighted value and unweighted parts, in nats per clip."""
        if not out.model.config.gaussian:
            raise RecipeError("Term 'kl' needs variances: set model.stochastic to true.")
        for name in self.facets or out.facets.names:
            if out.model.config.pool.get(name, "mean") != "mean":
                raise RecipeError(f"Term 'kl' needs facets pooled by the mean; '{name}' is not.")
        logs: dict[str, Tensor] = {}
        value = out.z.new_zeros(())
        for name in self.facets or out.facets.names:
            columns, stand_for = _distinct_columns(out, name)
            part = out.facets.slice(name)
            z, mean, log_variance = (
                all_gather(x[:, columns, part]).transpose(0, 1)  # (columns, batch, dim)
                for x in (out.z, out.posterior_mean, out.posterior_log_variance)
            )
            views = torch.tensor(stand_for, dtype=z.dtype, device=z.device)
            plain = self.alpha == self.beta == self.gamma
            with torch.set_grad_enabled(torch.is_grad_enabled() and not plain):
                kl = decomposed_kl(
                    z=z, mean=mean, log_variance=log_variance, dataset_size=out.dataset_size
                )
            if plain:  # the parts are for the log: their sum compares no clips, and costs little
                weighted = self.alpha * sampled_kl(z=z, mean=mean, log_variance=log_variance)
            else:
                weighted = (
                    self.alpha * kl.information
                    + self.beta * kl.total_correlation
                    + self.gamma * kl.dimensionwise
                )
            value = value + views @ weighted
            logs |= {f"{k}_{name}": views @ one.detach() for k, one in zip(("mi", "tc", "dkl"), kl)}
        return {"value": value, **logs}


def _distinct_columns(out: Outputs, name: str) -> tuple[list[int], list[int]]:
    """Columns with a posterior of their own, and the number of views that each stands for."""
    fused = list(out.groups.get(name, ())) if out.model.config.fusion != "swap" else []
    alone = [column for column in range(out.x.shape[1]) if column not in fused]
    return [*fused[:1], *alone], [*([len(fused)] if fused else []), *(1 for _ in alone)]
