"""Splits of a collection: as given, or made so that no recording or factor value is in two."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from disentone.clips import SPLITS, random_split
from disentone.errors import DataError, closest
from disentone.factors import Factor

__all__ = ["SPLIT_NAMES", "make_splits"]

SPLIT_NAMES = {"train": "train", "training": "train", "valid": "valid", "validation": "valid",
               "validate": "valid", "val": "valid", "dev": "valid", "development": "valid",
               "test": "test", "testing": "test", "eval": "test",
               "evaluation": "test"}  # fmt: skip
"""Ours for each name of a split that tables use."""


def make_splits(
    given: Sequence[Any] | None,
    recordings: np.ndarray,
    factors: Mapping[str, Factor],
    *,
    how: str = "given",
    seed: int = 0,
) -> tuple[np.ndarray, list[str]]:
    """Give the split of every clip.

    Parameters
    ----------
    given : sequence of str, optional
        As in a table; ``val``, ``dev``, ``training`` and the like are understood. Where it
        has train and test alone, a tenth of train becomes valid.
    recordings : ndarray of str, shape (clips,)
        Never in two splits that are made here.
    factors : mapping of str to Factor
    how : str
        ``"given"`` for the table's own splits, at random where it has none. Everything else is
        made here, whatever the table has: ``"random"``; ``"stratified:FACTOR"``, where the
        values of a factor have equal shares in all splits; a factor whose values must not
        occur in two splits; or, for so many values of it in train, valid and test,
        ``"FACTOR:39/5/12"``.
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
    if how == "given" and given is not None:
        return _given_split(given, recordings, seed)
    notes = ["The splits that come with the clips were not used."] if given is not None else []
    if how in ("given", "random"):
        notes.append(f"Splits were made at random (seed {seed}), no recording in two of them.")
        return _grouped_split(recordings, seed), notes
    if how.startswith("stratified:") and how not in factors:
        factor = _find(how.removeprefix("stratified:"), factors)
        split, more = _stratified_split(factor, recordings, seed)
        return split, notes + more
    counted = re.fullmatch(r"(.+):(\d+)/(\d+)/(\d+)", how)
    if counted and how not in factors:
        counts = [int(count) for count in counted.groups()[1:]]
        split, more = _counted_split(_find(counted[1], factors), counts, seed)
        return split, notes + more
    labels = _find(how, factors).labels()
    notes.append(f"Splits were made at random (seed {seed}), no {how} in two of them.")
    return _grouped_split(np.where(labels, labels, recordings), seed), notes


def _find(name: str, factors: Mapping[str, Factor]) -> Factor:
    if name not in factors:
        raise DataError(f"Splits cannot be made by '{name}'{closest(name, factors)}")
    return factors[name]


def _given_split(
    given: Sequence[Any], recordings: np.ndarray, seed: int
) -> tuple[np.ndarray, list[str]]:
    """Splits as a table has them, under our names, with a valid split where one is missing."""
    texts = [str(value or "").strip().lower() for value in given]
    split = np.array([SPLIT_NAMES.get(text, text) or "train" for text in texts], dtype=object)
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


def _counted_split(factor: Factor, counts: list[int], seed: int) -> tuple[np.ndarray, list[str]]:
    """Give each split so many values of a factor.

    Of 200 random choices the one is taken whose shares of clips are nearest to those of values.
    """
    labels = np.array(factor.labels())
    names, codes, sizes = np.unique(labels[labels != ""], return_inverse=True, return_counts=True)
    asked = f"{factor.name}:{'/'.join(map(str, counts))}"
    if len(names) != sum(counts) or not all(counts):
        raise DataError(
            f"Split '{asked}' asks for {sum(counts)} values, but these clips have {len(names)} of "
            f"'{factor.name}': give three numbers, none of them 0, that add up to {len(names)}."
        )
    rng = np.random.default_rng(seed)
    of_place = np.repeat(np.arange(len(SPLITS)), counts)
    wanted = np.array(counts) / sum(counts)
    chosen, least = of_place, np.inf
    for _ in range(200):
        places = rng.permutation(of_place)
        shares = np.bincount(places, weights=sizes) / sizes.sum()
        if np.abs(shares - wanted).sum() < least:
            chosen, least = places, np.abs(shares - wanted).sum()
    split = np.full(len(labels), "train", dtype=object)
    split[labels != ""] = np.array(SPLITS, dtype=object)[chosen[codes]]
    tests = ", ".join(sorted(names[chosen == 2], key=lambda name: (len(name), name))[:20])
    notes = [
        f"Splits were made of {'/'.join(map(str, counts))} values of '{factor.name}' (seed {seed}),"
        f" none in two of them; test has {tests}."
    ]
    unknown = int((labels == "").sum())
    if unknown:
        notes.append(f"{unknown} clips without a known '{factor.name}' were put into train.")
    return split, notes


def _stratified_split(
    factor: Factor, recordings: np.ndarray, seed: int
) -> tuple[np.ndarray, list[str]]:
    """Split clips so that a factor's values have equal shares, no recording in two splits."""
    names, strata = _strata(factor)
    groups = np.unique(recordings.astype(str), return_inverse=True)[1]
    folds, count = _folds(strata, groups, seed)
    if count < len(SPLITS):
        return _grouped_split(recordings, seed), [
            f"No value of '{factor.name}' is in three recordings, so that splits were made at "
            f"random (seed {seed}), no recording in two of them."
        ]
    sizes = np.zeros((count, len(names)))
    np.add.at(sizes, (folds, strata), 1)
    unlike = np.abs(sizes - sizes.mean(axis=0)).sum(axis=1)
    test, valid = np.argsort(unlike, kind="stable")[:2]  # the folds most like the whole
    split = np.full(len(folds), "train", dtype=object)
    split[folds == test], split[folds == valid] = "test", "valid"
    notes = [
        f"Splits were made with equal shares of '{factor.name}' (seed {seed}), no recording in "
        f"two of them; valid and test are a {'tenth' if count == 10 else f'part in {count}'} each."
    ]
    rare = [
        name for code, name in enumerate(names) if len(set(split[strata == code])) < len(SPLITS)
    ]
    if rare:
        some = ", ".join(rare[:3]) + (" ..." if len(rare) > 3 else "")
        notes.append(f"Of {len(names)} values of '{factor.name}', {len(rare)} are too rare to be "
                     f"in every split: {some}.")  # fmt: skip
    return split, notes


def _strata(factor: Factor) -> tuple[list[str], np.ndarray]:
    """Names and codes of a factor's values; unknown is one of them, and numbers are tenths."""
    labels, known = factor.labels(), factor.known
    if factor.kind in ("ordinal", "continuous") and len(set(labels)) > 10:
        edges = np.unique(np.quantile(factor.values[known], np.linspace(0.1, 0.9, 9)))
        labels = [f"tenth {1 + bin}" for bin in np.searchsorted(edges, factor.values, "right")]
    labels = [label or "(none)" if ok else "(unknown)" for label, ok in zip(labels, known)]
    names, codes = np.unique(np.array(labels), return_inverse=True)
    return names.tolist(), codes


def _folds(strata: np.ndarray, groups: np.ndarray, seed: int) -> tuple[np.ndarray, int]:
    """Ten folds of equal strata, or as many as recordings and the commonest stratum allow."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    alone = groups.max() + 1 == len(groups)  # without groups to keep, the faster one
    pairs = np.unique(np.stack([strata, groups]), axis=1)
    count = min(10, int(np.bincount(pairs[0]).max()))
    if count < len(SPLITS):
        return np.zeros(len(strata), dtype=int), count
    splitter = (StratifiedKFold if alone else StratifiedGroupKFold)(
        count, shuffle=True, random_state=seed
    )
    folds = np.zeros(len(strata), dtype=int)
    with warnings.catch_warnings():  # a rare stratum gets a note instead
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        parts = splitter.split(strata, strata, None if alone else groups)
        for fold, (_, chosen) in enumerate(parts):
            folds[chosen] = fold
    return folds, count
