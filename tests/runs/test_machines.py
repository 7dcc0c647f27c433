"""Runs on machines of one kind and of another: their precision, what they keep, and their notes."""

import json
import os
import socket
import subprocess
import sys

import pytest
from quick_runs import QUICK, Notes

from disentone.embeddings.model import load
from disentone.errors import RecipeError
from disentone.recipes import load_recipe
from disentone.runs import precision
from disentone.runs import training as runs
from disentone.runs.precision import kind_of
from disentone.runs.run_folder import is_finished


class Stop(Exception):
    """What ends a run in these tests."""


class Stopping(Notes):
    """A watcher that stops a run in its second epoch."""

    def training(self, progress):
        if progress.epoch == 1:
            raise Stop


@pytest.fixture
def recipe():
    return load_recipe("debug", settings=QUICK)


@pytest.fixture
def machine(monkeypatch):
    """Say whether this machine multiplies bfloat16; runs end here before their audit."""

    def stop(*_, **__):
        raise Stop

    monkeypatch.setattr(runs, "audit_model", stop)
    return lambda does: monkeypatch.setattr(precision, "_cpu_multiplies", lambda: does)


def trained(recipe, out, watcher=None, **options):
    """Train without an audit; give the notes."""
    watcher = watcher or Notes()
    with pytest.raises(Stop):
        runs.train(recipe, out, watcher=watcher, **options)
    return [note for note in watcher.notes if "recision" in note or "machine" in note]


def left(out):
    """What training left: weights and losses."""
    lines = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
    history = [{k: v for k, v in line.items() if k != "seconds"} for line in lines]
    return (out / "model.safetensors").read_bytes(), history


@pytest.mark.parametrize("does", [False, True])
def test_a_run_that_moves_keeps_its_precision_exactly_and_says_so(tmp_path, recipe, machine, does):
    machine(does)
    whole, moved = tmp_path / "whole", tmp_path / "moved"
    began, given = kind_of("cpu"), "bfloat16" if does else "float32"
    notes = trained(recipe, whole)
    assert notes == [f"Precision: {given}."]
    assert load(whole).about["precision"] == given
    assert load(whole).about["machine"] == began
    trained(recipe, moved, Stopping())
    machine(not does)
    notes = trained(recipe, moved, resume=True)
    assert notes[0].startswith(f"Precision: {given}")
    assert ("ten times as long" in notes[0]) == does, "which bfloat16 takes here now"
    assert f"another kind of machine ({began}; here: {kind_of('cpu')})" in notes[1]
    assert left(moved) == left(whole)
    assert load(moved).about["machine"] == began


def test_a_run_that_stays_says_nothing_of_machines(tmp_path, recipe, machine):
    machine(False)
    trained(recipe, tmp_path / "run", Stopping())
    assert trained(recipe, tmp_path / "run", resume=True) == ["Precision: float32."]


RANK = """
import os, sys
from disentone.runs import precision
from disentone.runs import training as runs
from disentone.recipes import load_recipe
precision._cpu_multiplies = lambda: os.environ["RANK"] == "0"
def stop(recipe, *_, **__):
    print(recipe.training.precision)
    raise SystemExit
runs._train = stop
runs.train(load_recipe("debug"), sys.argv[1])
"""


def test_processes_of_one_run_share_its_folder_and_the_precision_of_the_first(tmp_path):
    """As torchrun starts them, here on machines of two kinds."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    path = {"PYTHONPATH": os.pathsep.join(sys.path[1:])}
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, str(tmp_path / "run")],
            env=os.environ | group | path | {"RANK": str(rank)}, stdout=subprocess.PIPE, text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    assert [rank.communicate(timeout=120)[0] for rank in ranks] == ["bfloat16\n"] * 2
    recipe = load_recipe(tmp_path / "run" / "config.yaml")
    assert recipe.training.precision == "bfloat16"


@pytest.mark.parametrize("device", ["abacus", "cuda:99"])
def test_a_device_that_is_not_there_leaves_no_folder(tmp_path, recipe, device):
    with pytest.raises(RecipeError, match=f"no device '{device}'"):
        runs.train(recipe, tmp_path / "run", device=device)
    assert not (tmp_path / "run").exists()
    assert not is_finished(tmp_path / "run")
