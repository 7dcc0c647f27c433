import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from scipy.stats import multivariate_normal

from disentone.audit.measures import gaussian_total_correlation, wasserstein_dependency
from disentone.errors import DataError


def codes_of(covariance, clips=500, seed=0):
    """Codes whose sample covariance is the one given, exactly."""
    raw = np.random.default_rng(seed).normal(size=(clips, len(covariance)))
    raw -= raw.mean(axis=0)
    white = np.linalg.solve(np.linalg.cholesky(raw.T @ raw / clips), raw.T).T
    return white @ np.linalg.cholesky(np.asarray(covariance)).T


MEASURES = [gaussian_total_correlation, wasserstein_dependency]


@pytest.mark.parametrize("measure", MEASURES)
def test_uncorrelated_dimensions_depend_on_nothing(measure, known):
    codes = known.perfect - known.perfect.mean(axis=0)
    for code in (codes, known.dead, np.zeros((9, 2))):
        assert measure(codes=code).value == pytest.approx(0, abs=1e-9)


@given(st.floats(-0.99, 0.99))
def test_two_dimensions_share_their_known_information(r):
    codes = codes_of([[1, r], [r, 1]], clips=20)
    found = gaussian_total_correlation(codes=codes)
    expected = -0.5 * np.log(1 - r**2)
    assert found.value == pytest.approx(expected, abs=1e-9)
    assert found.each["0"] == pytest.approx(expected, abs=1e-9)
    roots = np.sqrt([1 + r, 1 - r]).sum()
    distance = wasserstein_dependency(codes=codes).value
    assert distance == pytest.approx((2 - roots) / (2 - 2**0.5), abs=1e-9)


def test_total_correlation_is_entropies_less_joint_entropy():
    covariance = np.array([[2.0, 0.6, 0.1], [0.6, 1.0, -0.3], [0.1, -0.3, 0.5]])
    apart = sum(multivariate_normal(cov=v).entropy() for v in np.diag(covariance))
    expected = apart - multivariate_normal(cov=covariance).entropy()
    found = gaussian_total_correlation(codes=codes_of(covariance))
    assert found.value == pytest.approx(expected, abs=1e-9)


def test_wasserstein_distance_as_published():
    covariance = np.array([[2.0, 0.6, 0.1], [0.6, 1.0, -0.3], [0.1, -0.3, 0.5]])
    root = np.diag(np.sqrt(np.diag(covariance)))
    cross = np.real(np.trace(sqrtm(root @ covariance @ root)))
    expected = 2 * (np.trace(covariance) - cross) / np.trace(covariance)
    found = wasserstein_dependency(codes=codes_of(covariance), variant="published")
    assert found.value == pytest.approx(expected, abs=1e-7)


def test_copies_of_one_dimension(known):
    copies = np.repeat(known.noise[:, :1], 4, axis=1)
    assert gaussian_total_correlation(codes=copies).value == np.inf
    assert wasserstein_dependency(codes=copies).value == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("measure", MEASURES)
def test_neither_order_nor_scale_matters(measure, known):
    codes = known.noise @ [[1, 0.5, 0], [0, 1, 0.5], [0, 0, 1]]
    before = measure(codes=codes).value
    after = measure(codes=codes[:, [2, 0, 1]] * [3, -0.1, 50] + 7).value
    assert after == pytest.approx(before, abs=1e-9)


def test_a_table_is_needed():
    with pytest.raises(DataError, match="table"):
        gaussian_total_correlation(codes=np.zeros(3))
