"""What .disentoneignore files leave out, as Git would."""

import shutil
import subprocess
from pathlib import Path

import pytest

from disentone.datasets.clip_lists import list_clips
from disentone.datasets.config import CollectionConfig
from disentone.datasets.folder import find_audio
from disentone.datasets.opening import open_collection
from disentone.embeddings.inputs import list_sounds
from disentone.errors import DataError

FILES = (
    "a.wav", "b.mp3", "keep.mp3", "drums/x.wav", "drums/take 1/y.wav", "top.wav", "deep/top.wav",
    "deep/z.wav", "deep/k.mp3", "old/loops/q.wav", "old/r.wav",
)  # fmt: skip
RULES = {
    ".": "# lossy\n*.mp3\n!keep.mp3\n\n/top.wav\nold/*\n!old/r.wav\n",
    "deep": "!k.mp3\nz.*\n",
    "drums": "take*/\n",
}


@pytest.fixture
def folder(tmp_path):
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    for below, rules in RULES.items():
        (tmp_path / below / ".disentoneignore").write_text(rules)
    return tmp_path


def test_a_folder_is_left_out_of_as_git_would(folder):
    left = ["a.wav", "deep/k.mp3", "deep/top.wav", "drums/x.wav", "keep.mp3", "old/r.wav"]
    assert find_audio(folder) == (left, [])
    if shutil.which("git") is None:
        pytest.skip("no git to compare with")
    for below in RULES:
        (folder / below / ".disentoneignore").rename(folder / below / ".gitignore")
    subprocess.run(["git", "init", "-q", folder], check=True)
    command = ["git", "-C", folder, "ls-files", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert sorted(name for name in listed.split("\0") if name and name[0] != ".") == sorted(
        [*left, *(f"{below}/.gitignore" for below in ("deep", "drums"))]
    )


def test_every_verb_leaves_it_out(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    clips, _, _ = list_clips([folder])  # index, embed
    assert len(clips) == 6
    assert len(list_sounds(folder)) == 6  # Model.embed
    opened = open_collection(CollectionConfig(path=str(folder), split="random"))  # inspect, train
    assert len(opened.table) == 6


def test_what_is_excluded(folder):
    clips, _, _ = list_clips([folder, folder / "top.wav"], ["drums/", "k*.mp3", "/top.wav"])
    names = {Path(path).relative_to(folder).as_posix() for path in clips.paths}
    assert names == {"a.wav", "deep/top.wav", "old/r.wav"}
    with pytest.raises(DataError, match="All of 6 clips are excluded"):
        list_clips([folder], ["*"])
    with pytest.raises(DataError, match="excluded: '!' is no pattern"):
        list_clips([folder], ["!"])


def test_rows_of_a_table_are_excluded_too(folder):
    (folder / "clips.csv").write_text("path\na.wav\ndrums/x.wav\n")
    clips, _, _ = list_clips([folder], ["drums"])
    assert [Path(path).name for path in clips.paths] == ["a.wav"]


@pytest.mark.parametrize("content", [b"*.mp3\n!\n", b"\xff\xfe*"])
def test_a_file_that_is_not_understood_is_named(folder, content):
    (folder / "deep/.disentoneignore").write_bytes(content)
    with pytest.raises(DataError, match=r"deep/\.disentoneignore'"):
        find_audio(folder)
