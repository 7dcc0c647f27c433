"""No file makes disentone run code: what the sources never call, and where modules come from."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from import_graph import SOURCES

EVIL = "import os; open(os.environ['MARK'], 'a').write(__name__ + ' ')\n"
STRAY = ("torch", "yaml", "numpy", "typing", "json", "re", "subprocess", "multiprocessing")
STRAY += ("socket", "pickle", "typer", "rich")
CALLS = [
    (f"{file.relative_to(SOURCES)}:{node.lineno}", ast.unparse(node.func), node)
    for file in sorted(SOURCES.rglob("*.py"))
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    if isinstance(node, ast.Call)
]


def test_nothing_is_called_that_runs_what_it_reads():
    names = {"eval", "exec", "compile", "torch.load", "yaml.load", "yaml.unsafe_load", "os.system"}
    modules = ("pickle.", "joblib.load", "marshal.", "shelve.")
    found = [(at, name) for at, name, _ in CALLS if name in names or name.startswith(modules)]
    shells = [at for at, _, call in CALLS for key in call.keywords if key.arg == "shell"]
    pickles = [at for at, _, call in CALLS for key in call.keywords if key.arg == "allow_pickle"]
    assert (found, shells, pickles) == ([], [], [])


def test_transformers_is_never_trusted_with_code():
    options = "{'trust_remote_code': False, 'local_files_only': True}"
    text = (SOURCES / "frontends" / "pretrained.py").read_text(encoding="utf-8")
    assert ast.unparse(ast.parse(text)).count(f"_HERE = {options}") == 1
    calls = [
        (at, any(key.arg is None and ast.unparse(key.value) == "_HERE" for key in call.keywords))
        for at, name, call in CALLS
        if name.endswith("from_pretrained") and at.startswith("frontends")
    ]
    assert len(calls) == 3
    assert all(here for _, here in calls), calls


@pytest.mark.parametrize("module", ["disentone", "disentone.cli"])
def test_no_module_comes_from_the_working_directory(tmp_path, module):
    for name in STRAY:
        (tmp_path / f"{name}.py").write_text(EVIL)
    mark = tmp_path / "mark"
    environment = os.environ | {"MARK": str(mark), "PYTHONPATH": str(SOURCES.parent)}
    words = [sys.executable, "-m", module, "train", "debug", "--set", "audit.nothing=1"]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "unknown key 'audit.nothing'" in done.stderr
    assert not mark.exists(), mark.read_text()


def test_processes_that_are_started_take_none_either(tmp_path, monkeypatch):
    from command_line import call

    for name in STRAY:
        (tmp_path / f"{name}.py").write_text(EVIL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MARK", str(tmp_path / "mark"))
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    call("--version")
    code = "from multiprocessing import get_context as c; p = c('spawn').Process(target=int); "
    code += "p.start(); p.join(); raise SystemExit(p.exitcode)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    assert not (tmp_path / "mark").exists()


def test_other_programs_keep_their_path(tmp_path):
    (tmp_path / "beside.py").write_text("print('found')\n")
    (tmp_path / "program.py").write_text("import disentone, beside\n")
    environment = os.environ | {"PYTHONPATH": str(SOURCES.parent)}
    environment.pop("PYTHONSAFEPATH", None)
    words = [sys.executable, "-m", "program"]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout == "found\n", done.stderr


@pytest.mark.skipif(not Path(".ci/licences.py").exists(), reason="a copy without its CI")
def test_the_licences_are_those_of_what_is_installed():
    words = [sys.executable, ".ci/licences.py", "--check"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
