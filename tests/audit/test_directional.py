"""The directional subspace difference, Eqs. 6 and 7 of the paper, on scores that are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from disentone.audit import audit, dsc_delta
from disentone.audit.directional import rivals
from disentone.errors import DataError
from disentone.facets import Facets
from disentone.factors import Factor


def test_it_is_the_difference_of_the_means():
    """Table 2's kind of numbers: 0.6 of one facet, 0.45 of the other, in both directions."""
    own, other = np.full((3, 1000), 0.6), np.full((3, 1000), 0.45)
    assert dsc_delta(own=own, other=other).value == pytest.approx(0.15)
    assert dsc_delta(own=other, other=own).value == pytest.approx(-0.15)
    same = dsc_delta(own=own, other=own)
    assert (same.value, same.chance, same.n) == (0, 0, 1000)
    assert same.low < 0 < same.high


@pytest.mark.parametrize("classes", [2, 4, 12])
def test_perfect_separation_is_one_less_chance(classes):
    labels = np.arange(6000) % classes
    constant = (labels == 0)[None] * 1.0  # a probe without information predicts one class
    found = dsc_delta(own=np.ones((1, 6000)), other=constant)
    assert found.value == pytest.approx(1 - 1 / classes)


@given(st.integers(0, 2**32 - 1))
def test_both_directions_of_one_pair_cancel(seed):
    first, second = np.random.default_rng(seed).random((2, 2, 20))
    one, two = dsc_delta(own=first, other=second), dsc_delta(own=second, other=first)
    assert one.value == pytest.approx(-two.value)
    assert (one.low, one.high) == pytest.approx((-two.high, -two.low))
    assert -1 <= one.low <= one.value <= one.high <= 1


def test_the_interval_over_seeds_is_that_of_a_paired_t_test():
    own = np.array([[0.70], [0.74], [0.69]]) * np.ones(10**6)
    other = np.array([[0.50], [0.58], [0.49]]) * np.ones(10**6)
    found = dsc_delta(own=own, other=other)
    low, high = ttest_rel(own[:, 0], other[:, 0]).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-3)


def test_what_is_not_a_pair_of_scores_is_refused():
    with pytest.raises(DataError, match=r"\(2, 5\) and \(1, 5\)"):
        dsc_delta(own=np.ones((2, 5)), other=np.ones((1, 5)))
    with pytest.raises(DataError, match=r"in \[0, 1\]"):
        dsc_delta(own=np.full((1, 5), -0.2), other=np.ones((1, 5)))


def test_of_several_other_facets_the_best_is_the_rival():
    scores = {
        (facet, "sensor"): np.full((1, 4), value)
        for facet, value in {"a": 0.5, "b": 0.7, "c": 0.9, "d": 0.1}.items()
    }
    facets = ["a", "b", "c", "d"]
    found = rivals(scores, facets=facets, owns={"a": ["sensor"], "c": ["sensor"]})
    assert list(found) == [("a", "sensor", "b"), ("c", "sensor", "b")]
    assert list(rivals(scores, facets=["a"], owns={"a": ["sensor"]})) == []
    assert list(rivals(scores, facets=["a", "b"], owns={"a": ["sensor"], "b": ["sensor"]})) == []


def test_the_card_has_both_directions():
    """Source in the private facet alone, the sensor in both: one clear difference, one of 0."""
    rng = np.random.default_rng(0)
    count = 900
    sensor, source = rng.integers(0, 3, count), (rng.random((count, 3)) < 0.4) * 1.0
    place = 5 * np.eye(3)[sensor]
    private = np.c_[5 * source, place] + rng.normal(size=(count, 6))
    shared = np.c_[place, np.zeros((count, 3))] + rng.normal(size=(count, 6))
    card = audit(
        np.c_[private, shared],
        facets=Facets({"private": 6, "shared": 6}),
        factors={
            "source": Factor("source", "multilabel", source, ("a", "b", "c")),
            "sensor": Factor.categorical("sensor", sensor),
        },
        split=np.where(np.arange(count) < 500, "train", "test"),
        owns={"private": ["source"], "shared": ["sensor"]},
        baselines={"features": np.c_[private, shared]},
        seeds=2,
        permutations=20,
        jobs=1,
    )
    assert card.table("dsc_delta").keys() == {"private", "shared"}
    towards = card.record("dsc_delta", "private", "source")
    assert (towards["metric"], towards["other"], towards["seeds"]) == ("jaccard", "shared", 2)
    assert towards["value"] == pytest.approx(
        card.value("probe", "private", "source") - card.value("probe", "shared", "source")
    )
    assert towards["low"] > 0.3
    both = card.record("dsc_delta", "shared", "sensor")
    assert both["metric"] == "accuracy"
    assert both["low"] <= 0 <= both["high"]
