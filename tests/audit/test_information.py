import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import mutual_info_score

import disentone.audit.information as information
from disentone.audit import (
    dimension_information,
    entropy,
    mutual_information,
    quantile_codes,
)

codes_of = st.integers(2, 80).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.int64, (n, 2), elements=st.integers(0, 6)),
        hnp.arrays(np.int64, (n,), elements=st.integers(0, 4)),
    )
)


@given(codes_of)
def test_agrees_with_scikit_learn(drawn):
    codes, labels = drawn
    expected = [mutual_info_score(code, labels) for code in codes.T]
    np.testing.assert_allclose(
        mutual_information(codes=codes, labels=labels), np.maximum(expected, 0), atol=1e-12
    )


@given(codes_of)
def test_is_between_zero_and_either_entropy(drawn):
    codes, labels = drawn
    for value, code in zip(mutual_information(codes=codes, labels=labels), codes.T):
        assert 0 <= value <= min(entropy(code), entropy(labels)) + 1e-12


def test_matrix_of_dims_and_factors():
    rng = np.random.default_rng(0)
    codes, labels = rng.integers(0, 5, (300, 4)), rng.integers(0, 3, (300, 2))
    matrix = mutual_information(codes=codes, labels=labels)
    assert matrix.shape == (4, 2)
    for index in range(2):
        alone = mutual_information(codes=codes, labels=labels[:, index])
        np.testing.assert_array_equal(matrix[:, index], alone)


def test_entropy_of_known_shares():
    assert entropy(np.repeat([0, 1, 3], [2, 1, 1])) == pytest.approx(1.5 * np.log(2))
    both = np.c_[[0, 1, 0, 1], [0, 0, 0, 0]]
    assert entropy(both) == pytest.approx(np.log(2) / 2)


def test_identical_variables_share_all_their_entropy():
    labels = np.random.default_rng(0).integers(0, 7, 1000)
    found = dimension_information(codes=labels[:, None], labels=labels, permutations=100)
    assert found.value[0] == pytest.approx(entropy(labels), abs=1e-12)
    assert found.p[0] == pytest.approx(1 / 101)


def test_linear_gaussian_information_is_approached():
    rho, rng = 0.8, np.random.default_rng(0)
    x = rng.normal(size=50_000)
    y = rho * x + np.sqrt(1 - rho**2) * rng.normal(size=50_000)
    true = -0.5 * np.log(1 - rho**2)
    found = [
        mutual_information(
            codes=quantile_codes(x[:, None], bins=b), labels=quantile_codes(y, bins=b)
        )
        for b in (3, 8, 20)
    ]
    errors = np.abs(np.ravel(found) - true)
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.04 * true


def test_independent_variables_give_the_null():
    rng = np.random.default_rng(3)
    codes = quantile_codes(rng.normal(size=(2000, 40)))
    labels = rng.integers(0, 10, 2000)
    found = dimension_information(codes=codes, labels=labels, permutations=200)
    # the plug-in's bias, known to first order (Miller 1955, Roulston 1999)
    np.testing.assert_allclose(found.null_mean, 19 * 9 / (2 * 2000), rtol=0.1)
    np.testing.assert_allclose(found.value.mean(), found.null_mean.mean(), rtol=0.05)
    assert (found.null_high > found.null_mean).all()
    # p-values of nothing are uniform: few are small, half are below a half
    assert (found.p <= 0.05).mean() <= 0.15
    assert 0.3 < (found.p <= 0.5).mean() < 0.7
    assert found.clips == 2000


def test_dead_dimensions_tell_nothing_and_one_dimension_does_not_touch_another():
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 3, 400)
    live = labels + rng.normal(size=400)
    alone = dimension_information(codes=quantile_codes(live[:, None]), labels=labels)
    pair = dimension_information(
        codes=quantile_codes(np.c_[np.full(400, 2.0), live]), labels=labels
    )
    assert pair.value[0] == pair.null_mean[0] == 0
    assert pair.p[0] == 1
    for name in ("value", "low", "high", "null_mean", "null_high", "p"):
        np.testing.assert_allclose(getattr(pair, name)[1], getattr(alone, name)[0])


def test_bootstrap_spread_is_that_of_fresh_samples():
    rng = np.random.default_rng(5)

    def sample():
        labels = rng.integers(0, 3, 600)
        return quantile_codes((labels + rng.normal(size=600))[:, None], bins=8), labels

    fresh = [mutual_information(codes=c, labels=y)[0] for c, y in (sample() for _ in range(300))]
    codes, labels = sample()
    found = dimension_information(codes=codes, labels=labels, permutations=300)
    assert found.low[0] < found.value[0] < found.high[0]
    width = (found.high - found.low)[0]
    assert width == pytest.approx(np.diff(np.quantile(fresh, [0.025, 0.975]))[0], rel=0.25)


def test_several_labels_are_averaged_and_permuted_together():
    rng = np.random.default_rng(6)
    label = rng.integers(0, 2, 500)
    codes = quantile_codes((label + rng.normal(size=500))[:, None], bins=6)
    one = dimension_information(codes=codes, labels=label)
    twins = dimension_information(codes=codes, labels=np.c_[label, label])
    for name in ("value", "low", "high", "null_mean", "null_high", "p"):
        np.testing.assert_allclose(getattr(twins, name), getattr(one, name))


def test_chunks_do_not_change_the_kind_of_answer(monkeypatch):
    rng = np.random.default_rng(7)
    codes, labels = rng.integers(0, 8, (500, 2)), rng.integers(0, 4, 500)
    whole = dimension_information(codes=codes, labels=labels, permutations=400)
    monkeypatch.setattr("disentone.audit.information._CHUNK", 500 * 7)
    parts = dimension_information(codes=codes, labels=labels, permutations=400)
    np.testing.assert_array_equal(parts.value, whole.value)
    np.testing.assert_allclose(parts.null_mean, whole.null_mean, rtol=0.1)
    np.testing.assert_allclose(parts.null_high, whole.null_high, rtol=0.15)


def test_dimensions_in_several_parts_are_the_same(monkeypatch, rng):
    codes, labels = rng.integers(6, size=(50, 7)), rng.integers(3, size=(50, 2))
    whole = mutual_information(codes=codes, labels=labels), information.code_entropies(codes)
    np.testing.assert_allclose(whole[1], [entropy(code) for code in codes.T])
    monkeypatch.setattr(information, "_CHUNK", 100)  # two dimensions at once
    np.testing.assert_array_equal(mutual_information(codes=codes, labels=labels), whole[0])
    np.testing.assert_array_equal(information.code_entropies(codes), whole[1])
