"""A small collection with an untrained model, indexed and served."""

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from server_thread import Server
from starlette.testclient import TestClient

from disentone.embeddings.model import Model
from disentone.facets import Facets
from disentone.frontends.logmel import LogMel
from disentone.models import MultiView
from disentone.search import Index
from disentone.serve.app import create_app
from disentone.serve.served import Limits, Served
from tiny_training import FRONTEND, NETWORK

FACETS = Facets({"timbre": 3, "pitch": 3, "rest": 2})
PITCHES = range(60, 72)
WAVES = {"sine": np.sin, "square": lambda x: np.sign(np.sin(x)), "saw": lambda x: x / np.pi % 2 - 1}
RATE = 16000


@pytest.fixture(scope="session")
def model():
    import torch

    torch.manual_seed(0)
    frontend = LogMel(FRONTEND)
    network = MultiView(NETWORK, FACETS, frames=frontend.frames, features=frontend.features)
    return Model(network, frontend, torch.tensor(-40.0), torch.tensor(20.0))


@pytest.fixture(scope="session")
def tones(tmp_path_factory):
    """Tones of three waveforms, and one file beside them that is not indexed."""
    folder = tmp_path_factory.mktemp("tones")
    time = np.arange(RATE) / RATE
    for name, wave in WAVES.items():
        (folder / name).mkdir()
        for pitch in PITCHES:
            sound = 0.4 * wave(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time) * np.exp(-time)
            suffix = "aiff" if pitch == 71 else "wav"  # browsers do not play the former
            soundfile.write(folder / name / f"{pitch}.{suffix}", sound, RATE)
    soundfile.write(folder / "secret.wav", 0.1 * np.sin(900 * time), RATE)
    return folder


@pytest.fixture(scope="session")
def index(tones, model, tmp_path_factory):
    files = sorted(file for file in tones.rglob("*/*") if file.is_file())
    pitches = [int(file.stem) for file in files]
    items = pa.table(
        {
            "id": [file.relative_to(tones).as_posix() for file in files],
            "path": [str(file) for file in files],
            "instrument": [file.parent.name for file in files],
            "pitch": pitches,
            "key": [["c", "d'\"", None][pitch % 3] for pitch in pitches],
        }
    )
    path = tmp_path_factory.mktemp("index") / "tones.index"
    vectors = model.embed(files).values
    return Index.build(path, vectors=vectors, facets=FACETS, items=items, model="made-up")


@pytest.fixture(scope="session")
def served(index, model, tmp_path_factory):
    limits = Limits(upload_bytes=2**20, upload_seconds=5.0, query_bytes=2**16, file_bytes=2**21)
    folder = tmp_path_factory.mktemp("served")
    return Served(index, folder=folder, name="tones", model=model, limits=limits)


@pytest.fixture(scope="session")
def client(served):
    with TestClient(create_app(served), base_url="http://localhost") as client:
        yield client


@pytest.fixture(scope="session")
def server(served):
    """The same, listened to by a real server."""
    with Server(create_app(served)) as server:
        yield server


@pytest.fixture
def wav(tmp_path):
    """Bytes of a short tone as WAV."""
    time = np.arange(RATE) / RATE
    soundfile.write(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 440 * time), RATE)
    return (tmp_path / "a.wav").read_bytes()
