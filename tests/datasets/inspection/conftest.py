"""Collections of files whose figures are known."""

import itertools

import pytest
import soundfile
from synthetic_sounds import RATE, sine

from disentone.datasets.config import CollectionConfig
from disentone.datasets.inspection import inspect


@pytest.fixture
def put(tmp_path):
    """Write a wave (samples,) or (samples, channels) below tmp_path; a new tone by default."""
    frequencies = itertools.count(200)

    def write(name, wave=None, *, rate=RATE, **kind):
        wave = sine(frequency=next(frequencies)) if wave is None else wave
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, wave, rate, **kind)
        return str(path)

    return write


@pytest.fixture
def look(tmp_path):
    """Inspect tmp_path."""

    def run(**options):
        return inspect(CollectionConfig(path=str(tmp_path), **options))

    return run
