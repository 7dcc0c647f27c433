from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import ortho_group
from sklearn.metrics import log_loss

from disentone.audit import entropy
from disentone.audit.measures import (
    block_dci,
    block_information,
    block_mig,
    facet_permutation_test,
)
from disentone.errors import DataError
from disentone.factors import Factor
from factor_grids import on_grid


@pytest.fixture(scope="module")
def measured():
    """Facets turned in themselves: one holds a, one b and c, one nothing."""
    values = on_grid((3, 2, 2), repeats=130)
    rng = np.random.default_rng(0)
    one, two = np.eye(3)[values[:, 0]] * 3, values[:, 1:] * 3.0
    facets = {
        "one": one @ ortho_group.rvs(3, random_state=0) + 0.1 * rng.normal(size=one.shape),
        "two": two @ ortho_group.rvs(2, random_state=1) + 0.1 * rng.normal(size=two.shape),
        "none": rng.normal(size=(len(values), 2)),
    }
    factors = dict(zip("abc", values.T))
    found = block_information(facets=facets, factors=factors, permutations=200)
    return SimpleNamespace(facets=facets, factors=factors, found=found)


def test_information_of_facets_that_encode_their_factors_whole(measured):
    encoded = np.array([[1, 0, 0], [0, 1, 1], [0, 0, 0]])
    np.testing.assert_allclose(measured.found.value, encoded * measured.found.entropies, atol=0.09)
    np.testing.assert_allclose(measured.found.entropies, np.log([3, 2, 2]), atol=0.02)
    assert (measured.found.value <= measured.found.entropies).all()
    assert (measured.found.low <= measured.found.value).all()
    assert (measured.found.value <= measured.found.high).all()
    assert (measured.found.p[encoded == 1] == 1 / 201).all()
    assert measured.found.accuracy[encoded == 1] == pytest.approx(1)
    assert measured.found.n == measured.found.how["test"] == 520


def test_gap_between_facets(measured):
    assert block_mig(measured.found).value > 0.93
    facets = {"one": measured.facets["one"], "again": measured.facets["one"] * 2}
    both = block_information(facets=facets, factors={"a": measured.factors["a"]}, permutations=100)
    assert block_mig(both).value == pytest.approx(0, abs=0.02)
    only = block_information(
        facets={"one": measured.facets["one"]},
        factors={"a": measured.factors["a"]},
        predictor="linear",
        permutations=1,
    )
    with pytest.raises(DataError, match="two of them"):
        block_mig(only)


def test_disentanglement_and_completeness_of_facets(measured):
    disentangled, complete = block_dci(measured.found)
    # The second facet encodes two factors of three: 1 - log 2 / log 3, two thirds of the weight
    half = 1 - np.log(2) / np.log(3)
    assert disentangled.each["two"] == pytest.approx(half, abs=0.01)
    assert disentangled.value == pytest.approx((1 + 2 * half) / 3, abs=0.07)
    assert complete.value > 0.85
    owned, _ = block_dci(measured.found, owns={"one": ["a"], "two": ["b", "c"]})
    assert owned.value > 0.9
    assert set(owned.each) == {"one", "two", "none"}
    with pytest.raises(DataError, match="no facet 'on'"):
        block_dci(measured.found, owns={"on": ["a"]})
    with pytest.raises(DataError, match="no factor 'x'"):
        block_dci(measured.found, owns={"one": ["x"]})


def test_p_is_small_for_what_a_facet_tells_and_uniform_for_noise():
    rng = np.random.default_rng(0)
    values = rng.integers(2, size=150)
    test = facet_permutation_test(facet=values[:, None] * 1.0, factor=values, permutations=300)
    assert test.p == 1 / 301
    assert test.statistic == pytest.approx(np.log(2), abs=0.05)
    ps = [
        facet_permutation_test(
            facet=rng.normal(size=(90, 1)),
            factor=rng.integers(2, size=90),
            predictor="linear",
            permutations=99,
        ).p
        for _ in range(60)
    ]
    assert np.mean(ps) == pytest.approx(0.5, abs=0.12)
    assert 0.01 <= min(ps) < 0.15
    assert np.mean(np.array(ps) <= 0.05) <= 0.15


def test_the_statistic_is_entropy_less_cross_entropy(rng):
    from disentone.audit import fit_probe

    values = rng.integers(3, size=1800)
    facet = values[:, None] + 0.5 * rng.normal(size=(1800, 2))
    test = np.arange(1800) % 3 == 0
    found = facet_permutation_test(facet=facet, factor=values, test=test, permutations=10)
    probe = fit_probe(embedding=facet[~test], labels=values[~test])
    probabilities = probe.probabilities(facet[test])
    expected = entropy(values[test]) - log_loss(values[test], probabilities, labels=[0, 1, 2])
    assert found.statistic == pytest.approx(expected, abs=1e-6)


def test_linear_gaussian_information(rng):
    factor = rng.normal(size=3000)
    facet = np.c_[0.6 * factor + 0.8 * rng.normal(size=3000), rng.normal(size=3000)]
    found = block_information(facets={"z": facet}, factors={"a": factor}, permutations=100)
    # The factor in ten bins holds nearly all of it; the bound is below the truth.
    assert found.value[0, 0] == pytest.approx(-0.5 * np.log(1 - 0.36), abs=0.05)
    assert found.low[0, 0] < -0.5 * np.log(1 - 0.36)


def test_what_cannot_be_measured_is_refused():
    facet, labels = np.zeros((6, 1)), np.arange(6) % 2
    with pytest.raises(DataError, match="no facet"):
        block_information(facets={}, factors={"a": labels})
    with pytest.raises(DataError, match="same clips"):
        block_information(facets={"x": facet, "y": facet[:3]}, factors={"a": labels})
    tags = Factor("tags", "multilabel", np.c_[labels, 1 - labels] * 1.0, ("x", "y"))
    with pytest.raises(DataError, match="one by one"):
        facet_permutation_test(facet=facet, factor=tags)
    unknown = np.where(np.arange(6) < 4, labels, -1)
    with pytest.raises(DataError, match="No held-out clip"):
        facet_permutation_test(facet=facet, factor=unknown, test=np.arange(6) > 3)
