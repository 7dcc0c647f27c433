"""A collection embedded on a Ray cluster of this machine, whose workers are killed."""

import os
import random
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from command_line import complaint
from disentone.embeddings import cluster, read_embeddings
from disentone.embeddings.collection import embed_collection
from disentone.embeddings.sharding import embed_shard
from disentone.embeddings.shards import Shard
from disentone.errors import DataError, RecipeError

CLIPS, KILLS = 2000, 2


def test_without_ray_one_sentence_says_so(model, noise, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    line = complaint("embed", model, noise("a.wav"), "--ray", "local", "-o", "o.parquet")
    assert line == "Error: A Ray cluster needs Ray: pip install 'disentone[ray]'."
    assert {path.name for path in Path().iterdir()} == {"a.wav"}


@pytest.fixture
def ray(monkeypatch):
    """Two workers that import what these tests do."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'disentone[ray]'")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "300")  # where other work has the cores
    begin = ray.init

    def init(*words, **options):
        return begin(*words, **options, num_cpus=2)

    monkeypatch.setattr(ray, "init", init)
    return ray


def workers():
    """Processes that are at work on a shard, by the names that Ray gives them."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if file.read_bytes().startswith(b"ray::_make"):
                found.append(int(file.parent.name))
        except OSError:
            continue  # it has ended
    return found


def kill_some(count, folder, killed, ended):
    """Kill a random worker now and then, until so many are."""
    chance = random.Random(0)
    while len(killed) < count and not ended.wait(0.2 + chance.random()):
        there = workers()
        if there and any(folder.glob(".*.tmp")):  # a shard is half-written
            one = chance.choice(there)
            os.kill(one, signal.SIGKILL)
            killed.append(one)


@pytest.mark.skipif(not Path("/proc").exists(), reason="workers are found in /proc")
def test_no_row_is_lost_or_doubled_when_workers_are_killed(model, ray, rng):
    Path("tiny").mkdir()
    for number in range(CLIPS):
        soundfile.write(f"tiny/{number:05d}.wav", 0.3 * rng.standard_normal(800), 16000)
    embed_collection(model, ["tiny"], "whole.parquet")
    killed, ended, folder = [], threading.Event(), Path("o.parquet.shards")
    killer = threading.Thread(target=kill_some, args=(KILLS, folder, killed, ended))
    killer.start()
    try:
        cluster.embed_on_ray(model, ["tiny"], "o.parquet")
    finally:
        ended.set()
        killer.join()
    assert killed, "a worker was killed at work"
    joined, whole = read_embeddings("o.parquet"), read_embeddings("whole.parquet")
    assert joined.columns["path"].tolist() == [f"tiny/{n:05d}.wav" for n in range(CLIPS)]
    np.testing.assert_array_equal(joined.values, whole.values)
    assert Path("o.parquet").read_bytes() == Path("whole.parquet").read_bytes()
    assert not folder.exists()


def test_a_worker_that_sees_no_audio_says_so_once(model, ray, noise, monkeypatch):
    paths = [noise(f"s/{number}.wav") for number in range(3)]
    planned = cluster.plan

    def unmounted(*words, **options):
        plan = planned(*words, **options)
        for path in paths:
            os.unlink(path)
        return plan

    monkeypatch.setattr(cluster, "plan", unmounted)
    with pytest.raises(DataError, match=r"None of the 3 clips of shard 1/1 .*'s/0\.wav'") as caught:
        cluster.embed_on_ray(model, ["s"], "o.parquet")
    assert "\n" not in str(caught.value)
    assert not Path("o.parquet").exists()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nonsense", "auto"])
def test_an_address_that_does_not_answer_is_named(model, ray, noise, address):
    with pytest.raises(RecipeError, match=f"No Ray cluster answers at '{address}'"):
        cluster.embed_on_ray(model, [noise("a.wav")], "o.parquet", address=address)
    assert {path.name for path in Path().iterdir()} == {"a.wav"}


def test_what_is_done_is_not_done_again(model, noise):
    paths = [noise(f"s/{number}.wav") for number in range(3)]
    embed_shard(model, ["s"], "o.parquet.shards", Shard(1, 1))
    cluster.embed_on_ray(model, ["s"], "o.parquet", address="nowhere:1")
    assert read_embeddings("o.parquet").columns["path"].tolist() == paths
