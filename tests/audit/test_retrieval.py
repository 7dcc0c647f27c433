import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from disentone.agreement.rules import same_key, same_tempo
from disentone.audit import retrieval, retrieval_scores
from disentone.errors import DataError
from disentone.facets import Facets
from disentone.factors import Factor

FACETS = Facets({"one": 2, "two": 3})
NAMES = ["C major", "C minor", "Gb major", "F#:min", "A minor", ""]


def agree(factor, i, j):
    """Whether clips agree, pair by pair; None where it is not known."""
    if not (factor.known[i] and factor.known[j]):
        return None
    if factor.name == "tempo":
        return bool(same_tempo(factor.values[i], factor.values[j]))
    if factor.name == "key":
        from disentone.agreement.rules import key_codes

        codes = key_codes([factor.labels()[i], factor.labels()[j]])
        return bool(same_key(codes[0], codes[1]))
    if factor.kind == "multilabel":
        return bool(((factor.values[i] == 1) & (factor.values[j] == 1)).any())
    return bool(factor.values[i] == factor.values[j])


def naive(points, factor, groups, rank):
    """Mean average precision by scikit-learn, and precision at a rank, query by query."""
    average, precision = [], []
    for query in range(len(points)):
        candidates = [c for c in range(len(points)) if groups[c] != groups[query]]
        candidates = [c for c in candidates if agree(factor, query, c) is not None]
        labels = np.array([agree(factor, query, c) for c in candidates], dtype=bool)
        if not labels.any():
            continue
        distance = np.linalg.norm(points[candidates] - points[query], axis=1)
        average.append(average_precision_score(labels, -distance))
        precision.append(labels[np.argsort(distance)[:rank]].mean())
    return np.mean(average), np.mean(precision), len(average)


@pytest.fixture
def clips(rng):
    multi = (rng.random((50, 4)) < 0.3).astype(float)
    multi[3] = np.nan
    factors = {
        "genre": Factor.categorical("genre", rng.choice(["rock", "jazz", "funk", ""], 50)),
        "tempo": Factor.continuous("tempo", rng.choice([60, 62, 90, 121, np.nan], 50)),
        "key": Factor.categorical("key", rng.choice(NAMES, 50)),
        "tags": Factor("tags", "multilabel", multi, tuple("abcd")),
    }
    return rng.normal(size=(50, 5)), factors, rng.integers(0, 20, 50)


def test_scores_equal_scikit_learns_query_by_query(clips):
    embedding, factors, groups = clips
    records = retrieval_scores(
        embedding=embedding,
        facets=FACETS,
        factors=factors,
        rules={"tempo": "tempo", "key": "key"},
        groups=groups,
        at=[3],
    )
    assert len(records) == 3 * 4 * 2
    for record in records:
        part = embedding if record["facet"] == "all" else FACETS.take(embedding, record["facet"])
        mean_ap, precision, n = naive(part, factors[record["factor"]], groups, 3)
        expected = mean_ap if record["metric"] == "map" else precision
        assert record["value"] == pytest.approx(expected, rel=1e-12)
        assert record["n"] == n
        assert record["low"] <= record["value"] <= record["high"]


def test_a_dead_facet_scores_as_chance_whatever_the_order_of_the_table():
    """Sorted labels and equal distances: the order of the table must not matter."""
    labels = Factor.categorical("genre", np.repeat(["a", "b", "c"], 60))
    records = retrieval_scores(
        embedding=np.zeros((180, 5)), facets=FACETS, factors={"genre": labels}
    )
    for record in records:
        assert record["value"] == pytest.approx(record["chance"], abs=0.03)


def test_expected_average_precision_is_the_mean_over_orders(rng):
    labels = np.array([1] * 3 + [0] * 9)
    drawn = [average_precision_score(rng.permutation(labels), -np.arange(12)) for _ in range(1000)]
    expected = retrieval._expected_average_precision(np.array([3]), np.array([12]))[0]
    assert expected == pytest.approx(np.mean(drawn), abs=4 * np.std(drawn) / 1000**0.5)


def test_a_perfect_facet_is_told_from_a_useless_one(rng):
    codes = rng.integers(0, 3, 90)
    embedding = np.column_stack([codes, codes, rng.normal(size=(90, 3))]) + 0.01 * rng.random(5)
    genre = Factor.categorical("genre", codes)
    records = retrieval_scores(embedding=embedding, facets=FACETS, factors={"genre": genre})
    value = {(r["facet"], r["metric"]): r["value"] for r in records}
    assert value["one", "map"] == 1
    assert value["one", "precision@10"] == 1
    assert value["two", "map"] < 0.5


def test_blocks_change_nothing(clips, monkeypatch):
    embedding, factors, groups = clips
    given = {"embedding": embedding, "facets": FACETS, "factors": factors, "groups": groups}
    whole = retrieval_scores(**given)
    monkeypatch.setattr(retrieval, "_BLOCK", 700)
    assert retrieval_scores(**given) == [
        record | {"value": pytest.approx(record["value"])} for record in whole
    ]


def test_some_clips_are_asked_about_among_all_others(clips):
    embedding, factors, groups = clips
    given = {"embedding": embedding, "facets": FACETS, "factors": factors, "groups": groups}
    half = np.arange(len(embedding)) % 2 == 0
    everyone = {key(r): r for r in retrieval_scores(**given)}
    one = {key(r): r for r in retrieval_scores(**given, queries=half)}
    other = {key(r): r for r in retrieval_scores(**given, queries=~half)}
    for name, record in everyone.items():
        parts = [one[name], other[name]]
        assert sum(part["n"] for part in parts) == record["n"]
        for number in ("value", "chance"):
            mean = sum(part[number] * part["n"] for part in parts) / record["n"]
            assert mean == pytest.approx(record[number])


def key(record):
    return record["facet"], record["factor"], record["metric"]


def test_a_factor_that_nobody_shares_has_no_value(rng):
    alone = Factor.categorical("title", [f"t{i}" for i in range(10)])
    records = retrieval_scores(
        embedding=rng.normal(size=(10, 5)), facets=FACETS, factors={"title": alone}
    )
    assert {record["value"] for record in records} == {None}
    assert {record["n"] for record in records} == {0}


def test_what_cannot_be_ranked_is_refused(rng):
    genre = {"genre": Factor.categorical("genre", list("aabb"))}
    with pytest.raises(DataError, match="not finite"):
        retrieval_scores(embedding=np.full((4, 5), np.inf), facets=FACETS, factors=genre)
    with pytest.raises(DataError, match="5 columns"):
        retrieval_scores(embedding=np.zeros((4, 3)), facets=FACETS, factors=genre)
    with pytest.raises(DataError, match="rule 'tempo' is for numbers"):
        retrieval_scores(
            embedding=np.zeros((4, 5)), facets=FACETS, factors=genre, rules={"genre": "tempo"}
        )
