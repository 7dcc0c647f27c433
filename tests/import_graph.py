"""Which module of the package imports which, read from the sources."""

import ast
from pathlib import Path

import disentone

SOURCES = Path(disentone.__file__).parent


def modules():
    """Names of all modules with their files; a package by its own name."""
    found = {}
    for file in SOURCES.rglob("*.py"):
        parts = file.relative_to(SOURCES.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = file
    return found


def imports():
    """Imports of every module, within functions and for types too: name to set of names."""
    known = modules()
    return {name: _imported(file, known) - {name} for name, file in known.items()}


def _imported(file, known):
    names = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names += [name if name in known else node.module for name in inner]
    return {name for name in names if name in known}


def room(module):
    """Room of a module: its first folder, or the module itself at the top of the package."""
    return module.split(".")[1] if "." in module else ""


def circles(graph):
    """Sets of modules that import each other, over others or directly."""
    reached = {}
    for start in graph:
        seen, todo = set(), [start]
        while todo:
            for name in graph[todo.pop()] - seen:
                seen.add(name)
                todo.append(name)
        reached[start] = seen
    return {
        frozenset({a, *(b for b in reached[a] if a in reached[b])})
        for a in graph
        if a in reached[a]
    }
