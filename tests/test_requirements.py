"""What is imported is what pyproject.toml declares, extra by extra, and constraints.txt pins it."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
OF_USERS = set(EXTRAS) - {"all", "dev", "docs"}
ASKED_FOR = {"pandas"}  # by the one view that needs it, in a sentence
DISTRIBUTIONS = packages_distributions()
BY_NAME = {"mirdata", "ray", "soundata"}  # imported by a name, as they need not be there
HOMES = {  # where what an extra brings may be imported when a module is
    "codec": ("embeddings/hub.py",),  # it shares huggingface_hub with the hub
    "hub": ("embeddings/hub.py",),
    "search": ("search/",),
    "web": ("serve/",),
}


def plain(name):
    """A project's name as PyPI compares it, without version and extras."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", name)[0]).lower()


def declared(extra=None):
    lines = EXTRAS[extra] if extra else PROJECT["dependencies"]
    return {plain(line) for line in lines} - {"disentone"}


def imports(nodes):
    """Projects that import statements among some nodes are about."""
    for node in nodes:
        names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
        for top in {name.partition(".")[0] for name in names}:
            if top not in sys.stdlib_module_names and top != "disentone":
                yield plain(DISTRIBUTIONS[top][0])


TREES = {
    file.relative_to(ROOT / "src/disentone").as_posix(): ast.parse(file.read_text(encoding="utf-8"))
    for file in sorted((ROOT / "src/disentone").rglob("*.py"))
}


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    extras = set().union(*(declared(extra) for extra in OF_USERS))
    used = {project for tree in TREES.values() for project in imports(ast.walk(tree))}
    assert used - ASKED_FOR == (declared() | extras) - BY_NAME


def test_no_extra_repeats_what_is_there_without_it():
    for extra in EXTRAS:
        assert not declared(extra) & declared(), extra


def test_all_is_every_extra_but_those_of_developers():
    (line,) = EXTRAS["all"]
    assert set(re.search(r"\[(.*)\]", line)[1].split(",")) == OF_USERS


def test_an_extra_is_imported_at_once_only_where_it_is_at_home():
    for extra in OF_USERS:
        for module, tree in TREES.items():
            at_once = declared(extra) & set(imports(tree.body))
            assert not at_once or module.startswith(HOMES.get(extra, ())), (module, at_once)


def test_all_that_is_declared_is_pinned():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = {plain(line) for line in lines if not line.startswith("#")}
    assert all(re.fullmatch(r"[\w.-]+==[\w.!+]+", line) for line in lines if line[0] != "#")
    every = declared().union(*(declared(extra) for extra in EXTRAS))
    assert every <= pins


def test_what_has_hashes_is_what_is_pinned():
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    found = re.findall(
        r"^([\w.-]+)==([\w.!+]+)(.*(?:\n    --hash=sha256:[0-9a-f]{64}.*)+)", text, re.M
    )
    versions = {plain(name): version for name, version, _ in found}
    assert len(versions) == sum(
        "==" in line[:60] and line[0] not in " #" for line in text.splitlines()
    )
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = {plain(line): line.partition("==")[2] for line in lines if not line.startswith("#")}
    wrong = {name: v for name, v in versions.items() if name in pins and pins[name] != v}
    assert not wrong, f"{wrong}: run .ci/hashes"
    every = declared().union(*(declared(extra) for extra in OF_USERS))
    assert every <= set(versions)


def test_every_library_of_users_has_an_upper_bound():
    lines = [*PROJECT["dependencies"], *(line for extra in OF_USERS for line in EXTRAS[extra])]
    assert [line for line in lines if "<" not in line] == []
