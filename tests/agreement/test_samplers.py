import dataclasses

import numpy as np
import pytest

from disentone.agreement import Relation, ViewSampler
from disentone.clips import ClipTable
from disentone.datasets.syntone import SynTone, syntone
from disentone.errors import DataError
from disentone.factors import Factor


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


COUNT = 40


def rich_table(seed=0):
    """Clips with a factor of every kind, some of it unknown, cut from 15 recordings."""
    rng = np.random.default_rng(seed)
    room = rng.choice(["hall", "booth", "street", ""], COUNT)
    tempo = np.where(rng.random(COUNT) < 0.15, np.nan, rng.integers(60, 90, COUNT))
    tags = (rng.random((COUNT, 4)) < 0.3).astype(float)
    tags[rng.random(COUNT) < 0.1] = np.nan
    factors = {
        "room": Factor.categorical("room", list(room)),
        "tempo": Factor.continuous("tempo", tempo, tolerance=3),
        "pitch": Factor.continuous("pitch", rng.integers(48, 56, COUNT), kind="ordinal"),
        "tags": Factor("tags", "multilabel", tags, ("a", "b", "c", "d")),
    }
    recordings = rng.integers(0, 15, COUNT).astype(str)
    ids = [f"clip{i}" for i in range(COUNT)]
    return ClipTable(ids, factors, ["train"] * COUNT, sounds=None, recordings=recordings)


def agree(clips, name, i, j, within=None):
    """Whether two clips agree in a factor, as the documentation says it; None if unknown."""
    if name == "recording":
        return bool(clips.recordings[i] == clips.recordings[j])
    factor = clips.factor(name)
    if not (factor.known[i] and factor.known[j]):
        return None
    a, b = factor.values[i], factor.values[j]
    if factor.kind == "multilabel":
        return any(x == y == 1 for x, y in zip(a, b))
    if factor.kind == "categorical":
        return bool(a == b)
    return bool(abs(a - b) <= ((factor.tolerance or 0) if within is None else within))


RELATIONS = [
    Relation("room"),
    Relation("recording"),
    Relation("tempo"),
    Relation("tempo", within=0),
    Relation("pitch", "tempo"),
    Relation("pitch", ["tempo", "room"]),
    Relation("tags"),
    Relation("tags", "room"),
    Relation("room", "tags"),
    Relation(["room", "tempo"], "pitch"),
    Relation(["room", "pitch"], within=2),
    Relation(["tempo", "pitch"], within=4),
    Relation(["room", "tags", "tempo"]),
    Relation(["recording"], "room"),
]


@pytest.mark.parametrize("relation", RELATIONS, ids=str)
def test_every_relation_draws_what_a_loop_over_all_pairs_allows(relation):
    clips = rich_table()
    allowed = np.zeros((COUNT, COUNT), dtype=bool)
    for i in range(COUNT):
        for j in range(COUNT):
            same = [agree(clips, name, i, j, relation.within) is True for name in relation.sames]
            other = [agree(clips, name, i, j) is False for name in relation.differs]
            allowed[i, j] = i != j and all(same) and all(other)
    sampler = ViewSampler(clips, {"s": relation}, leave_out=True)
    assert sampler.left_out.get("s", 0) == int((~allowed.any(axis=1)).sum())
    seen = np.zeros_like(allowed)
    for epoch in range(400):
        anchor, partner = sampler.epoch(epoch).T
        seen[anchor, partner] = True
    np.testing.assert_array_equal(seen, allowed)  # 400 draws miss one of 10 or so by 1e-16


def test_three_views_differ_from_each_other_even_where_draws_rarely_do():
    clips = table(timbre=["a"] * 60 + ["b"] * 3, pitch=["1"] * 58 + ["2", "3", "1", "2", "3"])
    sampler = ViewSampler(clips, {"s": Relation("timbre", "pitch")}, views=3)
    for epoch in range(5):
        for row in clips.factor("pitch").values[sampler.epoch(epoch)]:
            assert len(set(row)) == 3


def test_copies_are_partners_of_their_facet_only():
    ids = ["x", "y", "x+1", "x+2", "y+1"]
    clips = ClipTable(
        ids,
        {},
        ["train"] * 5,
        sounds=None,
        origins=["x", "y", "x", "x", "y"],
        copy_for=["", "", "f", "f", "f"],
        recordings=["x", "y", "x", "x", "y"],
    )
    sampler = ViewSampler(clips, {"f": Relation("clip")})
    drawn = np.concatenate([sampler.epoch(epoch) for epoch in range(50)])
    assert {tuple(row) for row in drawn} == {(0, 2), (0, 3), (1, 4)}


@pytest.mark.parametrize(
    ("relation", "message"),
    [
        (Relation("room", within=2), "'within' is for ordinal and continuous"),
        (Relation(["room", "temp"]), "did you mean 'tempo'"),
        (Relation("clip"), "lack a partner"),
    ],
)
def test_mistakes_in_rich_relations(relation, message):
    with pytest.raises(DataError, match=message):
        ViewSampler(rich_table(), {"s": relation})


def test_each_clip_is_drawn_as_often_as_asked(tones):
    once, thrice = ViewSampler(tones, TIMBRE), ViewSampler(tones, TIMBRE, draws=3)
    assert len(thrice) == 3 * len(once)
    drawn = thrice.epoch(0)
    np.testing.assert_array_equal(np.sort(drawn[:, 0]), np.repeat(np.arange(len(tones)), 3))
    assert len(np.unique(drawn, axis=0)) > 2.5 * len(once)  # other partners each time
    timbre = tones.factor("timbre").values[drawn]
    assert (timbre[:, 0] == timbre[:, 1]).all()


def test_views_may_come_from_different_recordings():
    clips = dataclasses.replace(table(sensor=list("aaaabb")), recordings=list("xxyyzw"))
    sampler = ViewSampler(clips, {"s": Relation("sensor", "recording")}, draws=50)
    anchor, partner = sampler.epoch(0).T
    assert {(i, j) for i, j in zip(anchor, partner)} == {
        (0, 2), (0, 3), (1, 2), (1, 3), (2, 0), (2, 1), (3, 0), (3, 1), (4, 5), (5, 4),
    }  # fmt: skip
    one = dataclasses.replace(clips, recordings=["x"] * 6)
    with pytest.raises(DataError, match="all clips are of the same one"):
        ViewSampler(one, {"s": Relation("sensor", "recording")})


def test_recordings_of_one_clip_each_are_to_be_cut():
    clips = table(timbre=list("aabb"))
    assert len(set(clips.origins)) == 4
    with pytest.raises(DataError, match=r"segments, --set data.segment=1"):
        ViewSampler(clips, {"s": Relation("recording")}, leave_out=True)


RULES = [
    Relation("bpm", rule="tempo"),
    Relation("bpm", "room", rule="tempo"),
    Relation("bpm", within=1, rule="tempo"),
    Relation(["bpm", "room"], rule="tempo"),
    Relation("key", rule="key"),
    Relation("key", "key", rule="key"),
    Relation(["key", "bpm"], within=20, rule="key"),
    Relation(["key", "recording"], rule="key"),
]


def musical_table(seed=0):
    """Clips with a tempo over four octaves and a key in several spellings, some unknown."""
    rng = np.random.default_rng(seed)
    bpm = rng.choice([31, 40, 61, 62.5, 80, 119, 120, 126, 158, 250, np.nan], COUNT)
    key = rng.choice(["C major", "c-moll", "Db:maj", "C# min", "A minor", ""], COUNT)
    factors = {
        "room": Factor.categorical("room", list(rng.choice(["hall", "booth"], COUNT))),
        "bpm": Factor.continuous("bpm", bpm),
        "key": Factor.categorical("key", list(key)),
    }
    ids = [f"clip{i}" for i in range(COUNT)]
    recordings = rng.integers(0, 5, COUNT).astype(str)
    return ClipTable(ids, factors, ["train"] * COUNT, sounds=None, recordings=recordings)


def agree_musically(clips, relation, name, i, j):
    """Whether two clips agree by the rules of music, written out; None if unknown."""
    if name == "recording" or relation.sames[0] != name:
        return agree(clips, name, i, j, relation.within)
    factor = clips.factor(name)
    if not (factor.known[i] and factor.known[j]):
        return None
    if relation.rule == "tempo":
        slow, fast = sorted(factor.values[[i, j]])
        reach = 5 if relation.within is None else relation.within
        return any(abs(slow * 2**k - fast) <= reach for k in range(8))
    tonics = {"C major": 0, "c-moll": 0, "Db:maj": 1, "C# min": 1, "A minor": 9}
    return tonics[factor.labels()[i]] == tonics[factor.labels()[j]]


@pytest.mark.parametrize("relation", RULES, ids=str)
def test_rules_of_music_draw_what_a_loop_over_all_pairs_allows(relation):
    clips = musical_table()
    allowed = np.zeros((COUNT, COUNT), dtype=bool)
    for i in range(COUNT):
        for j in range(COUNT):
            same = [agree_musically(clips, relation, n, i, j) is True for n in relation.sames]
            other = [agree(clips, name, i, j) is False for name in relation.differs]
            allowed[i, j] = i != j and all(same) and all(other)
    assert allowed.any()
    sampler = ViewSampler(clips, {"s": relation}, leave_out=True)
    assert sampler.left_out.get("s", 0) == int((~allowed.any(axis=1)).sum())
    counts = np.zeros(allowed.shape)
    for epoch in range(400):
        anchor, partner = sampler.epoch(epoch).T
        counts[anchor, partner] += 1
    np.testing.assert_array_equal(counts > 0, allowed)
    expected = np.broadcast_to(400 / np.maximum(allowed.sum(axis=1), 1)[:, None], allowed.shape)
    deviation = np.abs(counts - expected)[allowed] / np.sqrt(expected[allowed])
    assert deviation.max() < 5  # no partner more often than another, in Poisson deviations


@pytest.mark.parametrize(
    ("relation", "message"),
    [
        (Relation("room", rule="tempo"), "rule 'tempo' is for numbers.*'room' is categorical"),
        (Relation("bpm", rule="key"), "rule 'key' is for names of keys.*'bpm' is continuous"),
        (Relation("room", rule="key"), "'room' is not of keys: 'booth' is not a major"),
        (Relation(["recording", "key"], rule="key"), "needs its factor first"),
    ],
)
def test_rules_that_do_not_suit_their_factor_are_refused(relation, message):
    with pytest.raises(DataError, match=message):
        ViewSampler(musical_table(), {"s": relation})
