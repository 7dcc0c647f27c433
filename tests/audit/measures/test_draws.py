"""Measures of what was fitted, for held-out clips drawn anew."""

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.metrics import roc_auc_score

from disentone.audit import measures as m
from disentone.audit.measures.modularity import _weighted_area
from disentone.audit.redrawing import redrawn
from factor_grids import named, on_grid


def noisy(amount=0.7):
    values = on_grid((3, 2), repeats=60)
    rng = np.random.default_rng(0)
    return values + amount * rng.normal(size=values.shape), named(values)


def test_the_weighted_area_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    scores, true = rng.integers(5, size=80) * 1.0, rng.random(80) < 0.4
    weights = redrawn(80, replicates=4, seed=0)
    expected = [roc_auc_score(true, scores, sample_weight=row) for row in weights]
    np.testing.assert_allclose(_weighted_area(scores, true, weights), expected)
    alone = _weighted_area(scores, true, np.array([true * 1.0]))
    assert np.isnan(alone).all()  # there is nothing to separate


def test_draws_change_no_value_and_spread_about_it():
    codes, factors = noisy()
    plain, drawn = (
        m.explicitness(codes=codes, factors=factors, replicates=count) for count in (0, 50)
    )
    assert (drawn.value, dict(drawn.each)) == (plain.value, dict(plain.each))
    assert set(drawn.draws) == {"", "a", "b"}
    assert drawn.draws[""].mean() == pytest.approx(plain.value, abs=0.02)
    assert 0.005 < drawn.draws[""].std() < 0.1
    plain, drawn = (
        m.dci(codes=codes, factors=factors, predictor="linear", replicates=r) for r in (0, 50)
    )
    for name in ("disentanglement", "completeness", "informativeness"):
        one, other = getattr(plain, name), getattr(drawn, name)
        assert other == one
        assert other.draws[""].shape == (50,)
        assert other.draws[""].mean() == pytest.approx(one.value, abs=0.1)
    spread = drawn.informativeness.draws["a"].std()
    n = drawn.informativeness.n
    rate = (1 - plain.informativeness.each["a"]) * 2 / 3  # of errors, as chance is 1/3
    assert spread == pytest.approx((rate * (1 - rate) / n) ** 0.5 * 3 / 2, rel=0.35)


def test_clips_of_a_recording_are_drawn_together():
    codes, factors = noisy()
    twice = np.repeat(np.arange(len(codes)), 2)
    test = np.arange(len(codes)) % 3 == 0
    given = {"predictor": "linear", "replicates": 200}
    once = m.dci(codes=codes, factors=factors, test=test, **given)
    copied = m.dci(
        codes=codes[twice],
        factors={name: values[twice] for name, values in factors.items()},
        test=test[twice],
        groups=twice,
        **given,
    )
    spreads = [found.informativeness.draws["a"].std() for found in (once, copied)]
    assert spreads[1] == pytest.approx(spreads[0], rel=0.2)


def test_factors_at_once_are_the_same():
    codes, factors = noisy()
    with parallel_config(backend="threading"):  # processes take seconds to start
        alone, pair = (
            m.dci(codes=codes, factors=factors, predictor="linear", jobs=jobs) for jobs in (1, 2)
        )
    np.testing.assert_array_equal(alone.importance, pair.importance)


def test_batches_of_pairs_are_drawn_anew():
    codes, factors = noisy(0.9)
    one, two, factor = m.agreeing_pairs(factors=factors, clips=len(codes), pairs=800)
    given = {"first": codes[one], "second": codes[two], "factor": factor}
    found = m.z_min_variance(**given, replicates=400)
    rate = (1 + found.each["a"]) / 2  # back to accuracy: two factors
    expected = 2 * (rate * (1 - rate) / (found.n / 2)) ** 0.5
    assert found.draws["a"].std() == pytest.approx(expected, rel=0.15, abs=1e-9)
    assert found.value == m.z_min_variance(**given).value
