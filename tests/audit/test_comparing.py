import dataclasses

import numpy as np
import pytest
from scipy.stats import ttest_rel

from disentone.audit import Card
from disentone.audit.comparing import compare, paired
from disentone.audit.outcomes import Outcomes
from disentone.errors import DataError
from disentone.facets import Facets

FACETS = Facets({"a": 2, "b": 1})
CLIPS = np.array([f"{i}.wav" for i in range(200)])


def record(measure, facet, factor, metric, value, **more):
    numbers = {"value": value, "low": value - 0.03, "high": value + 0.04, "chance": 0.25, "n": 200}
    names = {"measure": measure, "facet": facet, "factor": factor, "metric": metric}
    return names | numbers | {"split": "test"} | more


def card(scores, *, mig=0.5, clips=CLIPS, groups=None):
    """A card of one factor, predicted by two facets as the scores say."""
    found = {("a", "note", "accuracy"): scores, ("b", "note", "accuracy"): scores * 0}
    groups = np.arange(len(clips)) if groups is None else groups
    records = (
        record("probe", "a", "note", "accuracy", scores.mean()),
        record("leak", "a", "note", "accuracy", scores.mean() - 0.25, chance=0.0),
        record("dsc_delta", "a", "note", "accuracy", scores.mean(), other="b"),
        record("mig", "all", "all", "score", mig),
        record("mig", "all", "all", "score", 0.1, variant="syntone"),
        record("information", "a[0]", "note", "nats", 1.0, dimension=0),
    )
    return Card(FACETS, {}, records, outcomes=Outcomes(clips, groups, found))


def scores(share, seed=0):
    return (np.random.default_rng(seed).random(200) < share) * 1.0


def found(one, two):
    return {
        (r["measure"], r["facet"], r.get("variant", "")): r
        for r in compare(card(**one), card(**two))
    }


def test_scores_are_paired_and_measures_are_not():
    one, two = scores(0.6), scores(0.8, 1)
    compared = found({"scores": one}, {"scores": two, "mig": 0.6})
    for name in ("probe", "leak", "dsc_delta"):
        assert compared[name, "a", ""]["kind"] == "paired"
        assert compared[name, "a", ""]["difference"] == pytest.approx((two - one).mean())
        assert compared[name, "a", ""]["n"] == 200
    mig = compared["mig", "all", ""]
    assert (mig["kind"], mig["n"]) == ("independent", None)
    assert mig["difference"] == pytest.approx(0.1)
    assert mig["low"] == pytest.approx(0.1 - np.hypot(0.04, 0.03))
    assert compared["mig", "all", "syntone"]["difference"] == 0
    assert not any(facet == "a[0]" for _, facet, _ in compared)


def test_the_paired_interval_and_p_are_those_of_a_t_test():
    rng = np.random.default_rng(0)
    one = rng.random(400)
    two = one + 0.02 + 0.2 * rng.normal(size=400)
    value, low, high, p = paired(one, two)
    expected = ttest_rel(two, one)
    assert value == pytest.approx((two - one).mean())
    bounds = expected.confidence_interval(0.95)
    assert (low, high) == pytest.approx((bounds.low, bounds.high), abs=0.003)
    assert p == pytest.approx(expected.pvalue, abs=0.03)


def test_pairs_of_one_recording_are_one_pair():
    rng = np.random.default_rng(0)
    one, two = rng.random((2, 100))
    unit = np.repeat(np.arange(100), 6)
    alone, copied = paired(one, two), paired(one[unit], two[unit], groups=unit)
    assert copied == pytest.approx(alone, abs=0.01)


def test_the_same_card_twice_does_not_differ():
    same = scores(0.5)
    for record in compare(card(same), card(same)):
        assert record["difference"] == 0
        assert record["low"] <= 0 <= record["high"]
        assert record["p"] == pytest.approx(1)


def test_shared_items_alone_are_paired_in_whatever_order():
    one, two = scores(0.6), scores(0.8, 1)
    order = np.random.default_rng(3).permutation(200)[:120]
    compared = found({"scores": one}, {"scores": two[order], "clips": CLIPS[order]})
    probe = compared["probe", "a", ""]
    assert probe["n"] == 120
    assert probe["difference"] == pytest.approx((two - one)[order].mean())


def test_without_outcomes_or_shared_items_differences_are_independent():
    one, two = card(scores(0.6)), card(scores(0.8, 1))
    without = dataclasses.replace(two, outcomes=None)
    others = card(scores(0.8, 1), clips=np.array([f"other {i}" for i in range(200)]))
    for second in (without, others):
        kinds = {record["kind"] for record in compare(one, second)}
        assert kinds == {"independent"}


def test_leaks_above_another_chance_are_not_paired():
    one, two = card(scores(0.6)), card(scores(0.8, 1))
    moved = tuple(r | {"chance": 0.5} if r["measure"] == "probe" else r for r in two.records)
    kinds = {r["measure"]: r["kind"] for r in compare(one, dataclasses.replace(two, records=moved))}
    assert (kinds["probe"], kinds["leak"]) == ("paired", "independent")


def test_cards_without_a_common_number_are_refused():
    other = Card(FACETS, {}, (record("probe", "b", "room", "accuracy", 0.5),))
    with pytest.raises(DataError, match="no number in common"):
        compare(card(scores(0.5)), other)


def test_numbers_that_are_missing_stay_missing():
    one, two = card(scores(0.5)), card(scores(0.5))
    gone = tuple(r | {"value": None, "low": None, "high": None} for r in two.records)
    differences = compare(one, dataclasses.replace(two, records=gone, outcomes=None))
    assert {r["difference"] for r in differences} == {None}
