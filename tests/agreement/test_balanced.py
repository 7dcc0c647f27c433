"""Balanced orders, against counts of pairs clip by clip."""

import numpy as np
import pytest

from disentone.agreement import BalancedSampler, BoundRelation, Relation
from disentone.agreement.balanced import Balance
from disentone.clips import ClipTable
from disentone.errors import DataError
from disentone.factors import Factor

KEYS = ["C major", "c-moll", "D minor", "F# major", "unknown", "Bb major", "A minor"]


def factors(rng, clips=300):
    """Music of a few genres, many keys and any tempo, with tags; some of it unknown."""
    tags = (rng.random((clips, 6)) < 0.2).astype(float)
    tags[rng.random(clips) < 0.1] = np.nan
    genre = rng.choice(["folk", "jazz", "rock", ""], p=[0.7, 0.15, 0.1, 0.05], size=clips)
    tempo = np.where(rng.random(clips) < 0.1, np.nan, rng.uniform(50, 200, clips))
    return {
        "genre": Factor.categorical("genre", genre.tolist()),
        "key": Factor.categorical("key", rng.choice(KEYS, clips).tolist()),
        "tempo": Factor.continuous("tempo", tempo),
        "level": Factor.continuous("level", rng.integers(0, 40, clips), tolerance=1.0),
        "tags": Factor("tags", "multilabel", tags, tuple("abcdef")),
    }


RELATIONS = {
    "genre": Relation("genre"),
    "key": Relation("key", rule="key"),
    "tempo": Relation("tempo", rule="tempo"),
    "level": Relation("level"),
    "tags": Relation("tags"),
}


def table(known, recordings=None):
    clips = len(next(iter(known.values())).values)
    ids = np.array([f"{i}" for i in range(clips)], dtype=object)
    names = ids if recordings is None else np.asarray(recordings).astype(str).astype(object)
    return ClipTable(ids, known, np.full(clips, "train"), None, names)


def bound(known):
    clips = table(known)
    return [BoundRelation(relation, clips) for relation in RELATIONS.values()]


def of_classes(values):
    """Clips of one class agree; NaN is unknown."""
    return BoundRelation(Relation("c"), table({"c": Factor.continuous("c", values)}))


def classes(values, apart=None):
    return Balance([of_classes(values)], np.arange(len(values)) if apart is None else apart)


def test_every_clip_is_there_as_often_as_before(rng):
    balance = Balance(bound(factors(rng)), rng.integers(0, 100, 300))
    clips = np.repeat(np.arange(300), 2)
    order = balance.order(clips, np.random.default_rng(1))
    np.testing.assert_array_equal(np.sort(order), clips)
    np.testing.assert_array_equal(order, balance.order(clips, np.random.default_rng(1)))
    assert not np.array_equal(order, balance.order(clips, np.random.default_rng(2)))


@pytest.mark.parametrize("name", RELATIONS)
def test_clips_that_agree_are_sorted_together(rng, name):
    """Whoever agrees with somebody has a place, and neighbours agree where the value is equal."""
    known = factors(rng)
    relation = BoundRelation(RELATIONS[name], table(known))
    order, everybody = relation.order(), np.arange(300)
    agree = relation.agree(everybody[:, None], everybody[None]) & ~np.eye(300, dtype=bool)
    assert agree.any()
    assert not agree[np.isnan(order)].any()
    equal = (order[:, None] == order[None]) & ~np.eye(300, dtype=bool)
    assert agree[equal].all()


def test_every_batch_has_pairs_of_a_rare_agreement():
    """Of 24 classes a batch of 16 drawn at random has few pairs; a balanced one has eight."""
    labels = np.tile(np.arange(24), 10)
    order = classes(labels).order(np.arange(240), np.random.default_rng(0))
    for batch in np.split(order, 15):
        _, counts = np.unique(labels[batch], return_counts=True)
        assert (counts // 2).sum() >= 7  # a pair may lie across two batches


def test_relations_take_turns_and_the_rarest_is_served_first(rng):
    clips, batch = 480, 48
    common, rare = np.arange(clips) % 2, rng.permutation(np.arange(clips) % 80)
    relations = [of_classes(values) for values in (common, rare)]
    order = Balance(relations, np.arange(clips)).order(np.arange(clips), rng)
    for part in np.split(order, clips // batch):
        pairs = [np.unique(rare[part], return_counts=True)[1] // 2]
        assert np.sum(pairs) >= batch // 4 - 2  # half of the pairs, but for the edges


def test_classes_are_spread_evenly():
    labels = np.repeat([0, 1, 2], [300, 60, 30])
    order = classes(labels).order(np.arange(390), np.random.default_rng(3))
    for batch in np.split(order, 13):
        assert (labels[batch] == 1).sum() in range(2, 7)  # 60 / 13 pairs of clips
        assert (labels[batch] == 2).sum() in range(0, 5)


def test_pairs_are_of_two_recordings():
    labels, recordings = np.zeros(40), np.repeat(np.arange(20), 2)
    balance = classes(labels, recordings)
    relation, value = balance._relations[0]
    for seed in range(5):
        pairs = balance._pairs(np.arange(40), relation, value, np.random.default_rng(seed))
        assert len(pairs)
        assert len(np.unique(pairs)) == pairs.size
        assert (recordings[pairs[:, 0]] != recordings[pairs[:, 1]]).all()


@pytest.mark.parametrize("labels", [[np.nan] * 5, [1, 2, 3, 4, 5], [1], [1, 1, np.nan]])
def test_clips_without_partners_are_in_the_order_all_the_same(labels):
    order = classes(labels).order(np.arange(len(labels)), np.random.default_rng(0))
    assert sorted(order) == list(range(len(labels)))


def test_a_sampler_gives_clips_alone_in_that_order(rng):
    clips = table(factors(rng, clips=60), np.repeat(np.arange(30), 2))
    sampler = BalancedSampler(clips, RELATIONS, seed=3, draws=2)
    assert (len(sampler), sampler.clips, sampler.columns) == (120, 60, 1)
    assert not sampler.groups
    assert not sampler.left_out
    rows = sampler.epoch(4)
    balance = Balance([BoundRelation(r, clips) for r in RELATIONS.values()], clips.recordings)
    expected = balance.order(np.repeat(np.arange(60), 2), np.random.default_rng((3, 4)))
    np.testing.assert_array_equal(rows, expected[:, None])
    np.testing.assert_array_equal(rows, BalancedSampler(clips, RELATIONS, seed=3, draws=2).epoch(4))
    assert sampler.known(rows) == {}


def test_a_sampler_refuses_what_it_cannot_compare(rng):
    clips = table(factors(rng, clips=60))
    with pytest.raises(DataError, match="rule 'tempo' is for numbers"):
        BalancedSampler(clips, {"f": Relation("genre", rule="tempo")})
    with pytest.raises(DataError, match="'mood'"):
        BalancedSampler(clips, {"f": Relation("mood")})
    with pytest.raises(DataError, match="no clips"):
        BalancedSampler(table({"genre": Factor.categorical("genre", [])}), {})
