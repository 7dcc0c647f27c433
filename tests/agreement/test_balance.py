"""Balanced orders, against counts of pairs clip by clip."""

import numpy as np
import pytest

from disentone.agreement import Alike, Balance, Relation, ViewSampler
from disentone.clips import ClipTable
from disentone.factors import Factor
from disentone.objectives import Triplet

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


TERM = Triplet(
    dimensions={
        "genre": "genre",
        "key": {"factor": "key", "rule": "key"},
        "tempo": {"factor": "tempo", "rule": "tempo"},
        "level": "level",
        "tags": "tags",
    }
)


def classes(values, apart=None):
    """Clips of one class agree."""
    values = np.asarray(values, dtype=float)
    alike = Alike(values, lambda i, j: values[i] == values[j])
    return Balance([alike], np.arange(len(values)) if apart is None else apart)


def test_every_clip_is_there_as_often_as_before(rng):
    alike = TERM.alike(factors(rng)).values()
    balance = Balance(list(alike), rng.integers(0, 100, 300))
    clips = np.repeat(np.arange(300), 2)
    order = balance.order(clips, np.random.default_rng(1))
    np.testing.assert_array_equal(np.sort(order), clips)
    np.testing.assert_array_equal(order, balance.order(clips, np.random.default_rng(1)))
    assert not np.array_equal(order, balance.order(clips, np.random.default_rng(2)))


@pytest.mark.parametrize("name", TERM.dimensions)
def test_clips_agree_as_the_objective_has_it(rng, name):
    """The test of pairs is the positives of the term, and agreeing clips are sorted together."""
    import torch

    found = factors(rng)
    alike = TERM.alike(found)[name]
    rules = TERM.build(None, found)
    place = list(TERM.dimensions).index(name)
    values = torch.as_tensor(found[name].values, dtype=torch.float32)
    positives = rules[place](values)[0].numpy()
    first, second = np.divmod(np.arange(300 * 300), 300)
    apart = first != second
    told = alike.test(first[apart], second[apart])
    np.testing.assert_array_equal(told, positives[first[apart], second[apart]])
    assert told.any()
    assert np.isnan(alike.value).any() or found[name].known.all()
    assert not positives[np.isnan(alike.value)].any()


def test_every_batch_has_pairs_of_a_rare_agreement():
    """Of 24 classes a batch of 16 drawn at random has few pairs; a balanced one has eight."""
    labels = np.tile(np.arange(24), 10)
    order = classes(labels).order(np.arange(240), np.random.default_rng(0))
    for batch in np.split(order, 15):
        _, counts = np.unique(labels[batch], return_counts=True)
        assert (counts // 2).sum() >= 7  # a pair may lie across two batches


def test_dimensions_take_turns_and_the_rarest_is_served_first(rng):
    clips, batch = 480, 48
    common, rare = np.arange(clips) % 2, rng.permutation(np.arange(clips) % 80)
    dimensions = [
        Alike(values.astype(float), lambda i, j, v=values: v[i] == v[j])
        for values in (common, rare)
    ]
    order = Balance(dimensions, np.arange(clips)).order(np.arange(clips), rng)
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
    dimension = balance._dimensions[0]
    for seed in range(5):
        pairs = balance._pairs(np.arange(40), dimension, np.random.default_rng(seed))
        assert len(pairs)
        assert len(np.unique(pairs)) == pairs.size
        assert (recordings[pairs[:, 0]] != recordings[pairs[:, 1]]).all()


@pytest.mark.parametrize("labels", [[np.nan] * 5, [1, 2, 3, 4, 5], [1], [1, 1, np.nan]])
def test_clips_without_partners_are_in_the_order_all_the_same(labels):
    order = classes(labels).order(np.arange(len(labels)), np.random.default_rng(0))
    assert sorted(order) == list(range(len(labels)))


def test_a_sampler_takes_anchors_in_a_balanced_order(rng):
    known = factors(rng, clips=60)
    ids = np.array([f"{i}" for i in range(60)], dtype=object)
    table = ClipTable(ids, known, np.full(60, "train"), None)
    relation = {"shared": Relation("level")}
    plain = ViewSampler(table, relation, leave_out=True)
    balance = Balance(list(TERM.alike(known).values()), table.recordings)
    balanced = ViewSampler(table, relation, leave_out=True, balance=balance)
    one, two = plain.epoch(0), balanced.epoch(0)
    assert one.shape == two.shape
    np.testing.assert_array_equal(np.sort(one[:, 0]), np.sort(two[:, 0]))
    np.testing.assert_array_equal(two, balanced.epoch(0))
