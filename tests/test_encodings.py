"""What is text says its encoding: the default is another one on every platform."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(
    file for folder in ("src", "bench", "examples") for file in (ROOT / folder).rglob("*.py")
)
TEXT_MODE = re.compile(r"[rwxa]\+?t?|[rwxa]t\+")


def lacks_encoding(call: ast.Call) -> bool:
    """Whether a call reads or writes text, and leaves the encoding to the platform."""
    given = {word.arg: word.value for word in call.keywords}
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    if "encoding" in given or None in given:  # None: **options
        return False
    if name == "read_text":
        return not call.args
    if name == "write_text":
        return len(call.args) < 2
    if name == "open":
        return bool(TEXT_MODE.fullmatch(mode(call, given)))
    return any(is_true(given.get(word)) for word in ("text", "universal_newlines"))  # subprocess


def mode(call: ast.Call, given: dict) -> str:
    """Mode of an ``open``, "" of one that opens no text file, such as ``Index.open(path)``."""
    builtin = isinstance(call.func, ast.Name)
    modes = [given["mode"]] if "mode" in given else call.args[builtin:]
    if not modes:
        return "r"
    first = modes[0]
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""


def is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


@pytest.mark.parametrize(
    ("code", "lacks"),
    [
        ("open(path)", True),
        ("open(path, 'w', newline='')", True),
        ("path.open()", True),
        ("path.open('a')", True),
        ("path.open(mode='rt')", True),
        ("path.read_text()", True),
        ("path.write_text(text)", True),
        ("subprocess.run(words, text=True)", True),
        ("open(path, 'rb')", False),
        ("open(path, encoding='utf-8')", False),
        ("path.open('r+b', buffering=0)", False),
        ("path.open('w', encoding='utf-8')", False),
        ("path.read_text('utf-8')", False),
        ("path.write_text(text, encoding='utf-8')", False),
        ("Index.open(path)", False),
        ("Index.open('my.index')", False),
        ("subprocess.run(words, encoding='utf-8')", False),
        ("open(path, **options)", False),
    ],
)
def test_what_lacks_an_encoding_is_found(code, lacks):
    (call,) = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))
    assert lacks_encoding(call) == lacks


def test_every_text_file_has_an_encoding():
    assert len(FILES) > 200
    found = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and lacks_encoding(node)
    ]
    assert found == []
