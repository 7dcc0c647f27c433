"""Information gaps for factors that depend on each other, as pitch and brightness do.

MIG punishes a code for encoding what one factor determines of another. These three do not: they
divide by what is left of a factor's entropy once the other is known, or look only at dimensions
that no factor owns. All take categorical and ordinal factors as classes, multi-label factors label
by label, and continuous ones cut in ``factor_bins`` quantile bins; dimensions are cut in ``bins``
quantile bins. Every factor owns one dimension: the one given in ``own``, or the one that encodes it
best.

Sources: K. N. Watcharasupat, A. Lerch, "Evaluation of latent space disentanglement in the presence
of interdependent attributes", 2021 (DMIG); K. N. Watcharasupat, "Controllable music: supervised
learning of disentangled representations for music generation", 2021 (XMIG, DLIG).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from disentone.audit.information import entropy, mutual_information
from disentone.audit.measures.inputs import BINS, Factors, columns
from disentone.audit.measures.matrix import InformationMatrix, information_matrix
from disentone.audit.measures.measured import Measure, Measured
from disentone.errors import DataError, closest

__all__ = ["dlig", "dmig", "xmig"]


def dmig(
    *,
    codes: np.ndarray,
    factors: Factors,
    own: Mapping[str, int] | None = None,
    bins: int = BINS,
    factor_bins: int = BINS,
    matrix: InformationMatrix | None = None,
) -> Measured:
    """Dependency-aware MIG: (I(a; own dimension) - I(a; runner-up)) / H(a | b), mean over factors.

    b is the factor that owns the runner-up among the other dimensions; where it has no owner, the
    divisor is H(a). No unit; a perfect code scores 1 however much its factors depend on each
    other, a code with a factor held twice 0; at most 1, negative where another dimension than the
    owned one encodes the factor better. A factor that another one determines has nothing of its
    own: it scores NaN and is left out of the mean.

    Parameters
    ----------
    codes : ndarray, shape (clips, dims)
    factors : mapping of str to Factor or ndarray
    own : mapping of str to int, optional
        Dimension that each factor owns.
    bins, factor_bins : int
        Quantile bins of a dimension, and of a continuous factor.
    matrix : InformationMatrix, optional
        Of these codes and factors, where it is known already; its bins are then the ones.

    Returns
    -------
    Measured
        ``each``: by factor.
    """
    found, owned = _owned(codes, factors, own, bins, factor_bins, matrix)
    left = _conditional_entropies(factors, len(codes), found.how["factor_bins"])
    parts = []
    for k, dim in enumerate(owned):
        others = _masked(found.value[:, k], [dim])
        rival = int(others.argmax())
        owners = [j for j, d in enumerate(owned) if d == rival and j != k]
        divisor = min((left[k, j] for j in owners), default=found.entropies[k])
        parts.append(_ratio(found.value[dim, k] - max(others[rival], 0.0), divisor))
    return _measured(parts, found, owned)


def xmig(
    *,
    codes: np.ndarray,
    factors: Factors,
    own: Mapping[str, int] | None = None,
    bins: int = BINS,
    factor_bins: int = BINS,
    matrix: InformationMatrix | None = None,
) -> Measured:
    """Dependency-blind MIG: (I(a; own dimension) - I(a; best unowned dimension)) / H(a), mean.

    Only dimensions that no factor owns are rivals, so dependence between factors cannot count
    against a code; leaks into another factor's dimension cannot either. At most 1, no unit. A
    perfect code scores 1, a factor held twice 0; without unowned dimensions it is I / H.

    Parameters
    ----------
    codes : ndarray, shape (clips, dims)
    factors : mapping of str to Factor or ndarray
    own : mapping of str to int, optional
        Dimension that each factor owns.
    bins, factor_bins : int
        Quantile bins of a dimension, and of a continuous factor.
    matrix : InformationMatrix, optional
        Of these codes and factors, where it is known already; its bins are then the ones.

    Returns
    -------
    Measured
        ``each``: by factor.
    """
    found, owned = _owned(codes, factors, own, bins, factor_bins, matrix)
    parts = [
        _ratio(
            found.value[dim, k] - max(_masked(found.value[:, k], owned).max(), 0.0),
            found.entropies[k],
        )
        for k, dim in enumerate(owned)
    ]
    return _measured(parts, found, owned)


def dlig(
    *,
    codes: np.ndarray,
    factors: Factors,
    own: Mapping[str, int] | None = None,
    bins: int = BINS,
    factor_bins: int = BINS,
    matrix: InformationMatrix | None = None,
) -> Measured:
    """Dependency-aware latent information gap: (I(a; z) - I(b; z)) / H(a | b), mean over factors.

    z is the dimension that factor a owns and b the other factor that z encodes best. At most 1, no
    unit. A perfect code of factors that depend on each other scores 1 as well as one of
    independent factors: I(a; z) - I(b; z) = H(a) - I(a; b) = H(a | b). A factor held twice costs
    nothing. A factor that another one determines scores NaN and is left out of the mean.

    Parameters
    ----------
    codes : ndarray, shape (clips, dims)
    factors : mapping of str to Factor or ndarray
        At least two.
    own : mapping of str to int, optional
        Dimension that each factor owns.
    bins, factor_bins : int
        Quantile bins of a dimension, and of a continuous factor.
    matrix : InformationMatrix, optional
        Of these codes and factors, where it is known already; its bins are then the ones.

    Returns
    -------
    Measured
        ``each``: by factor.
    """
    found, owned = _owned(codes, factors, own, bins, factor_bins, matrix)
    if len(owned) < 2:
        raise DataError("The gap between factors needs at least two of them.")
    left = _conditional_entropies(factors, len(codes), found.how["factor_bins"])
    parts = []
    for k, dim in enumerate(owned):
        others = _masked(found.value[dim], [k])
        rival = int(others.argmax())
        parts.append(_ratio(found.value[dim, k] - others[rival], left[k, rival]))
    return _measured(parts, found, owned)


def _owned(
    codes: np.ndarray,
    factors: Factors,
    own: Mapping[str, int] | None,
    bins: int,
    factor_bins: int,
    matrix: InformationMatrix | None,
) -> tuple[InformationMatrix, list[int]]:
    """The matrix, and the dimension that each factor owns."""
    found = matrix or information_matrix(
        codes=codes, factors=factors, bins=bins, factor_bins=factor_bins, permutations=0
    )
    own = own or {}
    for name, dim in own.items():
        if name not in found.names:
            raise DataError(f"There is no factor '{name}'{closest(name, found.names)}")
        if not 0 <= dim < len(found.value):
            raise DataError(f"Factor '{name}' cannot own dimension {dim} of {len(found.value)}.")
    best = found.value.argmax(axis=0)
    return found, [own.get(name, int(dim)) for name, dim in zip(found.names, best)]


def _conditional_entropies(factors: Factors, clips: int, factor_bins: int) -> np.ndarray:
    """H(row factor | column factor), in nats, over the clips of which both are known."""
    found = columns(factors, clips=clips)
    labels = [column.classes(factor_bins) for column in found]
    left = np.zeros((len(found), len(found)))
    for i, j in np.ndindex(left.shape):
        both = (labels[i] >= 0) & (labels[j] >= 0)
        shared = mutual_information(codes=labels[j][both][:, None], labels=labels[i][both])
        left[i, j] = entropy(labels[i][both]) - float(shared[0])
    return left


def _masked(values: np.ndarray, left_out: list[int]) -> np.ndarray:
    values = values.copy()
    values[left_out] = -np.inf
    return values


def _ratio(gap: float, divisor: float) -> float:
    return float(gap / divisor) if divisor > 1e-9 else float("nan")


def _measured(parts: list[float], found: InformationMatrix, owned: list[int]) -> Measured:
    known = [part for part in parts if not np.isnan(part)]
    value = float(np.mean(known)) if known else float("nan")
    how = {**found.how, "own": dict(zip(found.names, owned))}
    return Measured(value, dict(zip(found.names, parts)), found.n, how)


MEASURES = (
    Measure(
        "dmig",
        "DMIG",
        "MIG, where factors depend on each other",
        dmig,
        family="gaps",
        signed=True,
    ),
    Measure(
        "xmig",
        "XMIG",
        "MIG against dimensions that no factor owns",
        xmig,
        family="gaps",
        signed=True,
    ),
    Measure(
        "dlig",
        "DLIG",
        "the same, where factors depend on each other",
        dlig,
        group="modularity",
        family="gaps",
        signed=True,
        factors="several",
    ),
)
