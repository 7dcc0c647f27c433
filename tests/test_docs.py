"""The docs: every page is in the site, every public name on a page of the API."""

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest
import typer
import yaml

import disentone
from disentone import cli

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
API = {
    page.relative_to(DOCS / "api").stem: page.read_text(encoding="utf-8")
    for page in sorted((DOCS / "api").glob("*.md"))
}
FACES = {"cli", "report", "reproduce", "serve"}  # rooms whose docs are how-to guides
ROOMS = {
    room.name for room in (ROOT / "src/disentone").iterdir() if (room / "__init__.py").exists()
}
TEXTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")]
COMMANDS = typer.main.get_command(cli.app).commands


def pages(nav):
    """All pages below a part of the navigation."""
    for entry in nav:
        (below,) = entry.values()
        yield from [below] if isinstance(below, str) else pages(below)


def described(page):
    """What a page of the API has a directive for."""
    return re.findall(r"^::: ([\w.]+)$", API[page], re.MULTILINE)


def test_every_page_is_in_the_navigation_once():
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    there = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    assert sorted(pages(config["nav"])) == sorted(there)


def test_every_public_name_is_on_the_page_of_the_package():
    named = {f"disentone.{name}" for name in disentone.__all__}
    assert named == {name for name in described("index") if name.count(".") == 1} - {
        "disentone.errors"
    }


def test_every_room_has_a_page():
    assert set(API) - {"index", "measures"} == ROOMS - FACES
    assert all(f"disentone.{room}" in described(room) for room in ROOMS - FACES)
    assert "disentone.audit.measures" in described("measures")


@pytest.mark.parametrize("page", sorted({*API} - {"index"}))
def test_what_a_page_describes_is_there(page):
    for name in described(page):
        home, _, last = name.rpartition(".")
        module = import_module(home)
        assert hasattr(module, last) or import_module(name)


def test_a_name_that_is_hidden_behind_a_module_has_a_directive_of_its_own():
    """``audit.measures.dci`` is the function, and to who only reads the file it is the module."""
    for room, page in [(r, r) for r in ROOMS - FACES] + [("audit.measures", "measures")]:
        folder = ROOT / "src/disentone" / room.replace(".", "/")
        for name in getattr(import_module(f"disentone.{room}"), "__all__", ()):
            if (folder / f"{name}.py").exists():
                assert f"disentone.{room}.{name}.{name}" in described(page)


def test_lines_of_text_can_be_read_in_an_editor():
    long = [
        f"{page.name}:{number}"
        for page in TEXTS
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) >= 120 and not line.startswith("|")  # a row of a table cannot be folded
    ]
    assert not long


def test_the_readme_is_two_screens_and_names_every_guide_once():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 90
    for page in DOCS.glob("*.md"):
        assert text.count(f"](docs/{page.name})") == 1, page.name


def commands(text):
    """Command lines of disentone in the blocks of code of a page."""
    for block in re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("disentone "):
                yield line


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_commands_have_the_options_that_they_are_shown_with(page):
    for line in commands(page.read_text(encoding="utf-8")):
        _, verb, *words = shlex.split(line, comments=True)
        COMMANDS[verb].make_context(verb, words)  # refuses what does not exist
