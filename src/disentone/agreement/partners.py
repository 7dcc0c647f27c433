"""Partners: for every clip, the clips that could be its views, and drawing from them."""

from __future__ import annotations

import numpy as np

from disentone.agreement.pairs import BoundRelation

__all__ = ["Partners"]

TRIES = 30
"""Draws before a clip's candidates are searched one by one: only clips with few need that."""


class Partners:
    """Clips that a relation allows as views of each other.

    The clips are sorted by group, label and value, so that those which may agree with a clip are
    intervals of that order. A candidate drawn from the intervals is then tested for the rest of
    the relation, and drawn anew where it fails.

    Parameters
    ----------
    relation : BoundRelation
    allowed : ndarray of bool, shape (clips,)
        Clips that may be drawn.
    """

    def __init__(self, relation: BoundRelation, allowed: np.ndarray) -> None:
        near, clips = relation.near(), len(allowed)
        self._relation = relation
        clip, code = _entries(relation.codes(), relation.labels())
        value = near[0].values if near else np.zeros(clips)
        known = ~np.isnan(value[clip])
        clip, code = clip[known], code[known]
        pool = allowed[clip]
        order = np.lexsort((value[clip[pool]], code[pool]))
        self._order = clip[pool][order]
        sorted_codes, sorted_values = code[pool][order], value[self._order]
        spans = near[0].intervals() if near else [(value, np.zeros(clips))]
        centre = np.concatenate([middle[clip] for middle, _ in spans])
        width = np.concatenate([half[clip] for _, half in spans])
        clip, code = np.tile(clip, len(spans)), np.tile(code, len(spans))
        low, high = _intervals(sorted_codes, sorted_values, code, centre, width)
        by_clip = np.argsort(clip, kind="stable")
        self._low, self._size = low[by_clip], (high - low)[by_clip]
        self._first = np.searchsorted(clip[by_clip], np.arange(clips + 1))
        self._ends = np.concatenate([[0], np.cumsum(self._size)])  # candidates up to an interval

    def draw(self, anchors: np.ndarray, partners: int, rng: np.random.Generator) -> np.ndarray:
        """Draw partners of every anchor, which also differ from each other.

        Returns
        -------
        ndarray of int, shape (anchors, partners)
            Clips; a row of -1 where there are not enough.
        """
        drawn = np.full((len(anchors), partners), -1, dtype=np.int64)
        unlucky = self._count(anchors) == 0
        for column in range(partners):
            todo = np.flatnonzero(~unlucky)
            for _ in range(TRIES):
                candidate = self._propose(anchors[todo], rng)
                fits = self._fits(anchors[todo], candidate, drawn[todo, :column])
                drawn[todo[fits], column] = candidate[fits]
                todo = todo[~fits]
                if not len(todo):
                    break
            unlucky[todo] = True
        for row in np.flatnonzero(unlucky):
            drawn[row] = self._search(anchors[row], partners, rng)
        return drawn

    def _count(self, anchors: np.ndarray) -> np.ndarray:
        return self._ends[self._first[anchors + 1]] - self._ends[self._first[anchors]]

    def _propose(self, anchors: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw a clip from the intervals of each anchor, which must not be empty."""
        start = self._ends[self._first[anchors]]
        at = start + (rng.random(len(anchors)) * self._count(anchors)).astype(np.int64)
        interval = np.searchsorted(self._ends, at, side="right") - 1
        return self._order[self._low[interval] + at - self._ends[interval]]

    def _fits(self, anchors: np.ndarray, candidate: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Whether candidates (n,) go with their anchors and with other partners (n, others)."""
        differ = self._relation.differ
        fits = (candidate != anchors) & differ(anchors, candidate)
        fits &= self._relation.agree(anchors, candidate)
        for other in others.T:
            fits &= (candidate != other) & differ(other, candidate)
        return fits

    def _search(self, anchor: int, partners: int, rng: np.random.Generator) -> np.ndarray:
        """Try all the candidates of one clip: in random order, and in order if that fails."""
        spans = range(self._first[anchor], self._first[anchor + 1])
        parts = [self._order[self._low[s] : self._low[s] + self._size[s]] for s in spans]
        every = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *parts]))
        every = every[self._fits(np.full(len(every), anchor), every, np.empty((len(every), 0)))]
        for candidates in (rng.permutation(every), every):
            chosen: list[int] = []
            while len(candidates) and len(chosen) < partners:
                chosen.append(int(candidates[0]))
                last = np.full(len(candidates), chosen[-1])
                fits = (candidates != last) & self._relation.differ(last, candidates)
                candidates = candidates[fits]
            if len(chosen) == partners:
                return np.array(chosen)
        return np.full(partners, -1)


def _entries(codes: np.ndarray, labels: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Clip and group of every entry: one a clip, or one for every label that it has."""
    known = np.flatnonzero(codes >= 0)
    if not labels:
        return known, codes[known]
    row, label = np.nonzero(labels[0][known])
    return known[row], codes[known[row]] * labels[0].shape[1] + label


def _intervals(
    codes: np.ndarray,
    values: np.ndarray,
    code: np.ndarray,
    centre: np.ndarray,
    width: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Where, in sorted codes and values, those with each code and a near value begin and end."""
    first = np.searchsorted(codes, code, side="left")
    last = np.searchsorted(codes, code, side="right")
    if not width.any():
        return first, last
    # Each group's values are shifted beyond those of the group before, so that one search does.
    found, rank = np.unique(np.concatenate([codes, code]), return_inverse=True)
    extent = float(np.ptp(np.append(values, 0.0))) + 1.0
    shifted = values + extent * rank[: len(codes)]
    reach = width + 1e-12 * extent * len(found)  # what the shift may round off
    start = extent * rank[len(codes) :]
    low = np.searchsorted(shifted, centre - reach + start, side="left")
    high = np.searchsorted(shifted, centre + reach + start, side="right")
    low, high = np.clip(low, first, last), np.clip(high, first, last)  # of its own group alone
    return low, np.maximum(low, high)
