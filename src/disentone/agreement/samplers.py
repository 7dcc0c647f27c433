"""Samplers: what a batch is made of; here every clip with partners that agree with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from disentone.agreement.pairs import BoundRelation
from disentone.agreement.partners import Partners
from disentone.agreement.relation import RECORDING, Relation
from disentone.clips import ClipTable
from disentone.errors import DataError

__all__ = ["Sampler", "ViewSampler"]


class Sampler(Protocol):
    """What the training loop needs of a sampler: rows of clips, epoch by epoch.

    Attributes
    ----------
    columns : int
        Clips in a row.
    groups : mapping of str to tuple of int
        Columns in which the clips of a row agree, for each facet that has views.
    left_out : mapping of str to int
        Clips without partners, for each facet.
    clips : int
        Clips that are drawn.
    """

    @property
    def columns(self) -> int: ...  # noqa: D102  as above
    @property
    def groups(self) -> Mapping[str, tuple[int, ...]]: ...  # noqa: D102  as above
    @property
    def left_out(self) -> Mapping[str, int]: ...  # noqa: D102  as above
    @property
    def clips(self) -> int: ...  # noqa: D102  as above

    def __len__(self) -> int:
        """Count the rows of an epoch."""
        ...

    def epoch(self, number: int) -> np.ndarray:
        """Give the rows of an epoch: int (rows, columns or more), the same for the same number."""
        ...

    def known(self, views: np.ndarray) -> dict[str, np.ndarray]:
        """Labels of rows of :meth:`epoch` beside those of their clips."""
        ...


class ViewSampler:
    """Draw the views of every clip, for one or several facets, vectorised and seeded.

    Column 0 of the result is the clip itself (the anchor). Each facet with a relation adds
    ``views - 1`` columns of partners. The columns in which a facet agrees are in
    :attr:`groups`; with one related facet that is the classic multi-view setting in which all
    the columns are views of each other.

    Parameters
    ----------
    table : ClipTable
        Clips to draw from; one split, usually. Transformed copies in it are never anchors, and
        partners for the facet that they were made for only.
    relations : mapping of str to Relation
        Relation of each shared facet, by facet name.
    views : int
        Clips that agree in a facet, anchor included; at least 2.
    seed : int
    leave_out : bool
        Leave clips without enough partners out (see :attr:`left_out`) instead of refusing them.
    draws : int
        How often each clip is an anchor in an epoch, with other partners each time.

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
        draws: int = 1,
    ) -> None:
        if views < 2:
            raise DataError(f"Views of a clip must be 2 or more, not {views}.")
        self.seed = seed
        self.partners = views - 1
        self.left_out: dict[str, int] = {}
        self.groups: dict[str, tuple[int, ...]] = {}
        originals = np.flatnonzero(table.copy_for == "")
        usable = np.ones(len(originals), dtype=bool)
        self._pools: list[Partners] = []
        column = 1
        for facet, relation in relations.items():
            made_for = facet if (table.copy_for == facet).any() else ""
            bound = BoundRelation(relation, table)
            bound.check()
            pool = Partners(bound, table.copy_for == made_for)
            # Clips without a partner are found by drawing partners once for every clip.
            drawn = pool.draw(originals, self.partners, np.random.default_rng(0))
            alone = drawn[:, 0] < 0
            if alone.any():
                self.left_out[facet] = int(alone.sum())
                if not leave_out or alone.all():
                    raise DataError(_no_partner(table, relation, originals, alone, views))
            usable &= ~alone
            self._pools.append(pool)
            self.groups[facet] = (0, *range(column, column + self.partners))
            column += self.partners
        self.anchors = np.repeat(originals[usable], draws)
        self.clips = int(usable.sum())  # that are anchors, each ``draws`` times an epoch
        self.columns = column
        if not len(self.anchors):
            raise DataError("No clip has partners for every facet: loosen a relation.")

    def __len__(self) -> int:
        """Count the anchors, that is the rows of an epoch."""
        return len(self.anchors)

    def epoch(self, number: int) -> np.ndarray:
        """Give the views of one epoch, every clip ``draws`` times as anchor.

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
        drawn = [pool.draw(anchors, self.partners, rng) for pool in self._pools]
        return np.concatenate([anchors[:, None], *drawn], axis=1)

    def known(self, views: np.ndarray) -> dict[str, np.ndarray]:
        """Labels of rows of :meth:`epoch` beside those of their clips: none."""
        return {}


def _no_partner(
    table: ClipTable, relation: Relation, clips: np.ndarray, alone: np.ndarray, views: int
) -> str:
    remedy = "leave them out or loosen the relation."
    if RECORDING in relation.sames and alone.all():
        remedy = "cut the recordings into segments, --set data.segment=1 (in Python: settings)."
    return (
        f"{int(alone.sum())} of {len(clips)} clips lack a partner ({views - 1} needed) under "
        f"'{relation}'; the first is '{table.ids[clips[alone][0]]}': {remedy}"
    )
