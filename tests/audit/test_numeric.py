"""Continuous factors predicted as numbers: R2 against scikit-learn, and against what must be."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score as sklearn_r2

from disentone.audit import audit, numeric
from disentone.audit.numeric import STRENGTHS, r2_score, regress, ridge
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
    assert card.value("probe", "envelope", "attack", "r2") == pytest.approx(1, abs=1e-6)
    for factor in ("attack", "rate"):
        noise = card.record("probe", "rest", factor, "r2")
        assert noise["low"] <= 0 <= noise["high"]
        assert -0.05 < noise["value"] < 0.05
        assert noise["chance"] == 0


def test_what_lies_along_a_curve_is_predicted_as_well(card):
    record = card.record("probe", "envelope", "rate", "r2")
    assert record["value"] > 0.95
    embedding, factors, split = made_up()
    known = factors["rate"].known
    train, test = known & (split == "train"), known & (split == "test")
    rate = factors["rate"].values[:, None]
    straight, _ = ridge(embedding[train, :4], rate[train], embedding[test, :4])
    assert sklearn_r2(rate[test], straight) < 0.75
    assert record["predictor"] == "ridge on random cosines"
    assert card.record("probe", "envelope", "attack", "r2")["predictor"] == "ridge"


def test_records_are_of_known_clips_and_of_continuous_factors_alone(card):
    _, factors, split = made_up()
    numbers = [r for r in card.records if r["metric"] == "r2"]
    assert {r["factor"] for r in numbers} == {"attack", "rate"}
    assert {r["facet"] for r in numbers} == {"envelope", "rest", "all"}
    assert len(numbers) == 3 * 2
    known = factors["rate"].known
    for record in numbers:
        of = known if record["factor"] == "rate" else np.ones(COUNT, dtype=bool)
        assert record["n"] == (of & (split == "test")).sum()
        assert record["train"] == (of & (split == "train")).sum()
        assert record["low"] <= record["value"] <= record["high"] <= 1


def test_the_verdict_speaks_of_numbers_and_the_main_metric_stays(card):
    assert "predicts attack (R2 1.00), rate (R2 " in card.verdict()
    assert "shape at " in card.verdict()
    assert card.record("probe", "envelope", "attack")["metric"] == "accuracy"


def test_other_factors_keep_their_numbers():
    embedding, factors, split = made_up()
    alone = carded(embedding, {"shape": factors["shape"]}, split, owns={})
    both = carded(embedding, factors, split, owns={})
    of_shape = [record for record in both.records if record["factor"] == "shape"]
    assert of_shape == [record for record in alone.records if record["factor"] == "shape"]


def test_factors_that_share_their_work_have_the_numbers_they_have_alone(card):
    embedding, factors, split = made_up()
    for name in ("attack", "rate"):
        alone = carded(embedding, {name: factors[name]}, split)
        one, other = (c.record("probe", "all", name, "r2") for c in (alone, card))
        assert one == {k: v if k == "predictor" else pytest.approx(v) for k, v in other.items()}


def test_a_limit_of_training_clips_holds(monkeypatch):
    embedding, factors, split = made_up()
    given = embedding, {"attack": factors["attack"]}, split
    assert carded(*given, train_limit=20).record("probe", "all", "attack", "r2")["train"] == 20
    monkeypatch.setattr(numeric, "MOST", 50)
    assert carded(*given).record("probe", "all", "attack", "r2")["train"] == 50


@pytest.mark.parametrize("worse", [0.1, 1.0, 30.0])
def test_r2_is_that_of_scikit_learn_however_far_below_0(worse):
    rng = np.random.default_rng(1)
    values = rng.normal(3, 2, 80)
    predicted = values + worse * rng.normal(size=80)
    found = r2_score(predicted, values)
    assert found.value == pytest.approx(sklearn_r2(values, predicted))
    assert found.low < found.value < found.high <= 1
    assert found.n == 80
    if worse == 30.0:
        assert found.value < -50


def test_the_interval_covers_what_other_clips_give():
    rng, inside = np.random.default_rng(2), 0
    for _ in range(200):
        values = rng.normal(size=100)
        found = r2_score((values + rng.normal(size=100)) / 2, values)
        inside += found.low <= 0.5 <= found.high
    assert 180 <= inside <= 200


def test_clips_of_a_recording_are_drawn_together():
    rng = np.random.default_rng(3)
    values = np.repeat(rng.normal(size=30), 10)
    predicted = values + np.repeat(rng.normal(size=30), 10)
    alone, grouped = r2_score(predicted, values), r2_score(predicted, values, np.arange(300) // 10)
    assert grouped.value == alone.value
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_values_that_are_all_the_same_have_no_r2():
    found = r2_score(np.zeros(5), np.ones(5))
    assert np.isnan([found.value, found.low, found.high]).all()


@pytest.mark.parametrize(("clips", "dims"), [(200, 10), (40, 60)])
def test_ridge_is_that_of_scikit_learn(clips, dims):
    rng = np.random.default_rng(4)
    inputs = rng.normal(2, 3, (clips, dims))
    noise = [0.1, 30.0]
    values = inputs @ rng.normal(size=(dims, 2)) + noise * rng.normal(size=(clips, 2))
    train, test = np.arange(0, clips, 2), np.arange(1, clips, 2)
    strengths = [strength * len(train) for strength in STRENGTHS]
    theirs = RidgeCV(strengths, alpha_per_target=True, store_cv_results=True)
    theirs.fit(inputs[train], values[train])
    predicted, error = ridge(inputs[train], values[train], inputs[test])
    np.testing.assert_allclose(predicted, theirs.predict(inputs[test]), rtol=1e-6)
    left_out = theirs.cv_results_.sum(axis=0).min(axis=1)
    np.testing.assert_allclose(error, left_out, rtol=1e-5)


def test_a_constant_dimension_and_a_constant_embedding_say_nothing():
    rng = np.random.default_rng(5)
    values = rng.normal(size=(50, 1))
    embedding = np.c_[np.full(50, 1e6), values]
    found = regress(embedding[:40], values[:40], embedding[40:])
    np.testing.assert_allclose(found.predicted, values[40:], atol=1e-3)
    found = regress(np.ones((40, 3)), values[:40], np.ones((10, 3)))
    np.testing.assert_allclose(found.predicted, values[:40].mean())


def test_infinite_values_are_refused_in_a_sentence():
    embedding, factors, split = made_up()
    values = np.where(np.arange(COUNT) == 5, np.inf, factors["attack"].values)
    with pytest.raises(DataError, match="infinite values"):
        carded(embedding, {"attack": Factor.continuous("attack", values)}, split)
