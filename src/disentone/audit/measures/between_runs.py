"""Agreement of runs: a code that is found again by another run is likely disentangled.

No factor is needed.

References
----------
S. Duan, L. Matthey, A. Saraiva, N. Watters, C. P. Burgess, A. Lerchner, I. Higgins,
"Unsupervised model selection for variational disentangled representation learning", 2020 (UDR).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np

from disentone.audit.measures.inputs import chosen, table, z_scored
from disentone.audit.measures.measured import Measure, Measured
from disentone.errors import DataError

__all__ = ["udr"]

PENALTY = 0.1  # of the lasso, as in the paper


def udr(
    *,
    runs: Sequence[np.ndarray],
    informative: Sequence[np.ndarray] | None = None,
    variant: str = "rank",
) -> Measured:
    """Unsupervised disentanglement ranking: how similar the dimensions of several runs are.

    R(a, b) is abs(rank correlation) of dimension a of one run with dimension b of another, over
    the same clips. Two runs score (sum_b r_b^2 / sum_a R(a, b) + sum_a r_a^2 / sum_b R(a, b)) /
    (d_a + d_b), where r is the largest R of a dimension and d counts informative dimensions; only
    these enter the sums. A run scores the median over the other runs, and the measure is the mean
    over runs. Range [0, 1], no unit. Runs with the same independent dimensions, in any order and
    of either sign, score 1; a run with every dimension twice against itself 1/2; two dimensions
    turned by 45 degrees 0.35; unrelated noise near 0. Collapsed runs have no informative dimension
    and score 0. It measures that runs agree, not that what they agree on is a factor.

    Parameters
    ----------
    runs : sequence of ndarray, shape (clips, dims of the run)
        At least two, of the same clips.
    informative : sequence of ndarray of bool, shape (dims of the run,), optional
        Of each run; the paper takes dimensions whose KL to the prior exceeds 0.01 nats. By
        default those that vary.
    variant : {"rank", "lasso"}
        "lasso": R(a, b) is the absolute weight of dimension a in a lasso (penalty 0.1) that
        predicts b, all z-scored; runs that agree then score 0.9, for the penalty shrinks weights.
        The paper uses both.

    Returns
    -------
    Measured
        ``each``: by run; ``n``: clips.
    """
    tables = [table(run) for run in runs]
    if len(tables) < 2 or len({len(run) for run in tables}) > 1:
        raise DataError("Agreement needs at least two runs of the same clips.")
    kept = [np.ptp(run, axis=0) > 0 for run in tables]
    if informative is not None:
        kept = [mine & np.asarray(given, dtype=bool) for mine, given in zip(kept, informative)]
    chosen(variant, ("rank", "lasso"))
    ready, likeness = (_ranks, _correlations) if variant == "rank" else (_scores, _weights)
    scored = [ready(run[:, mine]) for run, mine in zip(tables, kept)]
    pairs = np.full((len(runs), len(runs)), np.nan)
    for i, j in permutations(range(len(runs)), 2):
        pairs[i, j] = _similarity(likeness(scored[i], scored[j]))
    each = {str(index): float(np.nanmedian(row)) for index, row in enumerate(pairs.T)}
    how = {"variant": variant, "informative": [int(mine.sum()) for mine in kept]}
    return Measured(float(np.mean(list(each.values()))), each, len(tables[0]), how)


def _ranks(codes: np.ndarray) -> np.ndarray:
    """Ranks of every column, centred, of length 1."""
    from scipy.stats import rankdata

    ranks = rankdata(codes, axis=0) - (len(codes) + 1) / 2
    return ranks / np.linalg.norm(ranks, axis=0)


def _scores(codes: np.ndarray) -> np.ndarray:
    return z_scored(codes, fit=codes)


def _correlations(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    return np.abs(one.T @ two)


def _weights(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Absolute weights (dims of one, dims of two) of lassos that predict two from one."""
    from sklearn.linear_model import Lasso

    if 0 in (one.shape[1], two.shape[1]):
        return np.zeros((one.shape[1], two.shape[1]))
    weights = Lasso(alpha=PENALTY).fit(one, two).coef_
    return np.abs(np.reshape(weights, (two.shape[1], one.shape[1])).T)


def _similarity(correlation: np.ndarray) -> float:
    if 0 in correlation.shape:
        return 0.0
    total = sum(
        (matrix.max(axis=0) ** 2 / np.maximum(matrix.sum(axis=0), 1e-12)).sum()
        for matrix in (correlation, correlation.T)
    )
    return float(total / sum(correlation.shape))


MEASURES = (
    Measure(
        "udr",
        "UDR",
        "do runs find the same dimensions?",
        udr,
        group="runs",
        family="udr",
        parts="runs",
        variants={
            "lasso": "The paper's other likeness: weights of a lasso, which the penalty makes "
            "smaller, so that runs that agree score 0.9."
        },
    ),
)
