"""Codes whose worth is known before any measure is run.

The factors are a full grid, every combination equally often, so that they are independent in the
sample itself and information comes out exactly.
"""

from types import SimpleNamespace

import numpy as np
import pytest

from factor_grids import named, on_grid


@pytest.fixture(scope="session")
def known():
    """Factors, and codes of them by name."""
    values = on_grid()
    rng = np.random.default_rng(0)
    perfect = values.astype(float)
    noise = rng.normal(size=(len(values), 3))
    angle = np.pi / 4
    scored = (values - values.mean(0)) / values.std(0)
    rotation = np.eye(3)
    rotation[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return SimpleNamespace(
        values=values,
        factors=named(values),
        perfect=perfect,
        rotated=scored @ rotation,
        duplicated=np.c_[perfect, perfect],
        dead=np.c_[perfect, np.zeros((len(values), 2))],
        noise=noise,
        noisy=np.c_[perfect, noise],
    )
