"""Fixtures that every test may use."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
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


@pytest.fixture
def tone(tmp_path):
    """Write a short tone below tmp_path and give its path."""

    def write(name, *, frequency=440.0, seconds=0.1, rate=8000):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        time = np.arange(round(seconds * rate)) / rate
        soundfile.write(path, 0.5 * np.sin(2 * np.pi * frequency * time), rate)
        return path

    return write


@pytest.fixture
def table(tmp_path):
    """Write a CSV table below tmp_path and give its path."""

    def write(rows, name="clips.csv"):
        with (tmp_path / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, delimiter="\t" if name.endswith("tsv") else ",").writerows(rows)
        return tmp_path / name

    return write
