"""Balanced batches: clips alone, in an order of which every stretch has pairs for every facet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from disentone.agreement.pairs import BoundRelation
from disentone.agreement.relation import Relation
from disentone.clips import ClipTable
from disentone.errors import DataError

__all__ = ["Balance", "BalancedSampler"]

LOOKED_AT = 4096  # pairs of clips that are drawn to estimate how often two agree


class BalancedSampler:
    """Give single clips in balanced order: those that agree are found within the batch.

    Parameters
    ----------
    table : ClipTable
        Clips of one split.
    relations : mapping of str to Relation
        Relation of every facet that clips are paired for.
    seed : int
    draws : int
        How often each clip is there in an epoch.

    Raises
    ------
    DataError
        If a factor does not exist or a rule does not suit it.
    """

    columns = 1
    groups: Mapping[str, tuple[int, ...]] = {}
    left_out: Mapping[str, int] = {}

    def __init__(
        self,
        table: ClipTable,
        relations: Mapping[str, Relation],
        *,
        seed: int = 0,
        draws: int = 1,
    ) -> None:
        if not len(table):
            raise DataError("There are no clips to draw.")
        self.seed, self.clips = seed, len(table)
        bound = [BoundRelation(relation, table) for relation in relations.values()]
        self.balance = Balance(bound, table.recordings)
        self._rows = np.repeat(np.arange(len(table)), draws)

    def __len__(self) -> int:
        """Count the rows of an epoch."""
        return len(self._rows)

    def epoch(self, number: int) -> np.ndarray:
        """Give the clips of one epoch, int (rows, 1): the same for the same number and seed."""
        rng = np.random.default_rng((self.seed, number))
        return self.balance.order(self._rows, rng)[:, None]

    def known(self, views: np.ndarray) -> dict[str, np.ndarray]:
        """Labels of rows of :meth:`epoch` beside those of their clips: none."""
        return {}


class Balance:
    """Order clips so that every batch has pairs that agree, equally often by each relation.

    Clips are put in pairs, each of which agrees by one of the relations. Where there are enough
    of them, each relation has as many pairs as any other. The relation by which clips agree most
    rarely chooses its pairs first, from all clips. The pairs of every relation, and within it
    those of every class, are spread evenly over the order, and clips that found no partner are
    spread between them; so a batch of B clips has about B / 2D pairs for each of D relations,
    beside those that are there by chance.

    Parameters
    ----------
    relations : sequence of BoundRelation
        At least one.
    apart : ndarray, shape (clips,)
        Such as the recording of each clip: two clips with the same value are no pair.
    """

    def __init__(self, relations: Sequence[BoundRelation], apart: np.ndarray) -> None:
        self._apart = np.unique(np.asarray(apart).astype(str), return_inverse=True)[1]
        first, second = np.random.default_rng(0).integers(len(self._apart), size=(2, LOOKED_AT))
        rarest = sorted(relations, key=lambda one: float(one.agree(first, second).mean()))
        self._relations = [(relation, relation.order()) for relation in rarest]

    def order(self, clips: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Give the same clips, each as often as before, in a balanced order.

        Parameters
        ----------
        clips : ndarray of int, shape (rows,)
        rng : Generator
        """
        free, rows, places = np.asarray(clips), [], []
        for turn, (relation, value) in enumerate(self._relations):
            pairs = self._pairs(free, relation, value, rng)  # (pairs, 2) places in `free`
            quota = len(free) // (2 * (len(self._relations) - turn))
            pairs = rng.permutation(pairs)[:quota]
            rows.append(free[pairs].ravel())
            places.append(np.repeat(_spread(value[free[pairs[:, 0]]], rng), 2))
            free = np.delete(free, pairs.ravel())
        rows.append(rng.permutation(free))
        places.append(_spread(np.zeros(len(free)), rng))
        return np.concatenate(rows)[np.argsort(np.concatenate(places), kind="stable")]

    def _pairs(
        self,
        clips: np.ndarray,
        relation: BoundRelation,
        value: np.ndarray,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Places of clips that agree, each in one pair at most: int (pairs, 2)."""
        value = value[clips]
        order = np.lexsort((rng.random(len(clips)), value))
        order = order[~np.isnan(value[order])]
        first, second = clips[order[:-1]], clips[order[1:]]
        fits = relation.agree(first, second) & relation.differ(first, second)
        fits &= self._apart[first] != self._apart[second]
        # In a run of neighbours that fit, every other one begins a pair.
        place = np.arange(len(fits))
        begins = fits & ~np.concatenate([[False], fits[:-1]])[: len(fits)]
        run = np.maximum.accumulate(np.where(begins, place, 0))
        chosen = np.flatnonzero(fits & ((place - run) % 2 == 0))
        return np.stack([order[chosen], order[chosen + 1]], axis=1)


def _spread(value: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Places in [0, 1), evenly spaced, such that each value's are evenly spread as well."""
    count = len(value)
    _, code, counts = np.unique(value, return_inverse=True, return_counts=True)
    by_value = np.argsort(code, kind="stable")
    number = np.empty(count, dtype=np.int64)  # of an entry among those of its value
    number[by_value] = np.arange(count) - np.repeat(np.cumsum(counts) - counts, counts)
    wanted = (number + rng.random(len(counts))[code]) / counts[code]
    places = np.empty(count)
    places[np.argsort(wanted, kind="stable")] = (np.arange(count) + rng.random()) / max(1, count)
    return places
