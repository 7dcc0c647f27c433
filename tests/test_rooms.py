"""The rooms of the house: which there are, and that imports between them go down only."""

import ast
import re

import pytest

from import_graph import SOURCES, circles, imports, modules, room

# From the ground up; a room may import what stands before it.
ROOMS = (
    "errors", "permissions", "files", "facets", "factors", "clips", "audio", "agreement",
    "frontends", "datasets", "models", "objectives", "audit", "search", "recipes", "packaged",
    "embeddings", "report", "runs", "reproduce", "serve", "cli", "__main__",
)  # fmt: skip
ONLY = {  # rooms that must know less than what stands below them
    "packaged": set(),
    "factors": {"errors"},
    "facets": {"errors"},
    "audio": {"errors"},
    "agreement": {"errors", "factors", "clips"},
    "audit": {"errors", "files", "facets", "factors", "agreement"},
    "models": {"errors", "facets"},
    "objectives": {"errors", "permissions", "facets", "factors", "agreement", "models"},
    "search": {"errors", "files", "facets"},
}
GRAPH = imports()


def arrows():
    """Room and room that it imports, with a module where that is so."""
    return {
        (room(module), room(name)): f"{module} imports {name}"
        for module, names in GRAPH.items()
        for name in names
        if room(module) != room(name) and "" not in (room(module), room(name))
    }


def test_the_rooms_are_those_drawn():
    top = {name.split(".")[1] for name in modules() if "." in name}
    assert top == set(ROOMS)
    files = {file.stem for file in SOURCES.glob("*.py")} - {"__init__"}
    assert files == {"__main__", "errors", "permissions", "files", "facets", "factors", "clips"}


def test_imports_go_down_only():
    upwards = [
        why for (one, other), why in arrows().items() if ROOMS.index(one) <= ROOMS.index(other)
    ]
    assert not upwards, upwards


@pytest.mark.parametrize("name", ONLY)
def test_a_room_knows_no_more_than_it_needs(name):
    beyond = [
        why for (one, other), why in arrows().items() if one == name and other not in ONLY[name]
    ]
    assert not beyond, beyond


def test_no_modules_import_each_other():
    # What a package offers, it imports from its modules; these import the package's name alone.
    graph = {
        name: {n for n in names if not name.startswith(f"{n}.")} for name, names in GRAPH.items()
    }
    assert not [sorted(circle) for circle in circles(graph)]


def test_errors_below_the_command_line_speak_of_no_flag():
    """What to do is true in Python, too; a flag stands in a whole command, or beside Python."""
    for file in sorted(SOURCES.rglob("*.py")):
        if file.relative_to(SOURCES).parts[0] == "cli":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise):
                parts = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
                text = "".join(part for part in parts if isinstance(part, str))
                flags = re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)
                assert not flags or "Python" in text or "disentone " in text, (
                    f"{file}, line {node.lineno}: {flags}"
                )
