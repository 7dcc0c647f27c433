import pydoc
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

import disentone

HEAVY = ("torch", "scipy", "sklearn", "matplotlib", "pydantic", "soundfile")


@pytest.mark.parametrize("module", ["disentone", "disentone.cli"])
def test_importing_takes_nothing_heavy(module):
    code = f"import sys, {module}; print(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("name", disentone.__all__)
def test_every_public_name_is_there(name):
    value = getattr(disentone, name)
    assert getattr(value, "__name__", name) == name


def test_names_that_were_not_used_yet_are_listed_and_explained():
    code = "import disentone, pydoc; print(*dir(disentone)); print(pydoc.render_doc(disentone))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    listed, _, text = done.stdout.partition("\n")
    assert {name for name in listed.split() if not name.startswith("__")} == {
        name for name in disentone.__all__ if not name.startswith("__")
    }
    plain = pydoc.plain(text)
    for name in ("train(", "load_recipe(", "class Model", "class Index", "class Recipe"):
        assert name in plain


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'disentone' has no attribute 'Facet'"):
        disentone.Facet  # noqa: B018


def test_types_are_shipped():
    assert (resources.files("disentone") / "py.typed").is_file()


def test_nothing_outside_the_package_is_a_default():
    texts = {".py", ".yaml", ".html", ".js"}
    folder = resources.files("disentone")
    named = [
        file
        for file in Path(str(folder)).rglob("*")
        if file.suffix in texts and "shared/data" in file.read_text(encoding="utf-8")
    ]
    assert not named
