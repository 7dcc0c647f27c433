"""Whose a run folder is, what its run was begun with, and that one command works on it."""

import subprocess
import sys

import pytest
import yaml

from command_line import complaint
from disentone.errors import ArtifactError
from disentone.recipes import load_recipe
from disentone.runs import precision
from disentone.runs.run_folder import begun_on, claim, occupied, with_precision
from disentone.runs.training import train


@pytest.fixture
def native(monkeypatch):
    """Say whether this machine multiplies bfloat16."""
    return lambda does: monkeypatch.setattr(precision, "_cpu_multiplies", lambda: does)


@pytest.fixture
def recipe():
    return load_recipe("debug")


def written(out):
    return yaml.safe_load((out / "config.yaml").read_text())["training"]["precision"]


def trained(out):
    """Make a folder look as if its run had trained."""
    (out / "metrics.jsonl").touch()


def test_auto_is_the_default_of_every_recipe(recipe):
    assert recipe.training.precision == "auto"


@pytest.mark.parametrize("does", [False, True])
def test_a_new_run_is_written_with_the_precision_of_its_machine(tmp_path, recipe, native, does):
    native(does)
    wanted = "bfloat16" if does else "float32"
    claimed = claim(tmp_path / "run", recipe, resume=False)
    assert claimed == with_precision(recipe, wanted)
    assert load_recipe(tmp_path / "run" / "config.yaml") == claimed


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("started", [False, True])
def test_a_run_that_goes_on_elsewhere_keeps_its_precision(tmp_path, recipe, native, begun, started):
    native(begun)
    first = claim(tmp_path, recipe, resume=False)
    if started:
        trained(tmp_path)
    native(not begun)
    assert claim(tmp_path, recipe, resume=True) == first
    assert written(tmp_path) == first.training.precision


def test_a_new_start_where_nothing_was_trained_is_a_new_run(tmp_path, recipe, native):
    native(True)
    claim(tmp_path, recipe, resume=False)
    native(False)
    claim(tmp_path, recipe, resume=False)
    assert written(tmp_path) == "float32"


def test_a_run_with_a_precision_of_its_own_goes_on_with_that(tmp_path, recipe, native):
    native(False)
    explicit = with_precision(recipe, "bfloat16")  # as the recipes of before had
    assert claim(tmp_path, explicit, resume=False) == explicit
    trained(tmp_path)
    assert claim(tmp_path, explicit, resume=True) == explicit
    assert claim(tmp_path, recipe, resume=True) == explicit
    with pytest.raises(ArtifactError, match="started with other settings"):
        claim(tmp_path, with_precision(recipe, "float32"), resume=True)
    with pytest.raises(ArtifactError, match="holds an unfinished run: add --resume"):
        claim(tmp_path, recipe, resume=False)


@pytest.mark.parametrize("text", ["", "[]", '{"about": {}}', '{"about": "?"}'])
def test_a_model_that_says_no_machine_is_of_none(tmp_path, text):
    assert begun_on(tmp_path) is None
    (tmp_path / "config.json").write_text(text)
    assert begun_on(tmp_path) is None


# --- one command at a time ------------------------------------------------------------------------


def test_a_second_training_in_the_folder_is_refused_at_once(tmp_path, recipe):
    out = tmp_path / "run"
    with occupied(out):
        claim(out, recipe, resume=False)
        before = {path: path.read_bytes() for path in out.iterdir()}
        for resume in ([], ["--resume"]):
            message = complaint("train", "debug", "--out", out, *resume)
            assert f"Another command is at work on the run in {out}" in message
        with pytest.raises(ArtifactError, match="Another command is at work"):
            train(recipe, out)
        assert {path: path.read_bytes() for path in out.iterdir()} == before
    with occupied(out):
        assert (out / "config.yaml").exists()


def test_the_lock_of_a_killed_run_is_gone_with_it(tmp_path):
    with occupied(tmp_path):
        pass  # leaves the file of its lock
    (lock,) = tmp_path.iterdir()
    code = "import sys, filelock; held = filelock.FileLock(sys.argv[1]).acquire(); print(); input()"
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout.readline()
    with pytest.raises(ArtifactError, match="Another command"), occupied(tmp_path):
        pass
    other.kill()
    other.communicate()
    assert lock.exists()
    with occupied(tmp_path):
        pass


def test_what_is_no_run_is_not_even_locked(tmp_path):
    (tmp_path / "words.txt").write_text("words")
    for place in (tmp_path, tmp_path / "words.txt"):
        with pytest.raises(ArtifactError, match="exists and is not a run"), occupied(place):
            pass
    below = tmp_path / "words.txt" / "run"
    with pytest.raises(ArtifactError, match="could not be written"), occupied(below):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["words.txt"]
