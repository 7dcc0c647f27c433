import numpy as np
import pytest

from disentone.audit.measures import (
    agreeing_pairs,
    changed_pairs,
    z_diff,
    z_max_variance,
    z_min_variance,
)
from disentone.errors import DataError

MEASURES = {z_diff: agreeing_pairs, z_min_variance: agreeing_pairs, z_max_variance: changed_pairs}


def score(measure, codes, factors, **options):
    one, two, factor = MEASURES[measure](factors=factors, clips=len(codes), pairs=320)
    return measure(first=codes[one], second=codes[two], factor=factor, **options)


def test_pairs_share_one_factor(known):
    one, two, factor = agreeing_pairs(factors=known.factors, clips=600, pairs=50)
    assert len(one) == 150
    for name, values in known.factors.items():
        mine = factor == name
        assert (values[one[mine]] == values[two[mine]]).all()
        assert (values[one[~mine]] != values[two[~mine]]).any()
    assert (one != two).all()


def test_pairs_differ_in_one_factor(known):
    one, two, factor = changed_pairs(factors=known.factors, clips=600, pairs=50)
    for name, values in known.factors.items():
        mine = factor == name
        assert (values[one[mine]] != values[two[mine]]).all()
        assert (values[one[~mine]] == values[two[~mine]]).all()


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("code", ["perfect", "duplicated", "dead"])
def test_perfect_codes_score_one(measure, code, known):
    found = score(measure, getattr(known, code), known.factors)
    assert found.value == 1
    assert found.n == found.how["test"] == 30


@pytest.mark.parametrize("measure", MEASURES)
def test_noise_is_at_chance(measure, known):
    factors = known.factors
    codes = np.random.default_rng(1).normal(size=(600, 3))
    one, two, factor = MEASURES[measure](factors=factors, clips=600, pairs=1600)
    found = measure(first=codes[one], second=codes[two], factor=factor)
    assert found.value < 0.35  # 600 clips: pairs repeat, so the two halves are not quite apart
    raw = measure(first=codes[one], second=codes[two], factor=factor, variant="paper")
    assert found.value == pytest.approx((raw.value - 1 / 3) / (2 / 3))
    assert raw.how["chance"] == pytest.approx(1 / 3)


def test_least_variance_sees_a_rotation():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2560, 2, 2))  # pairs, clips, factors
    factor = np.repeat([0, 1], 1280)
    values[factor == 0, 1, 0] = values[factor == 0, 0, 0]
    values[factor == 1, 1, 1] = values[factor == 1, 0, 1]
    straight = z_min_variance(first=values[:, 0], second=values[:, 1], factor=factor)
    turned = values @ [[1, 1], [-1, 1]]  # both dimensions change equally, whichever is shared
    rotated = z_min_variance(first=turned[:, 0], second=turned[:, 1], factor=factor)
    assert straight.value == 1
    assert abs(rotated.value) < 0.4


@pytest.mark.parametrize("measure", MEASURES)
def test_order_and_scale_of_dimensions_do_not_matter(measure, known):
    codes = known.rotated + 0.3 * known.noise
    before = score(measure, codes, known.factors).value
    after = score(measure, codes[:, [2, 0, 1]] * [5, 0.1, 30], known.factors).value
    assert after == pytest.approx(before, abs=0.05)


def test_what_cannot_be_measured_is_refused(known):
    with pytest.raises(DataError, match="too few pairs"):
        score(z_diff, known.perfect, known.factors, batch=200)
    with pytest.raises(DataError, match="two factors"):
        z_diff(first=np.eye(3), second=np.eye(3), factor=np.zeros(3))
    with pytest.raises(DataError, match="two rows"):
        z_diff(first=np.eye(3), second=np.eye(4), factor=np.zeros(3))
    with pytest.raises(DataError, match="No dimension varies"):
        score(z_min_variance, np.zeros((600, 2)), known.factors)
    with pytest.raises(DataError, match="Too few clips share"):
        agreeing_pairs(factors={"a": np.arange(9)}, clips=9, pairs=5)
    with pytest.raises(DataError, match="another that is kept"):
        changed_pairs(factors={"a": np.arange(9)}, clips=9, pairs=5)
