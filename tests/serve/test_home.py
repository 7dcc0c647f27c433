"""Where the index of some folders lives, and which process has it."""

import os
import stat
import subprocess
import sys

import platformdirs
import pytest

import tiny_training
from disentone.errors import ArtifactError
from disentone.serve import home
from disentone.serve.home import AlreadyOpen, claimed, index_folder


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for number in (1, 2):
        (folder / str(number)).mkdir()
        tiny_training.train(folder / str(number), epochs=number)
    return folder / "1", folder / "2"


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.setattr(platformdirs, "user_data_path", lambda *_, **__: tmp_path / "data")
    for name in ("My Samples", "b", "elsewhere/b"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def test_a_set_of_folders_and_a_model_have_one_index(folders, models):
    one = index_folder([folders / "My Samples"], models[0])
    assert one.parent == folders / "data" / "indexes"
    assert one.name.startswith("My-Samples-")
    os.symlink(folders / "My Samples", folders / "link")
    assert index_folder([folders / "b" / ".." / "link"], models[0]) == one
    both = index_folder([folders / "b", folders / "My Samples"], models[0])
    assert both == index_folder([folders / "My Samples", folders / "b"], models[0])
    assert "-and-1-" in both.name
    others = [
        index_folder([folders / "b"], models[0]),
        index_folder([folders / "elsewhere" / "b"], models[0]),
        index_folder([folders / "b"], models[1]),
    ]
    assert len({one, both, *others}) == 5
    assert not (folders / "data").exists()


def test_a_second_process_learns_the_address_of_the_first(tmp_path):
    with claimed(tmp_path / "index") as tell:
        tell("http://127.0.0.1:1/?token=secret")
        assert stat.S_IMODE((tmp_path / "index" / "open.json").stat().st_mode) == 0o600
        code = "import sys; from disentone.serve.home import claimed\n" + (
            "with claimed(__import__('pathlib').Path(sys.argv[1])): pass"
        )
        command = [sys.executable, "-c", code, str(tmp_path / "index")]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.stderr.splitlines()[-1].endswith(
            "AlreadyOpen: http://127.0.0.1:1/?token=secret"
        )
    with claimed(tmp_path / "index"):  # it is free again
        assert not (tmp_path / "index" / "open.json").exists()


def test_one_that_was_killed_holds_nothing(tmp_path):
    code = """
import os, sys
from pathlib import Path
from disentone.serve.home import claimed
with claimed(Path(sys.argv[1])) as tell:
    tell("http://127.0.0.1:1/")
    os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "index")]).returncode == 9
    assert (tmp_path / "index" / "open.json").exists()
    with claimed(tmp_path / "index") as tell:
        assert not (tmp_path / "index" / "open.json").exists()
        tell("http://127.0.0.1:2/")


def test_one_that_tells_no_address_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(home, "_STARTING", 0.3)
    with (
        claimed(tmp_path / "index"),
        pytest.raises(ArtifactError, match="has not told its address"),
        claimed(tmp_path / "index"),
    ):
        pass


def test_the_address_may_come_while_it_is_waited_for(tmp_path, monkeypatch):
    with claimed(tmp_path / "index") as tell:
        monkeypatch.setattr(home.time, "sleep", lambda _: tell("http://127.0.0.1:3/"))
        with pytest.raises(AlreadyOpen) as found, claimed(tmp_path / "index"):
            pass
        assert found.value.address == "http://127.0.0.1:3/"


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(ArtifactError, match=r"cannot be kept in .+file.+: choose another place, as"),
        claimed(tmp_path / "file" / "indexes" / "a.index"),
    ):
        pass
