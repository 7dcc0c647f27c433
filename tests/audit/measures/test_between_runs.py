import numpy as np
import pytest
from scipy.stats import spearmanr

from disentone.audit.measures import udr
from disentone.errors import DataError
from factor_grids import on_grid

CODES = on_grid((5, 5), repeats=2) * 1.0  # uncorrelated in the sample itself


def test_runs_that_agree_score_one():
    found = udr(runs=[CODES, -CODES[:, ::-1], 3 * CODES + 1])
    assert found.value == pytest.approx(1)
    assert set(found.each) == {"0", "1", "2"}
    dead = np.c_[CODES, np.zeros(len(CODES))]
    assert udr(runs=[dead, CODES]).value == pytest.approx(1)


def test_known_values_below_one():
    twice = np.c_[CODES, CODES]
    assert udr(runs=[twice, twice]).value == pytest.approx(0.5)
    assert udr(runs=[CODES, np.zeros((50, 2))]).value == 0
    rng = np.random.default_rng(0)
    gauss = rng.normal(size=(20_000, 2))
    turned = gauss @ np.array([[1, 1], [-1, 1]]) / 2**0.5
    assert udr(runs=[gauss, turned]).value == pytest.approx(0.5 / 2**0.5, abs=0.02)
    assert udr(runs=[gauss, rng.normal(size=(20_000, 2))]).value < 0.02


def test_agrees_with_the_definition(rng):
    one, two = rng.normal(size=(60, 3)), rng.normal(size=(60, 2))
    two[:, 0] += one[:, 1]
    table = np.array([[abs(spearmanr(a, b).statistic) for b in two.T] for a in one.T])
    expected = sum(table[:, b].max() ** 2 / table[:, b].sum() for b in range(2))
    expected += sum(table[a].max() ** 2 / table[a].sum() for a in range(3))
    assert udr(runs=[one, two]).value == pytest.approx(expected / 5)


def test_lasso_finds_what_correlation_confounds(rng):
    found = udr(runs=[CODES, -CODES[:, ::-1]], variant="lasso")
    assert found.value == pytest.approx(0.9)  # the weight 1 less the penalty of 0.1
    shared = rng.normal(size=(4000, 1))
    codes = rng.normal(size=(4000, 3)) + 1.5 * shared  # correlated dimensions, found again
    assert udr(runs=[codes, codes], variant="lasso").value > udr(runs=[codes, codes]).value + 0.2
    assert udr(runs=[CODES, np.zeros((50, 2))], variant="lasso").value == 0


def test_only_informative_dimensions_count(rng):
    noisy = np.c_[CODES, rng.normal(size=(50, 3))]
    mask = np.arange(5) < 2
    found = udr(runs=[noisy, CODES], informative=[mask, mask[:2]])
    assert found.value == pytest.approx(1)
    assert found.how["informative"] == [2, 2]
    assert udr(runs=[noisy, CODES]).value < 0.8


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(DataError, match="two runs"):
        udr(runs=[CODES])
    with pytest.raises(DataError, match="same clips"):
        udr(runs=[CODES, CODES[:5]])
