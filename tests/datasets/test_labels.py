"""Factors of items that a table alone knows."""

import numpy as np
import pytest

from disentone.datasets.labels import label_items, read_labels
from disentone.errors import DataError

ROWS = [["path", "note", "room"], ["x/a.wav", 60, "hall"], ["x/b.wav", 61, "hall"],
        ["x/c.wav", 62, "cellar"]]  # fmt: skip


def test_rows_go_by_order_where_nothing_names_them(table):
    columns, rows, notes = read_labels(table(ROWS), items=3, own={})
    assert columns["note"] == ["60", "61", "62"]
    assert (rows.tolist(), notes) == ([0, 1, 2], [])
    with pytest.raises(DataError, match=r"3 rows for 5 embeddings: .* the key"):
        read_labels(table(ROWS), items=5, own={})


def test_rows_go_by_path_and_else_by_file_name(table):
    own = {"path": np.array(["x/c.wav", "new.wav", "x/a.wav"])}
    columns, rows, notes = read_labels(table(ROWS), items=3, own=own)
    assert columns["note"] == ["62", "60"]
    assert rows.tolist() == [0, 2]
    assert notes[0] == "2 of 3 embeddings are matched by 'path'."
    assert "1 have no row" in notes[1]
    other = {"file": np.array(["/elsewhere/b.wav"])}
    assert read_labels(table(ROWS), items=1, own=other)[0]["note"] == ["61"]
    with pytest.raises(DataError, match=r"such as 'x/a\.wav', .* such as 'z\.wav'"):
        read_labels(table(ROWS), items=1, own={"path": np.array(["z.wav"])})


def test_paths_that_start_elsewhere_go_by_what_they_end_in(table):
    """As ``embed`` writes them, from the working folder, and a table from its own."""
    rows = [["path", "note"], ["violin/C4.mp3", 60], ["viola/C4.mp3", 61], ["viola/D4.mp3", 62]]
    own = {"path": np.array(["/s/viola/D4.mp3", "/s/cello/C4.mp3", "/s/violin/C4.mp3"])}
    columns, kept, _ = read_labels(table(rows), items=3, own=own)
    assert (columns["note"], kept.tolist()) == (["62", "60"], [0, 2])
    segments = {"path": np.array(["/s/viola/D4.mp3", "/s/viola/D4.mp3", "/s/viola/C4.mp3"])}
    assert read_labels(table(rows), items=3, own=segments)[0]["note"] == ["62", "62", "61"]
    one = [["path", "note"], ["violin/C4.mp3", 60]]
    names = {"path": np.array(["/s/viola/C4.mp3", "/s/violin/C4.mp3"])}
    assert read_labels(table(one), items=2, own=names)[1].tolist() == [1], "not by C4.mp3 alone"


def test_rows_go_by_the_key_that_is_named(table):
    own = {"note": np.array(["61", "60"])}
    columns, rows, _ = read_labels(table(ROWS), items=2, own=own, key="note")
    assert columns["room"] == ["hall", "hall"]
    assert rows.tolist() == [0, 1]
    with pytest.raises(DataError, match=r"What goes with the embeddings has no column 'room'"):
        read_labels(table(ROWS), items=2, own=own, key="room")
    with pytest.raises(DataError, match="no column 'nte'; did you mean 'note'"):
        read_labels(table(ROWS), items=2, own=own, key="nte")


def test_a_row_that_does_not_parse_is_not_passed_over(table):
    with pytest.raises(DataError, match=r"clips\.csv row 1 of .* 4 fields for 3 columns"):
        read_labels(table([["a", "b", "c"], [1, 2, 3, 4]]), items=1, own={})


def labelled(columns, **options):
    count = len(next(iter(columns.values())))
    return label_items(columns, np.arange(count), kinds={}, **options)


def test_split_recordings_and_names_are_taken_from_the_columns():
    columns = {
        "path": ["a", "b", "c", "d"],
        "split": ["train", "valid", "test", "train"],
        "source_id": ["r", "s", "t", "r"],
        "room": ["x", "y", "x", "y"],
    }
    found = labelled(columns)
    assert (found.split.tolist(), found.made) == (["train", "valid", "test", "train"], False)
    assert found.recordings.tolist() == ["r", "s", "t", "r"]
    assert found.ids.tolist() == ["a", "b", "c", "d"]
    assert set(found.factors) == {"room"}
    assert found.notes == ["Guessed: room categorical (2)."]


def test_a_group_is_never_in_two_splits_and_stays_a_factor():
    rng = np.random.default_rng(0)
    player = rng.integers(8, size=120)
    columns = {"player": player.tolist(), "note": rng.integers(60, 70, 120).tolist()}
    found = labelled(columns, group="player")
    assert found.made
    for name in np.unique(player):
        assert len(set(found.split[player == name])) == 1
    assert set(found.factors) == {"player", "note"}
    by_factor = labelled(columns, split="stratified:note", names=["note"])
    assert set(by_factor.factors) == {"note"}


def test_items_without_names_are_numbered_and_segments_are_told_apart():
    assert labelled({"room": ["x", "y"] * 10}).ids[:2].tolist() == ["0", "1"]
    found = labelled({"path": ["a"] * 3 + ["b"] * 3, "room": list("xxxyyy")})
    assert found.ids[0] == "a #0"
    assert len(set(found.recordings)) == 2


def test_columns_that_do_not_exist_are_named():
    for options in ({"group": "plyer"}, {"names": ["plyer"]}):
        with pytest.raises(DataError, match="no column 'plyer'; did you mean 'player'"):
            labelled({"player": ["x", "y"]}, **options)
