"""Pair test, mask, partners and balanced pairs say the same of every kind of factor and rule."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from disentone.agreement import BoundRelation, Relation, ViewSampler
from disentone.agreement.balanced import Balance
from disentone.agreement.masks import RelationMasks
from disentone.agreement.rules import KEYS
from disentone.clips import ClipTable
from disentone.errors import DataError
from disentone.factors import Factor

GENRES, SPELLINGS = ("folk", "jazz", "rock", ""), ("C major", "c-moll", "A minor", "Db dur", "?")


@st.composite
def tables(draw):
    """Some clips, of which everything is known, or not."""
    clips = draw(st.integers(3, 14))

    def column(values):
        return draw(st.lists(values, min_size=clips, max_size=clips))

    def numbers(values):
        return np.array(column(st.one_of(st.just(np.nan), values)), dtype=float)

    factors = [
        Factor.categorical("genre", column(st.sampled_from(GENRES))),
        Factor.categorical("key", column(st.sampled_from(SPELLINGS))),
        Factor.continuous("tempo", numbers(st.sampled_from([0.0, 60.0, 62.0, 120.0, 125.0, 91.0]))),
        Factor.continuous("level", numbers(st.integers(0, 12).map(lambda x: x / 4)), tolerance=0.5),
        Factor("octave", "ordinal", numbers(st.integers(0, 3).map(float))),
        Factor("tags", "multilabel", numbers_of_tags(column), ("a", "b", "c")),
    ]
    recordings = np.array(column(st.sampled_from("xyz")), dtype=object)
    ids = np.array([f"{i}" for i in range(clips)], dtype=object)
    known = {factor.name: factor for factor in factors}
    return ClipTable(ids, known, np.full(clips, "train"), None, recordings)


def numbers_of_tags(column):
    some = st.tuples(*[st.sampled_from([0.0, 1.0])] * 3)
    return np.array(column(st.one_of(some, st.just((np.nan, 0.0, 1.0)))), dtype=float)


RELATIONS = [
    Relation("genre"),
    Relation("key", rule="key"),
    Relation("key", rule="key", also="relative"),
    Relation("key", rule="key", also="none"),
    Relation("tempo", rule="tempo"),
    Relation("tempo", rule="tempo", within=1.0),
    Relation("level"),
    Relation("level", within=1.0),
    Relation("octave"),
    Relation("octave", within=1.0),
    Relation("tags"),
    Relation(("genre", "level")),
    Relation(("tempo", "tags"), rule="tempo"),
    Relation("genre", differ="key"),
    Relation("level", differ=("tags", "genre")),
    Relation("genre", differ="octave"),
]


def naive_key(one, other, also):
    """By names: the same, one tonic, or the same notes (C major and A minor)."""
    (tonic, mode), (tonic2, mode2) = (divmod(KEYS.index(name), 2) for name in (one, other))
    if also == "none":
        return one == other
    if also == "parallel":
        return tonic == tonic2
    return (tonic + 3 * mode) % 12 == (tonic2 + 3 * mode2) % 12


def naive(table, name, i, j, relation, rule="same", within=None):
    """Whether two clips agree in one factor: True, False, or None where it is unknown."""
    factor = table.factor(name)
    one, other = factor.values[i], factor.values[j]
    if factor.kind == "multilabel":
        if np.isnan([one, other]).any():
            return None
        return bool((np.array(one) * np.array(other)).any())
    if factor.kind == "categorical":
        if -1 in (one, other):
            return None
        if rule == "same":
            return bool(one == other)
        from disentone.agreement.rules import normalise_key

        names = [normalise_key(factor.classes[code]) for code in (one, other)]
        return None if "" in names else naive_key(*names, relation.also)
    if np.isnan([one, other]).any() or (rule == "tempo" and min(one, other) <= 0):
        return None
    if rule == "tempo":
        slow, fast = sorted((one, other))
        reach = 5.0 if within is None else within
        return any(abs(slow * 2**k - fast) <= reach for k in range(10))
    reach = factor.tolerance if within is None else within
    return bool(abs(one - other) <= (reach or 0.0))


def naive_pair(table, relation, i, j):
    """Whether two clips agree in all of `same`, and are views of each other; None is unknown."""
    agree = []
    for place, name in enumerate(relation.sames):
        rule = relation.rule if place == 0 else "same"
        numbers = table.factor(name).kind in ("ordinal", "continuous")
        within = relation.within if numbers else None
        agree.append(naive(table, name, i, j, relation, rule, within))
    differ = [naive(table, name, i, j, relation) is False for name in relation.differs]
    same = None if None in agree else all(agree)
    return same, same is True and all(differ)


@pytest.mark.parametrize("relation", RELATIONS, ids=str)
@settings(max_examples=30, deadline=None)
@given(table=tables())
def test_they_agree_with_a_loop_and_so_with_each_other(relation, table):
    clips = np.arange(len(table))
    loop = [[naive_pair(table, relation, i, j) for j in clips] for i in clips]
    views = np.array([[i != j and loop[i][j][1] for j in clips] for i in clips])
    negatives = np.array([[i != j and loop[i][j][0] is False for j in clips] for i in clips])

    bound = BoundRelation(relation, table)
    one, other = clips[:, None], clips[None]
    pairs = bound.agree(one, other) & bound.differ(one, other) & (one != other)
    np.testing.assert_array_equal(pairs, views)
    apart = ~bound.agree(one, other) & bound.comparable(one, other) & (one != other)
    np.testing.assert_array_equal(apart, negatives)

    labels = {
        name: torch.as_tensor(table.factor(name).values, dtype=torch.float32)
        for name in relation.factors
    }
    masked = RelationMasks(relation, table.factors)(labels)
    np.testing.assert_array_equal(masked[0].numpy(), views)
    np.testing.assert_array_equal(masked[1].numpy(), negatives)

    pairs = Balance([bound], clips)._pairs(clips, bound, bound.order(), np.random.default_rng(0))
    assert all(views[i, j] for i, j in pairs)

    try:
        sampler = ViewSampler(table, {"f": relation}, leave_out=True)
    except DataError:  # one class only, or nobody has a partner
        return
    assert set(sampler.anchors) == set(np.flatnonzero(views.any(axis=1)))
    drawn = {tuple(row) for number in range(20) for row in sampler.epoch(number)}
    assert drawn <= {(i, j) for i in clips for j in clips if views[i, j]}


@pytest.mark.parametrize("relation", RELATIONS, ids=str)
def test_every_view_is_drawn_at_some_time(relation, rng):
    """Of a fixed table, epochs together draw exactly the pairs that the loop allows."""
    clips = 9
    values = {
        "genre": Factor.categorical("genre", [*list("aabbbbcc"), ""]),
        "key": Factor.categorical("key", [SPELLINGS[i % 5] for i in range(clips)]),
        "tempo": Factor.continuous("tempo", [60, 120, 62, 121, 90, 180, 93, 45, np.nan]),
        "level": Factor.continuous("level", np.arange(clips) / 4, tolerance=0.5),
        "octave": Factor("octave", "ordinal", np.array([0, 0, 1, 1, 2, 2, 3, 3, 0.0])),
        "tags": Factor("tags", "multilabel", rng.integers(0, 2, (clips, 3)), ("a", "b", "c")),
    }
    ids = np.array([f"{i}" for i in range(clips)], dtype=object)
    table = ClipTable(ids, values, np.full(clips, "train"), None)
    allowed = {
        (i, j)
        for i in range(clips)
        for j in range(clips)
        if i != j and naive_pair(table, relation, i, j)[1]
    }
    sampler = ViewSampler(table, {"f": relation}, leave_out=True)
    drawn = {tuple(row) for number in range(300) for row in sampler.epoch(number).tolist()}
    assert drawn == allowed
