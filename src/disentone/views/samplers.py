"""Sampling views: for every clip, partners that agree with it, drawn anew each epoch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from disentone.clips import ClipTable
from disentone.errors import DataError
from disentone.views.relations import Relation

__all__ = ["ViewSampler"]


class ViewSampler:
    """Draw the views of every clip, for one or several facets, vectorised and seeded.

    Column 0 of the result is the clip itself (the anchor). Each facet with a relation adds
    ``views - 1`` columns of partners. The columns in which a facet agrees are in
    :attr:`groups`; with one related facet that is the classic multi-view setting in which all
    the columns are views of each other.

    Parameters
    ----------
    table : ClipTable
        Clips to draw from; one split, usually.
    relations : mapping of str to Relation
        Relation of each shared facet, by facet name.
    views : int
        Clips that agree in a facet, anchor included; at least 2.
    seed : int
    leave_out : bool
        Leave clips without enough partners out (see :attr:`left_out`) instead of refusing them.

    Raises
    ------
    DataError
        If a factor does not exist or has one class, or a clip has no partner.
    """

    def __init__(
        self,
        table: ClipTable,
        relations: Mapping[str, Relation],
        *,
        views: int = 2,
        seed: int = 0,
        leave_out: bool = False,
    ) -> None:
        if views < 2:
            raise DataError(f"Views of a clip must be 2 or more, not {views}.")
        if not relations:
            raise DataError("At least one facet needs a relation such as 'same: instrument'.")
        self.seed = seed
        self.partners = views - 1
        self.left_out: dict[str, int] = {}
        self.groups: dict[str, tuple[int, ...]] = {}
        usable = np.ones(len(table), dtype=bool)
        self._pools: list[_Pool] = []
        column = 1
        for facet, relation in relations.items():
            pool = _Pool(table, relation)
            alone = pool.distinct < views
            if alone.any():
                self.left_out[facet] = int(alone.sum())
                if not leave_out or alone.all():
                    raise DataError(_no_partner(table, relation, alone, views))
            usable &= ~alone
            self._pools.append(pool)
            self.groups[facet] = (0, *range(column, column + self.partners))
            column += self.partners
        self.anchors = np.flatnonzero(usable)
        self.columns = column
        if not len(self.anchors):
            raise DataError("No clip has partners for every facet: loosen a relation.")

    def __len__(self) -> int:
        """Count the anchors, that is the rows of an epoch."""
        return len(self.anchors)

    def epoch(self, number: int) -> np.ndarray:
        """Give the views of one epoch, every clip once as anchor, in random order.

        Parameters
        ----------
        number : int
            The same number and seed give the same views, whatever was drawn before.

        Returns
        -------
        ndarray of int, shape (anchors, columns)
            Indices into the table.
        """
        rng = np.random.default_rng((self.seed, number))
        anchors = rng.permutation(self.anchors)
        drawn = [anchors]
        for pool in self._pools:
            drawn.extend(pool.draw(anchors, self.partners, rng))
        return np.stack(drawn, axis=1)


class _Pool:
    """Clips sorted by (group, variant), so that partners of a clip are an interval with a gap."""

    def __init__(self, table: ClipTable, relation: Relation) -> None:
        group, variant = relation.groups(table), relation.variants(table)
        known = np.flatnonzero((group >= 0) & (variant >= 0))
        self.order = known[np.lexsort((variant[known], group[known]))]
        sorted_group, self.variant = group[self.order], variant
        pair = np.stack([sorted_group, variant[self.order]])
        new_group = np.flatnonzero(np.diff(sorted_group, prepend=-1))
        new_pair = np.flatnonzero(np.any(np.diff(pair, prepend=-1) != 0, axis=0))
        count = len(table)
        self.start, self.size = _spans(new_group, self.order, count)
        self.gap_start, self.gap = _spans(new_pair, self.order, count)
        self.partners = self.size - self.gap  # (clips,) clips that could be a partner
        group_of_pair = np.searchsorted(new_group, new_pair, side="right") - 1
        variants = np.bincount(group_of_pair, minlength=len(new_group))
        self.distinct = np.zeros(count, dtype=np.int64)
        row = np.searchsorted(new_group, np.arange(len(self.order)), side="right") - 1
        self.distinct[self.order] = variants[row]

    def draw(
        self, anchors: np.ndarray, partners: int, rng: np.random.Generator
    ) -> list[np.ndarray]:
        """Draw partners uniformly; they differ from the anchor and from each other."""
        columns: list[np.ndarray] = []
        for _ in range(partners):
            partner = self._one(anchors, rng)
            while True:  # ends: every anchor has enough distinct variants, checked beforehand
                clash = np.zeros(len(anchors), dtype=bool)
                for other in columns:
                    clash |= self.variant[partner] == self.variant[other]
                if not clash.any():
                    break
                partner[clash] = self._one(anchors[clash], rng)
            columns.append(partner)
        return columns

    def _one(self, anchors: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        drawn = (rng.random(len(anchors)) * self.partners[anchors]).astype(np.int64)
        skip = drawn >= self.gap_start[anchors] - self.start[anchors]
        return self.order[self.start[anchors] + drawn + skip * self.gap[anchors]]


def _spans(starts: np.ndarray, order: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Start and length of the run that each clip is in; zero for clips outside ``order``."""
    lengths = np.diff(np.append(starts, len(order)))
    start, size = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    start[order] = np.repeat(starts, lengths)
    size[order] = np.repeat(lengths, lengths)
    return start, size


def _no_partner(table: ClipTable, relation: Relation, alone: np.ndarray, views: int) -> str:
    first = table.ids[np.flatnonzero(alone)[0]]
    return (
        f"{int(alone.sum())} of {len(table)} clips lack a partner ({views - 1} needed) under "
        f"'{relation}'; the first is '{first}': leave them out or loosen the relation."
    )
