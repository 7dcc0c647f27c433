"""What an interactive user sees of each public object."""

import numpy as np
import pyarrow as pa
import pytest

import disentone
import tiny_training
from disentone import Card, ClipTable, Facets, Factor, Index
from disentone.datasets.syntone import SynTone, syntone

FACETS = Facets({"timbre": 2, "pitch": 1})


def test_a_model_says_what_it_hears_and_which_facets_it_gives():
    model = tiny_training.problem()[0]
    assert repr(model) == "Model(facets: private 3 | shared 2, logmel 16 kHz, 0.2 s)"


def test_an_index_says_how_much_is_in_it_now(tmp_path):
    vectors = np.eye(3, dtype=np.float32) + 1
    rows = pa.table({"id": ["a", "b", "c"], "path": ["a.wav", "b.wav", "c.wav"]})
    index = Index.build(tmp_path / "x.index", vectors=vectors, facets=FACETS, items=rows, model="m")
    where = tmp_path / "x.index"
    assert repr(index) == f"Index(3 items, facets: timbre 2 | pitch 1, '{where}')"
    Index(where).delete(["a"])
    assert repr(index).startswith("Index(2 items")


def test_a_table_and_a_factor_say_what_is_known():
    kind = Factor.categorical("kind", ["a", "b", "", "a"])
    assert repr(kind) == "Factor('kind', categorical, 2 classes, known of 3 of 4 clips)"
    assert repr(Factor.continuous("bpm", [60, None])).endswith("continuous, known of 1 of 2 clips)")
    table = ClipTable(list("abcd"), {"kind": kind}, ["train"] * 3 + ["test"], syntone(SynTone()))
    assert repr(table) == (
        "ClipTable(4 clips (train 3, valid 0, test 1); factors: kind (2 classes))"
    )


def test_a_card_says_what_was_audited():
    card = Card(FACETS, {"kind": {}, "note": {}}, ({}, {}, {}), "runs/x")
    assert repr(card) == (
        "Card('runs/x', facets: timbre 2 | pitch 1, factors: kind, note, 3 records)"
    )
    assert repr(Card(FACETS, {}, ())) == (
        "Card(facets: timbre 2 | pitch 1, factors: none, 0 records)"
    )


@pytest.mark.parametrize("show", [repr, str])
def test_a_recipe_says_what_is_learnt_from_what(show):
    recipe = disentone.load_recipe("debug")
    assert show(recipe) == (
        "Recipe('debug', facets: private 3 | shared 2, syntone, logmel, 3 epochs)"
    )


def test_results_say_what_was_found_and_why(tmp_path):
    vectors = np.array([[1, 0, 1], [1, 0, 1], [0, 1, -1]], np.float32)
    rows = pa.table({"id": ["a", "b", "c"], "path": ["a.wav", "b.wav", "c.wav"]})
    index = Index.build(tmp_path / "x.index", vectors=vectors, facets=FACETS, items=rows, model="m")
    found = index.search("a", weights={"timbre": 1, "pitch": 0.5})
    assert repr(found[0]) == "Hit('b', 1.000: timbre +1.00, pitch +1.00)"
    assert repr(found).splitlines() == [
        "Results(2 of 2 items, weights: timbre 1, pitch 0.5)",
        "  1. Hit('b', 1.000: timbre +1.00, pitch +1.00)",
        "  2. Hit('c', -0.333: timbre +0.00, pitch -1.00)",
    ]
