"""Schedules of the learning rate that depend on validation losses."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["reductions"]


def reductions(losses: Sequence[float], *, patience: int) -> int:
    """Count how often the validation loss had not fallen for some epochs.

    A function of the history alone, so that a resumed run needs no state of a schedule.

    Parameters
    ----------
    losses : sequence of float
        Of every epoch so far.
    patience : int
        Epochs without a new least loss that make a reduction; counting begins anew after each.

    Returns
    -------
    int
    """
    best, waited, count = math.inf, 0, 0
    for loss in losses:
        best, waited = (loss, 0) if loss < best else (best, waited + 1)
        if waited == patience:
            count, waited = count + 1, 0
    return count
