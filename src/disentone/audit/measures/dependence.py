"""Dependence of dimensions on each other, as far as covariances show it; no factor is needed.

Both measures take the code for Gaussian: 0 means uncorrelated, and independent only if the code
is indeed Gaussian. A small value is no sign of disentanglement by itself: noise scores 0.
"""

from __future__ import annotations

import numpy as np

from disentone.audit.measures.inputs import chosen, table
from disentone.audit.measures.measured import Measure, Measured

__all__ = ["gaussian_total_correlation", "wasserstein_dependency"]

SINGULAR = 1e-10  # an eigenvalue of the correlation matrix below this is 0


def gaussian_total_correlation(*, codes: np.ndarray) -> Measured:
    """Total correlation of a Gaussian with the code's covariance: -1/2 log det(correlation).

    In nats, from 0 to infinity; 0 for a code of uncorrelated dimensions, perfect or noise, and
    infinite for one that encodes a factor twice exactly. For two dimensions it is their mutual
    information, -1/2 log(1 - r^2). Sampling adds about dims (dims - 1) / (4 clips). Neither scale
    nor order matters; constant dimensions are left out.

    Source: S. Watanabe, "Information theoretical analysis of multivariate correlation", 1960; as a
    measure of codes F. Locatello et al., "Challenging common assumptions in the unsupervised
    learning of disentangled representations", 2019.

    Parameters
    ----------
    codes : ndarray, shape (clips, dims)

    Returns
    -------
    Measured
        ``each``: what every dimension shares with all others, -1/2 log(1 - R^2), in nats.
    """
    correlation, alive, clips = _correlation(codes)
    powers = np.linalg.eigvalsh(correlation)
    if len(powers) and powers[0] < SINGULAR:
        return Measured(np.inf, {}, clips, {"dims": len(alive)})
    value = max(0.0, float(-0.5 * np.log(powers).sum()))
    shared = 0.5 * np.log(np.diag(np.linalg.inv(correlation)))
    each = {str(dim): part for dim, part in zip(alive, np.maximum(shared, 0).tolist())}
    return Measured(value, each, clips, {"dims": len(alive)})


def wasserstein_dependency(*, codes: np.ndarray, variant: str = "corrected") -> Measured:
    """Squared 2-Wasserstein distance from the code to one of independent dimensions, normalised.

    For Gaussians of z-scored dimensions with correlation matrix C the squared distance is
    2 (d - tr C^(1/2)); divided by its largest value, 2 (d - d^(1/2)), which d equal dimensions
    reach. Range [0, 1], no unit: 0 for uncorrelated dimensions, 1 for copies of one. Constant
    dimensions are left out; unlike total correlation it stays finite.

    Source: Y. Xiao, W. Y. Wang, "Disentangled representation learning with Wasserstein total
    correlation", 2019; as a measure of codes F. Locatello et al., 2019 (see
    :func:`gaussian_total_correlation`).

    Parameters
    ----------
    codes : ndarray, shape (clips, dims)
    variant : {"corrected", "published"}
        "published": of the code as it is, 2 (tr S - tr (D^(1/2) S D^(1/2))^(1/2)) / tr S with S
        the covariance and D its diagonal, so that the score depends on the scale of dimensions.

    Returns
    -------
    Measured
        ``each`` is empty.
    """
    chosen(variant, ("corrected", "published"))
    correlation, alive, clips = _correlation(codes)
    how = {"variant": variant, "dims": len(alive)}
    dims = len(alive)
    if dims < 2:
        return Measured(0.0, {}, clips, how)
    if variant == "corrected":
        value = (dims - _root_trace(correlation)) / (dims - dims**0.5)
    else:
        spread = table(codes)[:, alive].std(axis=0)
        middle = correlation * np.outer(spread**2, spread**2)
        total = (spread**2).sum()
        value = 2 * (total - _root_trace(middle)) / total
    return Measured(float(np.clip(value, 0.0, None)), {}, clips, how)


def _correlation(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Correlation of the dimensions that vary, which they are, and the clips."""
    codes = table(codes)
    alive = np.flatnonzero(np.ptp(codes, axis=0) > 0)
    scored = codes[:, alive] - codes[:, alive].mean(axis=0)
    scored /= np.linalg.norm(scored, axis=0)
    return scored.T @ scored, alive, len(codes)


def _root_trace(matrix: np.ndarray) -> float:
    """Trace of the square root of a positive semidefinite matrix."""
    return float(np.sqrt(np.maximum(np.linalg.eigvalsh(matrix), 0)).sum())


MEASURES = (
    Measure(
        "total_correlation",
        "total correlation",
        "do dimensions depend on each other? 0 is least",
        gaussian_total_correlation,
        group="dependence",
        family="dependence",
        default=True,
        parts="dimensions",
        unit="nats",
    ),
    Measure(
        "wasserstein",
        "Wasserstein dependency",
        "the same, from 0 to 1",
        wasserstein_dependency,
        group="dependence",
        family="dependence",
        default=True,
        variants={
            "published": "The published distance is of the code as it is, so that it depends on "
            "the scale of the dimensions."
        },
    ),
)
