import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score

from disentone.audit import entropy
from disentone.audit.measures import (
    dcimig,
    information_matrix,
    jemmig,
    mig,
    mig_sup,
)
from disentone.errors import DataError
from disentone.factors import Factor
from factor_grids import named, on_grid

GAPS = [mig, mig_sup, dcimig, jemmig]


@pytest.mark.parametrize("measure", GAPS)
@pytest.mark.parametrize("code", ["perfect", "dead", "noisy"])
def test_perfect_codes_score_one(measure, code, known):
    found = measure(codes=getattr(known, code), factors=known.factors)
    # Noise gives about (bins - 1)(classes - 1) / (2 clips) nats: the gaps lose so much.
    tolerance = 0.08 if code == "noisy" else 1e-12
    assert found.value == pytest.approx(1, abs=tolerance)
    assert found.n == len(known.values)


def test_a_factor_held_twice_has_no_gap_but_dimensions_of_its_own(known):
    codes = known.duplicated
    assert mig(codes=codes, factors=known.factors).value == 0
    assert mig_sup(codes=codes, factors=known.factors).value == pytest.approx(1)
    assert dcimig(codes=codes, factors=known.factors).value == pytest.approx(1)
    sizes = np.log([4, 5, 3])
    expected = np.mean(1 - sizes / (sizes + np.log(20)))  # J = I(b; v) = H(v)
    assert jemmig(codes=codes, factors=known.factors).value == pytest.approx(expected)


def test_two_rotated_binary_factors():
    values = on_grid((2, 2))
    a, b = values.T
    codes = np.c_[a + b, a - b].astype(float)  # each dimension encodes half a bit of either factor
    matrix = information_matrix(codes=codes, factors=named(values))
    np.testing.assert_allclose(matrix.value, np.full((2, 2), np.log(2) / 2), atol=1e-12)
    for measure in (mig, mig_sup, dcimig):
        assert measure(codes=codes, factors=named(values)).value == pytest.approx(0, abs=1e-12)
    # H(z) = 1.5 bits, H(v) = 1: J = 1.5 + 1 - 0.5 bits, less no gap
    joint = jemmig(codes=codes, factors=named(values), variant="nats")
    assert joint.value == pytest.approx(2 * np.log(2))


@pytest.mark.parametrize("measure", [mig, mig_sup, dcimig])
def test_noise_scores_nothing(measure, known):
    assert measure(codes=known.noise, factors=known.factors).value < 0.03
    assert measure(codes=np.zeros((600, 2)), factors=known.factors).value == 0


def test_the_gap_divides_by_the_entropy_of_the_factor_and_not_of_the_code(rng):
    values = rng.integers(7, size=5000)
    codes = np.c_[values + rng.uniform(-0.4, 0.4, 5000), np.zeros(5000)]
    right = mig(codes=codes, factors={"a": values})
    published = mig(codes=codes, factors={"a": values}, variant="syntone")
    assert right.value > 0.9
    assert published.each["0"] == pytest.approx(np.log(7) / np.log(20), abs=0.03)  # 0.65
    assert published.value == pytest.approx(published.each["0"] / 2)  # a dead dimension counts


def test_an_outlier_moves_equal_width_bins_only(known):
    codes = known.perfect + np.random.default_rng(1).uniform(-0.4, 0.4, known.perfect.shape)
    codes[0] = 1e6
    assert mig(codes=codes, factors=known.factors).value > 0.7
    assert mig(codes=codes, factors=known.factors, variant="equal-width").value < 0.05


@pytest.mark.parametrize("sizes", [(4, 5, 3), (24, 37), (2, 2)])
def test_jitter_within_classes_loses_nothing(sizes):
    """Of each factor the code keeps all; what noise it has of others is the table's bias alone."""
    values = on_grid(sizes, repeats=-(-20_000 // int(np.prod(sizes))))
    codes = values + 0.02 * np.random.default_rng(0).normal(size=values.shape)
    matrix = information_matrix(codes=codes, factors=named(values))
    np.testing.assert_allclose(np.diagonal(matrix.value), np.log(sizes), atol=1e-12)
    bias = [(max(20, *sizes) - 1) * (k - 1) / (2 * len(values) * np.log(k)) for k in sizes]
    found = mig(codes=codes, factors=named(values))
    assert 1 - 2 * np.mean(bias) < found.value <= 1
    assert np.mean(bias) < 0.01


def test_only_active_dimensions_count_in_mig_sup(known):
    found = mig_sup(codes=known.noisy, factors=known.factors)
    assert found.how["active"] == [0, 1, 2]
    paper = mig_sup(codes=known.noisy, factors=known.factors, variant="paper")
    assert paper.value == pytest.approx(np.mean(list(found.each.values())))
    assert paper.value < 0.55 < found.value


@given(st.permutations(range(5)), st.lists(st.floats(0.01, 100), min_size=5, max_size=5))
@settings(max_examples=15, deadline=None)
def test_neither_order_nor_scale_of_dimensions_matters(order, scale):
    rng = np.random.default_rng(3)
    values = on_grid((3, 3), repeats=12)
    codes = np.c_[values + rng.normal(size=values.shape), rng.normal(size=(len(values), 3))]
    moved = (codes * scale)[:, order]
    for measure in (mig, dcimig, jemmig):
        before = measure(codes=codes, factors=named(values)).value
        assert measure(codes=moved, factors=named(values)).value == pytest.approx(before, abs=1e-9)


def test_more_noise_never_scores_more(known):
    noise = np.random.default_rng(2).normal(size=known.perfect.shape)
    for measure in GAPS:
        scores = [
            measure(codes=known.perfect + amount * noise, factors=known.factors).value
            for amount in (0.01, 0.3, 1.0, 4.0)
        ]
        assert scores == sorted(scores, reverse=True)


def test_agrees_with_scikit_learn(rng):
    codes = rng.integers(4, size=(300, 3)).astype(float)
    values = rng.integers(5, size=(300, 2))
    information = np.array([[mutual_info_score(z, v) for v in values.T] for z in codes.T])
    best = np.sort(information, axis=0)
    expected = (best[-1] - best[-2]) / [entropy(v) for v in values.T]
    found = mig(codes=codes, factors=named(values))
    np.testing.assert_allclose(list(found.each.values()), expected, atol=1e-12)


def test_linear_gaussian_tells_its_known_information(rng):
    factor = rng.normal(size=20_000)
    codes = (0.6 * factor + 0.8 * rng.normal(size=20_000))[:, None]
    found = information_matrix(codes=codes, factors={"a": factor})
    assert found.value[0, 0] == pytest.approx(-0.5 * np.log(1 - 0.36), abs=0.01)


def test_kinds_of_factors_and_unknown_values():
    values = on_grid((3, 2), repeats=20)
    labels = Factor("tags", "multilabel", np.c_[values[:, 1], 0 * values[:, 1]] * 1.0, ("x", "y"))
    level = Factor.continuous("level", values[:, 0] * 10.0, kind="ordinal")
    found = mig(codes=values * 1.0, factors={"tags": labels, "level": level})
    assert dict(found.each) == pytest.approx({"tags:x": 1.0, "level": 1.0})
    gaps = Factor("a", "categorical", np.where(np.arange(120) < 60, values[:, 0], -1))
    assert mig(codes=values * 1.0, factors={"a": gaps}).n == 60


@pytest.mark.parametrize(
    ("codes", "factors", "message"),
    [
        (np.zeros(4), {"a": np.arange(4)}, "table"),
        (np.full((4, 1), np.nan), {"a": np.arange(4)}, "finite"),
        (np.zeros((4, 1)), {}, "no factor"),
        (np.zeros((4, 1)), {"a": np.arange(3)}, "3 values for 4"),
        (np.zeros((4, 1)), {"a": np.zeros(4, int)}, "one value only"),
        (np.zeros((4, 1)), {"a": np.zeros((4, 2))}, "one value a clip"),
        (np.zeros((4, 1)), {"a": np.array([1, 2, np.inf, 3])}, "infinite"),
    ],
)
def test_what_cannot_be_measured_is_refused(codes, factors, message):
    with pytest.raises(DataError, match=message):
        mig(codes=codes, factors=factors)


def test_unknown_variant_is_refused(known):
    with pytest.raises(DataError, match="did you mean 'syntone'"):
        mig(codes=known.perfect, factors=known.factors, variant="synton")


def test_goldens():
    rng = np.random.default_rng(11)
    values = rng.integers(3, size=(200, 2))
    codes = values @ [[1.0, 0.3], [0.2, 1.0]] + 0.3 * rng.normal(size=(200, 2))
    found = [m(codes=codes, factors=named(values), bins=8).value for m in GAPS]
    assert found == pytest.approx(GOLDENS, abs=1e-10)


GOLDENS = [0.597556581944, 0.597556581944, 0.597616683132, 0.455196579329]
