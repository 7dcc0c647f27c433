"""Information gaps: how far one dimension alone encodes a factor, and one factor alone.

All four take categorical and ordinal factors as classes, multi-label factors label by label, and
continuous factors cut in ``factor_bins`` quantile bins. Dimensions are cut in ``bins`` quantile
bins, or more where the factor has more classes, whose edges lie on the borders of the classes.
Information is the plug-in estimate: on independent variables it is about
(bins - 1)(classes - 1) / (2 clips) nats, of which a gap cancels the greater part.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from disentone.audit.measures.inputs import BINS, Factors, chosen
from disentone.audit.measures.matrix import InformationMatrix, information_matrix
from disentone.audit.measures.measured import Measure, Measured

__all__ = ["dcimig", "jemmig", "mig", "mig_sup"]


def mig(
    *,
    codes: np.ndarray,
    factors: Factors,
    bins: int = BINS,
    factor_bins: int = BINS,
    variant: str = "corrected",
    matrix: InformationMatrix | None = None,
) -> Measured:
    """Mutual information gap: mean over factors of (I_first - I_second) / H(factor).

    I_first and I_second are the information of the two dimensions that encode the factor best.
    Range [0, 1], no unit. A perfect code scores 1, a code that encodes a factor twice 0, a rotated
    code little; dead and noise dimensions change nothing beside perfect ones.

    Source: R. T. Q. Chen, X. Li, R. Grosse, D. Duvenaud, "Isolating sources of disentanglement in
    variational autoencoders", 2018.

    Parameters
    ----------
    codes : ndarray, shape (clips, dims)
    factors : mapping of str to Factor or ndarray
    bins, factor_bins : int
        Quantile bins of a dimension, and of a continuous factor.
    variant : {"corrected", "equal-width", "syntone"}
        "equal-width": dimensions are cut in bins of equal width, as in most public code, so that
        one outlier moves the score. "syntone": codes and factors change places, as in the code
        published with "SynTone": the gap is between *factors*, divided by the entropy of the
        binned *dimension* (equal width) and averaged over dimensions, so that a perfect code scores
        below 1 wherever a dimension has more bins than its factor has classes.
    matrix : InformationMatrix, optional
        Of these codes and factors, for "corrected", where it is known already; its bins are then
        the ones.

    Returns
    -------
    Measured
        ``each``: by factor (by dimension for "syntone").
    """
    chosen(variant, ("corrected", "equal-width", "syntone"))
    found = matrix if variant == "corrected" else None
    found = found or information_matrix(
        codes=codes,
        factors=factors,
        bins=bins,
        factor_bins=factor_bins,
        equal_width=variant != "corrected",
        permutations=0,
    )
    how = {"variant": variant, **found.how}
    if variant == "syntone":
        code_entropies = found.code_entropies.mean(axis=1)
        scale = np.where(code_entropies > 0, code_entropies, 1.0)
        gaps = _gap(found.value.T) / scale
        return Measured(float(gaps.mean()), _by_dimension(gaps), found.n, how)
    gaps = _gap(found.value) / found.entropies
    return Measured(float(gaps.mean()), dict(zip(found.names, gaps.tolist())), found.n, how)


def mig_sup(
    *,
    codes: np.ndarray,
    factors: Factors,
    bins: int = BINS,
    factor_bins: int = BINS,
    variant: str = "corrected",
    seed: int = 0,
    matrix: InformationMatrix | None = None,
) -> Measured:
    """Supplement of the mutual information gap: how far a dimension encodes one factor alone.

    With N(z; v) = I(z; v) / H(v): mean over dimensions of N_first - N_second, the two factors that
    the dimension encodes best. Range [0, 1], no unit. A perfect code scores 1, and so does one that
    encodes a factor twice; a rotated code scores little; a code of noise has no active dimension
    and scores 0. With one factor alone it is the share of that factor's entropy.

    Source: Z. Li, J. V. Murkute, P. K. Gyawali, L. Wang, "Progressive learning and disentanglement
    of hierarchical representations", 2020.

    Parameters
    ----------
    codes : ndarray, shape (clips, dims)
    factors : mapping of str to Factor or ndarray
    bins, factor_bins : int
        Quantile bins of a dimension, and of a continuous factor.
    variant : {"corrected", "paper"}
        "paper": the mean is over all dimensions, so that every dead or noise dimension lowers it;
        "corrected": over the active ones, those that encode some factor above a permutation null.
    seed : int
        Of the null.
    matrix : InformationMatrix, optional
        Of these codes and factors, where it is known already; its bins are then the ones.

    Returns
    -------
    Measured
        ``each``: by dimension; ``how["active"]``: the active dimensions.
    """
    chosen(variant, ("corrected", "paper"))
    found = matrix or information_matrix(
        codes=codes, factors=factors, bins=bins, factor_bins=factor_bins, seed=seed
    )
    gaps = _gap((found.value / found.entropies).T)
    counted = gaps[found.active] if variant == "corrected" else gaps
    value = float(counted.mean()) if counted.size else 0.0
    how: dict[str, Any] = {"variant": variant, **found.how}
    how["active"] = np.flatnonzero(found.active).tolist()
    return Measured(value, _by_dimension(gaps), found.n, how)


def dcimig(
    *,
    codes: np.ndarray,
    factors: Factors,
    bins: int = BINS,
    factor_bins: int = BINS,
    matrix: InformationMatrix | None = None,
) -> Measured:
    """Information of factors in dimensions of their own: sum of the best gaps / sum of entropies.

    A dimension belongs to the factor it encodes best, with gap I(first factor) - I(second factor).
    A factor scores the largest gap among its dimensions, 0 if it has none; the measure is the sum
    over factors divided by the sum of their entropies. Range [0, 1], no unit. A perfect code
    scores 1, also with dead or noise dimensions or with a factor encoded twice; a rotated one
    little.

    Source: A. Sepliarskaia, J. Kiseleva, M. de Rijke, "How to not measure disentanglement", 2021
    (there 3CharM).

    Parameters
    ----------
    codes : ndarray, shape (clips, dims)
    factors : mapping of str to Factor or ndarray
    bins, factor_bins : int
        Quantile bins of a dimension, and of a continuous factor.
    matrix : InformationMatrix, optional
        Of these codes and factors, where it is known already; its bins are then the ones.

    Returns
    -------
    Measured
        ``each``: best gap of every factor over its entropy.
    """
    found = matrix or information_matrix(
        codes=codes, factors=factors, bins=bins, factor_bins=factor_bins, permutations=0
    )
    owner, gaps = found.value.argmax(axis=1), _gap(found.value.T)
    best = np.array([gaps[owner == k].max(initial=0.0) for k in range(len(found.names))])
    value = float(best.sum() / found.entropies.sum())
    each = dict(zip(found.names, (best / found.entropies).tolist()))
    return Measured(value, each, found.n, found.how)


def jemmig(
    *,
    codes: np.ndarray,
    factors: Factors,
    bins: int = BINS,
    factor_bins: int = BINS,
    variant: str = "normalised",
    matrix: InformationMatrix | None = None,
) -> Measured:
    """Joint entropy minus the mutual information gap: a gap that also sees what else is in there.

    For the two dimensions a, b that encode factor v best: J = H(a, v) - I(a; v) + I(b; v), in nats;
    0 is best, and J is at most log(bins) + H(v). The normalised measure is the mean over factors
    of 1 - J / (log(bins) + H(v)): range [0, 1], no unit, 1 for a perfect code whose dimension
    takes one value for every class. Unlike MIG it punishes a dimension that varies within a class,
    so a dimension finer than its factor scores below 1.

    Source: K. Do, T. Tran, "Theory and evaluation metrics for learning disentangled
    representations", 2020.

    Parameters
    ----------
    codes : ndarray, shape (clips, dims)
    factors : mapping of str to Factor or ndarray
    bins, factor_bins : int
        Quantile bins of a dimension, and of a continuous factor.
    variant : {"normalised", "nats"}
        "nats": the mean of J itself, where less is better.
    matrix : InformationMatrix, optional
        Of these codes and factors, where it is known already; its bins are then the ones.

    Returns
    -------
    Measured
        ``each``: by factor.
    """
    chosen(variant, ("normalised", "nats"))
    found = matrix or information_matrix(
        codes=codes, factors=factors, bins=bins, factor_bins=factor_bins, permutations=0
    )
    joint = _joint_entropy_of_best(found) - _gap(found.value)
    parts = joint if variant == "nats" else 1 - joint / (np.log(found.most_bins) + found.entropies)
    how = {"variant": variant, **found.how}
    return Measured(float(parts.mean()), dict(zip(found.names, parts.tolist())), found.n, how)


def _joint_entropy_of_best(found: InformationMatrix) -> np.ndarray:
    """H(a, v) of every factor v and the dimension a that encodes it best: (factors,), in nats."""
    best = found.value.argmax(axis=0)
    code_entropies = found.code_entropies[best, np.arange(len(best))]
    return code_entropies + found.entropies - found.value.max(axis=0)


def _gap(values: np.ndarray) -> np.ndarray:
    """Largest minus second largest down the rows; the second of a single row is 0."""
    if len(values) == 1:
        return values[0]
    ordered = np.sort(values, axis=0)
    return ordered[-1] - ordered[-2]


def _by_dimension(values: np.ndarray) -> dict[str, float]:
    return {str(index): value for index, value in enumerate(values.tolist())}


MEASURES = (
    Measure(
        "mig",
        "MIG",
        "is each factor in one dimension?",
        mig,
        family="gaps",
        default=True,
        variants={
            "syntone": "The code published with SynTone exchanges codes and factors: the gap is "
            "between factors and divided by the entropy of the binned dimension, so that even a "
            "perfect code scores below 1 where a dimension has more bins than its factor has "
            "classes.",
            "equal-width": "Most public code cuts dimensions in bins of equal width, so that one "
            "outlier moves the score; here bins are quantiles.",
        },
    ),
    Measure(
        "mig_sup",
        "MIG-sup",
        "does each dimension encode one factor?",
        mig_sup,
        group="modularity",
        family="gaps",
        default=True,
        parts="dimensions",
        variants={
            "paper": "The paper's mean is over all dimensions, so that every dead or noise "
            "dimension lowers it; here it is over those that encode some factor above chance."
        },
    ),
    Measure(
        "dcimig",
        "DCIMIG",
        "has each factor a dimension of its own?",
        dcimig,
        family="gaps",
        default=True,
    ),
    Measure(
        "jemmig",
        "JEMMIG",
        "the same, and nothing else in that dimension?",
        jemmig,
        family="gaps",
        default=True,
        variants={
            "nats": "The paper's sum is in nats, where less is better and the scale depends on "
            "the factors; here it is scaled to 1 for a perfect code."
        },
    ),
)
