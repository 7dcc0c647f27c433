"""Two parts of some clips in which several factors, of any kind, have equal shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from disentone.clips import ClipTable
from disentone.errors import DataError
from disentone.factors import Factor

__all__ = ["indicators", "split_within", "stratified_part"]


def split_within(
    table: ClipTable, split: str, *, by: Sequence[str] = (), share: float, seed: int = 0
) -> ClipTable:
    """Make train and test of the clips of one split: for tasks whose classes splits do not share.

    A model that must work on unseen sensors is trained and tested on different ones; whether it
    distinguishes them can be learnt and tested on clips of the test sensors only.

    Parameters
    ----------
    table : ClipTable
    split : str
        Whose clips are used.
    by : sequence of str
        Factors with equal shares in both (see :func:`stratified_part`).
    share : float
        Of the clips, to test.
    seed : int

    Returns
    -------
    ClipTable
        The clips of that split alone, with the classes that they have.

    Raises
    ------
    DataError
        If there is no such factor, or there are fewer than two recordings.
    """
    part = table.take(table.where(split))
    test = stratified_part([part.factor(name) for name in by], part.recordings, share=share,
                           seed=seed)  # fmt: skip
    factors = {name: factor.present() for name, factor in part.factors.items()}
    return replace(part, split=np.where(test, "test", "train"), factors=factors)


def stratified_part(
    factors: Sequence[Factor], recordings: np.ndarray, *, share: float, seed: int = 0
) -> np.ndarray:
    """Choose a share of the clips so that every value of every factor has that share in it.

    Iterative stratification: the rarest value that is left is dealt out first, each recording with
    it to the part that still wants most of that value, then most clips, then at random. A part
    that has its clips gets no more, so that of single clips exactly the share is chosen. Each
    label of a multi-label factor counts as a value, so does "unknown", and numbers are tenths.

    Parameters
    ----------
    factors : sequence of Factor
        Each with one value a clip. Without any, clips are chosen at random.
    recordings : ndarray of str, shape (clips,)
        Clips of one recording stay together.
    share : float
        In (0, 1).
    seed : int

    Returns
    -------
    ndarray of bool, shape (clips,)
        The chosen clips; never none and never all.

    Raises
    ------
    DataError
        If there are fewer than two recordings.

    References
    ----------
    K. Sechidis, G. Tsoumakas, I. Vlahavas, "On the Stratification of Multi-Label Data", 2011.
    """
    unit = np.unique(recordings.astype(str), return_inverse=True)[1]
    count = int(unit.max(initial=-1)) + 1
    if count < 2:
        raise DataError(f"{len(unit)} clips of {count} recording(s) cannot be made two parts.")
    sizes = np.bincount(unit).astype(float)
    columns = [np.ones((len(unit), 1)), *(indicators(factor) for factor in factors)]
    values = np.zeros((count, sum(column.shape[1] for column in columns)))
    np.add.at(values, unit, np.concatenate(columns, axis=1))
    parts = np.array([1 - share, share])
    wanted = parts[:, None] * values.sum(axis=0)  # (parts, values)
    room = np.array([sizes.sum() - round(share * sizes.sum()), round(share * sizes.sum())])
    room = np.maximum(room, 1.0)  # neither part stays empty
    rng = np.random.default_rng(seed)
    left, part = np.ones(count, dtype=bool), np.zeros(count, dtype=int)
    while left.any():
        remaining = (values[left] > 0).sum(axis=0)
        column = int(np.where(remaining > 0, remaining, count + 1).argmin())
        for one in rng.permutation(np.flatnonzero(left & (values[:, column] > 0))):
            open_parts = np.flatnonzero(room >= sizes[one] / 2)
            choices = open_parts if len(open_parts) else np.arange(2)
            keys = [(wanted[p, column], room[p], rng.random()) for p in choices]
            chosen = int(choices[max(range(len(keys)), key=keys.__getitem__)])
            part[one], left[one] = chosen, False
            wanted[chosen] -= values[one]
            room[chosen] -= sizes[one]
    if part.min() == part.max():  # one recording has nearly all the clips
        part[np.argmin(sizes)] = 1 - part[0]
    return (part == 1)[unit]


def indicators(factor: Factor) -> np.ndarray:
    """Give 0 and 1 for every value of a factor, float (clips, values); "unknown" is one of them."""
    known = factor.known
    if factor.kind == "multilabel":
        return np.column_stack([np.where(known[:, None], factor.values, 0.0), ~known])
    codes = np.full(len(known), -1, dtype=np.int64)
    numbers = factor.values[known]
    if factor.kind != "categorical" and len(np.unique(numbers)) > 10:
        edges = np.unique(np.quantile(numbers, np.linspace(0.1, 0.9, 9)))
        numbers = np.searchsorted(edges, numbers, "right")
    codes[known] = np.unique(numbers, return_inverse=True)[1]
    return (codes[:, None] == np.unique(codes)).astype(float)
