"""Factors on a full grid: independent of each other in the sample itself."""

import numpy as np


def on_grid(sizes=(4, 5, 3), *, repeats=10):
    """Categorical factors a, b, c of the sizes given, each combination as often."""
    cells = np.indices(sizes).reshape(len(sizes), -1).T
    return np.tile(cells, (repeats, 1))


def named(values):
    return {"abcdefgh"[i]: column for i, column in enumerate(values.T)}
