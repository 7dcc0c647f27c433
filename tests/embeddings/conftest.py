"""A trained model, noise to embed with it, and an index that is brought up to date."""

from pathlib import Path

import pytest
import soundfile
from near_embeddings import RATE, WINDOW

import tiny_training
from disentone.embeddings import indexing
from disentone.embeddings.embedder import EmbedOptions
from disentone.embeddings.indexing import index_collection
from disentone.embeddings.watcher import Watcher


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


@pytest.fixture
def sounds(noise):
    """A folder of four files."""
    for number in range(4):
        noise(f"sounds/s{number}.wav")
    return "sounds"


@pytest.fixture
def updated(model):
    """Index, and give the index and the line that says what became of the clips."""

    def run(*paths, out="my.index", options=None, **more):
        notes = []
        watcher = Watcher()
        watcher.note = notes.append
        options = options or EmbedOptions()
        index = index_collection(model, paths, out, options, watcher=watcher, **more)
        return index, next((note for note in notes if " kept" in note), None)

    return run


@pytest.fixture
def deaf(monkeypatch):
    """From now on, nothing can be embedded."""

    def refuse():
        def fail(*_, **__):
            raise AssertionError("embedded")

        monkeypatch.setattr(indexing, "embed_into", fail)

    return refuse
