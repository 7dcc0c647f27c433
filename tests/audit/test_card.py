import dataclasses
import json
import math

import numpy as np
import pytest

from disentone.audit import Card
from disentone.audit.outcomes import Outcomes
from disentone.errors import ArtifactError, DataError
from disentone.facets import Facets

FACETS = Facets({"private": 2, "shared": 1})


def record(measure, facet, factor, metric, value, **more):
    numbers = {"value": value, "low": value, "high": value, "chance": 0.25, "n": 10}
    names = {"measure": measure, "facet": facet, "factor": factor, "metric": metric}
    return names | numbers | {"split": "test"} | more


@pytest.fixture
def card():
    records = (
        record("probe", "private", "timbre", "accuracy", 0.26),
        record("probe", "private", "frequency", "accuracy", 0.9, chance=0.05),
        record("probe", "private", "frequency", "within", 0.95, chance=0.1),
        record("probe", "shared", "timbre", "accuracy", 0.994),
        record("probe", "shared", "frequency", "accuracy", 0.11, chance=0.05),
        record("probe", "all", "timbre", "accuracy", 0.99),
        record("leak", "private", "timbre", "accuracy", 0.01, low=-0.01, chance=0.0),
        record("leak", "shared", "frequency", "accuracy", 0.06, low=0.05, chance=0.0),
        record("information", "shared[0]", "timbre", "nats", 1.2, dimension=0, p=0.005),
    )
    factors = {"timbre": {"kind": "categorical", "classes": ["saw", "sine"]}}
    return Card(FACETS, factors, records, run="runs/x")


def test_round_trip(card, tmp_path):
    card.save(tmp_path / "audit.json")
    assert Card.load(tmp_path / "audit.json") == card
    assert [file.name for file in tmp_path.iterdir()] == ["audit.json"]
    data = json.loads((tmp_path / "audit.json").read_text())
    assert list(data) == ["schema", "run", "facets", "factors", "notes", "records"]
    assert data["facets"] == {"private": 2, "shared": 1}


def test_a_card_of_schema_1_is_still_read(card):
    data = card.to_json() | {"schema": 1}
    del data["notes"]
    old = Card.from_json(data)
    assert (old.schema, old.records, old.notes) == (1, card.records, ())


def test_outcomes_lie_beside_the_card_and_go_with_it(card, tmp_path):
    scores = {("shared", "timbre", "accuracy"): np.array([1.0, np.nan, 1 / 3])}
    outcomes = Outcomes(np.array(["a.wav", "b.wav", "c.wav"]), np.array([0, 0, 1]), scores)
    path = tmp_path / "audit.json"
    dataclasses.replace(card, outcomes=outcomes).save(path)
    found = Card.load(path).outcomes
    assert (found.clips.tolist(), found.groups.tolist()) == (["a.wav", "b.wav", "c.wav"], [0, 0, 1])
    np.testing.assert_allclose(
        found.scores["shared", "timbre", "accuracy"], [1, np.nan, 1 / 3], rtol=1e-6
    )
    card.save(path)  # has none: those of the earlier card are no longer true
    assert [file.name for file in tmp_path.iterdir()] == ["audit.json"]


def test_damaged_outcomes_are_named(card, tmp_path):
    card.save(tmp_path / "audit.json")
    (tmp_path / "audit-outcomes.npz").write_text("words")
    with pytest.raises(ArtifactError, match=r"outcomes\.npz is damaged"):
        Card.load(tmp_path / "audit.json")


def test_numbers_that_json_has_not_become_null(tmp_path):
    odd = record("probe", "all", "timbre", "accuracy", math.nan, low=-math.inf, n=np.int64(3))
    card = Card(FACETS, {"timbre": {"entropy": np.float64(np.nan)}}, (odd,))
    card.save(tmp_path / "audit.json")
    loaded = Card.load(tmp_path / "audit.json")
    assert loaded.records[0]["value"] is loaded.records[0]["low"] is None
    assert loaded.records[0]["n"] == 3
    assert loaded.factors["timbre"]["entropy"] is None
    assert math.isnan(loaded.value("probe", "all", "timbre"))


def test_values_are_found_by_name_and_the_main_metric_is_the_first(card):
    assert card.value("probe", "private", "frequency") == 0.9
    assert card.value("probe", "private", "frequency", "within") == 0.95
    assert card.value("information", "shared[0]", "timbre") == 1.2
    with pytest.raises(DataError, match="facet 'shard'; did you mean 'shared'"):
        card.value("probe", "shard", "timbre")
    with pytest.raises(DataError, match="metric 'jaccard'"):
        card.value("probe", "shared", "timbre", "jaccard")


def test_tables(card):
    assert card.table("probe") == {
        "private": {"timbre": 0.26, "frequency": 0.9},
        "shared": {"timbre": 0.994, "frequency": 0.11},
        "all": {"timbre": 0.99},
    }
    assert card.table("probe", "within") == {"private": {"frequency": 0.95}}
    assert card.table("leak") == {"private": {"timbre": 0.01}, "shared": {"frequency": 0.06}}


def test_verdict(card):
    assert card.verdict() == (
        "The private facet predicts frequency at 0.90 (chance 0.05) and shows no leak above "
        "chance. The shared facet predicts timbre at 0.99 (chance 0.25) and leaks frequency at "
        "0.06 above chance. The whole embedding predicts timbre at 0.99 (chance 0.25)."
    )


def test_verdict_says_what_a_facet_does_not_tell_and_names_some_of_many():
    predicted = [record("probe", "a", f"f{i}", "accuracy", 0.9) for i in range(7)]
    unclear = record("probe", "a", "room", "accuracy", 0.3, low=0.2)
    verdict = Card(Facets({"a": 1}), {}, (*predicted, unclear)).verdict()
    end = "f3 at 0.90 (chance 0.25) and 3 more and does not clearly predict room."
    assert verdict.endswith(end)


def test_verdict_names_those_of_many_facets_that_leak_most():
    facets = Facets(dict.fromkeys("abcde", 1))
    leaks = zip("abcde", [0.1, 0.5, 0.2, 0.0, 0.3])
    records = tuple(record("leak", f, "timbre", "accuracy", v, chance=0.0) for f, v in leaks)
    sentences = Card(facets, {}, records).verdict().split(". ")
    assert [sentence.split()[1] for sentence in sentences] == ["b", "c", "e"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema": 3, "records": []}', "schema 3.*reads 1 and 2"),
        ('{"schema": 1, "facets": {"a": 1}}', "damaged"),
        ('{"schema": 1, "run": "", "facets": {}, "factors": {}, "records": []}', "damaged"),
        ("[]", "not an audit card"),
        ('{"schema": 1,', "not JSON"),
        (None, "could not be read"),
    ],
)
def test_what_is_not_a_card_is_refused_by_name(tmp_path, text, message):
    path = tmp_path / "audit.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ArtifactError, match=rf"audit\.json.*{message}"):
        Card.load(path)
