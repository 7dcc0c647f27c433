import numpy as np
import pytest

from disentone.datasets.config import CollectionConfig
from disentone.datasets.dimsim import is_dimsim, read_any_triplets, read_dimsim
from disentone.datasets.named import load_dataset
from disentone.errors import DataError

HEADER = ["anchor_id", "anchor_start_seconds", "song1_id", "song1_start_seconds", "song2_id",
          "song2_start_seconds", "song1_vote", "song2_vote"]  # fmt: skip
ROWS = [
    ["TRA", "0.5", "TRB", "10", "TRC", "2", "10", "0"],
    ["TRB", "1", "TRA", "0", "TRC", "2", "1", "9"],
    ["TRC", "2", "TRA", "0", "TRB", "1", "7", "3"],
    ["TRC", "2", "TRB", "0", "TRA", "1", "5", "5"],
]


@pytest.fixture
def csv(table):
    return lambda rows=ROWS, header=HEADER: table([header, *rows], "clean-dim-sim.csv")


def test_the_song_with_more_votes_is_the_positive_and_the_clean_split_is_agreed_on(csv):
    given = read_dimsim(csv())
    assert given.names.tolist() == [["TRA", "TRB", "TRC"], ["TRB", "TRC", "TRA"]]
    assert given.dimensions == ((), ())
    assert "agreement of 0.9" in given.source
    assert len(read_dimsim(csv(), agreement=0.7)) == 3
    assert len(read_dimsim(csv(), agreement=0.0)) == 3, "a draw is no triplet"


def test_its_own_agreement_counts_as_a_share_or_a_percentage(csv):
    for full in ("1.0", "100"):
        rows = [[*ROWS[0], "50" if full == "100" else "0.5"], [*ROWS[1], full]]
        given = read_dimsim(csv(rows, [*HEADER, "agreement"]))
        assert given.names.tolist() == [["TRB", "TRC", "TRA"]]


def test_one_column_of_votes_is_the_share_of_song_1(csv):
    rows = [[*ROWS[0][:6], "1"], [*ROWS[1][:6], "0"], [*ROWS[2][:6], "0.6"]]
    given = read_dimsim(csv(rows, HEADER[:7]))
    assert given.names.tolist() == [["TRA", "TRB", "TRC"], ["TRB", "TRC", "TRA"]]
    assert "agreement of 0.9 or more" in given.source
    alone = read_dimsim(csv(rows[:2], HEADER[:7]))
    assert "without how many people agreed" in alone.source, "0 and 1 say who won and no more"


def test_excerpts_are_named_by_song_and_start(csv):
    given = read_dimsim(csv(), excerpts=True)
    assert given.names[0].tolist() == ["TRA@0.5", "TRB@10", "TRC@2"]


def test_a_file_is_read_as_what_it_is(csv, table):
    assert is_dimsim(csv())
    assert len(read_any_triplets(csv())) == 2
    other = table([["anchor", "positive", "negative", "dimension"], ["a", "b", "c", "key"]])
    assert not is_dimsim(other)
    assert read_any_triplets(other).dimensions == (("key",),)


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (ROWS, [*HEADER[:6], "vote", "song2_vote"], "no column 'song1_vote'"),
        ([[*ROWS[0][:6], "many", "0"]], HEADER, "'song1_vote'.*not all numbers"),
        ([[*ROWS[0][:6], "-1", "0"]], HEADER, "no share or number of votes"),
        ([[*ROWS[0][:6], "inf", "0"]], HEADER, "no share or number of votes"),
        ([[*ROWS[0], "120"]], [*HEADER, "agreement"], "no share and no percentage"),
        (ROWS[2:], HEADER, "no triplet with an agreement of 0.9"),
    ],
)
def test_what_is_no_dimsim_is_refused(csv, rows, header, message):
    with pytest.raises(DataError, match=message):
        read_dimsim(csv(rows, header))


def test_songs_and_excerpts_become_collections(csv, tone, tmp_path):
    csv()
    for song in ("TRA", "TRB"):
        tone(f"audio/{song[2]}/{song}.wav", seconds=12)
    songs = load_dataset("dim-sim", tmp_path)
    assert songs.table.ids.tolist() == ["audio/A/TRA.wav", "audio/B/TRB.wav"]
    assert set(songs.table.split) == {"test"}
    assert any("1 of the 3 songs of Dim-sim are not there, such as TRC" in n for n in songs.notes)
    excerpts = load_dataset("dim-sim-excerpts", tmp_path, CollectionConfig())
    assert "audio/B/TRB.wav@10" in excerpts.table.ids
    np.testing.assert_array_equal(excerpts.table.sounds.seconds, 3)


def test_a_folder_without_it_is_refused(tmp_path, tone):
    tone("audio/TRA.wav")
    with pytest.raises(DataError, match="does not look like Dim-sim"):
        load_dataset("dim-sim", tmp_path)
