"""Directional subspace difference: how much better the intended facet predicts a factor.

References
----------
S. Ding, J. Wilkins, M. Fuentes, J. P. Bello, "Latent Multi-view Learning for Robust Environmental
Sound Representations", 2025: DSC delta, Eqs. 6 and 7.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from disentone.audit.scores import Estimate, paired_difference
from disentone.errors import DataError

__all__ = ["dsc_delta", "rivals"]


def dsc_delta(*, own: np.ndarray, other: np.ndarray, groups: np.ndarray | None = None) -> Estimate:
    """Difference of two facets' scores for a factor that the first of them should predict.

    With clf(z) the score of a classifier on facet z (accuracy, or Jaccard index for several
    labels), the paper gives one number for each direction:

        DSC delta private = clf(z_private) source - clf(z_shared) source    (Eq. 6)
        DSC delta shared  = clf(z_shared) sensor - clf(z_private) sensor    (Eq. 7)

    so that ``own`` is always the facet that should predict the factor. Values are in [-1, 1]: 0
    where both facets predict it equally well, negative where the wrong one predicts it better.
    Perfect separation scores 1 - chance, as the other facet can still guess; 1 needs a factor that
    cannot be guessed. It does not measure how well the factor is predicted at all: two useless
    facets score 0.

    Parameters
    ----------
    own, other : ndarray, shape (seeds, clips)
        Scores in [0, 1] of the same test clips by probes of the same seeds.
    groups : ndarray, shape (clips,), optional
        The recording of every clip, where several clips are of one.

    Returns
    -------
    Estimate
        Mean difference; its 95 % interval covers seeds and test clips, compared pair by pair;
        chance is 0.

    Raises
    ------
    DataError
        If the shapes differ, or a score lies outside [0, 1].
    """
    own, other = np.asarray(own, dtype=float), np.asarray(other, dtype=float)
    if own.ndim != 2 or own.shape != other.shape:
        raise DataError(f"Scores must be (seeds, clips), both: not {own.shape} and {other.shape}.")
    for scores in (own, other):
        if not ((scores >= 0) & (scores <= 1)).all():
            raise DataError("Scores must be in [0, 1]: use accuracy or the Jaccard index.")
    return paired_difference(own, other, groups)


def rivals(
    scores: Mapping[tuple[str, str], np.ndarray],
    *,
    facets: Sequence[str],
    owns: Mapping[str, Sequence[str]],
) -> Iterator[tuple[str, str, str]]:
    """Yield (facet, factor, other) for every factor that one facet should predict alone.

    Of two facets, the other one is the paper's. Of more, it is the one that predicts the factor
    best among those that do not own it, so that the difference is the least of all.

    Parameters
    ----------
    scores : mapping of (facet, factor) to ndarray, shape (seeds, clips)
    facets : sequence of str
    owns : mapping of str to sequence of str
        Factors that each facet should predict.
    """
    for facet in facets:
        for factor in owns.get(facet, ()):
            others = [name for name in facets if factor not in owns.get(name, ())]
            if others:
                yield facet, factor, max(others, key=lambda name: scores[name, factor].mean())
