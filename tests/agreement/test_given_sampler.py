import numpy as np
import pytest

from disentone.agreement import TripletSampler
from disentone.agreement.given import GivenTriplets
from disentone.clips import ClipTable
from disentone.errors import DataError

IDS = ["a@0", "a@3", "b@0", "c@0", "c@3", "c@6", "d@0", "e@0", "f@0", "g@0"]
SPLIT = ["train"] * 7 + ["valid"] * 3


def table():
    return ClipTable(np.array(IDS, object), {}, np.array(SPLIT), None)


def given(*rows):
    names = np.array([row[:3] for row in rows], dtype=object)
    return GivenTriplets(names, tuple(tuple(row[3].split(";")) for row in rows), "'given.csv'")


TRIPLETS = given(
    ("e", "f", "g", "key"),
    ("a", "b", "c", "genre;key"),
    ("d", "c", "a", "key"),
    ("a", "b", "e", "genre"),  # of two splits
)


def sampler(split="train", triplets=TRIPLETS, dimensions=("genre", "key"), seed=0):
    return TripletSampler(table(), split, triplets, dimensions=dimensions, seed=seed)


def test_an_epoch_has_every_triplet_of_the_split_once_with_any_segments():
    train = sampler()
    assert (len(train), train.clips) == (2, 4)
    clips, seen = [name[0] for name in IDS], set()
    for number in range(60):
        views = train.epoch(number)
        named = {tuple(clips[row] for row in views[i, :3]): views[i, 3] for i in range(2)}
        assert named == {("a", "b", "c"): 1, ("d", "c", "a"): 2}
        seen |= {tuple(row[:3]) for row in views.tolist()}
    assert len(seen) == 2 * 1 * 3 + 1 * 3 * 2, "some segments are never drawn"
    np.testing.assert_array_equal(train.epoch(5), sampler().epoch(5))


def test_rows_know_in_which_dimensions_they_hold():
    train = sampler()
    views = train.epoch(0)
    known = train.known(views)
    for name, holds in (("genre", {1}), ("key", {1, 2})):
        labels = known[f"given {name}"]
        assert labels.shape == (2, 1)
        assert labels[:, 0].tolist() == [float(number in holds) for number in views[:, 3]]


def test_rows_count_within_the_split():
    views = sampler("valid").epoch(0)
    assert sorted(views[0, :3].tolist()) == [0, 1, 2]


def test_a_segment_may_be_named_itself():
    one = sampler(triplets=given(("a@3", "b@0", "c@6", "key")), dimensions=["key"])
    assert one.epoch(0)[0, :3].tolist() == [1, 2, 5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "test"}, "None of the 4 triplets of 'given.csv' is of three test clips"),
        ({"triplets": given(("a", "b", "h", "key")), "dimensions": ["key"]}, "names 'h'"),
        ({"dimensions": ["tempo"]}, "no triplets of dimension 'tempo'"),
    ],
)
def test_triplets_that_cannot_be_used(options, message):
    with pytest.raises(DataError, match=message):
        sampler(**options)
