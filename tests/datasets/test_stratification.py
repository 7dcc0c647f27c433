"""Stratification by several factors at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from disentone.datasets.stratification import indicators, stratified_part
from disentone.errors import DataError
from disentone.factors import Factor


def one_each(count):
    return np.array([f"r{clip}" for clip in range(count)], dtype=object)


def sensors_and_sources(rng, sensors=4, each=40):
    sensor = np.repeat(np.arange(sensors), each)
    source = (rng.random((len(sensor), 6)) < [0.04, 0.1, 0.1, 0.2, 0.3, 0.5]).astype(float)
    return [
        Factor.categorical("sensor", sensor),
        Factor("source", "multilabel", source, tuple("abcdef")),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_every_value_has_its_share(rng, seed):
    factors = sensors_and_sources(rng)
    chosen = stratified_part(factors, one_each(160), share=0.375, seed=seed)
    assert chosen.sum() == 60
    for factor in factors:
        values = indicators(factor)
        np.testing.assert_allclose(values[chosen].sum(0), 0.375 * values.sum(0), atol=3)
    np.testing.assert_array_equal(
        chosen, stratified_part(factors, one_each(160), share=0.375, seed=seed)
    )


def test_it_is_nearer_than_chance(rng):
    factors = sensors_and_sources(rng)

    def worst(chosen):
        values = np.concatenate([indicators(factor) for factor in factors], axis=1)
        return np.abs(values[chosen].sum(0) - 0.375 * values.sum(0)).max()

    ours = [worst(stratified_part(factors, one_each(160), share=0.375, seed=s)) for s in range(9)]
    plain = [worst(stratified_part([], one_each(160), share=0.375, seed=s)) for s in range(9)]
    assert max(ours) < np.median(plain)


def test_recordings_stay_together(rng):
    recordings = np.array([f"r{number}" for number in rng.integers(0, 60, 160)], dtype=object)
    chosen = stratified_part(sensors_and_sources(rng), recordings, share=0.375)
    assert not set(recordings[chosen]) & set(recordings[~chosen])
    assert chosen.mean() == pytest.approx(0.375, abs=0.03)


@given(st.integers(2, 40), st.floats(0.05, 0.95), st.integers(0, 99))
def test_neither_part_is_empty(count, share, seed):
    rng = np.random.default_rng(seed)
    recordings = rng.integers(0, count, count).astype(str).astype(object)
    recordings[:2] = ["x", "y"]
    factor = Factor.categorical("tone", rng.integers(0, 3, count))
    chosen = stratified_part([factor], recordings, share=share, seed=seed)
    assert 0 < chosen.sum() < count


def test_a_sensor_with_one_clip_is_in_one_part_and_the_others_keep_their_shares():
    sensor = Factor.categorical("sensor", ["a"] * 20 + ["b"] * 20 + ["alone"])
    chosen = stratified_part([sensor], one_each(41), share=0.25)
    assert chosen.sum() == 10
    counts = [int(chosen[part].sum()) for part in (slice(0, 20), slice(20, 40))]
    assert all(4 <= count <= 6 for count in counts)


def test_one_recording_is_refused():
    with pytest.raises(DataError, match=r"3 clips of 1 recording\(s\)"):
        stratified_part([], np.array(["a"] * 3, dtype=object), share=0.5)


def test_unknown_is_a_value_and_numbers_are_tenths():
    tone = indicators(Factor.categorical("tone", ["a", "", "b", "a"]))
    np.testing.assert_array_equal(tone.sum(0), [1, 2, 1])
    tags = Factor("tags", "multilabel", np.array([[1, 0], [np.nan, 1], [0, 0]]), ("x", "y"))
    np.testing.assert_array_equal(indicators(tags), [[1, 0, 0], [0, 0, 1], [0, 0, 0]])
    tempo = indicators(Factor.continuous("tempo", np.arange(100.0)))
    np.testing.assert_array_equal(tempo.sum(0), [10] * 10)
    few = indicators(Factor.continuous("year", [1990, 2000, 2000], kind="ordinal"))
    np.testing.assert_array_equal(few.sum(0), [1, 2])
