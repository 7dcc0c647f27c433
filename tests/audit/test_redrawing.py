"""Clips of one recording are one observation, however many there are."""

import numpy as np
import pytest

from disentone.audit import Scores, dimension_information, dsc_delta
from disentone.audit.redrawing import redrawn, units_of


def test_every_sample_has_as_many_recordings_and_draws_them_whole():
    groups = np.array(["b", "a", "b", "c", "c", "c"])
    weights = redrawn(6, groups=groups, replicates=200, seed=1)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, 3] == weights[:, 5]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()
    assert weights.mean() == pytest.approx(1, abs=0.1)
    assert (redrawn(6, replicates=9, seed=0).sum(axis=1) == 6).all()
    assert units_of(groups, 6).tolist() == [1, 0, 1, 2, 2, 2]


@pytest.mark.parametrize("copies", [2, 5])
def test_copies_of_clips_do_not_narrow_an_interval(copies):
    rng = np.random.default_rng(0)
    once = rng.random(4000) < 0.3
    many = np.repeat(once, copies)
    unit = np.repeat(np.arange(4000), copies)
    half = [
        (e.high - e.low) / 2
        for e in (
            Scores("accuracy", once[None] * 1.0, once * 0.0).estimate(),
            Scores("accuracy", many[None] * 1.0, many * 0.0, groups=unit).estimate(),
            Scores("accuracy", many[None] * 1.0, many * 0.0).estimate(),
        )
    ]
    assert half[1] == pytest.approx(half[0], rel=0.01)
    assert half[2] == pytest.approx(half[0] / copies**0.5, rel=0.01)


def test_the_same_of_differences_and_of_information():
    rng = np.random.default_rng(1)
    own, other = rng.random((2, 1, 300))
    unit = np.repeat(np.arange(300), 4)
    once = dsc_delta(own=own, other=other)
    copied = dsc_delta(own=own[:, unit], other=other[:, unit], groups=unit)
    assert copied.high - copied.low == pytest.approx(once.high - once.low, rel=0.03)
    codes, labels = rng.integers(4, size=(300, 1)), rng.integers(3, size=300)
    codes[:, 0] = np.where(rng.random(300) < 0.6, labels, codes[:, 0])
    one = dimension_information(codes=codes, labels=labels)
    four = dimension_information(codes=codes[unit], labels=labels[unit], groups=unit)
    assert four.value == pytest.approx(one.value)
    assert (four.high - four.low)[0] == pytest.approx((one.high - one.low)[0], rel=0.02)


def test_the_null_of_many_clips_is_that_of_permutations(monkeypatch):
    rng = np.random.default_rng(2)
    codes, labels = rng.integers(6, size=(900, 2)), rng.integers(4, size=900)
    by_clips = dimension_information(codes=codes, labels=labels, permutations=600)
    monkeypatch.setattr("disentone.audit.information.MANY", 100)
    by_tables = dimension_information(codes=codes, labels=labels, permutations=600)
    np.testing.assert_array_equal(by_tables.value, by_clips.value)
    np.testing.assert_allclose(by_tables.null_mean, by_clips.null_mean, rtol=0.08)
    np.testing.assert_allclose(by_tables.null_high, by_clips.null_high, rtol=0.12)
