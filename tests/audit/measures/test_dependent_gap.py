import numpy as np
import pytest

from disentone.audit.measures import dlig, dmig, mig, xmig
from disentone.errors import DataError
from factor_grids import on_grid

MEASURES = [dmig, xmig, dlig]


def dependent():
    """Factor b is a or a + 1: to know the one is to know much of the other."""
    a, coin = on_grid((4, 2), repeats=30).T
    return a, a + coin


@pytest.mark.parametrize("measure", MEASURES)
def test_perfect_codes_of_dependent_factors_score_one(measure):
    a, b = dependent()
    codes, factors = np.c_[a, b].astype(float), {"a": a, "b": b}
    assert mig(codes=codes, factors=factors).value < 0.6
    assert measure(codes=codes, factors=factors).value == pytest.approx(1)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("code", ["perfect", "dead"])
def test_independent_factors(measure, code, known):
    found = measure(codes=getattr(known, code), factors=known.factors)
    assert found.value == pytest.approx(1)
    assert found.how["own"] == {"a": 0, "b": 1, "c": 2}


def test_a_factor_held_twice(known):
    expected = {dmig: 0, xmig: 0, dlig: 1}
    for measure, value in expected.items():
        found = measure(codes=known.duplicated, factors=known.factors)
        assert found.value == pytest.approx(value)


@pytest.mark.parametrize("measure", MEASURES)
def test_noise_scores_little(measure, known):
    assert measure(codes=known.noise, factors=known.factors).value < 0.07


def test_the_owned_dimension_may_be_told():
    a, b = dependent()
    swapped = {"a": 1, "b": 0}
    codes = np.c_[a, b].astype(float)
    found = dmig(codes=codes, factors={"a": a, "b": b}, own=swapped)
    assert found.value == pytest.approx(-1)
    with pytest.raises(DataError, match="cannot own dimension 5"):
        dmig(codes=codes, factors={"a": a, "b": b}, own={"a": 5})
    with pytest.raises(DataError, match="no factor 'c'"):
        dmig(codes=codes, factors={"a": a, "b": b}, own={"c": 0})


def test_leaks_between_owned_dimensions_count_in_dmig_alone():
    a, b = on_grid((2, 2)).T
    codes = np.c_[a, 2 * a + b].astype(float)  # b's dimension encodes a as well
    factors, own = {"a": a, "b": b}, {"a": 0, "b": 1}
    assert dmig(codes=codes, factors=factors, own=own).each["a"] == pytest.approx(0)
    assert xmig(codes=codes, factors=factors, own=own).each["a"] == pytest.approx(1)
    assert dlig(codes=codes, factors=factors, own=own).each["b"] == pytest.approx(0)


def test_a_determined_factor_has_nothing_of_its_own():
    a = on_grid((4,), repeats=20)[:, 0]
    found = dlig(codes=np.c_[a, a // 2].astype(float), factors={"a": a, "b": a // 2})
    assert np.isnan(found.each["b"])
    assert found.value == pytest.approx(found.each["a"]) == pytest.approx(1)
    with pytest.raises(DataError, match="two of them"):
        dlig(codes=a[:, None] * 1.0, factors={"a": a})
