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
from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from disentone.errors import RecipeError
from disentone.models.multiview import Outputs
from disentone.objectives.distributed import gather
from disentone.objectives.term import Term

__all__ = ["Divergence", "KLParts", "decomposed_kl"]


class KLParts(NamedTuple):
    """The three parts of a KL divergence, scalars in nats per clip; their sum is the KL."""

    information: Tensor
    total_correlation: Tensor
    dimensionwise: Tensor


def decomposed_kl(*, z: Tensor, mean: Tensor, log_variance: Tensor, dataset_size: int) -> KLParts:
    """Estimate the three parts of the KL of a facet in one batch.

    Parameters
    ----------
    z : Tensor, shape (batch, dim)
        Samples from the posteriors: the very ones that were decoded.
    mean, log_variance : Tensor, shape (batch, dim)
        Gaussian posteriors of the clips.
    dataset_size : int
        Clips in the training split, at least the batch size.

    Returns
    -------
    KLParts
        Each in nats per clip.

    Raises
    ------
    RecipeError
        If the batch has one clip, or more clips than the data set.
    """
    batch = len(z)
    if batch < 2:
        raise RecipeError("The decomposed KL compares clips in a batch: use a batch of 2 or more.")
    if dataset_size < batch:
        raise RecipeError(f"A batch of {batch} does not fit a training split of {dataset_size}.")
    pairwise = _log_normal(z.unsqueeze(1), mean, log_variance)  # (batch z, batch q, dim)
    own = _log_normal(z, mean, log_variance).sum(-1)  # (batch,)
    log_weight = _stratified(batch, dataset_size, z)
    joint = torch.logsumexp(pairwise.sum(-1) + log_weight, dim=1)  # (batch,) log q(z)
    marginals = torch.logsumexp(pairwise + log_weight.unsqueeze(-1), dim=1).sum(-1)
    prior = _log_normal(z, torch.zeros_like(z), torch.zeros_like(z)).sum(-1)
    return KLParts(
        information=(own - joint).mean(),
        total_correlation=(joint - marginals).mean(),
        dimensionwise=(marginals - prior).mean(),
    )


def _stratified(batch: int, dataset_size: int, like: Tensor) -> Tensor:
    """Log weights of posterior j in the aggregate at sample i: (batch, batch)."""
    others = (dataset_size - 1) / (dataset_size * (batch - 1))
    weight = torch.full((batch, batch), math.log(others), device=like.device, dtype=like.dtype)
    return weight.fill_diagonal_(-math.log(dataset_size))


def _log_normal(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    squared = (z - mean).square() * torch.exp(-log_variance)
    return -0.5 * (squared + log_variance + math.log(2 * math.pi))


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
        sums: dict[str, Tensor] = {}
        value = out.z.new_zeros(())
        for name in self.facets or out.facets.names:
            part = out.facets.slice(name)
            for column, views in _distinct_columns(out, name):
                kl = decomposed_kl(
                    z=gather(out.z[:, column, part]),
                    mean=gather(out.posterior_mean[:, column, part]),
                    log_variance=gather(out.posterior_log_variance[:, column, part]),
                    dataset_size=out.dataset_size,
                )
                value = value + views * (
                    self.alpha * kl.information
                    + self.beta * kl.total_correlation
                    + self.gamma * kl.dimensionwise
                )
                for key, part_value in zip(("mi", "tc", "dkl"), kl):
                    label = f"{key}_{name}"
                    sums[label] = sums.get(label, 0) + views * part_value.detach()
        return {"value": value, **sums}


def _distinct_columns(out: Outputs, name: str) -> list[tuple[int, int]]:
    """Columns with a posterior of their own, each with the number of views it stands for."""
    columns = out.x.shape[1]
    fused = out.groups.get(name, ()) if out.model.config.fusion != "swap" else ()
    alone = [(column, 1) for column in range(columns) if column not in fused]
    return [(fused[0], len(fused)), *alone] if fused else alone
