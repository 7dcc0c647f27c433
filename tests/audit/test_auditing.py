import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from disentone.audit import audit
from disentone.audit.auditing import _apart
from disentone.clips import random_split
from disentone.errors import DataError
from disentone.facets import Facets
from disentone.factors import Factor

FACETS = Facets({"pitch": 2, "timbre": 3, "rest": 1})
OWNS = {"pitch": ["note"], "timbre": ["shape"]}


def made_up(count=800, seed=0):
    """Build an embedding that is no model's: pitch also encodes the shape, a little."""
    rng = np.random.default_rng(seed)
    shape, note = rng.integers(0, 3, count), rng.integers(60, 66, count)
    pitch = np.c_[note + 0.2 * rng.normal(size=count), (shape == 1) + 0.4 * rng.normal(size=count)]
    timbre = 6 * np.eye(3)[shape] + rng.normal(size=(count, 3))
    factors = {
        "shape": Factor.categorical("shape", [["saw", "sine", "square"][i] for i in shape]),
        "note": Factor.continuous("note", note, kind="ordinal", tolerance=1),
    }
    embedding = np.c_[pitch, timbre, rng.normal(size=count)]
    return embedding, factors, random_split(count, seed=0, valid=0.1, test=0.3)


def quick(embedding, factors, split, **options):
    settings = {"facets": FACETS, "owns": OWNS, "seeds": 2, "permutations": 100, "jobs": 1}
    settings["measures"] = ["none"]
    return audit(embedding, factors=factors, split=split, **(settings | options))


@pytest.fixture(scope="module")
def card():
    return quick(*made_up(), run="made up")


def test_what_was_put_in_is_found(card):
    assert card.value("probe", "timbre", "shape") > 0.98
    assert card.value("probe", "pitch", "note", "within") > 0.98
    assert card.value("information", "timbre", "shape") > 0.9 * np.log(3)
    leak = card.record("leak", "pitch", "shape")
    assert leak["low"] > 0.1
    assert leak["value"] == pytest.approx(
        card.value("probe", "pitch", "shape") - card.record("probe", "pitch", "shape")["chance"]
    )
    kept = card.record("leak", "timbre", "note")
    assert kept["low"] <= 0 <= kept["high"]
    noise = card.record("probe", "rest", "shape")
    assert noise["low"] <= noise["chance"] <= noise["high"]
    assert card.record("information", "pitch[0]", "note")["p"] == pytest.approx(1 / 101)
    assert card.record("information", "rest[0]", "note")["p"] > 0.01


def test_records_are_complete_and_only_owners_are_judged(card):
    keys = {"measure", "facet", "factor", "metric", "value", "low", "high", "chance", "n", "split"}
    for record in card.records:
        assert keys <= set(record)
        assert record["low"] <= record["value"] <= record["high"]
        assert (record["n"], record["split"]) == (240, "test")
    assert set(card.table("probe")) == {"pitch", "timbre", "rest", "all"}
    assert card.table("leak").keys() == {"pitch", "timbre"}
    dims = [f"{name}[{i}]" for name, size in FACETS.items() for i in range(size)]
    assert set(card.table("information")) == {*FACETS, "all", *dims}
    assert {r["train"] for r in card.records if r["measure"] == "probe"} == {480}
    assert card.factors["shape"]["classes"] == ["saw", "sine", "square"]
    assert json.loads(json.dumps(card.to_json(), allow_nan=False))["run"] == "made up"
    assert card.verdict().startswith("The pitch facet predicts note at ")


def test_the_same_numbers_from_two_threads_with_stages():
    embedding, factors, split = made_up(120)
    given = (embedding, {"shape": factors["shape"]}, split)
    steps: dict[str, list] = {}

    def stage(name):
        steps[name] = []
        return lambda *step: steps[name].append(step)

    alone = quick(*given, owns={})
    pair = quick(*given, owns={}, jobs=2, stage=stage)
    assert pair == alone
    assert list(steps) == ["Auditing: measures", "Auditing: probes", "Auditing: dimensions"]
    assert steps["Auditing: probes"][-1] == (4 * 2, 4 * 2)
    assert steps["Auditing: dimensions"] == [(1, 1)]


def test_the_same_numbers_from_two_processes(monkeypatch):
    embedding, factors, split = made_up(120)
    given = (embedding, factors, split)
    alone = quick(*given, owns={}, seeds=1, measures=["mig", "total_correlation"])
    asked = []

    def watched(calls, processes, show):
        asked.append(processes)
        return _apart(calls, processes, show)

    monkeypatch.setattr("disentone.audit.auditing._apart", watched)
    options = {"owns": {}, "seeds": 1, "measures": ["mig", "total_correlation"], "jobs": 2}
    assert quick(*given, **options) == alone
    assert asked == [1, 1]  # so little is not worth a process
    monkeypatch.setattr("disentone.audit.auditing.WORTH", 0)
    assert quick(*given, **options) == alone
    assert asked[2:] == [2, 2]


def test_one_job_starts_no_process_and_two_start_calm_ones():
    def result_of(function, *words, processes):
        steps = []
        calls = [(function, *words)] * 3
        found = list(_apart(calls, processes, lambda *step: steps.append(step)))
        assert steps == [(1, 3), (2, 3), (3, 3)]
        return set(found)

    assert result_of(os.getpid, processes=1) == {os.getpid()}
    assert os.getpid() not in result_of(os.getpid, processes=2)
    assert result_of(os.getenv, "OMP_NUM_THREADS", processes=2) == {"1"}
    assert list(_apart([], 2, print)) == []


def test_torch_has_its_threads_again_after_an_audit():
    import torch

    embedding, factors, split = made_up(60)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        quick(embedding, {"shape": factors["shape"]}, split, owns={}, seeds=1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("jobs", [0, -1])
def test_no_jobs_are_refused(jobs):
    embedding, factors, split = made_up(60)
    with pytest.raises(DataError, match=f"{jobs} jobs would not begin: ask for one or more"):
        quick(embedding, factors, split, jobs=jobs)


def test_test_labels_never_reach_the_fit():
    embedding, factors, split = made_up(300)
    half = dataclasses.replace(factors["shape"], values=np.minimum(factors["shape"].values, 1))
    lied = half.values.copy()
    lied[split == "test"] = 1 - lied[split == "test"]
    options = {"facets": Facets({"x": 6}), "owns": {}, "seeds": 1}
    honest = quick(embedding, {"shape": half}, split, **options)
    wrong = quick(embedding, {"shape": dataclasses.replace(half, values=lied)}, split, **options)
    # the very same predictions: what was right is now wrong, and nothing else moved
    for facet in ("x", "all"):
        right = honest.value("probe", facet, "shape")
        assert right > 0.9
        assert right + wrong.value("probe", facet, "shape") == pytest.approx(1, abs=1e-12)


def test_test_and_validation_embeddings_never_reach_the_fit():
    embedding, factors, split = made_up(400)
    factors = {"shape": factors["shape"]}
    options = {"facets": Facets({"x": 6}), "owns": {"x": []}, "seeds": 1}
    before = quick(embedding, factors, split, **options)
    wild = embedding.copy()
    wild[split == "valid"] = 1e9
    tests = np.flatnonzero(split == "test")
    twice = np.r_[np.arange(len(split)), tests]
    wild = wild[twice]
    taken = {"shape": factors["shape"].take(twice)}
    after = quick(wild, taken, split[twice], **options)
    assert after.record("probe", "all", "shape")["n"] == 2 * len(tests)
    for measure in ("probe", "leak"):
        assert after.table(measure) == before.table(measure)


def test_unknown_values_are_left_out():
    embedding, factors, split = made_up(400)
    unknown = np.random.default_rng(1).random(400) < 0.3
    values = np.where(unknown, -1, factors["shape"].values)
    partly = {"shape": dataclasses.replace(factors["shape"], values=values)}
    options = {"facets": Facets({"x": 6}), "owns": {}, "seeds": 1}
    found = quick(embedding, partly, split, **options)
    known = {"shape": factors["shape"].take(~unknown)}
    kept = quick(embedding[~unknown], known, split[~unknown], **options)
    assert found.records == kept.records
    assert found.record("probe", "all", "shape")["n"] == (~unknown & (split == "test")).sum()


def test_several_labels_and_a_limit_of_training_clips():
    rng = np.random.default_rng(2)
    labels = (rng.random((500, 3)) < [0.6, 0.3, 0.3]).astype(float)
    labels[::50] = np.nan
    encoded = 5 * np.nan_to_num(labels) + rng.normal(size=(500, 3))
    factor = Factor("tags", "multilabel", labels, ("a", "b", "c"))
    found = quick(
        np.c_[encoded, rng.normal(size=(500, 2))],
        {"tags": factor},
        random_split(500, seed=0, valid=0.0, test=0.4),
        facets=Facets({"tags": 3, "noise": 2}),
        owns={"noise": []},
        train_limit=200,
    )
    assert found.value("probe", "tags", "tags", "jaccard") > 0.9
    assert found.value("probe", "tags", "tags", "map") > 0.97
    noise = found.record("leak", "noise", "tags")
    assert noise["metric"] == "jaccard"
    assert noise["low"] <= 0 <= noise["high"]
    assert found.record("probe", "tags", "tags")["train"] == 200
    assert found.value("information", "tags[0]", "tags") > 0.15  # a third of a label's 0.67


def test_a_facet_knows_what_no_dimension_knows():
    rng = np.random.default_rng(3)
    signs = rng.integers(0, 2, (2000, 2))
    embedding = (2.0 * signs - 1) * rng.uniform(0.5, 1, (2000, 2))
    factor = Factor.categorical("xor", (signs[:, 0] ^ signs[:, 1]).astype(str))
    found = quick(
        embedding,
        {"xor": factor},
        random_split(2000, seed=0, valid=0.0, test=0.3),
        facets=Facets({"pair": 2}),
        owns={},
    )
    assert found.value("information", "pair", "xor") > 0.95 * np.log(2)
    for dim in ("pair[0]", "pair[1]"):
        assert found.value("information", dim, "xor") < 0.03


def test_information_of_a_facet_is_a_lower_bound():
    rng = np.random.default_rng(4)
    rotation = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    labels = rng.integers(0, 2, 6000)
    clean = np.c_[2.0 * labels - 1, np.zeros((6000, 3))] + rng.normal(size=(6000, 4))
    grid = np.linspace(-8, 8, 4001)
    one, two = (np.exp(-((grid - m) ** 2) / 2) / np.sqrt(2 * np.pi) for m in (-1, 1))
    mixed = (one + two) / 2
    true = ((one * np.log(one / mixed) + two * np.log(two / mixed)) / 2).sum() * 0.004
    found = quick(
        clean @ rotation,
        {"sign": Factor.categorical("sign", labels.astype(str))},
        random_split(6000, seed=0, valid=0.0, test=0.5),
        facets=Facets({"x": 4}),
        owns={},
    ).record("information", "x", "sign")
    assert found["low"] <= true <= found["high"]
    assert true - 0.04 < found["value"] < true + 0.02


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"facets": Facets({"x": 5})}, "6 columns"),
        ({"facets": Facets({"all": 6})}, "No facet may be called 'all'"),
        ({"owns": {"pich": ["note"]}}, "did you mean 'pitch'"),
        ({"owns": {"pitch": ["notes"]}}, "did you mean 'note'"),
        ({"owns": {"pitch": "note"}}, r"\['note'\]"),
        ({"classes": {"frequency": 3}}, "no factor 'frequency'"),
        ({"classes": {"shape": 3}}, "cannot be cut"),
        ({"seeds": 0}, "at least"),
        ({"factors": {}}, "no factor"),
        ({"factors": {"f": Factor.categorical("f", ["a"] * 90)}}, "one class only"),
        ({"factors": {"f": Factor.categorical("f", ["a", "b"])}}, "2 values .* 90 clips"),
        ({"split": np.full(90, "train")}, "No test clip"),
        ({"split": np.full(90, "test")}, "No training clip"),
        ({"split": np.full(90, "dev")}, "Split 'dev'"),
        ({"embedding": np.full((90, 6), np.nan)}, "90 clips .* not finite"),
        ({"embedding": np.zeros(90)}, "clips x dims"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    embedding, factors, split = made_up(90)
    given = {"embedding": embedding, "factors": factors, "split": split, "owns": {}} | change
    with pytest.raises(DataError, match=message):
        quick(**given)


def test_importing_the_audit_is_cheap():
    code = "import sys, disentone.audit; print(*{'torch', 'sklearn', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_baselines_are_probed_beside_the_facets_and_not_judged():
    embedding, factors, split = made_up(300)
    card = quick(embedding, factors, split, baselines={"as it was": embedding[:, 2:5]})
    same = card.record("probe", "timbre", "shape") | {"facet": "as it was"}
    assert card.record("probe", "as it was", "shape") == same
    assert set(card.table("leak")) == {"pitch", "timbre"}
    for baselines, words in (
        ({"pitch": embedding}, "a facet's name"),
        ({"short": embedding[:5]}, "has 5 rows for 300 clips"),
        ({"flat": embedding[:, 0]}, "Baseline 'flat' is not a table"),
    ):
        with pytest.raises(DataError, match=words):
            quick(embedding, factors, split, baselines=baselines)
