"""Splits of a collection: given, at random, by groups, stratified."""

import warnings

import numpy as np
import pytest

from disentone.clips import SPLITS
from disentone.datasets.splits import make_splits
from disentone.errors import DataError
from disentone.factors import Factor


def shares(split, values):
    """Share of each value in each split: (splits, values)."""
    names = np.unique(values)
    return np.array([[np.mean(values[split == s] == name) for name in names] for s in SPLITS])


def instruments(rng, count=1000):
    return rng.choice(["piano", "cello", "flute", ""], count, p=[0.6, 0.25, 0.1, 0.05])


def one_each(count):
    return np.array([f"r{clip}" for clip in range(count)], dtype=object)


@pytest.mark.parametrize("seed", range(3))
def test_stratified_shares_are_those_of_the_whole(rng, seed):
    values = instruments(rng)
    factors = {"instrument": Factor.categorical("instrument", values)}
    split, notes = make_splits(
        None, one_each(len(values)), factors, how="stratified:instrument", seed=seed
    )
    assert [int((split == name).sum()) for name in SPLITS] == [800, 100, 100]
    whole = [np.mean(values == name) for name in np.unique(values)]  # "" counts as a value here
    np.testing.assert_allclose(shares(split, values) - whole, 0, atol=0.011)
    assert notes == [
        f"Splits were made with equal shares of 'instrument' (seed {seed}), no recording in two "
        "of them; valid and test are a tenth each."
    ]
    again, _ = make_splits(
        None, one_each(len(values)), factors, how="stratified:instrument", seed=seed
    )
    other, _ = make_splits(
        None, one_each(len(values)), factors, how="stratified:instrument", seed=seed + 1
    )
    assert (split == again).all()
    assert (split != other).any()


@pytest.mark.parametrize("seed", range(3))
def test_stratified_keeps_recordings_together(rng, seed):
    recordings = np.array([f"r{number}" for number in rng.integers(0, 150, 1000)], dtype=object)
    by_recording = dict(zip(np.unique(recordings), instruments(rng, 150)))
    values = np.array([by_recording[name] for name in recordings])
    factors = {"instrument": Factor.categorical("instrument", values)}
    split, _ = make_splits(None, recordings, factors, how="stratified:instrument", seed=seed)
    for name in np.unique(recordings):
        assert len(set(split[recordings == name])) == 1
    whole = [np.mean(values == name) for name in np.unique(values)]
    ours = np.abs(shares(split, values) - whole).max()
    assert ours < 0.05
    unstratified = [
        make_splits(None, recordings, factors, how="random", seed=s)[0] for s in range(9)
    ]
    assert ours < np.median([np.abs(shares(one, values) - whole).max() for one in unstratified])


def test_few_of_a_value_still_reach_all_splits():
    values = np.array(["a", "b", "c", "d"] * 4)
    factors = {"tone": Factor.categorical("tone", values)}
    split, notes = make_splits(None, one_each(16), factors, how="stratified:tone")
    assert [int((split == name).sum()) for name in SPLITS] == [8, 4, 4]
    assert (shares(split, values) == 0.25).all()
    assert "a part in 4 each" in notes[0]
    assert len(notes) == 1


def test_what_is_too_rare_is_told():
    values = np.array(["a"] * 50 + ["b", "b", "", "c"])
    factors = {"tone": Factor.categorical("tone", values)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        split, notes = make_splits(None, one_each(54), factors, how="stratified:tone")
    assert set(split) == set(SPLITS)
    assert notes[1] == (
        "Of 4 values of 'tone', 3 are too rare to be in every split: (unknown), b, c."
    )
    rare = {"id": Factor.categorical("id", one_each(30))}
    split, notes = make_splits(None, one_each(30), rare, how="stratified:id")
    assert set(split) == set(SPLITS)
    assert notes[0].startswith("No value of 'id' is in three recordings, so that splits were made")


def test_three_recordings_are_one_each():
    recordings = np.array(["x", "y", "z"] * 5, dtype=object)
    factors = {"tone": Factor.categorical("tone", ["a"] * 15)}
    split, _ = make_splits(None, recordings, factors, how="stratified:tone")
    assert set(split) == set(SPLITS)
    assert all(len(set(split[recordings == name])) == 1 for name in "xyz")


def test_numbers_are_stratified_by_tenths(rng):
    tempo = rng.lognormal(4.6, 0.3, 2000)
    tempo[:100] = np.nan
    factors = {"tempo": Factor.continuous("tempo", tempo)}
    split, _ = make_splits(None, one_each(2000), factors, how="stratified:tempo")
    levels = np.linspace(0.05, 0.95, 10)
    whole = np.nanquantile(tempo, levels)
    for name in SPLITS:
        np.testing.assert_allclose(np.nanquantile(tempo[split == name], levels), whole, rtol=0.05)
        assert np.isnan(tempo[split == name]).mean() == pytest.approx(0.05, abs=0.005)


def test_sets_of_labels_are_stratified(rng):
    values = (rng.random((500, 2)) < [0.5, 0.2]).astype(float)
    values[:50, 1] = np.nan
    factors = {"tags": Factor("tags", "multilabel", values, ("dog", "rain"))}
    split, _ = make_splits(None, one_each(500), factors, how="stratified:tags")
    for name in SPLITS:
        np.testing.assert_allclose(
            np.nanmean(values[split == name], axis=0), np.nanmean(values, axis=0), atol=0.03
        )


def test_a_large_collection_of_many_values(rng):
    values = rng.choice([f"i{number}" for number in range(1000)], 300_000)
    factors = {"instrument": Factor.categorical("instrument", values)}
    split, _ = make_splits(None, one_each(300_000), factors, how="stratified:instrument")
    assert (split == "test").sum() == pytest.approx(30_000, rel=0.02)


def test_what_the_user_asks_for_wins_over_what_is_given():
    given = ["train"] * 18 + ["test"] * 2
    factors = {"tone": Factor.categorical("tone", ["a", "b"] * 10)}
    ours, notes = make_splits(given, one_each(20), factors)
    assert (ours[18:] == "test").all()
    assert notes == ["The table has no valid split: a tenth of train's recordings became one."]
    for how in ("random", "stratified:tone"):
        plain, plain_notes = make_splits(None, one_each(20), factors, how=how)
        split, notes = make_splits(given, one_each(20), factors, how=how)
        assert (split == plain).all()
        assert notes == ["The splits that come with the clips were not used.", *plain_notes]
    split, _ = make_splits(["training"] * 20, one_each(20), factors, how="tone")
    assert {frozenset(split[tone::2]) for tone in (0, 1)} != {frozenset(["train"])}
    odd, _ = make_splits(["holdout"] * 20, one_each(20), factors, how="random")
    assert set(odd) == set(SPLITS)  # an unknown name matters only where it is used


@pytest.mark.parametrize("seed", range(3))
def test_so_many_values_in_each_split(rng, seed):
    values = rng.choice([f"s{number}" for number in range(16)], 800, p=rng.dirichlet([5] * 16))
    factors = {"sensor": Factor.categorical("sensor", [*values, "", ""])}
    split, notes = make_splits(
        ["train"] * 802, one_each(802), factors, how="sensor:10/2/4", seed=seed
    )
    of_split = [set(values[split[:800] == name]) for name in SPLITS]
    assert [len(names) for names in of_split] == [10, 2, 4]
    assert len(set.union(*of_split)) == 16
    shares = [np.mean(split == name) for name in SPLITS]
    np.testing.assert_allclose(shares, [10 / 16, 2 / 16, 4 / 16], atol=0.04)
    assert notes[0] == "The splits that come with the clips were not used."
    assert f"10/2/4 values of 'sensor' (seed {seed}), none in two of them; test has s" in notes[1]
    assert notes[2] == "2 clips without a known 'sensor' were put into train."
    assert (split[800:] == "train").all()


def test_without_given_splits_they_are_random():
    split, notes = make_splits(None, one_each(20), {})
    same, same_notes = make_splits(None, one_each(20), {}, how="random")
    assert (split == same).all()
    assert notes == same_notes


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("stratified:tne", "Splits cannot be made by 'tne'; did you mean 'tone'"),
        ("stratified:", "Splits cannot be made by ''; there are: tone"),
        ("stratified", "Splits cannot be made by 'stratified'"),
        ("tne:1/1/1", "Splits cannot be made by 'tne'; did"),
        ("tone:1/1/1", "asks for 3 values, but these clips have 2 of 'tone'"),
        ("tone:1/0/1", "none of them 0, that add up to 2"),
        ("tone:1/1", "Splits cannot be made by 'tone:1/1'; did you mean 'tone'"),
        ("tne", "Splits cannot be made by 'tne'; did you mean 'tone'"),
    ],
)
def test_splits_by_what_is_not_there(how, words):
    factors = {"tone": Factor.categorical("tone", ["a", "b"])}
    with pytest.raises(DataError, match=words):
        make_splits(None, one_each(2), factors, how=how)
