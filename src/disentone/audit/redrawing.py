"""Samples of clips drawn anew with replacement, those of a recording together."""

from __future__ import annotations

import numpy as np

__all__ = ["redrawn", "units_of"]


def redrawn(
    clips: int, *, groups: np.ndarray | None = None, replicates: int, seed: int = 0
) -> np.ndarray:
    """Give how often each clip is in each of several bootstrap samples.

    Parameters
    ----------
    clips : int
    groups : ndarray, shape (clips,), optional
        The recording of every clip: those of one are drawn together.
    replicates : int
    seed : int

    Returns
    -------
    ndarray of float, shape (replicates, clips)
    """
    rng = np.random.default_rng(seed)
    unit = units_of(groups, clips)
    units = int(unit.max(initial=0)) + 1
    drawn = rng.multinomial(units, np.full(units, 1 / units), replicates)
    return (drawn if groups is None else drawn[:, unit]).astype(float)


def units_of(groups: np.ndarray | None, clips: int) -> np.ndarray:
    """Give the number of every clip's group, (clips,); every clip is its own by default."""
    if groups is None:
        return np.arange(clips)
    return np.unique(groups, return_inverse=True)[1]
