"""Continuous factors predicted as numbers: R2 against scikit-learn, and against what must be."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score as sklearn_r2

from disentone.audit import audit
from disentone.audit.regression import STRENGTHS, expected_values, r2_score, ridge
from disentone.audit.targets import make_target
from disentone.clips import random_split
from disentone.errors import DataError
from disentone.facets import Facets
from disentone.factors import Factor

FACETS = Facets({"envelope": 4, "rest": 4})
COUNT = 900


def made_up(seed=0):
    """Attack lies along a line in one facet; rate, often unknown, along a circle; rest is noise."""
    rng = np.random.default_rng(seed)
    attack, rate = rng.uniform(-3, 0, COUNT), rng.uniform(0, 1, COUNT)
    line = attack[:, None] * [1.0, -2.0]
    circle = np.c_[np.cos(6 * rate), np.sin(6 * rate)]
    embedding = np.c_[line, circle, rng.normal(size=(COUNT, 4))]
    known = np.where(rng.random(COUNT) < 0.6, rate, np.nan)
    factors = {
        "attack": Factor.continuous("attack", attack, unit="log10 s"),
        "rate": Factor.continuous("rate", known, unit="Hz"),
        "shape": Factor.categorical("shape", ["saw" if x > 0.5 else "sine" for x in rate]),
    }
    return embedding, factors, random_split(COUNT, seed=0, valid=0.1, test=0.3)


def carded(embedding, factors, split, **options):
    settings = {"seeds": 2, "permutations": 20, "jobs": 1, "measures": ["none"]}
    return audit(embedding, facets=FACETS, factors=factors, split=split, **settings | options)


@pytest.fixture(scope="module")
def card():
    return carded(*made_up(), owns={"envelope": ["attack", "rate", "shape"], "rest": []})


def test_a_line_is_exact_and_noise_is_as_good_as_the_mean(card):
    assert card.value("probe", "envelope", "attack", "r2_linear") == pytest.approx(1, abs=1e-6)
    assert card.value("probe", "envelope", "attack", "r2") > 0.97
    for metric in ("r2", "r2_linear"):
        for factor in ("attack", "rate"):
            noise = card.record("probe", "rest", factor, metric)
            assert noise["low"] <= 0 <= noise["high"]
            assert -0.2 < noise["value"] < 0.05
            assert noise["chance"] == 0


def test_what_lies_along_a_curve_is_predicted_by_the_probe_alone(card):
    assert card.value("probe", "envelope", "rate", "r2") > 0.9
    assert card.value("probe", "envelope", "rate", "r2_linear") < 0.8


def test_records_are_of_known_clips_and_of_continuous_factors_alone(card):
    _, factors, split = made_up()
    numbers = [r for r in card.records if r["metric"] in ("r2", "r2_linear")]
    assert {r["factor"] for r in numbers} == {"attack", "rate"}
    assert {r["facet"] for r in numbers} == {"envelope", "rest", "all"}
    assert len(numbers) == 2 * 3 * 2
    known = factors["rate"].known
    for record in numbers:
        of = known if record["factor"] == "rate" else np.ones(COUNT, dtype=bool)
        assert record["n"] == (of & (split == "test")).sum()
        assert record["train"] == (of & (split == "train")).sum()
        assert record["low"] <= record["value"] <= record["high"] <= 1
    assert {r["predictor"] for r in numbers if r["metric"] == "r2_linear"} == {"ridge"}


def test_the_verdict_speaks_of_numbers_and_the_main_metric_stays(card):
    assert "predicts attack (R2 " in card.verdict()
    assert "shape at " in card.verdict()
    assert card.record("probe", "envelope", "attack")["metric"] == "accuracy"


def test_other_factors_keep_their_numbers():
    embedding, factors, split = made_up()
    alone = carded(embedding, {"shape": factors["shape"]}, split, owns={})
    both = carded(embedding, factors, split, owns={})
    of_shape = [record for record in both.records if record["factor"] == "shape"]
    assert of_shape == [record for record in alone.records if record["factor"] == "shape"]


def test_a_limit_of_training_clips_holds_for_the_line(card):
    embedding, factors, split = made_up()
    factors = {"attack": factors["attack"]}
    limited = carded(embedding, factors, split, train_limit=20)
    record = limited.record("probe", "all", "attack", "r2_linear")
    assert record["train"] == 20


@pytest.mark.parametrize("worse", [0.1, 1.0, 30.0])
def test_r2_is_that_of_scikit_learn_however_far_below_0(worse):
    rng = np.random.default_rng(1)
    values = rng.normal(3, 2, 80)
    predicted = values + worse * rng.normal(size=(3, 80))
    found = r2_score(predicted, values)
    assert found.value == pytest.approx(np.mean([sklearn_r2(values, one) for one in predicted]))
    assert found.low < found.value < found.high <= 1
    assert found.n == 80
    if worse == 30.0:
        assert found.value < -50


def test_the_interval_covers_what_other_clips_give():
    rng, inside = np.random.default_rng(2), 0
    for _ in range(200):
        values = rng.normal(size=100)
        found = r2_score((values + rng.normal(size=100))[None] / 2, values)
        inside += found.low <= 0.5 <= found.high
    assert 180 <= inside <= 200


def test_clips_of_a_recording_are_drawn_together():
    rng = np.random.default_rng(3)
    values = np.repeat(rng.normal(size=30), 10)
    predicted = (values + np.repeat(rng.normal(size=30), 10))[None]
    alone, grouped = r2_score(predicted, values), r2_score(predicted, values, np.arange(300) // 10)
    assert grouped.value == pytest.approx(alone.value)
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_values_that_are_all_the_same_have_no_r2():
    found = r2_score(np.zeros((1, 5)), np.ones(5))
    assert np.isnan([found.value, found.low, found.high]).all()


@pytest.mark.parametrize(("clips", "dims"), [(200, 10), (40, 60)])
def test_ridge_is_that_of_scikit_learn(clips, dims):
    rng = np.random.default_rng(4)
    embedding = rng.normal(2, 3, (clips, dims))
    noise = [0.1, 30.0]
    values = embedding @ rng.normal(size=(dims, 2)) + noise * rng.normal(size=(clips, 2))
    rows = np.arange(0, clips, 2)
    known = embedding[rows]
    scaled = (embedding - known.mean(axis=0)) / known.std(axis=0)
    strengths = [strength * len(rows) for strength in STRENGTHS]
    theirs = RidgeCV(strengths, alpha_per_target=True).fit(scaled[rows], values[rows])
    assert dims == 60 or theirs.alpha_[0] < theirs.alpha_[1]  # type: ignore[index]  # one a column
    np.testing.assert_allclose(ridge(embedding, values, rows), theirs.predict(scaled), rtol=1e-6)


def test_a_constant_dimension_and_a_constant_embedding_say_nothing():
    rng = np.random.default_rng(5)
    values = rng.normal(size=(50, 1))
    rows = np.arange(40)
    found = ridge(np.c_[np.full(50, 1e6), values], values, rows)
    np.testing.assert_allclose(found, values, atol=1e-3)
    np.testing.assert_allclose(ridge(np.ones((50, 3)), values, rows), values[:40].mean())


def test_a_class_stands_for_the_mean_of_its_training_clips():
    values = np.array([0.0, 0.1, 0.9, 1.0, 0.5])
    train = np.array([True, True, True, True, False])
    target = make_target(Factor.continuous("x", values), train=train, classes=2)
    outputs = [(np.array([[0.25, 0.75]]), np.array([0, 1])), (np.array([[1.0]]), np.array([1]))]
    found = expected_values(outputs, target=target, train=train)
    np.testing.assert_allclose(found, [[0.25 * 0.05 + 0.75 * 0.95], [0.95]])


def test_infinite_values_are_refused_in_a_sentence():
    embedding, factors, split = made_up()
    values = np.where(np.arange(COUNT) == 5, np.inf, factors["attack"].values)
    with pytest.raises(DataError, match="infinite values"):
        carded(embedding, {"attack": Factor.continuous("attack", values)}, split)
