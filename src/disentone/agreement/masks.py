"""Masks: which rows of a batch are positives and negatives of each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from disentone.agreement.balance import Alike
from disentone.agreement.pairs import Also, Rule, agree
from disentone.agreement.rules import key_codes, key_groups
from disentone.errors import DataError, RecipeError
from disentone.factors import Factor, FactorKind
from disentone.objectives.triplet import Dimension

__all__ = ["FactorRule", "masks", "view_masks"]


def masks(
    values: Tensor,
    *,
    kind: FactorKind,
    rule: Rule = "same",
    within: float | None = None,
    also: Also = "parallel",
) -> tuple[Tensor, Tensor]:
    """Which rows are valid positives and negatives of each other, by what is known of them.

    Parameters
    ----------
    values : Tensor, shape (B,), or (B, labels) of multi-label factors
        -1 (categories) or NaN where unknown: such a row is neither. Codes of keys are those of
        :func:`disentone.agreement.rules.key_codes`.
    kind : {"categorical", "multilabel", "ordinal", "continuous"}
    rule : {"same", "tempo", "key"}
        What agrees: the same category, a label in common, or numbers no farther apart than
        `within`; or the rules of :func:`~disentone.agreement.rules.same_tempo` and
        :func:`~disentone.agreement.rules.same_key`.
    within : float, optional
        Tolerance of numbers; 0 by default, and 5 beats per minute of tempi.
    also : {"parallel", "relative", "none"}
        Keys that count as the same.

    Returns
    -------
    positives, negatives : Tensor of bool, shape (B, B)
        Symmetric; no row is its own positive or negative.
    """
    if kind == "multilabel":
        known = torch.isfinite(values).all(1)
        has = (values == 1).float()
        same = has @ has.T > 0
    else:
        known = values > 0 if rule == "tempo" else torch.isfinite(values)
        known = values >= 0 if kind == "categorical" else known
        same = agree(values[:, None], values[None], rule=rule, within=within, also=also)
    itself = torch.eye(len(values), dtype=torch.bool, device=values.device)
    valid = known[:, None] & known[None] & ~itself
    return same & valid, ~same & valid


def view_masks(
    clips: int, views: int, others: int = 0, *, device: torch.device | None = None
) -> tuple[Tensor, Tensor]:
    """Which rows are positives and negatives of each other where views of a clip agree.

    Parameters
    ----------
    clips, views : int
        The first `views` rows of every clip are each other's positives.
    others : int
        Rows of every clip after these, which are no anchors. Where there are some, they alone are
        the negatives of their clip's views; else all views of other clips are.
    device : device, optional

    Returns
    -------
    positives, negatives : Tensor of bool, shape (rows, rows)
        With ``rows = clips * (views + others)``, clip by clip.
    """
    row = torch.arange(clips * (views + others), device=device)
    clip, is_view = row // (views + others), row % (views + others) < views
    same = clip[:, None] == clip[None]
    positives = same & is_view[:, None] & is_view[None] & (row[:, None] != row[None])
    return positives, is_view[:, None] & (same & ~is_view[None] if others else ~same)


class FactorRule(nn.Module):
    """Masks of rows by the labels of one factor, as its kind and a dimension's rule have it."""

    codes: Tensor

    def __init__(self, dimension: Dimension, factor: Factor) -> None:
        super().__init__()
        numbers = factor.kind in ("ordinal", "continuous")
        for option, fits in (
            ("rule 'tempo'", dimension.rule != "tempo" or numbers),
            ("rule 'key'", dimension.rule != "key" or factor.kind == "categorical"),
            ("option 'within'", dimension.within is None or numbers),
        ):
            if not fits:
                raise RecipeError(
                    f"The {option} is not for factor '{factor.name}', which is {factor.kind}."
                )
        own = None if dimension.rule == "tempo" else factor.tolerance
        self.within = own if dimension.within is None else dimension.within
        if factor.kind == "continuous" and dimension.rule == "same" and not self.within:
            raise RecipeError(
                f"No two clips have the same '{factor.name}', which is continuous and has no "
                "tolerance: give 'within' (or 'rule: tempo')."
            )
        self.dimension = dimension
        self.kind: FactorKind = factor.kind
        codes = np.arange(len(factor.classes))
        if dimension.rule == "key":
            try:
                codes = key_codes(factor.classes)
            except DataError as error:
                raise RecipeError(f"Factor '{factor.name}' is not of keys: {error}") from error
        with_unknown = torch.from_numpy(np.append(codes, -1))  # label -1 is the last place
        self.register_buffer("codes", with_unknown, persistent=False)

    def forward(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Masks of rows by their labels: see :func:`masks`."""
        values = self.codes[labels.long()] if self.kind == "categorical" else labels
        return masks(values, kind=self.kind, **self._options())

    def _options(self) -> dict[str, Any]:
        return {
            "rule": self.dimension.rule,  # not views, which have no factor
            "within": self.within,
            "also": self.dimension.also,
        }

    def alike(self, values: np.ndarray) -> Alike:
        """What makes clips with these values of the factor agree."""
        if self.kind == "multilabel":
            has = values == 1
            rarest = np.where(has, has.sum(0), np.inf).argmin(1)
            code = np.where(has.any(1), rarest, np.nan)
            return Alike(code, lambda i, j: (has[i] & has[j]).any(axis=1))
        codes = self.codes.numpy()[values] if self.kind == "categorical" else values
        known = codes >= 0 if self.kind == "categorical" else ~np.isnan(codes)
        order = codes.astype(float)
        if self.dimension.rule == "key":
            order = key_groups(order, also=self.dimension.also)
        if self.dimension.rule == "tempo":
            known = codes > 0
            order = np.log2(np.where(known, codes, 1.0)) % 1  # octaves of a tempo side by side
        return Alike(
            np.where(known, order, np.nan),
            lambda i, j: known[i] & known[j] & agree(codes[i], codes[j], **self._options()),
        )
