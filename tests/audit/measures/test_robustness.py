import numpy as np
import pytest
from scipy.stats import f_oneway

from disentone.audit.measures import irs
from disentone.errors import DataError
from disentone.factors import Factor
from factor_grids import named, on_grid


@pytest.mark.parametrize("code", ["perfect", "duplicated", "dead"])
def test_perfect_codes_score_one(code, known):
    found = irs(codes=getattr(known, code), factors=known.factors)
    assert found.value == pytest.approx(1)
    assert found.how["factor"]["1"] == "b"
    assert found.how["cells"] == 60
    assert not {"6", "7"} & set(found.each) or code == "duplicated"


def test_a_sum_of_two_factors_moves_half_as_far_when_one_is_held():
    values = on_grid((2, 2))
    a, b = values.T
    found = irs(codes=np.c_[a + b, a - b] * 1.0, factors=named(values))
    assert dict(found.each) == pytest.approx({"0": 0.5, "1": 0.5})


def naive(codes, labels):
    """One dimension, written as the definition is."""
    cells = {tuple(row) for row in labels}
    mean = {c: codes[(labels == c).all(axis=1)].mean() for c in cells}
    moved = max(abs(m - codes.mean()) for m in mean.values())
    best = 0.0
    for k in range(labels.shape[1]):
        held = 0.0
        for g in set(labels[:, k]):
            mine = labels[:, k] == g
            still = codes[mine].mean()
            held += mine.mean() * max(abs(mean[c] - still) for c in cells if c[k] == g)
        best = max(best, 1 - min(1.0, held / moved))
    return best


def test_agrees_with_a_naive_loop(rng):
    labels = rng.integers(3, size=(80, 3))
    codes = rng.normal(size=(80, 2)) + 3 * labels[:, :2]
    found = irs(codes=codes, factors=named(labels))
    assert list(found.each.values()) == pytest.approx([naive(z, labels) for z in codes.T])


def test_noise_does_not_count(known):
    assert irs(codes=known.noisy, factors=known.factors).value == pytest.approx(1)
    assert irs(codes=known.noise, factors=known.factors).value == 0
    assert irs(codes=known.noise, factors=known.factors, variant="weighted").value > 0.2
    assert irs(codes=np.zeros((600, 2)), factors=known.factors).value == 0


def test_chance_is_that_of_a_one_way_analysis_of_variance(rng):
    labels = np.c_[np.arange(90) % 3, np.arange(90) // 3 % 2]
    codes = rng.normal(size=(90, 40)) + 0.5 * (labels[:, :1] == 0)
    cell = 2 * labels[:, 0] + labels[:, 1]
    moving = f_oneway(*[codes[cell == c] for c in range(6)]).pvalue < 1e-3
    assert 0 < moving.sum() < 40
    found = irs(codes=codes, factors=named(labels))
    assert list(found.each) == [str(dim) for dim in np.flatnonzero(moving)]


def test_scale_matters_in_the_published_variant_only(known):
    codes = np.c_[known.perfect[:, 0], known.values[:, 1] + known.values[:, 2]]
    options = {"factors": known.factors}
    one = [irs(codes=codes * [s, 1], **options).value for s in (1, 100)]
    two = [irs(codes=codes * [s, 1], variant="weighted", **options).value for s in (1, 100)]
    assert one[0] == pytest.approx(one[1])
    assert two[1] > two[0] + 0.1


def test_what_cannot_be_measured_is_refused():
    labels = np.arange(6) % 2
    with pytest.raises(DataError, match="two factors"):
        irs(codes=np.eye(6), factors={"a": labels})
    a = Factor("a", "categorical", np.where(np.arange(6) < 3, labels, -1))
    b = Factor("b", "categorical", np.where(np.arange(6) < 3, -1, labels))
    with pytest.raises(DataError, match="every factor"):
        irs(codes=np.eye(6), factors={"a": a, "b": b})
