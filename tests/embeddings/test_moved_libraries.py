"""Libraries that move as a whole, with their index and without."""

import os
import shutil
from pathlib import Path

import pytest
from followed import all_there, rename

from command_line import call
from disentone.errors import DataError
from disentone.search import Index
from disentone.search.relocating import relocate


def test_a_library_that_has_moved(updated, deaf, sounds, model):
    Path("old").mkdir()
    shutil.move(sounds, "old/sounds")
    index, _ = updated("old/sounds")
    shutil.move("old", "new")
    assert not all_there(Index.open(index.uri))
    done = call("relocate", "my.index", "old/sounds", "new/sounds")
    assert (done.code, done.out) == (0, "my.index\n")
    assert "4 items are now in new/sounds" in done.err
    assert all_there(Index.open(index.uri))
    deaf()
    index, line = updated("new/sounds")
    assert line == "0 new, 0 changed, 4 kept, 0 gone"
    assert sorted(index.items()["id"].to_pylist()) == [f"s{number}.wav" for number in range(4)]


def test_folders_above_and_below_a_root_can_be_relocated(updated, noise):
    for name in ("lib/a/x.wav", "lib/b/low/y.wav", "lib/b/z.wav"):
        noise(name)
    index, _ = updated("lib/a", "lib/b")
    assert sorted(index.items()["id"].to_pylist()) == ["a/x.wav", "b/low/y.wav", "b/z.wav"]
    rename("lib", "moved")
    assert call("relocate", "my.index", "lib", "moved", "-q").code == 0
    assert all_there(Index.open("my.index"))
    rename("moved/b/low", "far")
    shown = call("relocate", "my.index", "moved/b/low", "far").err
    assert "1 items are now in far" in shown
    index = Index.open("my.index")
    assert all_there(index)
    assert index.roots == [os.path.abspath(f) for f in ("far", "moved/a", "moved/b")]
    assert updated("moved/b")[1] == "0 new, 0 changed, 1 kept, 0 gone"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("nowhere", "empty", "nothing below '.*nowhere'; its folders: '.*sounds'"),
        ("sounds", "gone", "'.*gone' is no folder"),
        ("sounds", "empty", "None of the 4 files of '.*sounds' is in '.*empty', such as 's0.wav'"),
        ("sounds", "copy", "of both '.*sounds' and '.*copy'"),
    ],
)
def test_relocating_is_refused_in_a_sentence(updated, sounds, old, new, message):
    shutil.copytree(sounds, "copy")
    Path("empty").mkdir()
    index, _ = updated(sounds)
    updated("copy")
    before = index.items()
    with pytest.raises(DataError, match=message):
        relocate(index, old, new)
    assert index.items() == before


def test_an_index_and_its_sounds_move_together(updated, deaf, noise, model):
    noise("here/sounds/s0.wav")
    noise("here/sounds/s1.wav")
    updated("here/sounds", out="here/my.index")
    rename("here", "there")
    index = Index.open("there/my.index")
    assert all_there(index)
    assert index.roots == [os.path.abspath("there/sounds")]
    assert index.ids_of(os.path.abspath("there/sounds/s1.wav")) == ["s1.wav"]
    deaf()
    index, line = updated("there/sounds", out="there/my.index")
    assert line == "0 new, 0 changed, 2 kept, 0 gone"
