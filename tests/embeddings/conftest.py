"""A trained model, and noise to embed with it."""

from pathlib import Path

import pytest
import soundfile
from near_embeddings import RATE, WINDOW

import tiny_training


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A trained model's folder."""
    folder = tmp_path_factory.mktemp("model")
    tiny_training.train(folder, epochs=2)
    return folder


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def noise(rng):
    """Write noise of a length in seconds, and give its path as text."""

    def write(name, seconds=WINDOW, *, rate=RATE, silent=()):
        wave = 0.3 * rng.standard_normal(round(seconds * rate))
        for begin, end in silent:
            wave[round(begin * rate) : round(end * rate)] = 0
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(name, wave, rate)
        return str(name)

    return write


@pytest.fixture
def folder(noise):
    """Four files in two sub-folders, of one window and of several, at three rates."""
    noise("sounds/low/a.wav")
    noise("sounds/low/b.flac", 1.0, rate=22050)
    noise("sounds/high/c.ogg", 0.77, rate=44100)
    noise("sounds/high/d.wav", 0.09)
    return "sounds"
