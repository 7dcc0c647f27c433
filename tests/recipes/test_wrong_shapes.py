"""Whatever stands at any place of a recipe, what is wrong with it is one sentence."""

import contextlib
import copy

import pytest

from disentone.errors import DisentoneError
from disentone.recipes import loading
from disentone.recipes.reading import read_recipe

VALUES = (None, True, -1, 1e300, "x", "auto", [[]], [1, {"a": 2}], {}, {"a": {"b": 1}})


def places(values, path=()):
    """Every place of a recipe, as the keys and positions that lead there."""
    items = values.items() if isinstance(values, dict) else enumerate(values)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


@pytest.mark.parametrize("name", ["csn-music", "debug", "facets", "latent-sonyc"])
def test_a_value_of_another_kind_is_read_or_refused_in_a_sentence(name, monkeypatch):
    original = read_recipe(name)
    for path in places(original):
        for value in VALUES:
            values = copy.deepcopy(original)
            place = values
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value
            monkeypatch.setattr(loading, "read_recipe", lambda name, values=values: values)
            with contextlib.suppress(DisentoneError):
                loading.load_recipe(name)
