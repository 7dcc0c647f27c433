"""Parts of clips: streamed from folders, cut from tables, and counted."""

import os

import numpy as np
import pytest

from disentone.datasets import clip_parts as module
from disentone.datasets.clip_lists import list_clips
from disentone.datasets.clip_parts import check_sounds, clip_parts, count_clips, state_of
from disentone.errors import DataError


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def folder(tone):
    for name in ("a.wav", "low/b.wav", "low/deep/c.wav", "high/d.wav"):
        tone(f"sounds/{name}")
    return "sounds"


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(module, "FIRST", 1)
    monkeypatch.setattr(module, "LATER", 2)


def values(parts, name):
    """A column of all parts, by path."""
    return {
        path: value
        for part in parts
        for path, value in zip(
            part.clips.paths, part.clips.factors.get(name, [None] * len(part.clips))
        )
    }


def test_parts_are_what_the_whole_list_is(folder, small):
    parts = list(clip_parts([folder]))
    assert [part.found for part in parts] == [1, 2, 1]
    whole, skipped, _ = list_clips([folder])
    assert not skipped
    assert sorted(path for part in parts for path in part.clips.paths) == sorted(whole.paths)
    for name in ("folder", "folder2"):
        assert values(parts, name) == dict(zip(whole.paths, whole.factors[name]))


def test_files_that_cannot_be_clips_are_told_and_counted(folder):
    open("sounds/empty.wav", "w").close()
    open("sounds/song.mid", "w").close()
    [part] = clip_parts([folder])
    assert part.found == 5
    assert {(os.path.basename(s.path), s.reason) for s in part.skipped} == {
        ("empty.wav", "The file is empty (0 bytes)."),
        ("song.mid", "Files that end in .mid are not read: convert it to wav."),
    }
    assert list(count_clips([folder]))[-1] == 5


def test_a_table_is_cut_into_parts(folder, table, small):
    table([["path", "note"], ["sounds/a.wav", "1.5"], ["sounds/low/b.wav", "2"],
           ["sounds/high/d.wav", "3"]])  # fmt: skip
    parts = list(clip_parts(["."]))
    assert [len(part.clips) for part in parts] == [1, 2]
    assert sorted(values(parts, "note").values()) == [1.5, 2.0, 3.0]
    assert list(count_clips(["."]))[-1] == 3


@pytest.mark.parametrize("kind", ["folder", "table"])
def test_the_state_is_the_sum_of_the_parts_and_changes_with_every_file(folder, tone, table, kind):
    if kind == "table":
        table([["path"], ["a.wav"], ["low/b.wav"]], "sounds/clips.csv")
    before = state_of([folder])
    assert before == sum(part.state for part in clip_parts([folder])) == state_of([folder])
    states = {before}
    os.utime("sounds/a.wav", ns=(1, 1))
    touched = state_of([folder])
    states.add(touched)
    tone("sounds/new.wav")
    states.add(state_of([folder]))
    os.rename("sounds/new.wav", "sounds/newer.wav")
    states.add(state_of([folder]))
    if kind == "table":
        table([["path"], ["a.wav"]], "sounds/clips.csv")
        states.add(state_of([folder]))
    assert len(states) == (5 if kind == "table" else 4)
    os.remove("sounds/newer.wav")
    assert (state_of([folder]) == touched) == (kind == "folder")


def test_notes_of_what_is_no_sound_change_nothing(folder):
    before = state_of([folder])
    with open("sounds/notes.txt", "w") as file:
        file.write("x")
    assert state_of([folder]) == before


def test_a_folder_that_may_not_be_read_is_told(folder, monkeypatch):
    scandir = os.scandir

    def refuse(place):
        if os.path.basename(place) == "low":
            raise PermissionError(13, "Permission denied")
        return scandir(place)

    monkeypatch.setattr(os, "scandir", refuse)
    *_, last = clip_parts([folder])
    assert [(item.path, item.reason) for item in last.skipped] == [
        ("sounds/low", "The folder cannot be read: Permission denied.")
    ]
    assert np.size(last.clips.paths) == 0


@pytest.mark.parametrize("names", [(), ("notes.txt", "song.mid")])
def test_nothing_to_listen_to_is_refused(names):
    os.mkdir("none")
    for name in names:
        open(f"none/{name}", "w").close()
    with pytest.raises(DataError, match="no audio file in 'none': choose a folder with sounds"):
        check_sounds(["none"])
    with pytest.raises(DataError, match="'gone' does not exist"):
        check_sounds(["gone"])


def test_one_folder_with_sounds_is_enough(folder):
    os.mkdir("none")
    check_sounds(["none", folder])
