"""Mining: the triplets of a batch that a facet has yet to bring in order, in O(B^2) memory.

Semi-hard negatives after F. Schroff, D. Kalenichenko and J. Philbin, "FaceNet: A Unified Embedding
for Face Recognition and Clustering" (2015), Section 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

__all__ = ["Mined", "semi_hard", "triplet_loss", "violation"]

FAR = float("inf")  # where a row has no more negatives


@dataclass(frozen=True)
class Mined:
    """Triplets of a batch of B rows, held as B x B intervals although there may be B^3 of them.

    Each row's negatives are sorted by their distance, so those of an anchor ``a`` and a positive
    ``p`` are neighbours: ``order[a, low[a, p] : high[a, p]]``.
    """

    order: Tensor  # (B, B) columns of each row by distance, its negatives first
    low: Tensor  # (B, B)
    high: Tensor  # (B, B)
    positives: Tensor  # (B, B) of anchors that have a negative
    nearer: Tensor  # (B, B) negatives no farther than the positive
    within: Tensor  # (B, B) negatives no farther than the margin beyond it
    negatives: Tensor  # (B, 1) negatives of every anchor

    @property
    def count(self) -> Tensor:
        """Number of triplets, a scalar."""
        return (self.high - self.low).sum()

    @property
    def pairs(self) -> Tensor:
        """Number of anchors with a positive, where there is also a negative; a scalar."""
        return self.positives.sum()

    @property
    def active(self) -> Tensor:
        """Share of those pairs that have a triplet; 0 where there is no pair."""
        return ((self.high > self.low).sum() / self.pairs.clamp_min(1)).float()

    @property
    def correct(self) -> Tensor:
        """Share of all valid triplets, mined or not, whose negative is farther than the positive.

        0 where there is none.
        """
        return ((self.valid - self.nearer.sum()) / self.valid.clamp_min(1)).float()

    @property
    def valid(self) -> Tensor:
        """Number of all valid triplets, mined or not; a scalar."""
        return (self.positives * self.negatives).sum()

    def violating(self) -> Mined:
        """Every triplet that violates the margin: those mined, and all the harder ones."""
        return replace(self, low=torch.zeros_like(self.low), high=self.within)

    def triplets(self) -> tuple[Tensor, Tensor, Tensor]:
        """Anchors, positives and negatives, each int (triplets,), by anchor and positive.

        As there may be B^3 of them, this is for looking at them; the loss does without.
        """
        sizes = self.high - self.low
        anchor, positive = sizes.nonzero(as_tuple=True)
        sizes = sizes[anchor, positive]
        pair = torch.repeat_interleave(sizes)
        place = torch.arange(len(pair), device=pair.device) - (sizes.cumsum(0) - sizes)[pair]
        anchor, positive = anchor[pair], positive[pair]
        return anchor, positive, self.order[anchor, self.low[anchor, positive] + place]

    def weights(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """How much every distance counts in the mean over triplets of positive minus negative.

        Returns
        -------
        Tensor, shape (B, B)
            Of a pair of anchor and positive, its share of the triplets; of an anchor and a
            negative, minus its share; all 0 where there is no triplet.
        """
        sizes = self.high - self.low
        steps = torch.zeros(len(sizes), sizes.shape[1] + 1, dtype=sizes.dtype, device=sizes.device)
        found = (sizes > 0).to(sizes.dtype)
        steps.scatter_add_(1, self.low, found).scatter_add_(1, self.high, -found)
        uses = steps.cumsum(1)[:, :-1]  # in how many intervals each place is
        return sizes.scatter_add(1, self.order, -uses).to(dtype) / self.count.clamp_min(1)


@torch.no_grad()
def semi_hard(
    distances: Tensor,
    positives: Tensor,
    negatives: Tensor,
    *,
    margin: float = 0.1,
    choose: Literal["all", "nearest"] = "all",
    fallback: bool = True,
) -> Mined:
    """Find the semi-hard triplets: the negative is farther than the positive, within the margin.

    ``d(a, p) < d(a, n) <= d(a, p) + margin``, in O(B^2) memory and O(B^2 log B) time.

    A pair of anchor and positive without a semi-hard negative is in one of two states. Where all
    negatives are beyond the margin, it is as it should be and makes no triplet. Where some are no
    farther than the positive, the mildest of these, the farthest, is its negative (`fallback`), so
    that a facet in which everything is one point is not taken for a perfect one.

    Parameters
    ----------
    distances : Tensor, shape (B, B)
        From anchors (rows) to others; cosine distances in [0, 2] in CSN.
    positives, negatives : Tensor of bool, shape (B, B)
        Valid ones of every anchor, such as :func:`disentone.agreement.masks.masks` gives.
    margin : float
        Above 0.
    choose : {"all", "nearest"}
        Semi-hard negatives of a pair that make triplets: all of them, or the one nearest to the
        anchor.
    fallback : bool
        Whether a pair without a semi-hard negative takes the mildest of the harder ones.

    Returns
    -------
    Mined
    """
    far = torch.where(negatives, distances.detach(), FAR)
    row, order = far.sort(dim=1, stable=True)
    reach = torch.where(positives, distances.detach(), -FAR)
    nearer = torch.searchsorted(row, reach, right=True)
    within = torch.searchsorted(row, reach + margin, right=True)
    low, high = nearer, within
    if choose == "nearest":
        high = torch.minimum(high, low + 1)
    if fallback:
        low = torch.where((high == low) & (nearer > 0), low - 1, low)
    count = negatives.sum(1, keepdim=True)
    return Mined(order, low, high, positives & (count > 0), nearer, within, count)


def triplet_loss(distances: Tensor, mined: Mined, *, margin: float = 0.1) -> Tensor:
    """Mean over the mined triplets of ``d(a, p) - d(a, n) + margin``, which all of them violate.

    Parameters
    ----------
    distances : Tensor, shape (B, B)
        Those that were mined, with their gradient.
    mined : Mined
    margin : float
        That of the miner.

    Returns
    -------
    Tensor
        Scalar, at least 0 but for rounding; 0 with a gradient of 0 where there is no triplet.
    """
    weights = mined.weights(distances.dtype)
    return (weights * distances).sum() + margin * (mined.count > 0)


def violation(distances: Tensor, mined: Mined, *, margin: float = 0.1) -> Tensor:
    """Mean over *all* valid triplets of ``max(0, d(a, p) - d(a, n) + margin)``, in O(B^2) memory.

    The semi-hard triplets of a good model cost about as much as those of a bad one; this falls as
    clips come in order, so models are compared by it.

    Parameters
    ----------
    distances, mined, margin
        As in :func:`triplet_loss`.

    Returns
    -------
    Tensor
        Scalar, at least 0 but for rounding; 0 where there is no valid triplet.
    """
    every = mined.violating()
    return triplet_loss(distances, every, margin=margin) * (every.count / every.valid.clamp_min(1))
