"""Masks: which rows of a batch are positives and negatives of each other."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from disentone.agreement.criterion import Criterion, criterion
from disentone.agreement.relation import Relation
from disentone.errors import DataError
from disentone.factors import Factor

__all__ = ["RelationMasks", "ViewMasks", "masks", "view_masks"]

_KEYS = "key_codes"  # one factor of a relation at most goes by the rule of keys


def masks(values: Tensor, by: Criterion) -> tuple[Tensor, Tensor]:
    """Which rows are valid positives and negatives of each other, by one factor.

    Parameters
    ----------
    values : Tensor, shape (B,), or (B, labels) of multi-label factors
        As :meth:`Criterion.comparable` gives them. A row whose value is unknown is neither.
    by : Criterion

    Returns
    -------
    positives, negatives : Tensor of bool, shape (B, B)
        Symmetric; no row is its own positive or negative.
    """
    same, valid = _compared(values, by)
    valid &= ~torch.eye(len(values), dtype=torch.bool, device=values.device)
    return same & valid, ~same & valid


def _compared(values: Tensor, by: Criterion) -> tuple[Tensor, Tensor]:
    """Whether rows agree, and whether both are known, each bool (B, B)."""
    known = by.known(values)
    if by.how == "labels":  # one product: rows by rows by labels would not fit
        has = (values == 1).float()
        same = has @ has.T > 0
    else:
        same = by.agree(values[:, None], values[None])
    return same, known[:, None] & known[None]


class RelationMasks(nn.Module):
    """Masks of rows by the labels of the factors that a relation is of.

    Parameters
    ----------
    relation : Relation
        Of factors alone.
    factors : mapping of str to Factor
        Of the training clips: their kinds and classes count, not their values.

    Raises
    ------
    DataError
        If a rule does not suit its factor, or no two clips can agree in one.
    """

    def __init__(self, relation: Relation, factors: Mapping[str, Factor]) -> None:
        super().__init__()
        self.relation = relation
        self._same = {
            name: criterion(
                factors[name],
                rule=relation.rule_of(name),
                within=_within(relation, factors[name]),
                also=relation.also,
            )
            for name in relation.sames
        }
        self._differ = {name: criterion(factors[name]) for name in relation.differs}
        for name, by in self._same.items():
            if by.how == "equal" and factors[name].kind == "continuous":
                raise DataError(
                    f"No two clips have the same '{name}', which is continuous and has no "
                    "tolerance: give 'within' (or 'rule: tempo')."
                )
            if by.codes is not None:
                self.register_buffer(_KEYS, torch.from_numpy(by.codes), persistent=False)

    def forward(self, labels: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Positives and negatives, each bool (B, B); see :func:`masks`.

        Positives agree in all of `same` and differ in all of `differ`. Negatives do not agree in
        all of `same`, of which everything is known.

        Parameters
        ----------
        labels : mapping of str to Tensor, shape (B,) or (B, labels)
            Values of each of the relation's factors.
        """
        rows = next(iter(labels.values()))
        positives = ~torch.eye(len(rows), dtype=torch.bool, device=rows.device)
        valid, same = positives, torch.ones_like(positives)
        for name, by in self._same.items():
            agree, known = _compared(self._comparable(name, labels[name]), by)
            same, valid = same & agree, valid & known
        positives = same & valid
        for name, by in self._differ.items():
            agree, known = _compared(labels[name], by)
            positives = positives & known & ~agree
        return positives, ~same & valid

    def _comparable(self, name: str, labels: Tensor) -> Tensor:
        if self._same[name].codes is None:
            return labels
        return getattr(self, _KEYS)[labels.long()]


class ViewMasks(nn.Module):
    """Masks of rows of which views of one clip agree: see :func:`view_masks`.

    Parameters
    ----------
    relation : Relation
        Of copies or recordings.
    """

    def __init__(self, relation: Relation) -> None:
        super().__init__()
        self.relation = relation

    def forward(
        self, clips: int, views: int, others: int, device: torch.device
    ) -> tuple[Tensor, Tensor]:
        """Positives and negatives, each bool (rows, rows)."""
        return view_masks(clips, views, others, device=device)


def _within(relation: Relation, factor: Factor) -> float | None:
    """Tolerance of a relation for one of its factors, where this is of numbers."""
    return relation.within if factor.kind in ("ordinal", "continuous") else None


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
