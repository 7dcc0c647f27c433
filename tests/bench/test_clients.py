"""The campaign of many clients, small: real sockets, every hostile request, clients that stall."""

import asyncio
import importlib
from pathlib import Path

import pytest

from disentone.facets import Facets
from disentone.serve.app import create_app
from disentone.serve.served import Served

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def clients():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "bench"))
        patch.syspath_prepend(str(ROOT / "tests" / "serve"))
        bench = importlib.import_module("clients")
        bench.Server = importlib.import_module("server_thread").Server
        patch.setattr(bench, "FACETS", Facets({"facet0": 4, "facet1": 4}))
        yield bench


@pytest.fixture(scope="module")
def made(clients, tmp_path_factory):
    """A small index, served, and a sound."""
    folder = tmp_path_factory.mktemp("clients")
    index, model, sound = clients.make_index(folder, 200)
    (folder / "kept").mkdir()
    served = Served(clients.Index.open(index), folder=folder / "kept", model=model)
    return served, sound.read_bytes()


@pytest.fixture
def server(clients, made):
    with clients.Server(create_app(made[0])) as server:
        yield server


def test_every_hostile_request_is_refused_and_shows_no_path(clients, made, server, caplog):
    folder = made[0].folder
    count, wrong = asyncio.run(clients.attack(server.port, [str(folder), "root:"]))
    assert count > 500
    assert wrong == []
    assert list(folder.iterdir()) == []
    assert not any(record.exc_info for record in caplog.records)


def test_a_crowd_is_answered_rightly(clients, server):
    told = asyncio.run(clients.crowd(server.port, 30, 200, 1.0))
    assert told.wrong == 0, told
    assert told.statuses[200] >= 30


def test_real_uploads_beside_stalled_ones_are_answered_rightly(clients, made, server):
    told, _ = asyncio.run(clients.beside(server.port, 40, 200, made[1], 3.0))
    assert told.wrong == 0, told
    assert told.seconds["upload"]
