"""Fixtures that every test may use."""

from pathlib import Path

import numpy as np
import pytest
import torch

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _one_thread():
    """Tests run in parallel; one thread each is faster than all of them fighting."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared_data():
    """The folder of data sets that may lie beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"no data sets beside the checkout ({SHARED.name}/ is missing)")
    return SHARED
