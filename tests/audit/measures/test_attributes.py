import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import binned_statistic

from disentone.audit.measures import monotonicity, recorded_traversal, smoothness
from disentone.errors import DataError

STEPS = np.arange(10.0)


def test_smoothness_of_known_curves():
    jump = (STEPS > 4).astype(float)
    found = smoothness(traversals=np.array([3 * STEPS, STEPS**2, jump, 1 - jump]))
    assert list(found.each.values()) == pytest.approx([1, 1 - 1 / 8, 0, 0])
    assert found.value == pytest.approx(np.mean([1, 7 / 8, 0, 0]))


def test_monotonicity_of_known_curves():
    zigzag = STEPS % 2
    found = monotonicity(traversals=np.array([STEPS, -(STEPS**3), zigzag, np.abs(STEPS - 4)]))
    assert list(found.each.values()) == pytest.approx([1, 1, 1 / 9, 1 / 9])
    small = monotonicity(traversals=np.array([[0, 1, 0.9, 2, 3]]), least=0.2)
    assert small.value == 1


@pytest.mark.parametrize("measure", [smoothness, monotonicity])
def test_an_attribute_that_never_changes_says_nothing(measure):
    found = measure(traversals=np.array([np.full(10, 3.0), STEPS]))
    assert np.isnan(found.each["0"])
    assert found.value == 1
    assert np.isnan(measure(traversals=np.zeros((1, 5))).value)


@given(
    hnp.arrays(float, (2, 6), elements=st.integers(-20, 20)),
    st.sampled_from([0.5, 2, 8]),
)
def test_bounded_and_indifferent_to_scale_and_direction(values, scale):
    for measure in (smoothness, monotonicity):
        found = measure(traversals=values)
        again = measure(traversals=-scale * values[:, ::-1])
        for part, other in zip(found.each.values(), again.each.values()):
            assert np.isnan(part) or 0 <= part <= 1
            assert other == pytest.approx(part, nan_ok=True)


def test_recorded_traversals(rng):
    values = rng.normal(size=2000)
    codes = np.c_[values**3, rng.normal(size=2000), np.zeros(2000)]
    curves = recorded_traversal(codes=codes, values=values, steps=8)
    edges = np.quantile(values, np.arange(9) / 8)
    expected = binned_statistic(values, values, bins=edges).statistic
    np.testing.assert_allclose(curves[0], expected, atol=1e-2)
    assert np.ptp(curves[1]) < 0.5
    assert curves[2] == pytest.approx(values.mean())
    assert monotonicity(traversals=curves[:1]).value == 1


def test_recorded_traversals_of_ties_and_unknown_values():
    codes = np.repeat([0.0, 1.0], 30)[:, None]
    values = np.where(np.arange(60) == 0, np.nan, codes[:, 0])
    curve = recorded_traversal(codes=codes, values=values, steps=5)[0]
    np.testing.assert_allclose(curve, [0, 0.25, 0.5, 0.75, 1])


def test_what_is_no_traversal_is_refused():
    for values in (np.zeros((2, 3)), np.zeros(5), np.full((1, 5), np.nan)):
        with pytest.raises(DataError, match="Traversals"):
            smoothness(traversals=values)
