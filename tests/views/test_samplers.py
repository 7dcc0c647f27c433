import numpy as np
import pytest

from disentone.clips import ClipTable
from disentone.datasets.syntone import SynTone, syntone
from disentone.errors import DataError
from disentone.factors import Factor
from disentone.views import Relation, ViewSampler


def table(**factors):
    count = len(next(iter(factors.values())))
    made = {name: Factor.categorical(name, labels) for name, labels in factors.items()}
    return ClipTable([f"clip{i}" for i in range(count)], made, ["train"] * count, sounds=None)


@pytest.fixture
def tones():
    whole = syntone(SynTone(frequencies=60))
    return whole.take(whole.where("train"))


TIMBRE = {"shared": Relation("timbre", "frequency")}


@pytest.mark.parametrize("views", [2, 3, 5])
def test_views_agree_and_differ_as_asked(tones, views):
    sampler = ViewSampler(tones, TIMBRE, views=views)
    drawn = sampler.epoch(0)
    timbre = tones.factor("timbre").values[drawn]
    frequency = tones.factor("frequency").values[drawn]
    assert (timbre == timbre[:, :1]).all()
    for row in frequency:
        assert len(set(row)) == views
    assert sampler.groups == {"shared": tuple(range(views))}


def test_an_epoch_has_every_clip_once_as_anchor(tones):
    drawn = ViewSampler(tones, TIMBRE).epoch(3)
    np.testing.assert_array_equal(np.sort(drawn[:, 0]), np.arange(len(tones)))


def test_epochs_are_seeded_and_different(tones):
    one, two = ViewSampler(tones, TIMBRE, seed=1), ViewSampler(tones, TIMBRE, seed=1)
    two.epoch(0)  # drawing another epoch before changes nothing
    np.testing.assert_array_equal(one.epoch(5), two.epoch(5))
    assert not np.array_equal(one.epoch(5), one.epoch(6))
    assert not np.array_equal(one.epoch(5), ViewSampler(tones, TIMBRE, seed=2).epoch(5))


def test_partners_are_uniform_over_the_admissible():
    """Against the naive list of partners: every admissible one, and no other, equally often."""
    clips = table(timbre=list("aaaaabbb"), pitch=list("11234124"))
    sampler = ViewSampler(clips, {"s": Relation("timbre", "pitch")})
    counts = np.zeros((8, 8))
    for epoch in range(3000):
        anchor, partner = sampler.epoch(epoch).T
        np.add.at(counts, (anchor, partner), 1)
    timbre, pitch = clips.factor("timbre").values, clips.factor("pitch").values
    admissible = (timbre[:, None] == timbre) & (pitch[:, None] != pitch)
    assert (counts[~admissible] == 0).all()
    expected = 3000 / admissible.sum(axis=1, keepdims=True)
    deviation = np.abs(counts - expected)[admissible] / np.sqrt(
        np.broadcast_to(expected, (8, 8))[admissible]
    )
    assert deviation.max() < 4.5  # standard deviations of a Poisson count


def test_several_facets_have_their_own_partners():
    clips = table(timbre=list("aabbaabb"), pitch=list("12121212"))
    relations = {"timbre": Relation("timbre"), "pitch": Relation("pitch")}
    sampler = ViewSampler(clips, relations, views=2)
    drawn = sampler.epoch(0)
    timbre, pitch = clips.factor("timbre").values[drawn], clips.factor("pitch").values[drawn]
    assert sampler.groups == {"timbre": (0, 1), "pitch": (0, 2)}
    assert (timbre[:, 0] == timbre[:, 1]).all()
    assert (pitch[:, 0] == pitch[:, 2]).all()
    assert (drawn[:, :1] != drawn[:, 1:]).all()


def test_unknown_values_take_no_part():
    clips = table(timbre=["a", "a", "", "b", "b"], pitch=list("12345"))
    sampler = ViewSampler(clips, {"s": Relation("timbre")}, leave_out=True)
    assert sampler.left_out == {"s": 1}
    assert 2 not in sampler.epoch(0)


def test_views_by_recording():
    clips = ClipTable(
        ["a1", "a2", "b1", "b2"], {}, ["train"] * 4, sounds=None, recordings=["a", "a", "b", "b"]
    )
    drawn = ViewSampler(clips, {"s": Relation("recording")}).epoch(0)
    assert {tuple(sorted(row)) for row in drawn} == {(0, 1), (2, 3)}


@pytest.mark.parametrize(
    ("relation", "message"),
    [
        (Relation("timber"), "did you mean 'timbre'"),
        (Relation("one"), "at least two classes"),
        (Relation("timbre", "one"), "one class only"),
        (Relation("timbre", "pich"), "did you mean 'pitch'"),
        (Relation("pitch"), "lack a partner.*clip2"),
        (Relation("timbre", "timbre"), "lack a partner"),
    ],
)
def test_impossible_relations_are_refused_with_a_reason(relation, message):
    clips = table(timbre=list("aabb"), pitch=list("1123"), one=list("xxxx"))
    with pytest.raises(DataError, match=message):
        ViewSampler(clips, {"s": relation})


def test_too_many_views_are_refused():
    clips = table(timbre=list("aabb"))
    with pytest.raises(DataError, match="2 needed"):
        ViewSampler(clips, {"s": Relation("timbre")}, views=3)


def test_leaving_out_says_how_many():
    clips = table(timbre=list("aabbc"))
    sampler = ViewSampler(clips, {"s": Relation("timbre")}, leave_out=True)
    assert sampler.left_out == {"s": 1}
    assert len(sampler) == 4
