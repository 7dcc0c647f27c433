"""Supervised contrast: every clip finds all that agree with it among the clips of the batch.

P. Khosla et al., "Supervised Contrastive Learning" (2020), Eq. 2; here by the relation of each
facet, so that clips which agree in one facet are the hard negatives of another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from disentone.models.lazy import torch
from disentone.objectives.related import RelationTerm
from disentone.objectives.similarity import cosines

if TYPE_CHECKING:
    from torch import Tensor, nn

    from disentone.models.multiview import Outputs

__all__ = ["SupervisedContrast", "supervised_contrast"]


def supervised_contrast(
    scores: Tensor, positives: Tensor, negatives: Tensor, *, temperature: float = 0.1
) -> Tensor:
    """Cross-entropy of finding a positive among all positives and negatives of a row.

    ``mean_i mean_{p in P(i)} -log(exp(s_ip / t) / sum_{a in P(i) or N(i)} exp(s_ia / t))`` over
    the rows i that have a positive.

    Parameters
    ----------
    scores : Tensor, shape (rows, rows)
        Such as cosines.
    positives, negatives : Tensor of bool, shape (rows, rows)
        No row is its own.
    temperature : float
        Above 0.

    Returns
    -------
    Tensor
        Scalar in nats; 0 where no row has a positive.
    """
    logits = (scores / temperature).masked_fill(~(positives | negatives), -torch.inf)
    rows = positives.any(1)
    if not rows.any():
        return scores.sum() * 0
    logits, chosen = logits[rows], positives[rows]
    surprise = logits.logsumexp(1, keepdim=True) - logits
    return (surprise.masked_fill(~chosen, 0).sum(1) / chosen.sum(1)).mean()


class SupervisedContrast(RelationTerm):
    """Contrast of each facet by its own relation, over all clips of the batch.

    The value is the mean over facets of :func:`supervised_contrast` of their cosines. Logged for
    every facet: its loss (``contrast_NAME``).
    """

    term: Literal["supcon"] = "supcon"
    temperature: float = Field(default=0.1, gt=0)

    def __call__(self, out: Outputs, module: nn.Module | None = None) -> dict[str, Tensor]:
        """Value in nats."""
        losses = {
            facet: supervised_contrast(cosines(codes, codes), *valid, temperature=self.temperature)
            for facet, codes, valid in self.compared(out, module)
        }
        logs = {f"contrast_{facet}": loss.detach() for facet, loss in losses.items()}
        return {"value": torch.stack(list(losses.values())).mean(), **logs}
