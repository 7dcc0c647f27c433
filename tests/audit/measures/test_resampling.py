import numpy as np
import pytest

from disentone.audit.measures import (
    Measured,
    dci,
    dcimig,
    estimated,
    information_matrix,
    mig,
    sap,
)
from disentone.audit.measures.resampling import estimates
from disentone.errors import DataError
from disentone.factors import Factor
from factor_grids import named, on_grid


def mean(*, codes, factors):
    return Measured(float(codes.mean()), {}, len(codes))


def test_the_interval_of_a_mean_is_the_known_one(rng):
    codes = rng.normal(size=(400, 1))
    found = estimated(mean, codes=codes, factors={}, replicates=2000)
    half = 1.96 * codes.std(ddof=1) / 20
    assert found.value == codes.mean()
    assert found.high - found.value == pytest.approx(half, rel=0.12)
    assert found.value - found.low == pytest.approx(half, rel=0.12)
    assert found.chance == pytest.approx(found.value)
    assert found.n == 400


def test_intervals_cover_the_truth(rng):
    covered = 0
    for seed in range(60):
        codes = rng.normal(size=(80, 1))
        found = estimated(mean, codes=codes, factors={}, replicates=80, seed=seed)
        covered += found.low <= 0 <= found.high
    assert covered >= 51  # 95 % of 60 is 57; fewer than 51 has a chance below one in a thousand


def test_perfect_codes_and_noise(known):
    perfect = estimated(
        mig, codes=known.perfect, factors=known.factors, replicates=20, permutations=5
    )
    assert perfect.value == pytest.approx(1)
    assert [perfect.low, perfect.high] == pytest.approx([1, 1], abs=0.01)
    assert perfect.chance < 0.01
    noise = estimated(mig, codes=known.noise, factors=known.factors, replicates=20, permutations=20)
    assert noise.chance == pytest.approx(noise.value, abs=0.02)
    assert noise.low < noise.chance < noise.high


def test_the_held_out_clips_stay_held_out():
    values = on_grid((3, 3), repeats=20)
    test = np.arange(len(values)) % 2 == 0
    seen = []

    def spy(*, codes, factors, test, bins):
        seen.append((len(codes), test.mean(), bins))
        return sap(codes=codes, factors=factors, test=test, bins=bins)

    factors = {"a": Factor("a", "categorical", values[:, 0]), "b": values[:, 1]}
    found = estimated(
        spy, codes=values * 1.0, factors=factors, test=test, bins=9, replicates=3, permutations=2
    )
    assert found.value == pytest.approx(1)
    assert [clips for clips, _, _ in seen] == [180, 90, 90, 90, 180, 180]
    assert all(0.3 < share < 0.7 and bins == 9 for _, share, bins in seen)


def test_one_number_of_several():
    values = on_grid((3, 3), repeats=20)
    found = estimated(
        lambda **given: dci(predictor="linear", **given).completeness,
        codes=values * 1.0,
        factors=named(values),
        replicates=3,
        permutations=2,
    )
    assert found.value == pytest.approx(1)
    assert found.chance < 0.6


def test_replicates_are_needed():
    with pytest.raises(DataError, match="two half-samples"):
        estimated(mean, codes=np.eye(4), factors={}, replicates=1)


def test_a_sample_of_fewer_clips_gives_the_interval_of_all(rng):
    codes = rng.normal(size=(2000, 1))
    found = estimated(mean, codes=codes, factors={}, replicates=800, most=100)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * codes.std() / 2000**0.5, rel=0.1)


def test_clips_of_a_recording_are_drawn_together(rng):
    once = rng.normal(size=(300, 1))
    unit = np.repeat(np.arange(300), 3)
    found = estimated(mean, codes=once[unit], factors={}, groups=unit, replicates=800)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * once.std() / 300**0.5, rel=0.12)


def test_several_measures_and_their_parts_at_once(rng):
    codes = np.c_[rng.integers(3, size=300), rng.normal(size=300)]
    factors = {"a": codes[:, 0].astype(int), "b": rng.integers(2, size=300)}

    def both(**given):
        matrix = information_matrix(**given)
        return {"mig": mig(matrix=matrix, **given), "gap": dcimig(matrix=matrix, **given)}

    found = estimates(both, codes=codes, factors=factors, replicates=5, permutations=2)
    assert set(found) == {(m, part) for m in ("mig", "gap") for part in ("", "a", "b")}
    assert found["mig", ""].value == mig(codes=codes, factors=factors).value
    assert found["gap", "a"].value == dcimig(codes=codes, factors=factors).each["a"]
    assert found["mig", "a"].low <= found["mig", "a"].value
    assert found["mig", "a"].chance < 0.2


def test_there_is_no_interval_where_parts_cannot_be_measured():
    codes = np.arange(40.0)[:, None]
    rare = {"a": (np.arange(40) == 0).astype(int)}  # half of the parts lack the only one
    found = estimated(mig, codes=codes, factors=rare, replicates=30, permutations=1)
    assert np.isnan([found.low, found.high]).all()
    assert np.isfinite(found.value)
