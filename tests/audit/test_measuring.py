"""Measures on a card: every one is there, is the function's own number, and says how it came."""

import numpy as np
import pytest

from disentone.audit import audit
from disentone.audit import measures as m
from disentone.audit.card import ALL
from disentone.audit.registry import (
    DEFAULT,
    MEASURES,
    VARIANTS,
    chosen_measures,
    chosen_variants,
)
from disentone.errors import DataError
from disentone.facets import Facets
from disentone.factors import Factor

FACETS = Facets({"one": 2, "two": 2})


def made_up(count=360):
    rng = np.random.default_rng(0)
    shape, note = rng.integers(3, size=count), rng.integers(60, 64, size=count)
    codes = np.c_[shape, rng.normal(size=count), note, rng.normal(size=count)]
    codes = codes + 0.1 * rng.normal(size=codes.shape)
    factors = {
        "shape": Factor.categorical("shape", shape.tolist()),
        "note": Factor.continuous("note", note, kind="ordinal"),
    }
    return codes, factors, np.where(np.arange(count) % 3 == 0, "test", "train")


def quick(codes, factors, split, **options):
    settings = {"facets": FACETS, "seeds": 1, "permutations": 20, "jobs": 1}
    settings |= {"owns": {"one": ["shape"], "two": ["note"]}}
    return audit(codes, factors=factors, split=split, **(settings | options))


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    """Probes that are fitted for a sixth of the time: these codes are easy."""
    monkeypatch.setattr("disentone.audit.probes.STEPS", 50)
    monkeypatch.setattr("disentone.audit.families.SAMPLES", 8)


@pytest.fixture(scope="module")
def card():
    codes, factors, split = made_up()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("disentone.audit.families.SAMPLES", 8)
        patch.setattr("disentone.audit.probes.STEPS", 50)
        patch.setattr("disentone.audit.families.PAIRS", 320)
        return quick(
            codes,
            factors,
            split,
            measures=["all"],
            variants=["all"],
            beside={"again": codes[:, ::-1]},
        )


def whole(card, measure, variant=None):
    return next(
        r
        for r in card.records
        if (r["measure"], r["facet"], r["factor"]) == (measure, ALL, ALL)
        and r.get("variant") == variant
        and "with" not in r
    )


def test_every_measure_is_there_with_interval_chance_and_how(card):
    for name in MEASURES:
        record = whole(card, name)
        assert record["low"] <= record["value"] <= record["high"], name
        assert record["chance"] is not None, name
        assert record["n"] > 0
        assert record["split"] == "test"
        assert record["interval"], name
    assert card.notes == ()


def test_every_published_variant_is_there_with_a_sentence(card):
    for name, variant in VARIANTS:
        assert whole(card, name, variant)["note"].endswith("."), (name, variant)


@pytest.mark.parametrize(
    ("name", "function"),
    [("mig", m.mig), ("dlig", m.dlig), ("modularity", m.modularity), ("irs", m.irs)],
)
def test_the_numbers_are_those_of_the_measures(card, name, function):
    codes, factors, split = made_up()
    test = split == "test"
    known = {n: f.take(test) for n, f in factors.items()}
    found = function(codes=codes[test], factors=known)
    assert whole(card, name)["value"] == pytest.approx(found.value, abs=1e-12)


def test_what_is_fitted_is_fitted_on_train_and_measured_on_test(card):
    codes, factors, split = made_up()
    found = m.sap(codes=codes, factors=factors, test=split == "test")
    record = whole(card, "sap")
    assert record["value"] == pytest.approx(found.value)
    assert (record["train"], record["n"]) == (240, 120)
    dci = m.dci(codes=codes, factors=factors, test=split == "test")
    assert whole(card, "dci_completeness")["value"] == pytest.approx(dci.completeness.value)
    assert card.value("dci_informativeness", ALL, "note") == pytest.approx(
        dci.informativeness.each["note"]
    )


def test_parts_are_of_factors_dimensions_facets_or_runs(card):
    assert card.value("mig", ALL, "note") > 0.6
    assert card.value("modularity", "two[0]", ALL) > 0.9
    assert card.value("block_dci_disentanglement", "one", ALL) > 0.9
    assert {r["with"] for r in card.records if r["measure"] == "udr" and "with" in r} == {
        "this",
        "again",
    }


def test_a_perfect_facet_is_told_and_the_null_is_removed(card):
    assert whole(card, "block_mig")["value"] > 0.9
    assert whole(card, "block_mig")["chance"] < 0.05
    assert whole(card, "mig")["chance"] < 0.2
    assert card.record("information", "one", "shape")["p"] < 0.01
    assert card.record("information", "one", "note")["p"] > 0.01


def test_without_a_split_of_its_own_all_items_are_measured():
    codes, factors, split = made_up(120)
    card = quick(codes, factors, split, measures=["mig", "sap"], whole=True)
    assert (whole(card, "mig")["n"], whole(card, "mig")["split"]) == (120, "all")
    assert (whole(card, "sap")["n"], whole(card, "sap")["split"]) == (40, "test")
    assert card.record("information", "one[0]", "shape")["split"] == "all"


def test_what_cannot_be_measured_is_said():
    codes, factors, split = made_up(120)
    alone = {"shape": factors["shape"]}
    owns = {"one": ["shape"]}
    card = quick(codes, alone, split, measures=["irs", "smoothness", "modularity"], owns=owns)
    assert not [r for r in card.records if r["measure"] in ("irs", "smoothness", "modularity")]
    assert any("robustness: there is but one factor" in note for note in card.notes)
    assert any("no ordinal or continuous factor" in note for note in card.notes)
    assert any("at least two are needed for modularity" in note for note in card.notes)


def test_pairs_that_differ_in_one_factor_alone_may_be_missing():
    codes, factors, split = made_up(120)
    twins = factors | {"twin": factors["shape"]}  # which never changes alone
    card = quick(codes, twins, split, measures=["z_diff", "z_max_variance"])
    assert {r["measure"] for r in card.records} >= {"z_diff"}
    assert not [r for r in card.records if r["measure"] == "z_max_variance"]
    assert any("Too few clips differ only in factor" in note for note in card.notes)


def test_names_of_measures_and_variants():
    assert chosen_measures(["default"]) == set(DEFAULT) < chosen_measures(["all"]) == set(MEASURES)
    assert chosen_measures(["none", "mig"]) == {"mig"}
    assert chosen_variants(["syntone"]) == (("mig", "syntone"),)
    assert chosen_variants(["all"]) == tuple(VARIANTS)
    with pytest.raises(DataError, match="no measure 'migg'; did you mean 'mig'"):
        chosen_measures(["migg"])
    with pytest.raises(DataError, match="no variant 'sintone'; did you mean 'syntone'"):
        chosen_variants(["sintone"])
    codes, factors, split = made_up(60)
    with pytest.raises(DataError, match="'other' has 3 rows for 60"):
        quick(codes, factors, split, beside={"other": codes[:3]})
    with pytest.raises(DataError, match="3 recordings named for 60"):
        quick(codes, factors, split, groups=np.arange(3))
