"""Measures and their results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

__all__ = ["FACETS", "GROUPS", "Measure", "Measured"]

GROUPS = (
    *("facets", "compactness", "modularity", "pairs"),
    *("explicitness", "attributes", "runs", "dependence"),
)
"""What measures are about, in the order of the report's table."""


FACETS = "facets"
"""The family that is measured between facets, from the audit's probes, and not on codes."""


@dataclass(frozen=True)
class Measured:
    """A measure's value, its parts, and how it came about.

    Parameters
    ----------
    value : float
        The measure.
    each : mapping of str to float
        The same for every factor, or for every dimension or facet, as the measure defines.
    n : int
        Clips (or pairs, batches, runs) that the value was measured on.
    how : mapping of str to object
        Variant, bins, predictor, split: whatever decides the number.
    draws : mapping of str to ndarray, shape (replicates,)
        The value (under ``""``) and the parts (under their names) for clips drawn anew, where
        that was asked for: held-out clips, what was fitted staying as it is.
    """

    value: float
    each: Mapping[str, float]
    n: int
    how: Mapping[str, Any] = field(default_factory=dict)
    draws: Mapping[str, np.ndarray] = field(default_factory=dict, compare=False)

    def __float__(self) -> float:
        """Give the value."""
        return self.value


@dataclass(frozen=True)
class Measure:
    """A measure as cards, recipes, the command line and reports use it.

    Parameters
    ----------
    name : str
        On cards, in recipes and after ``--measures``.
    label : str
        In tables.
    question : str
        What it asks, in a line.
    function : callable
        From ``codes=`` (clips, dims) and ``factors=`` to :class:`Measured`; where something is
        fitted also ``test=`` (bool, of clips held out). A family may call it otherwise.
    group : str
        One of :data:`GROUPS`: where the report shows it.
    family : str
        Measures of one family share their work (see :mod:`disentone.audit.families`); by default
        it is measured alone, with chance from permuted codes and an interval from half-samples.
    default : bool
        Whether it is measured by default: cheap, without pairs or other runs.
    signed : bool
        Whether it may be below 0, where codes are worse than chance.
    fitted : bool
        Whether something is fitted, so that it is measured on held-out clips.
    parts : {"factors", "dimensions", "facets", "runs"}
        What ``Measured.each`` is of: names of factors, numbers of dimensions, and so on.
    unit : {"score", "nats"}
        A score is at most 1.
    factors : {"any", "numeric", "several"}
        Those it needs: ordinal or continuous ones, which alone it is given; or two at least.
    variants : mapping of str to str
        Published variants (``variant=`` of the function), and what each does otherwise.
    """

    name: str
    label: str
    question: str
    function: Callable[..., Any]
    group: str = "compactness"
    family: str = ""
    default: bool = False
    signed: bool = False
    fitted: bool = False
    parts: Literal["factors", "dimensions", "facets", "runs"] = "factors"
    unit: Literal["score", "nats"] = "score"
    factors: Literal["any", "numeric", "several"] = "any"
    variants: Mapping[str, str] = field(default_factory=dict)
