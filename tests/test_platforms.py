"""Windows and macOS, as far as another system can test them."""

import io
import ntpath
import subprocess
import sys
from pathlib import Path, PureWindowsPath
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import tiny_training
from disentone import audio, cli, load
from disentone.embeddings import indexing
from disentone.runs.checkpoint import restore
from disentone.search import snapshot


def test_the_pipeline_runs_without_what_only_posix_has(tmp_path):
    script = Path(__file__).with_name("without_posix.py")
    command = [sys.executable, "-X", "warn_default_encoding", str(script), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    modules, found = done.stdout.splitlines()
    assert int(modules) > 150
    assert set(found.split()) <= {f"{number}.wav" for number in range(8)}
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the system lists no maps")
def test_a_model_and_a_resumed_run_hold_no_file(tmp_path):
    """Windows neither replaces nor deletes a file that is mapped."""
    tiny_training.train(tmp_path, epochs=1)
    model = load(tmp_path)
    learner = tiny_training.problem()[0].network
    optimiser = torch.optim.AdamW(learner.parameters())
    restore(tmp_path / "last" / "state.safetensors", [learner], optimiser)
    assert optimiser.state_dict()["state"]
    assert str(tmp_path) not in Path("/proc/self/maps").read_text(encoding="utf-8")
    assert model.mean.isfinite().all()


@pytest.fixture
def windows(monkeypatch):
    monkeypatch.setattr(indexing, "os", SimpleNamespace(path=ntpath))
    monkeypatch.setattr(indexing, "Path", PureWindowsPath)


@pytest.mark.usefixtures("windows")
def test_ids_have_slashes_on_windows():
    paths = [r"C:\sounds\piano\a.wav", r"C:\sounds\b.wav"]
    root = indexing._root(paths)
    assert root == r"C:\sounds"
    assert [indexing._name(path, root) for path in paths] == ["piano/a.wav", "b.wav"]
    assert indexing._name(r"C:\other\c.wav", root, 1.5) == "C:/other/c.wav@1.5"
    assert indexing._name(r"D:\c.wav", root) == "D:/c.wav"


@pytest.mark.usefixtures("windows")
def test_files_on_several_drives_of_windows_keep_their_names():
    paths = [r"C:\sounds\a.wav", r"D:\b.wav"]
    root = indexing._root(paths)
    assert [indexing._name(path, root) for path in paths] == ["C:/sounds/a.wav", "D:/b.wav"]


def test_a_system_that_does_not_tell_its_memory_is_taken_for_a_small_one(monkeypatch):
    monkeypatch.delattr("os.sysconf")
    assert snapshot._half_of_memory() == 4 * 2**30


def test_a_name_that_the_output_cannot_spell_is_escaped(tmp_path, monkeypatch):
    """Windows gives pipes an encoding of one region."""
    (tmp_path / "東").mkdir()
    audio.write(tmp_path / "東" / "a.wav", np.sin(np.arange(8000.0)), 16_000)
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "cp1252"))
    monkeypatch.setattr(sys, "argv", ["disentone", "inspect", str(tmp_path / "東")])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    sys.stdout.flush()
    assert not ended.value.code
    assert rb"\u6771" in written.getvalue()
