"""YAML that no recipe needs is refused in a sentence, and quickly."""

import re

import pytest

from disentone.errors import RecipeError
from disentone.recipes import load_recipe, recipe_names
from disentone.recipes.reading import parse_yaml, read_recipe

LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
MERGES = "a0: &a0 {k: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 12)
)
HOSTILE = {
    "billion laughs": (LAUGHS, "aliases written out"),
    "merged laughs": (MERGES, "aliases written out"),
    "contains itself": ("a: &a [1, *a]", "contains itself"),
    "deep": ("[" * 5000 + "]" * 5000, "levels deep"),
    "deep mapping": ("{a: " * 500 + "1" + "}" * 500, "levels deep"),
    "long": ("# " + "x" * 2**19, "longer than"),
    "many": ("a: [" + "1," * 30_000 + "]", "values"),
    "huge number": ("seed: " + "9" * 5000, "not valid YAML"),
    "no such day": ("a: 2001-99-99", "not valid YAML"),
    "python": ("a: !!python/object/apply:os.system [echo]", "could not determine a constructor"),
    "unknown alias": ("a: *b", "undefined alias"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_bomb_is_refused(tmp_path, name):
    text, why = HOSTILE[name]
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(RecipeError, match=why) as refused:
        load_recipe(file)
    assert "\n" not in str(refused.value)
    with pytest.raises(RecipeError, match=why):
        parse_yaml(text, "Setting 'x'")


def test_aliases_as_people_use_them_are_read():
    assert parse_yaml("a: &one {b: 1}\nc: *one\nd: {<<: *one, e: 2}\n", "mine") == {
        "a": {"b": 1},
        "c": {"b": 1},
        "d": {"b": 1, "e": 2},
    }


def test_every_recipe_is_far_from_the_bounds(monkeypatch):
    monkeypatch.setattr("disentone.recipes.bounds.MOST_BYTES", 2**14)
    monkeypatch.setattr("disentone.recipes.bounds.MOST_NODES", 1000)
    for name in recipe_names():
        read_recipe(name)


@pytest.mark.parametrize("name", ["../../elsewhere", "/elsewhere", "a\\b", "..", "", "a\x1b[31m"])
def test_the_name_of_a_recipe_is_no_path(name):
    with pytest.raises(RecipeError, match="name"):
        load_recipe("debug", settings=[f"name={name!r}" if "\x1b" not in name else 'name="a\\e"'])


@pytest.mark.parametrize(
    "setting",
    [
        "frontend.n_mels=1000000000",
        "frontend.n_fft=1073741824",
        "frontend.hop=0",
        "frontend.hop=1e12",
        "frontend.seconds=1e9",
        "frontend.seconds=.inf",
        "frontend.seconds=.nan",
        "frontend.seconds=1e-9",
        "frontend.sample_rate=1e12",
        "frontend.floor_db=1e9",
        "frontend.low=.nan",
        "model.encoder.depth=1e9",
        "model.encoder.depth=-1",
        "model.encoder.width=1000000000",
        "model.encoder.patch=1e9",
        "model.encoder.contrast=1e9",
        "model.decoder.widths=[1000000000]",
        "model.decoder.widths=[-3]",
        "model.levels={shared: 1}",
        "facets.shared.dim=1e9",
        "facets.shared.dim=-1",
        "facets.shared.within=.nan",
        "views=1000000",
        "draws=1000000000",
        "copies=1000000000",
        "training.learning_rate=.inf",
        "training.batch=1e15",
        "audit.permutations=1e12",
        "audit.seeds=1e9",
        "data.frequencies=1000000000000",
        "data.seconds=1e9",
        "seed=-1",
        "seed=1e30",
    ],
)
def test_a_size_that_nobody_means_is_refused(setting):
    section = re.match(r"\w+", setting)[0]
    with pytest.raises(RecipeError, match=f"'debug': {section}") as no:
        load_recipe("debug", settings=[setting])
    assert "\n" not in str(no.value)


def test_a_window_must_fit_in_memory():
    many = ["frontend.seconds=600", "frontend.hop=1"]
    with pytest.raises(RecipeError, match=r"a window has [\d,]+ samples in its frames"):
        load_recipe("debug", settings=many)
    many = ["frontend.seconds=600", "frontend.hop=8", "frontend.n_fft=16", "frontend.n_mels=1000"]
    with pytest.raises(RecipeError, match=r"a window has [\d,]+ features"):
        load_recipe("debug", settings=many)
