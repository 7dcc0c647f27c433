import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from disentone.audit import (
    class_codes,
    equal_width_codes,
    equal_width_edges,
    mutual_information,
    quantile_codes,
)

finite = st.floats(-1e6, 1e6, width=32)
columns = hnp.arrays(np.float64, st.tuples(st.integers(1, 60), st.integers(1, 3)), elements=finite)


@given(columns, st.integers(1, 12))
def test_quantile_codes_are_in_range_and_keep_order(values, bins):
    codes = quantile_codes(values, bins=bins)
    assert codes.shape == values.shape
    assert codes.min() == 0
    assert codes.max() < bins
    for column, code in zip(values.T, codes.T):
        order = np.argsort(column)
        assert (np.diff(code[order]) >= 0).all()
        same = np.diff(column[order]) == 0
        assert (np.diff(code[order])[same] == 0).all()


@given(columns, st.integers(1, 12))
def test_quantile_codes_do_not_see_increasing_maps(values, bins):
    stretched = np.arctan(values / 1e3) * 7 + 3
    # rounding may join neighbours: only maps that keep every value distinct keep every code
    for column, mapped in zip(values.T, stretched.T):
        if len(np.unique(column)) == len(np.unique(mapped)):
            expected = quantile_codes(column, bins=bins)
            np.testing.assert_array_equal(quantile_codes(mapped, bins=bins), expected)


@pytest.mark.parametrize(("count", "bins"), [(100, 20), (1003, 7), (5, 5)])
def test_quantile_bins_hold_equally_many_distinct_values(count, bins):
    values = np.random.default_rng(0).permutation(count) ** 3.0
    filled = np.bincount(quantile_codes(values, bins=bins), minlength=bins)
    assert filled.max() - filled.min() <= 1


def test_ties_and_dead_columns():
    dead = np.full(50, 0.1)
    mostly = np.r_[np.zeros(40), np.arange(1, 11)]
    codes = quantile_codes(np.c_[dead, mostly], bins=10)
    assert (codes[:, 0] == 0).all()
    assert len(np.unique(codes[:40, 1])) == 1
    assert len(np.unique(codes[:, 1])) == 3  # the zeros, and two tenths of what is left
    binary = np.tile([0.0, 1.0], 25)
    np.testing.assert_array_equal(quantile_codes(binary, bins=20), binary)


def test_an_outlier_moves_one_code_at_most():
    values = np.random.default_rng(1).normal(size=500)
    wild = values.copy()
    wild[values.argmax()] = 1e12
    np.testing.assert_array_equal(quantile_codes(wild), quantile_codes(values))


@pytest.mark.parametrize(("classes", "bins"), [(3, 20), (7, 20), (37, 20), (7, 4), (2, 1)])
def test_no_bin_has_parts_of_two_classes_that_a_code_keeps_apart(classes, bins):
    rng = np.random.default_rng(classes)
    # Classes of very unequal sizes, in an order of their own, with jitter and an outlier.
    labels = rng.choice(classes, size=3000, p=rng.dirichlet(np.full(classes, 2.0)))
    _, labels = np.unique(labels, return_inverse=True)
    column = rng.permutation(classes)[labels] + rng.uniform(-0.4, 0.4, 3000)
    column[column.argmax()] = 1e9
    codes = class_codes(column[:, None], labels=labels, bins=bins)
    of_bins = [np.unique(labels[codes[:, 0] == code]) for code in np.unique(codes)]
    assert max(map(len, of_bins)) == 1
    assert len(of_bins) <= max(bins, classes)


@given(columns, st.integers(1, 12), st.integers(1, 5))
def test_class_codes_keep_order_and_ties_and_do_not_see_the_order_of_clips(values, bins, classes):
    rng = np.random.default_rng(len(values))
    labels = np.unique(rng.integers(classes, size=len(values)), return_inverse=True)[1]
    codes = class_codes(values, labels=labels, bins=bins)
    assert codes.min() == 0
    assert codes.max() < max(bins, classes)
    for column, code in zip(values.T, codes.T):
        order = np.argsort(column)
        assert (np.diff(code[order]) >= 0).all()
        same = np.diff(column[order]) == 0
        assert (np.diff(code[order])[same] == 0).all()
    moved = rng.permutation(len(values))
    again = class_codes(values[moved], labels=labels[moved], bins=bins)
    np.testing.assert_array_equal(again, codes[moved])


def test_class_codes_of_one_class_are_quantile_codes():
    values = np.random.default_rng(0).normal(size=(211, 2))
    values[:40, 1] = 0  # ties
    codes = class_codes(values, labels=np.zeros(211, dtype=int), bins=9)
    np.testing.assert_array_equal(codes, quantile_codes(values, bins=9))


def test_noise_knows_no_more_of_classes_whose_borders_cut_it():
    rng = np.random.default_rng(0)
    labels = rng.integers(6, size=2000)
    codes = class_codes(rng.normal(size=(2000, 60)), labels=labels)
    expected = (20 - 1) * (6 - 1) / (2 * 2000)  # the bias of a table of so many bins and classes
    found = mutual_information(codes=codes, labels=labels).mean()
    assert found == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match="finite"):
        quantile_codes(np.array([0.0, bad]))


def test_equal_width_bins_agree_with_numpy_and_clip_what_lies_beyond():
    values = np.random.default_rng(2).uniform(440, 7900, 1000)
    edges = equal_width_edges(values, bins=21)
    np.testing.assert_allclose(np.diff(edges), (values.max() - values.min()) / 21)
    codes = equal_width_codes(values, edges=edges)
    np.testing.assert_array_equal(np.bincount(codes), np.histogram(values, bins=edges)[0])
    beyond = equal_width_codes(np.array([-1e9, np.nan, 1e9]), edges=edges)
    np.testing.assert_array_equal(beyond, [0, -1, 20])


def test_equal_width_bins_of_a_constant_are_one_class():
    edges = equal_width_edges(np.array([3.0, np.nan, 3.0]), bins=5)
    np.testing.assert_array_equal(equal_width_codes(np.array([3.0, 2.0]), edges=edges), [0, 0])
    with pytest.raises(ValueError, match="finite"):
        equal_width_edges(np.array([np.nan]), bins=5)
