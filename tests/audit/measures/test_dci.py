from importlib import import_module

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from disentone.audit.measures import completeness_of, dci, disentanglement_of, sap
from disentone.errors import DataError
from disentone.factors import Factor
from factor_grids import named, on_grid


def three(found):
    return [found.disentanglement.value, found.completeness.value, found.informativeness.value]


@pytest.mark.parametrize("code", ["perfect", "dead", "noisy"])
def test_perfect_codes_score_one(code, known):
    found = dci(codes=getattr(known, code), factors=known.factors)
    assert three(found) == pytest.approx([1, 1, 1], abs=0.05)
    assert not found.importance[3:].any()
    assert found.informativeness.how["test"] == found.informativeness.n == 200


def test_a_factor_held_twice_costs_completeness_only(known):
    expected = [1, 1 - np.log(2) / np.log(6), 1]
    found = dci(codes=known.duplicated, factors=known.factors, predictor="linear")
    assert three(found) == pytest.approx(expected, abs=0.02)
    forest = dci(codes=known.duplicated, factors=known.factors)  # trees prefer one of the two
    assert three(forest) == pytest.approx(expected, abs=0.12)


def test_two_factors_mixed_alike_cost_disentanglement():
    values = on_grid((2, 2), repeats=60)
    a, b = values.T
    codes = np.c_[a + b, a - b].astype(float)
    found = dci(codes=codes, factors=named(values))
    assert found.disentanglement.value < 0.05
    assert found.completeness.value < 0.05
    assert found.informativeness.value == pytest.approx(1)


@pytest.mark.parametrize("predictor", ["forest", "linear"])
def test_noise_and_dead_codes_score_nothing(predictor, known):
    found = dci(codes=known.noise, factors=known.factors, predictor=predictor)
    assert three(found) == pytest.approx([0, 0, 0], abs=0.08)
    dead = dci(codes=np.zeros((600, 3)), factors=known.factors, predictor=predictor)
    assert three(dead) == pytest.approx([0, 0, 0], abs=0.05)


def test_impurity_credits_noise(known):
    factors = known.factors
    right = dci(codes=known.noise, factors=factors)
    published = dci(codes=known.noise, factors=factors, variant="impurity")
    assert right.importance.sum() < 0.1
    assert published.importance.sum() == pytest.approx(3)
    with pytest.raises(DataError, match="no variant 'impurity'"):
        dci(codes=known.noise, factors=factors, variant="impurity", predictor="linear")


def test_linear_gaussian_has_a_known_informativeness(rng):
    factor = rng.normal(size=6000)
    codes = np.c_[0.6 * factor + 0.8 * rng.normal(size=6000), rng.normal(size=6000)]
    found = dci(codes=codes, factors={"a": factor}, predictor="linear")
    assert found.informativeness.value == pytest.approx(0.36, abs=0.03)
    assert found.importance[0, 0] == pytest.approx(2 * 0.36, abs=0.08)  # var of a doubled misfit
    assert found.importance[1, 0] == 0


def test_the_score_is_that_of_the_held_out_clips(rng):
    factor = rng.normal(size=300)
    codes = factor[:, None] + rng.normal(size=(300, 2))
    test = np.arange(300) >= 200
    found = dci(codes=codes, factors={"a": factor}, test=test, predictor="linear")
    codes = (codes - codes[~test].mean(0)) / codes[~test].std(0)
    model = Ridge().fit(codes[~test], factor[~test])
    constant = ((factor[test] - factor[~test].mean()) ** 2).mean()
    expected = 1 - ((model.predict(codes[test]) - factor[test]) ** 2).mean() / constant
    assert found.informativeness.value == pytest.approx(expected, abs=1e-12)


def test_entropies_of_given_importances():
    importance = np.array([[3.0, 0.0], [0.5, 0.5], [0.0, 0.0]])
    disentangled = disentanglement_of(importance, n=1, how={})
    assert dict(disentangled.each) == pytest.approx({"0": 1, "1": 0, "2": 0})
    assert disentangled.value == pytest.approx(3 / 4)
    complete = completeness_of(importance, names=["a", "b"], n=1, how={})
    share = np.array([3, 0.5]) / 3.5
    expected = 1 + (share * np.log(share)).sum() / np.log(3)
    assert complete.each["a"] == pytest.approx(expected)
    assert complete.each["b"] == 1


def test_the_order_and_scale_of_dimensions_do_not_matter(known):
    codes = known.noisy
    before = dci(codes=codes, factors=known.factors, predictor="linear")
    order = [4, 2, 0, 5, 1, 3]
    after = dci(codes=(codes * 7)[:, order], factors=known.factors, predictor="linear")
    assert three(after) == pytest.approx(three(before), abs=0.02)


def test_unknown_values_and_labels(known):
    tags = np.c_[known.values[:, 0] > 1, known.values[:, 2] == 0].astype(float)
    tags[:100] = np.nan
    factors = {"tags": Factor("tags", "multilabel", tags, ("x", "y"))}
    found = dci(codes=known.perfect, factors=factors, predictor="linear")
    assert set(found.informativeness.each) == {"tags:x", "tags:y"}
    assert found.informativeness.value == pytest.approx(1)


def test_the_split_is_checked(known):
    for test in (np.ones(600, bool), np.zeros(600, bool)):
        with pytest.raises(DataError, match="held out"):
            dci(codes=known.perfect, factors=known.factors, test=test)
    with pytest.raises(DataError, match="boolean"):
        dci(codes=known.perfect, factors=known.factors, test=np.arange(3))


@pytest.mark.parametrize("measure", [dci, sap])
@pytest.mark.parametrize("side", ["fit on", "No held-out"])
def test_a_factor_must_be_known_on_both_sides(measure, side):
    values = np.arange(30) % 2
    test = np.arange(30) >= 15
    hidden = test if side == "No held-out" else ~test
    factors = {"a": np.where(hidden, -1, values)}
    with pytest.raises(DataError, match=side):
        measure(codes=values[:, None] * 1.0, factors=factors, test=test)


def test_importance_is_the_same_whatever_is_predicted_at_once(monkeypatch):
    values = on_grid((3, 4), repeats=10)
    codes = np.c_[values + np.random.default_rng(0).normal(size=values.shape), np.ones(len(values))]
    given = {"codes": codes, "factors": named(values)}
    at_once = dci(**given).importance
    monkeypatch.setattr(import_module("disentone.audit.measures.dci"), "NUMBERS", 1)
    np.testing.assert_array_equal(dci(**given).importance, at_once)
    assert at_once[:2].any()
    assert not at_once[2].any()  # it never changes
