"""Fusing the posteriors or codes of several views in a facet into one."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["product_of_experts", "with_prior"]


def product_of_experts(mean: Tensor, log_variance: Tensor, *, dim: int) -> tuple[Tensor, Tensor]:
    """Multiply Gaussian experts with the prior N(0, 1) as one more expert.

    Precisions add, and the mean is weighted by precision (G. E. Hinton, "Training products of
    experts by minimizing contrastive divergence", 2002). The prior takes part exactly once,
    whatever the number of views, so the posterior of a single view is the same in training and
    at inference. Everything is in log space, so extreme precisions neither overflow nor vanish.

    Parameters
    ----------
    mean, log_variance : Tensor
        Experts, of any shape; a missing view has log-variance +inf, and its mean is ignored.
    dim : int
        Axis of the views; it is removed.

    Returns
    -------
    mean, log_variance : Tensor
        Of the product; log-variance is never above 0, the prior's.
    """
    log_precision = -log_variance
    prior = torch.zeros_like(log_precision.select(dim, 0)).unsqueeze(dim)
    total = torch.logsumexp(torch.cat([log_precision, prior], dim), dim)
    weight = torch.exp(log_precision - total.unsqueeze(dim))  # share of each view's expert
    present = torch.where(torch.isinf(log_variance), torch.zeros_like(mean), mean)
    return (weight * present).sum(dim), -total


def with_prior(mean: Tensor, log_variance: Tensor) -> tuple[Tensor, Tensor]:
    """Posterior of a single view: :func:`product_of_experts` of one, which is a sigmoid.

    The view's share of the precision is ``e^-v / (e^-v + 1)`` where its log-variance is ``v``.
    """
    mean = torch.where(torch.isinf(log_variance), torch.zeros_like(mean), mean)
    return torch.sigmoid(-log_variance) * mean, functional.logsigmoid(log_variance)
