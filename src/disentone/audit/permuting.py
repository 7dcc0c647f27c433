"""The permutation test of predictions: whether they go with what is true, clip by clip.

References
----------
B. Phipson, G. K. Smyth, "Permutation p-values should never be zero", 2010.
"""

from __future__ import annotations

import numpy as np

__all__ = ["permuted"]


def permuted(
    weights: np.ndarray, true: np.ndarray, *, permutations: int, seed: int
) -> tuple[float, np.ndarray, float]:
    """Compare predictions with what is true, and with what is true permuted over clips.

    Parameters
    ----------
    weights : ndarray, shape (clips, classes)
        Score of a prediction where a class is true, such as its log-probability.
    true : ndarray of 0 and 1, shape (clips, classes)
    permutations, seed : int

    Returns
    -------
    found : float
        Mean over clips of the scores of their true classes.
    null : ndarray, shape (permutations,)
        The same after permutations.
    p : float
        Share of them that reach ``found``, itself counted: in (0, 1].
    """
    rng, clips = np.random.default_rng(seed), max(1, len(true))
    found = float((true * weights).sum() / clips)
    orders = (rng.permutation(len(true)) for _ in range(permutations))
    null = np.array([np.vdot(true[order], weights) / clips for order in orders])
    p = (1 + int((null >= found - 1e-12).sum())) / (1 + permutations)
    return found, null, p
