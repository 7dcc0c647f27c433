import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from disentone.audit.measures import sap
from disentone.errors import DataError
from factor_grids import named, on_grid


@pytest.mark.parametrize("code", ["perfect", "dead", "noisy"])
def test_perfect_codes_score_one(code, known):
    found = sap(codes=getattr(known, code), factors=known.factors)
    assert found.value == pytest.approx(1, abs=0.12 if code == "noisy" else 1e-12)
    numbers = {name: column.astype(float) for name, column in known.factors.items()}
    assert sap(codes=getattr(known, code), factors=numbers).value > 0.97


def test_codes_without_a_gap(known):
    assert sap(codes=known.duplicated, factors=known.factors).value == 0
    assert sap(codes=known.noise, factors=known.factors).value < 0.1
    assert sap(codes=np.zeros((600, 2)), factors=known.factors).value == 0
    a, b = on_grid((2, 2), repeats=500).T
    mixed = np.c_[a + b, a - b].astype(float)
    assert sap(codes=mixed, factors={"a": a, "b": b}).value < 0.15


def test_the_paper_does_not_take_chance_away(known):
    found = sap(codes=known.dead, factors=known.factors, variant="paper")
    assert dict(found.each) == pytest.approx({"a": 3 / 4, "b": 4 / 5, "c": 2 / 3}, abs=1e-9)


def test_r_squared_is_that_of_scikit_learn(rng):
    factor = rng.normal(size=400)
    codes = np.c_[factor + rng.normal(size=400), np.zeros(400)]
    test = np.arange(400) % 3 == 0
    line = LinearRegression().fit(codes[~test, :1], factor[~test])
    predicted = line.predict(codes[test, :1])
    found = sap(codes=codes, factors={"a": factor}, test=test)
    assert found.value == pytest.approx(r2_score(factor[test], predicted), abs=0.02)


def test_linear_gaussian(rng):
    factor = rng.normal(size=20_000)
    codes = np.c_[0.6 * factor + 0.8 * rng.normal(size=20_000), rng.normal(size=20_000)]
    assert sap(codes=codes, factors={"a": factor}).value == pytest.approx(0.36, abs=0.02)


@given(st.permutations(range(4)), st.floats(0.01, 100))
@settings(max_examples=15, deadline=None)
def test_neither_order_nor_scale_of_dimensions_matters(order, scale):
    rng = np.random.default_rng(0)
    values = on_grid((3, 3), repeats=12)
    codes = np.c_[values + rng.normal(size=values.shape), rng.normal(size=values.shape)]
    factors = named(values) | {"x": codes[:, 0] + rng.normal(size=len(codes))}
    before = sap(codes=codes, factors=factors).value
    after = sap(codes=scale * codes[:, order], factors=factors).value
    assert after == pytest.approx(before, abs=1e-9)


def test_a_class_that_training_lacks_is_left_out():
    values = np.repeat([0, 1, 2], 40)
    test = np.tile([True, False], 60)
    test[80:] = True  # class 2 is held out whole
    assert sap(codes=values[:, None] * 1.0, factors={"a": values}, test=test).value == 1
    with pytest.raises(DataError, match="fewer than two classes"):
        sap(codes=values[:, None] * 1.0, factors={"a": values}, test=np.arange(120) >= 60)
