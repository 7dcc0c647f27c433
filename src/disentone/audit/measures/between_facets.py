"""Gaps, disentanglement and completeness between facets, from their information on factors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from disentone.audit.measures.blocks import BlockInformation
from disentone.audit.measures.dci import completeness_of, disentanglement_of
from disentone.audit.measures.measured import FACETS, Measure, Measured
from disentone.errors import DataError, closest

__all__ = ["block_dci", "block_mig"]


def block_mig(information: BlockInformation) -> Measured:
    """Information gap between facets: mean over factors of the best facet's share less the next's.

    A facet's share of a factor is information / H(factor), not below 0, and 0 where it is not
    above chance. Range [0, 1], no unit. Facets that each encode their factors whole, and no
    other's, score 1; a factor that two facets encode scores 0. Rotating a facet changes nothing.

    Parameters
    ----------
    information : BlockInformation
        Of at least two facets.

    Returns
    -------
    Measured
        ``each``: by factor.
    """
    if len(information.facets) < 2:
        raise DataError("A gap between facets needs at least two of them.")
    ordered = np.sort(information.share, axis=0)
    gaps = ordered[-1] - ordered[-2]
    each = dict(zip(information.factors, gaps.tolist()))
    return Measured(float(gaps.mean()), each, information.n, information.how)


def block_dci(
    information: BlockInformation, *, owns: Mapping[str, Sequence[str]] | None = None
) -> tuple[Measured, Measured]:
    """Disentanglement and completeness of facets.

    DCI's two entropies, of the matrix (facets, factors) of shares of information: see
    :func:`~disentone.audit.measures.dci.dci`. Range [0, 1], no unit; 1 and 1 where every facet
    encodes one factor (or the factors it owns) and every factor is encoded by one facet.
    Informativeness is the ``accuracy`` of the facets themselves.

    Parameters
    ----------
    information : BlockInformation
    owns : mapping of str to sequence of str, optional
        Factors that a facet is meant to encode. Those of one facet count as one (their shares are
        added), so that a facet of pitch *and* loudness is not called entangled.

    Returns
    -------
    disentanglement, completeness : Measured
        ``each``: by facet, and by factor or, joined by ``+``, factors of one owner.
    """
    names, importance = _joined(information, owns or {})
    disentangled = disentanglement_of(importance, n=information.n, how=dict(information.how))
    by_facet = dict(zip(information.facets, disentangled.each.values()))
    complete = completeness_of(importance, names=names, n=information.n, how=dict(information.how))
    return Measured(disentangled.value, by_facet, information.n, information.how), complete


def _joined(
    information: BlockInformation, owns: Mapping[str, Sequence[str]]
) -> tuple[list[str], np.ndarray]:
    """Names and shares (facets, groups) of factors, those of one owner added up."""
    owner: dict[str, str] = {}
    for facet, owned in owns.items():
        if facet not in information.facets:
            raise DataError(f"There is no facet '{facet}'{closest(facet, information.facets)}")
        for name in owned:
            if name not in information.factors:
                raise DataError(f"There is no factor '{name}'{closest(name, information.factors)}")
            owner[name] = facet
    groups: dict[str, list[int]] = {}
    for index, name in enumerate(information.factors):
        groups.setdefault(f"facet {owner[name]}" if name in owner else name, []).append(index)
    names = ["+".join(information.factors[i] for i in group) for group in groups.values()]
    shares = [information.share[:, group].sum(axis=1) for group in groups.values()]
    return names, np.array(shares).T


MEASURES = (
    Measure(
        "block_mig",
        "facet MIG",
        "is each factor in one facet?",
        block_mig,
        group="facets",
        family=FACETS,
        default=True,
        fitted=True,
    ),
    Measure(
        "block_dci_disentanglement",
        "facet disentanglement",
        "does each facet encode its own factor only?",
        block_dci,
        group="facets",
        family=FACETS,
        default=True,
        fitted=True,
        parts="facets",
    ),
    Measure(
        "block_dci_completeness",
        "facet completeness",
        "is each factor predicted by one facet?",
        block_dci,
        group="facets",
        family=FACETS,
        default=True,
        fitted=True,
    ),
)
