import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from disentone.errors import DataError
from disentone.facets import Facets

names = st.lists(st.text("abcdefgh", min_size=1, max_size=5), min_size=1, max_size=5, unique=True)
layouts = names.flatmap(
    lambda keys: st.lists(st.integers(1, 6), min_size=len(keys), max_size=len(keys)).map(
        lambda sizes: dict(zip(keys, sizes))
    )
)


@given(layouts)
def test_split_and_join_are_inverse(layout):
    facets = Facets(layout)
    embedding = np.arange(3 * facets.dim).reshape(3, facets.dim)
    np.testing.assert_array_equal(facets.join(facets.split(embedding)), embedding)


@given(layouts)
def test_json_round_trip_keeps_order(layout):
    facets = Facets(layout)
    again = Facets.from_json(json.loads(json.dumps(facets.to_json())))
    assert again == facets
    assert again.names == tuple(layout)
    assert hash(again) == hash(facets)


@given(layouts)
def test_masks_of_all_facets_tile_the_embedding(layout):
    facets = Facets(layout)
    masks = np.stack([facets.mask(name) for name in facets])
    np.testing.assert_array_equal(masks.sum(axis=0), np.ones(facets.dim))
    assert [int(m.sum()) for m in masks] == list(layout.values())


def test_slices_are_where_one_expects():
    facets = Facets({"private": 3, "shared": 5})
    assert facets.slice("shared") == slice(3, 8)
    assert facets.dim == 8
    assert facets["private"] == 3


def test_take_follows_the_order_asked():
    facets = Facets({"a": 1, "b": 2})
    embedding = np.array([[1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(facets.take(embedding, "b", "a"), [[2.0, 3.0, 1.0]])


def test_works_on_tensors_and_keeps_gradients():
    facets = Facets({"a": 1, "b": 2})
    embedding = torch.ones(4, 2, 3, requires_grad=True)
    facets.join(facets.split(embedding)).sum().backward()
    torch.testing.assert_close(embedding.grad, torch.ones(4, 2, 3))


def test_order_matters_for_equality():
    assert Facets({"a": 1, "b": 1}) != Facets({"b": 1, "a": 1})


@pytest.mark.parametrize(
    ("text", "sizes"),
    [("a=0:4,b=4:12", {"a": 4, "b": 8}), ("a=4, b=8", {"a": 4, "b": 8}), ("z=1", {"z": 1})],
)
def test_parse(text, sizes):
    assert Facets.parse(text).to_json() == sizes


@pytest.mark.parametrize(
    "text", ["", "a", "a=", "a=x", "a=0:4,b=5:8", "a=0:4,b=3:8", "a=4:0", "a=2,a=2", "a=1:3"]
)
def test_parse_refuses(text):
    with pytest.raises(DataError):
        Facets.parse(text)


@pytest.mark.parametrize(
    "sizes", [{}, {"a": 0}, {"a": -1}, {"a": 1.5}, {"a": True}, {"": 1}, {"a b": 1}]
)
def test_refuses_impossible_layouts(sizes):
    with pytest.raises(DataError):
        Facets(sizes)


def test_unknown_facet_is_named_with_a_suggestion():
    with pytest.raises(DataError, match="did you mean 'shared'"):
        Facets({"private": 1, "shared": 1}).slice("shard")


def test_wrong_width_is_refused():
    with pytest.raises(DataError, match="has 5 columns"):
        Facets({"a": 2}).take(np.zeros((1, 5)), "a")


def test_columns_have_the_names_of_their_facets():
    facets = Facets({"b": 2, "a": 1})
    assert facets.describe() == "b 2 | a 1"
    assert facets.columns() == ["b_0", "b_1", "a_0"]
    assert facets.columns("a", "b") == ["a_0", "b_0", "b_1"]
    with pytest.raises(DataError, match="no facet 'c'"):
        facets.columns("c")
