"""What holds for all measures: frozen values, and no reward for noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disentone.audit import measures as m
from factor_grids import named, on_grid

PLAIN = [m.mig, m.mig_sup, m.dcimig, m.jemmig, m.dmig, m.xmig, m.dlig, m.sap, m.modularity, m.irs]


def example():
    """Two mixed factors and a continuous one in three noisy dimensions."""
    rng = np.random.default_rng(11)
    values = rng.integers(3, size=(200, 2))
    level = rng.normal(size=200)
    codes = np.c_[values @ [[1.0, 0.3], [0.2, 1.0]], level] + 0.3 * rng.normal(size=(200, 3))
    return codes, named(values) | {"level": level}


def frozen():
    codes, factors = example()
    found = {measure.__name__: measure(codes=codes, factors=factors).value for measure in PLAIN}
    found["total_correlation"] = m.gaussian_total_correlation(codes=codes).value
    found["wasserstein"] = m.wasserstein_dependency(codes=codes).value
    found["udr"] = m.udr(runs=[codes, codes @ [[1, 0, 0], [0.5, 1, 0], [0, 0, 1]]]).value
    curves = m.recorded_traversal(codes=codes, values=factors["level"], steps=6)
    found["smoothness"] = m.smoothness(traversals=curves).value
    found["monotonicity"] = m.monotonicity(traversals=curves).value
    one, two, factor = m.agreeing_pairs(factors=factors, clips=200, pairs=320)
    found["z_min"] = m.z_min_variance(first=codes[one], second=codes[two], factor=factor).value
    found["linear dci"] = m.dci(codes=codes, factors=factors, predictor="linear").importance[2, 2]
    return found


GOLDENS = {
    "mig": 0.4471566879548,
    "mig_sup": 0.4218219856956,
    "dcimig": 0.2616571546727,
    "jemmig": 0.3509432429705,
    "dmig": 0.4528079347455,
    "xmig": 0.6659922945839,
    "dlig": 0.0774417856352,
    "sap": 0.7687516755848,
    "modularity": 0.9948059739579,
    "irs": 0.6699459357577,
    "total_correlation": 0.1110853091355,
    "wasserstein": 0.0423731938867,
    "udr": 0.6545223980703,
    "smoothness": 0.2818584567915,
    "monotonicity": 0.4666666666667,
    "z_min": 1.0,
    "linear dci": 1.8994946054176,
}


def test_goldens():
    found = frozen()
    assert set(found) == set(GOLDENS)
    for name, value in GOLDENS.items():
        assert found[name] == pytest.approx(value, abs=1e-10), name


@pytest.mark.parametrize("measure", [*PLAIN, m.explicitness])
def test_more_noise_never_scores_more(measure):
    values = on_grid((2, 3, 2), repeats=100)
    noise = np.random.default_rng(2).normal(size=values.shape)
    scores = [
        measure(codes=values + amount * noise, factors=named(values)).value
        for amount in (0.01, 0.5, 1.5, 6.0)
    ]
    steps = np.diff(scores)
    assert (steps < 0.05).all()
    assert scores[-1] < scores[0] - 0.1


@pytest.mark.parametrize("predictor", ["forest", "linear"])
def test_more_noise_tells_less(predictor):
    values = on_grid((2, 3), repeats=80)
    noise = np.random.default_rng(2).normal(size=values.shape)
    scores = [
        m.dci(
            codes=values + a * noise, factors=named(values), predictor=predictor
        ).informativeness.value
        for a in (0.01, 0.7, 6.0)
    ]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("measure", PLAIN)
def test_labels_and_names_of_classes_do_not_matter(measure):
    codes, factors = example()
    factors = {"a": factors["a"], "b": factors["b"]}
    texts = {name: np.array(["x", "z", "y"])[values] for name, values in factors.items()}
    before = measure(codes=codes, factors=factors).value
    assert measure(codes=codes, factors=texts).value == pytest.approx(before, abs=0.02)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_neither_order_nor_scale_of_dimensions_matters(seed):
    rng = np.random.default_rng(seed)
    codes, factors = example()
    order = rng.permutation(codes.shape[1])
    moved = codes[:, order] * rng.uniform(0.01, 100, size=codes.shape[1])
    for measure in PLAIN:
        before = measure(codes=codes, factors=factors).value
        after = measure(codes=moved, factors=factors).value
        assert after == pytest.approx(before, abs=1e-9), measure.__name__


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_order_and_scale_do_not_matter_to_what_needs_no_factor_or_a_line(seed):
    rng = np.random.default_rng(seed)
    codes, factors = example()
    order = rng.permutation(codes.shape[1])
    moved = codes[:, order] * rng.uniform(0.01, 100, size=codes.shape[1])
    for measure in (m.gaussian_total_correlation, m.wasserstein_dependency):
        assert measure(codes=moved).value == pytest.approx(measure(codes=codes).value, abs=1e-9)
    given = [m.explicitness(codes=c, factors=factors).value for c in (codes, moved)]
    assert given[1] == pytest.approx(given[0], abs=1e-3)
    udr = [m.udr(runs=[c, codes]).value for c in (codes, moved)]
    assert udr[1] == pytest.approx(udr[0])
