"""Measured: what every measure gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Measured"]


@dataclass(frozen=True)
class Measured:
    """A measure's value, its parts, and how it came about.

    Parameters
    ----------
    value : float
        The measure.
    each : mapping of str to float
        The same for every factor, or for every dimension or facet, as the measure says.
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
