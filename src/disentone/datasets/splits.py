"""Splits of a collection: as given, or made so that no recording or factor value is in two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from disentone.clips import SPLITS, random_split
from disentone.errors import DataError, closest
from disentone.factors import Factor

__all__ = ["make_splits"]

_SPLIT_NAMES = {"training": "train", "validation": "valid", "validate": "valid", "val": "valid",
                "dev": "valid", "development": "valid", "testing": "test", "eval": "test",
                "evaluation": "test"}  # fmt: skip


def make_splits(
    given: Sequence[Any] | None,
    recordings: np.ndarray,
    factors: Mapping[str, Factor],
    *,
    how: str = "random",
    seed: int = 0,
) -> tuple[np.ndarray, list[str]]:
    """Say which split every clip is in.

    Parameters
    ----------
    given : sequence of str, optional
        What a table says; ``val``, ``dev``, ``training`` and the like are understood. Where it
        has train and test alone, a tenth of train becomes valid.
    recordings : ndarray of str, shape (clips,)
        Never in two splits that are made here.
    factors : mapping of str to Factor
    how : str
        ``"random"``, or the factor whose values must not occur in two splits.
    seed : int

    Returns
    -------
    split : ndarray of object, shape (clips,)
    notes : list of str
        What was decided, one sentence each.

    Raises
    ------
    DataError
        If a split has another name, or there is no such factor.
    """
    if given is None:
        groups, name = recordings, "recording"
        if how != "random":
            if how not in factors:
                raise DataError(f"Splits cannot be made by '{how}'{closest(how, factors)}")
            labels = factors[how].labels()
            groups, name = np.where(labels, labels, recordings), how
        note = f"Splits were made at random (seed {seed}), no {name} in two of them."
        return _grouped_split(groups, seed), [note]
    texts = [str(value or "").strip().lower() for value in given]
    split = np.array([_SPLIT_NAMES.get(text, text) or "train" for text in texts], dtype=object)
    wrong = sorted(set(split) - set(SPLITS))
    if wrong:
        raise DataError(f"Split '{wrong[0]}' is unknown: use train, valid or test.")
    blank = texts.count("")
    notes = [f"{blank} clips without a split were put into train."] if blank else []
    if "train" in split and "test" in split and "valid" not in split:
        train = np.flatnonzero(split == "train")
        split[train] = _grouped_split(recordings[train], seed, test=0.0)
        notes.append("The table has no valid split: a tenth of train's recordings became one.")
    return split, notes


def _grouped_split(
    groups: np.ndarray, seed: int, *, valid: float = 0.1, test: float = 0.1
) -> np.ndarray:
    """Split clips at random so that no group is in two splits; each gets one where it can."""
    names, codes, sizes = np.unique(groups.astype(str), return_inverse=True, return_counts=True)
    if len(names) == len(groups):  # every clip is its own group: the shares are exact
        return random_split(len(groups), seed=seed, valid=valid, test=test)
    order = np.random.default_rng(seed).permutation(len(names))
    split = np.full(len(names), "train", dtype=object)
    for name, share, others in (("test", test, 2), ("valid", valid, 1)):
        free = [group for group in order if split[group] == "train"]
        taken, chosen = 0, []
        for group in free:
            if taken + sizes[group] / 2 <= share * len(groups):
                taken += sizes[group]
                chosen.append(group)
        if share and not chosen and len(free) > others:
            chosen = [min(free, key=lambda group: sizes[group])]
        split[chosen] = name
    return split[codes]
