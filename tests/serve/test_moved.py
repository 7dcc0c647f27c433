"""Sounds of an index with roots: served from where they are now, and from nowhere else."""

import pyarrow as pa
import pytest
import soundfile
from starlette.testclient import TestClient

from conftest import FACETS, RATE
from disentone.search import Index, relocate
from disentone.search.roots import Roots
from disentone.serve.app import create_app
from disentone.serve.served import Served


@pytest.fixture
def opened(tmp_path, rng):
    """Make an index of a file below a root, by its name, and a client of its server."""
    soundfile.write(tmp_path / "secret.wav", 0.1 * rng.standard_normal(RATE), RATE)
    (tmp_path / "sounds").mkdir()
    soundfile.write(tmp_path / "sounds/a.wav", 0.1 * rng.standard_normal(RATE), RATE)
    (tmp_path / "served").mkdir()

    def make(name):
        roots, root = Roots((), tmp_path / "i").with_root(str(tmp_path / "sounds"), "", "")
        items = pa.table({"id": ["a"], "path": [name], "_root": [root.key]})
        vectors = rng.standard_normal((1, FACETS.dim))
        index = Index.build(
            tmp_path / "i", vectors=vectors, facets=FACETS, items=items, model="m", roots=roots
        )
        served = Served(index, folder=tmp_path / "served")
        return index, TestClient(create_app(served), base_url="http://localhost")

    return make


def test_what_has_moved_is_played_from_there(opened, tmp_path):
    index, client = opened("a.wav")
    content = (tmp_path / "sounds/a.wav").read_bytes()
    assert client.get("/api/v1/audio", params={"id": "a"}).content == content
    (tmp_path / "sounds").rename(tmp_path / "elsewhere")
    relocate(index, tmp_path / "sounds", tmp_path / "elsewhere")
    moved = TestClient(
        create_app(Served(Index.open(index.uri), folder=tmp_path / "served")),
        base_url="http://localhost",
    )
    assert moved.get("/api/v1/audio", params={"id": "a"}).content == content


@pytest.mark.parametrize("name", ["../secret.wav", "x/../../secret.wav"])
def test_nothing_outside_of_the_roots_is_served(opened, name):
    _, client = opened(name)
    for address in ("audio", "peaks", "item"):
        answer = client.get(f"/api/v1/{address}", params={"id": "a"})
        assert answer.status_code == 400
        assert "outside of the folders" in answer.json()["error"]
