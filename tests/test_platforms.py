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
from disentone.datasets import clip_lists
from disentone.embeddings import placing
from disentone.runs.checkpoint import restore
from disentone.search import roots, snapshot


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
    for module in (clip_lists, placing, roots):
        monkeypatch.setattr(module, "os", SimpleNamespace(path=ntpath, sep="\\"))
        monkeypatch.setattr(module, "Path", PureWindowsPath)


def clips(*paths):
    """Clips of whole files that one table names."""
    nothing, names = np.full(len(paths), None), np.array(paths, object)
    start, source = np.zeros(len(paths)), np.zeros(len(paths), int)
    return clip_lists.Clips(names, start, np.full(len(paths), np.nan), {}, names, nothing, source)


@pytest.mark.usefixtures("windows")
def test_names_have_slashes_on_windows():
    paths = [r"C:\sounds\piano\a.wav", r"C:\sounds\b.wav"]
    base = placing.common_folder([r"C:\sounds\piano", r"C:\sounds"])
    assert base == r"C:\sounds"
    found = placing.place(
        [r"C:\sounds\clips.csv"], clips(*paths), [], roots.Roots((), r"D:\i"), base
    )
    assert [clip.name for clip in found.listed] == ["piano/a.wav", "b.wav"]
    assert [clip.path for clip in found.listed] == paths
    (root,) = found.roots.all.values()
    assert (root.folder, root.beside, root.prefix) == (r"C:\sounds", "", "")
    beside, root = roots.Roots((), r"C:\my\i").with_root(r"C:\sounds\piano", "", "")
    assert root.beside == "../../sounds/piano"
    assert (None, r"C:\x.wav") in beside.place(r"C:\x.wav")


@pytest.mark.usefixtures("windows")
def test_files_on_several_drives_of_windows_keep_their_names():
    paths = [r"D:\sounds\a.wav", r"E:\b.wav"]
    found = placing.place([r"C:\clips.csv"], clips(*paths), [], roots.Roots(), "")
    assert [(clip.root, clip.path) for clip in found.listed] == [(None, path) for path in paths]


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
