"""The critic of the term independence: the information of one facet about another."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Critic"]


class Critic(nn.Module):
    """Score how well rows of two facets belong together.

    Parameters
    ----------
    first, second : int
        Sizes of the facets.
    width : int
        Units of the hidden layers.
    """

    def __init__(self, first: int, second: int, *, width: int = 256, rank: int = 32) -> None:
        super().__init__()
        self.first, self.second = (
            nn.Sequential(
                nn.Linear(size, width),
                nn.LeakyReLU(0.2),
                nn.Linear(width, width),
                nn.LeakyReLU(0.2),
                nn.Linear(width, rank),
            )
            for size in (first, second)
        )

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Lower bound on the mutual information of paired rows (rows, size), in nats."""
        scores = self.first(first) @ self.second(second).T  # (rows, rows)
        rows = len(scores)
        chance = torch.log(torch.tensor(float(rows), device=scores.device))
        return (scores.diagonal() - torch.logsumexp(scores, dim=1)).mean() + chance
