import json
import sqlite3

import pytest

from disentone.datasets.msd import TAGS, group_tags
from disentone.datasets.named import load_dataset
from disentone.errors import DataError

TRACKS = {
    "TRA": {"Rock": 100, "80s": 30, "seen live": 90},
    "TRB": {"rock": 10, "jazz": 80, "Female Vocalist": 60, "sad": 0},
    "TRC": {"seen live": 100},
    "TRX": {"pop": 100},
}


@pytest.fixture
def audio(tone):
    for track in ("TRA", "TRB", "TRC"):
        tone(f"audio/{track[2]}/{track}.wav")


def database(folder, tracks=TRACKS):
    """Last.fm's three tables, joined by row number."""
    tags = sorted({tag for found in tracks.values() for tag in found})
    connection = sqlite3.connect(folder / "lastfm_tags.db")
    connection.execute("CREATE TABLE tids (tid TEXT)")
    connection.execute("CREATE TABLE tags (tag TEXT)")
    connection.execute("CREATE TABLE tid_tag (tid INT, tag INT, val FLOAT)")
    connection.executemany("INSERT INTO tids VALUES (?)", [(track,) for track in tracks])
    connection.executemany("INSERT INTO tags VALUES (?)", [(tag,) for tag in tags])
    for row, found in enumerate(tracks.values(), start=1):
        for tag, value in found.items():
            values = (row, tags.index(tag) + 1, value)
            connection.execute("INSERT INTO tid_tag VALUES (?, ?, ?)", values)
    connection.commit()
    connection.close()


def trees(folder):
    for number, (track, tags) in enumerate(TRACKS.items()):
        file = folder / ("lastfm_train", "lastfm_test")[number % 2] / track[2] / f"{track}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        about = {"track_id": track, "tags": [[t, str(v)] for t, v in tags.items()], "similars": []}
        file.write_text(json.dumps(about))


@pytest.mark.parametrize("made", [database, trees])
def test_tags_become_four_factors_unknown_where_a_track_has_none(made, tmp_path, audio):
    made(tmp_path)
    collection = load_dataset("msd-lastfm", tmp_path)
    table = collection.table
    assert table.ids.tolist() == ["audio/A/TRA.wav", "audio/B/TRB.wav"]
    assert table.factor("genre").labels() == ["rock", "jazz;rock"]
    assert table.factor("era").labels() == ["80s", ""]
    assert table.factor("instrument").labels() == ["", "female vocalists"]
    assert "mood" not in table.factors, "a tag of weight 0 is none"
    assert table.factor("genre").kind == "multilabel"
    assert any("1 audio files have no tag" in note for note in collection.notes)


def test_lists_of_tracks_are_the_split(tmp_path, audio):
    database(tmp_path)
    for name, track in {"train": "TRB", "valid": "TRC", "test": "TRA"}.items():
        (tmp_path / f"{name}.txt").write_text(f"{track}\n")
    table = load_dataset("msd-lastfm", tmp_path).table
    assert dict(zip(table.ids, table.split)) == {
        "audio/A/TRA.wav": "test",
        "audio/B/TRB.wav": "train",
    }


def test_songs_of_dimsim_are_left_out_for_evaluation(tmp_path, audio):
    database(tmp_path)
    (tmp_path / "clean-dim-sim.csv").write_text("anchor_id,song1_id,song2_id\nTRA,TRX,TRY\n")
    collection = load_dataset("msd-lastfm", tmp_path)
    assert collection.table.ids.tolist() == ["audio/B/TRB.wav"]
    assert "1 songs of Dim-sim are left out, for evaluation." in collection.notes


def test_the_fifty_tags_are_each_in_one_dimension():
    every = [tag for tags in TAGS.values() for tag in tags]
    assert len(every) == len(set(every)) == 49, "female vocalist is female vocalists"
    assert all(group_tags([tag]) for tag in every)
    assert group_tags(["FEMALE VOCALIST ", "r&b", "awesome"]) == {
        "genre": ("rnb",),
        "instrument": ("female vocalists",),
    }
    assert group_tags([]) == {}


def test_damaged_tags_are_refused_by_name(tmp_path, audio):
    (tmp_path / "lastfm_tags.db").write_bytes(b"no database" * 100)
    with pytest.raises(DataError, match=r"is not Last.fm's database"):
        load_dataset("msd-lastfm", tmp_path)
    (tmp_path / "lastfm_tags.db").unlink()
    trees(tmp_path)
    (tmp_path / "lastfm_train" / "A" / "TRA.json").write_text("[]")
    with pytest.raises(DataError, match=r"TRA.json' is not a track"):
        load_dataset("msd-lastfm", tmp_path)


def test_a_folder_without_tags_or_audio_is_refused(tmp_path):
    with pytest.raises(DataError, match="does not look like MSD"):
        load_dataset("msd-lastfm", tmp_path)
    database(tmp_path)
    with pytest.raises(DataError, match="does not look like MSD"):
        load_dataset("msd-lastfm", tmp_path)
