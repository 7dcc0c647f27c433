import numpy as np
import pytest

from disentone.datasets.triplets import read_triplets
from disentone.errors import DataError

HEADER = ["anchor", "positive", "negative", "dimensions"]
ROWS = [HEADER, ["a", "b", "c", "genre;mood"], ["b", "a", "d", "key"]]


def test_triplets_know_their_clips_and_dimensions(table):
    given = read_triplets(table(ROWS))
    clips = ["d", "c", "b", "a", "other"]
    np.testing.assert_array_equal(given.places(clips), [[3, 2, 1], [2, 3, 0]])
    assert given.holds("genre").tolist() == [True, False]
    assert given.holds("key").tolist() == [False, True]


def test_one_dimension_a_row_is_a_column_of_that_name(table):
    given = read_triplets(table([[*HEADER[:3], "dimension"], ["a", "b", "c", "genre"]]))
    assert given.dimensions == (("genre",),)


def test_the_triplets_of_music(shared_data):
    given = read_triplets(shared_data / "music" / "triplets.csv")
    assert len(given) == 1000
    assert {name for names in given.dimensions for name in names} == {
        "genre", "era", "instrument", "tempo", "key", "mode", "mood",
    }  # fmt: skip


def test_unknown_clips_are_refused_by_name(table):
    given = read_triplets(table(ROWS))
    with pytest.raises(DataError, match=r"clips.csv' names 'b' and 1 more clips, which the data"):
        given.places(["a", "c"])


@pytest.mark.parametrize("row", [["a", "a", "b", "key"], ["a", "b", "b", "key"]])
def test_a_clip_that_is_named_twice_is_refused(table, row):
    with pytest.raises(DataError, match=r"Row 2 of .* names a clip twice"):
        read_triplets(table([HEADER, ROWS[1], row]))


def test_some_of_the_triplets_are_triplets_too(table):
    given = read_triplets(table(ROWS))
    some = given.take(np.array([False, True]))
    assert (some.names.tolist(), some.dimensions) == ([["b", "a", "d"]], (("key",),))
    assert some.named == ("key",)
    assert given.named == ("genre", "key", "mood")
    assert len({given.key, some.key, given.take(np.array([1, 0])).key}) == 3


def test_an_unknown_dimension_is_refused(table):
    with pytest.raises(DataError, match="no triplets of dimension 'gnere'; did you mean 'genre'"):
        read_triplets(table(ROWS)).holds("gnere")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([HEADER[1:], ["b", "c", "genre"]], "needs a column 'anchor'"),
        ([HEADER[:3], ["a", "b", "c"]], "needs a column 'dimension'"),
        ([*ROWS, ["a", "", "c", "genre"]], "Row 3 of .* lacks a clip or its dimension"),
        ([*ROWS, ["a", "b", "c", "genre", "more"]], "cannot be used: The row has 5 fields"),
        ([HEADER], "cannot be used: It has no rows"),
    ],
)
def test_tables_that_are_no_triplets(table, rows, message):
    with pytest.raises(DataError, match=message):
        read_triplets(table(rows))
