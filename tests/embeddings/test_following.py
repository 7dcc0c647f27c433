"""An index follows its library: what is new, changed, moved, relabelled and gone."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from followed import all_there, names, rename, table

from command_line import call, complaint
from disentone.embeddings.embedder import EmbedOptions
from disentone.errors import DataError
from disentone.search import Index

CASES = Path(__file__).parents[2].parent / "shared" / "cases"


# --- the handed cases ----------------------------------------------------------------------------


def follow_case_7(updated, deaf, folder):
    first, line = updated(folder)
    assert line is None
    before = first.vectors(["s2.wav"])
    deaf()
    os.unlink(f"{folder}/s3.wav")
    rename(f"{folder}/s2.wav", f"{folder}/renamed.wav")
    second, line = updated(folder)
    assert line == "0 new, 0 changed, 2 kept, 1 gone, 1 moved"
    assert names(second) == ["renamed.wav", "s0.wav", "s1.wav"]
    np.testing.assert_array_equal(second.vectors(["s2.wav"]), before)  # its id is the same
    rename(folder, "elsewhere")
    third, line = updated("elsewhere")
    assert line == "0 new, 0 changed, 0 kept, 0 gone, 3 moved"
    assert names(third) == ["renamed.wav", "s0.wav", "s1.wav"]
    assert all_there(third)
    assert third.roots == [os.path.abspath("elsewhere")]


def test_deleted_renamed_and_moved(updated, deaf, sounds):
    follow_case_7(updated, deaf, sounds)


def follow_case_8(updated, deaf, folder):
    index, _ = updated(folder)
    assert set(index.items(where="instrument = 'flute'")["id"].to_pylist()).isdisjoint({"s0.wav"})
    rows = Path(folder, "clips.csv").read_text().splitlines()
    rows = [row + (",room" if number == 0 else ",hall") for number, row in enumerate(rows)]
    place = rows[0].split(",").index("instrument")
    first = next(number for number, row in enumerate(rows) if row.startswith("s0.wav"))
    cells = rows[first].split(",")
    cells[place] = "flute"
    rows[first] = ",".join(cells)
    Path(folder, "clips.csv").write_text("\n".join(rows) + "\n")
    deaf()
    index, line = updated(folder)
    count = len(index)
    assert line == f"0 new, 0 changed, {count} kept, 0 gone, {count} relabelled"
    assert "s0.wav" in index.items(where="instrument = 'flute'")["id"].to_pylist()
    assert len(index.items(where="room = 'hall'")) == count
    assert updated(folder)[1] == f"0 new, 0 changed, {count} kept, 0 gone"


def test_labels_that_were_corrected(updated, deaf, sounds):
    Path("sounds/clips.csv").write_text(
        "path,instrument\n" + "".join(f"s{number}.wav,oboe\n" for number in range(4))
    )
    follow_case_8(updated, deaf, sounds)


@pytest.mark.skipif(not CASES.is_dir(), reason="the handed cases are not here")
@pytest.mark.parametrize(
    ("case", "follow"),
    [("07-deleted-renamed-moved", follow_case_7), ("08-labels-corrected", follow_case_8)],
)
def test_handed_cases(updated, deaf, case, follow):
    shutil.copytree(CASES / case, "case")
    follow(updated, deaf, "case")


# --- files ---------------------------------------------------------------------------------------


def test_the_line_counts_clips(updated, sounds, noise):
    updated(sounds)
    for name in ("s4.wav", "s5.wav"):
        noise(f"sounds/{name}")
    noise("sounds/s0.wav", 0.3)
    os.unlink("sounds/s1.wav")
    Path("sounds/broken.wav").write_text("no audio at all " * 100)
    index, line = updated(sounds)
    assert line == "2 new, 1 changed, 2 kept, 1 gone"
    assert names(index) == ["s0.wav", "s2.wav", "s3.wav", "s4.wav", "s5.wav"]


def test_the_line_is_told_on_the_command_line(model, sounds):
    call("index", model, sounds, "-o", "my.index")
    os.unlink("sounds/s1.wav")
    kept = call("index", model, sounds, "-o", "my.index", "--keep-missing")
    assert "0 new, 0 changed, 3 kept, 0 gone, 1 missing" in kept.err.splitlines()
    assert "4 items in my.index" in kept.err
    gone = call("index", model, sounds, "-o", "my.index")
    assert "0 new, 0 changed, 3 kept, 1 gone" in gone.err.splitlines()


def test_only_what_was_named_can_be_gone(updated, sounds, noise):
    noise("more/m.wav")
    noise("more/low/n.wav")
    updated(sounds)
    assert updated("more")[1] == "2 new, 0 changed, 0 kept, 0 gone"
    os.unlink("sounds/s0.wav")
    os.unlink("more/m.wav")
    assert updated("more/low")[1] == "0 new, 0 changed, 1 kept, 0 gone"
    assert updated("sounds/s1.wav")[1] == "0 new, 0 changed, 1 kept, 0 gone"
    index, line = updated("more")
    assert line == "0 new, 0 changed, 1 kept, 1 gone"
    assert names(index) == ["n.wav", "s0.wav", "s1.wav", "s2.wav", "s3.wav"]
    index, line = updated(sounds)
    assert line == "0 new, 0 changed, 3 kept, 1 gone"


def test_a_root_that_is_not_there_or_is_empty_is_an_error(updated, sounds):
    index, _ = updated(sounds)
    rename("sounds", "away")
    with pytest.raises(DataError, match="does not exist"):
        updated(sounds)
    Path("sounds").mkdir()
    with pytest.raises(DataError, match="no usable audio"):
        updated(sounds)
    assert len(Index.open(index.uri)) == 4


def test_a_folder_that_cannot_be_read_is_not_gone(updated, sounds, noise, monkeypatch):
    noise("sounds/closed/c.wav")
    updated(sounds)
    scandir = os.scandir

    def refused(folder):
        if str(folder).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refused)
    index, line = updated(sounds)
    assert line == "0 new, 0 changed, 4 kept, 0 gone"
    assert "c.wav" in names(index)


def test_files_that_take_each_others_names_keep_their_items(updated, deaf, sounds):
    index, _ = updated(sounds)
    before = index.vectors(["s0.wav", "s1.wav", "s2.wav"])
    deaf()
    rename("sounds/s2.wav", "sounds/new.wav")
    rename("sounds/s1.wav", "sounds/s2.wav")
    rename("sounds/s0.wav", "sounds/s1.wav")
    index, line = updated(sounds)
    assert line == "0 new, 0 changed, 1 kept, 0 gone, 3 moved"
    now = index.items(["s0.wav", "s1.wav", "s2.wav"])["path"].to_pylist()
    assert [Path(path).name for path in now] == ["s1.wav", "s2.wav", "new.wav"]
    np.testing.assert_array_equal(index.vectors(["s0.wav", "s1.wav", "s2.wav"]), before)


def test_a_file_with_the_name_of_one_that_moved_is_another_item(updated, sounds, noise):
    updated(sounds)
    rename("sounds/s0.wav", "sounds/low/s0.wav")
    updated(sounds)
    noise("sounds/s0.wav")
    index, line = updated(sounds)
    assert line == "1 new, 0 changed, 4 kept, 0 gone"
    assert {"s0.wav", "s0.wav (2)"} < set(index.items()["id"].to_pylist())
    paths = index.items(["s0.wav", "s0.wav (2)"])["path"].to_pylist()
    assert [Path(path).parent.name for path in paths] == ["low", "sounds"]


def test_a_copy_is_a_new_item(updated, sounds):
    updated(sounds)
    shutil.copy("sounds/s0.wav", "sounds/copy.wav")
    assert updated(sounds)[1] == "1 new, 0 changed, 4 kept, 0 gone"


def test_a_file_that_was_only_touched_is_not_embedded(updated, deaf, sounds):
    updated(sounds)
    deaf()
    os.utime("sounds/s0.wav", (1, 1))
    assert updated(sounds)[1] == "0 new, 0 changed, 4 kept, 0 gone"


def test_unchanged_files_are_not_read(updated, deaf, sounds, monkeypatch):
    updated(sounds)
    deaf()
    opened = []
    monkeypatch.setattr(
        "disentone.search.following.Contents.__call__", lambda _, path: opened.append(path)
    )
    updated(sounds)
    assert not opened


def test_a_file_that_is_broken_now_is_gone(updated, sounds):
    updated(sounds)
    Path("sounds/s0.wav").write_text("no audio at all " * 100)
    index, line = updated(sounds)
    assert line == "0 new, 0 changed, 3 kept, 1 gone"
    assert names(index) == ["s1.wav", "s2.wav", "s3.wav"]


def test_segments_move_together(updated, deaf, noise):
    noise("sounds/a.wav", 1.0)
    noise("sounds/b.wav", 0.5)
    options = EmbedOptions(segment=0.2)
    index, _ = updated("sounds", options=options)
    before = index.items().num_rows
    deaf()
    rename("sounds/a.wav", "sounds/c.wav")
    index, line = updated("sounds", options=options)
    assert line == "0 new, 0 changed, 1 kept, 0 gone, 1 moved"
    assert len(index) == before
    assert names(index).count("c.wav") == 5
    os.unlink("sounds/c.wav")
    assert updated("sounds", options=options)[1] == "0 new, 0 changed, 1 kept, 1 gone"


# --- tables --------------------------------------------------------------------------------------


def test_rows_of_a_table_are_followed(updated, noise):
    noise("sounds/long.wav", 1.0)
    noise("sounds/other.wav", 0.5)
    head = "path,start,duration,label\n"
    table(head + "long.wav,0,0.3,a\nlong.wav,0.4,0.3,b\nother.wav,0,0.5,c\n")
    updated("sounds")
    table(head + "long.wav,0,0.3,a\nlong.wav,0.4,0.5,B\nlong.wav,0.7,0.3,d\n")
    index, line = updated("sounds")
    assert line == "1 new, 1 changed, 1 kept, 1 gone"
    found = index.items().sort_by("start").to_pydict()
    assert found["start"] == [0.0, 0.4, 0.7]
    assert found["end"] == pytest.approx([0.3, 0.9, 1.0])
    assert found["label"] == ["a", "B", "d"]


def test_a_table_that_comes_later_and_goes_again(updated, deaf, sounds):
    updated(sounds)
    deaf()
    table("path,mood\ns0.wav,calm\ns1.wav,dark\ns2.wav,dark\n")
    assert updated(sounds)[1] == "0 new, 0 changed, 3 kept, 1 gone, 3 relabelled"
    os.unlink("sounds/s2.wav")
    table("path,mood\ns0.wav,calm\n")
    assert updated(sounds)[1] == "0 new, 0 changed, 1 kept, 2 gone"
    os.unlink("sounds/clips.csv")
    for name in ("s1", "s3"):
        os.unlink(f"sounds/{name}.wav")
    index, line = updated(sounds)
    assert line == "0 new, 0 changed, 1 kept, 0 gone"
    assert index.items()["mood"].to_pylist() == ["calm"]


def test_tables_in_one_folder_do_not_remove_each_others_clips(updated, sounds):
    one = table("path\ns0.wav\ns1.wav\n", "sounds/one.csv")
    two = table("path\ns2.wav\ns3.wav\n", "sounds/two.csv")
    updated(one)
    assert updated(two)[1] == "2 new, 0 changed, 0 kept, 0 gone"
    table("path\ns0.wav\n", one)
    index, line = updated(one)
    assert line == "0 new, 0 changed, 1 kept, 1 gone"
    assert names(index) == ["s0.wav", "s2.wav", "s3.wav"]


def test_a_table_may_name_files_elsewhere(updated, deaf, sounds):
    Path("lists").mkdir()
    rows = "".join(f"../sounds/s{number}.wav\n" for number in range(3))
    rows += f"{Path('sounds/s3.wav').resolve()}\n"
    name = table("path\n" + rows, "lists/mine.csv")
    index, _ = updated(name)
    assert index.roots == [os.path.abspath("sounds")]
    deaf()
    assert updated(name)[1] == "0 new, 0 changed, 4 kept, 0 gone"
    table("path\n../sounds/s1.wav\n", name)
    assert updated(name)[1] == "0 new, 0 changed, 1 kept, 3 gone"


def test_tags_stay_with_a_file_that_moves(updated, deaf, sounds):
    name = table("path,mood\ns0.wav,calm\ns1.wav,dark\n", "sounds/some.csv")
    updated(name)
    os.unlink(name)
    rename("sounds/s1.wav", "sounds/low/deep.wav")
    for left in ("s2", "s3"):
        os.unlink(f"sounds/{left}.wav")
    deaf()
    index, line = updated("sounds")
    assert line.endswith("1 kept, 0 gone, 1 moved")
    found = index.items(["s0.wav", "s1.wav"]).to_pydict()
    assert found["mood"] == ["calm", "dark"]
    assert found["folder"] == [None, "low"]


def test_a_label_of_another_kind_is_refused_before_anything_is_embedded(updated, deaf, sounds):
    table("path,tempo\ns0.wav,90\ns1.wav,100\n")
    index, _ = updated("sounds")
    table("path,tempo\ns0.wav,slow\ns1.wav,fast\ns2.wav,fast\n")
    deaf()
    with pytest.raises(DataError, match="'tempo' is a number in the index"):
        updated("sounds")
    assert Index.open(index.uri).items()["tempo"].to_pylist() == [90, 100]


# --- leaving out ---------------------------------------------------------------------------------


def test_what_is_excluded_leaves_the_index(updated, deaf, sounds):
    updated(sounds)
    deaf()
    index, line = updated(sounds, exclude=["s[12].wav"])
    assert line == "0 new, 0 changed, 2 kept, 2 gone"
    Path("sounds/.disentoneignore").write_text("s3.wav\n")
    index, line = updated(sounds, exclude=["s[12].wav"])
    assert names(index) == ["s0.wav"]


def test_items_are_removed_by_id_path_and_pattern(updated, sounds, noise):
    for name in ("drums/a.wav", "drums/b.wav", "pads/c.wav", "pads/d.mp3.wav"):
        noise(f"sounds/{name}")
    updated(sounds)
    done = call("index", "-o", "my.index", "--remove", "s0.wav", "--remove", "sounds/drums")
    assert (done.code, done.out) == (0, "my.index\n")
    assert "3 removed, 5 items in my.index" in done.err
    shutil.rmtree("sounds/pads")
    call("index", "-o", "my.index", "--remove", "p*/", "--remove", "sounds/s1.wav", "-q")
    assert names(Index.open("my.index")) == ["s2.wav", "s3.wav"]
    assert "'x*.wav'" in complaint("index", "-o", "my.index", "--remove", "x*.wav")
    assert "name no model" in complaint("index", "m", "-o", "my.index", "--remove", "s2.wav")
    assert "Name a model and sounds" in complaint("index", "-o", "my.index")
