"""Runs that were made before facets had relations of their own: kept in ``tests/old_runs``."""

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from csn_songs import write_songs
from disentone import load
from disentone.agreement import Relation
from disentone.errors import RecipeError
from disentone.recipes import load_recipe
from disentone.recipes.upgrading import upgrade
from disentone.runs.auditing import audit_run
from disentone.runs.training import train

OLD = Path(__file__).parents[1] / "old_runs"


@pytest.fixture
def old(tmp_path, monkeypatch):
    """A copy of an old run, in a folder where its songs lie as they did."""

    def copy(name):
        shutil.copytree(OLD / name, tmp_path / "run")
        monkeypatch.chdir(tmp_path)
        (tmp_path / "songs").mkdir()
        write_songs(tmp_path / "songs")
        return tmp_path / "run"

    return copy


def lines(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_an_old_recipe_is_read_with_todays_keys_and_that_is_told_once(caplog):
    with caplog.at_level(logging.WARNING, "disentone"):
        recipe = load_recipe(OLD / "csn-unfinished" / "config.yaml")
    assert recipe.sampling == "balanced"
    assert recipe.relations() == {
        "genre": Relation("genre"),
        "tempo": Relation("tempo", rule="tempo"),
        "key": Relation("key", rule="key"),
    }
    assert recipe.owns() == {"genre": ("genre",), "tempo": ("tempo",), "key": ("key",)}
    training = recipe.training
    assert (training.max_grad_norm, training.critic_lr_scale) == (5.0, 2.0)
    assert (training.lr_factor, training.min_lr) == (0.25, 1e-9)
    (message,) = caplog.messages
    assert "\n" not in message
    assert "objective.dimensions → facets.same" in message
    caplog.clear()
    load_recipe("csn-music")
    assert not caplog.messages


def test_an_old_run_is_loaded_and_audited(old):
    run = old("csn-finished")
    before = json.loads((run / "audit.json").read_text())
    model = load(run)
    assert model.embed("songs/song00.wav").values.shape == (1, model.facets.dim)
    audit_run(run, out=run / "again")
    after = json.loads((run / "again" / "audit.json").read_text())

    def accuracies(card):
        return {
            (r["facet"], r["factor"]): (r["value"], r["n"])
            for r in card["records"]
            if r["measure"] == "probe"
        }

    one, two = accuracies(before), accuracies(after)
    assert set(one) <= set(two)
    for key, (value, n) in one.items():
        assert abs(two[key][0] - value) <= 2 / n + 1e-9  # a clip or two, of six


def steps(run):
    """Steps that the optimiser has made, as its state has them."""
    state = load_file(run / "last" / "state.safetensors")
    return {int(value) for name, value in state.items() if name.endswith(".step")}


@pytest.mark.parametrize("name", ["csn-unfinished", "debug-unfinished"])
def test_an_old_run_is_resumed_where_it_stopped(old, name):
    run = old(name)
    recipe, begun, (done,) = load_recipe(run / "config.yaml"), lines(run), steps(run)
    train(recipe, run, resume=True, audited=False)
    resumed = lines(run)
    assert len(resumed) == recipe.training.epochs > len(begun)
    assert resumed[: len(begun)] == begun
    assert steps(run) == {done // len(begun) * recipe.training.epochs}
    assert all(np.isfinite(record["train/total"]) for record in resumed)


def test_a_resumed_old_run_learns_as_a_new_one(old, tmp_path):
    """Of the run without dropout, whose draws differ from machine to machine."""
    run = old("debug-unfinished")
    recipe = load_recipe(run / "config.yaml")
    train(recipe, run, resume=True, audited=False)
    train(recipe, tmp_path / "whole", audited=False)
    for record, other in zip(lines(run), lines(tmp_path / "whole")):
        np.testing.assert_allclose(record["train/total"], other["train/total"], rtol=0.02)


def test_old_keys_that_contradict_a_facet_are_refused():
    facets = {"a": {"same": "genre"}, "b": {}}
    term = {"term": "triplet", "dimensions": {"a": "mood", "b": "key"}}
    with pytest.raises(RecipeError, match="'a' has same: genre, and the term 'triplet'"):
        upgrade({"facets": facets, "objective": [term]}, name="mine")
    both = {"training": {"clip": 1.0, "max_grad_norm": 2.0}}
    with pytest.raises(RecipeError, match=r"'training.clip' is called 'max_grad_norm' now"):
        upgrade(both, name="mine")


def test_copies_and_other_facets_are_upgraded_too():
    values = {
        "facets": {"tempo": {"augment": ["gain"], "owns": None}, "key": {"augment": ["noise"]}},
        "objective": [
            {"term": "triplet", "dimensions": {"tempo": {"rule": "views", "unlike": ["key"]}}}
        ],
        "balanced": False,
        "triplets": None,
    }
    new = upgrade(values, name="mine")
    assert new == {
        "facets": {
            "tempo": {"augment": ["gain"], "unlike": ["key"]},
            "key": {"augment": ["noise"]},
        },
        "objective": [{"term": "triplet", "facets": ["tempo"]}],
        "sampling": "partners",
    }
    assert upgrade({"sampling": "balanced", "name": "new"}, name="new") == {
        "sampling": "balanced",
        "name": "new",
    }
    given = upgrade({"triplets": "t.csv", "balanced": False}, name="mine")
    assert given == {"sampling": {"triplets": "t.csv"}}
