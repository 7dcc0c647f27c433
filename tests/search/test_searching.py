"""A search finds what a loop of weighted cosines finds, for every query that can be."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_up_items import FACETS, MODEL, build, ids, naive_scores, unit, vectors

from disentone.errors import ArtifactError, DataError
from disentone.search import Index, scoring
from disentone.search.scoring import Matrix

KINDS = {
    "equal": {"timbre": 1.0, "pitch": 1.0, "rest": 1.0},
    "uneven": {"timbre": 0.2, "pitch": 0.9, "rest": 0.4},
    "two": {"timbre": 1.0, "pitch": 0.5},
    "one": {"pitch": 1.0},
    "negative": {"timbre": 1.0, "pitch": -0.7},
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return build(tmp_path_factory.mktemp("index") / "i")


# --- the idea: an inner product is the weighted sum of cosines -----------------------------------


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32 - 1),
    weights=st.fixed_dictionaries({name: st.floats(-5, 5, width=32) for name in FACETS}),
)
def test_inner_product_of_weighted_unit_facets_is_the_weighted_sum_of_cosines(seed, weights):
    query, items = vectors(1, seed)[0], vectors(20, seed + 1)
    scaled = FACETS.join(
        {name: weights[name] * part[0] for name, part in FACETS.split(unit(query)).items()}
    )
    np.testing.assert_allclose(
        unit(items) @ scaled, naive_scores(query, items, weights), atol=1e-12
    )


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**32 - 1),
    weights=st.fixed_dictionaries({name: st.floats(-5, 5, width=32) for name in FACETS}).filter(
        lambda w: any(w.values())
    ),
)
def test_scores_are_weighted_means_of_cosines_and_split_into_facets(shared, seed, weights):
    query = vectors(1, seed)[0]
    size = sum(abs(weight) for weight in weights.values())
    expected = naive_scores(query, vectors(60), weights) / size
    found = shared.search(query, weights=weights, k=60)
    by_id = {hit.id: hit for hit in found}
    assert len(by_id) == 60
    for n, score in enumerate(expected):
        hit = by_id[f"i{n}"]
        assert hit.score == pytest.approx(score, abs=2e-5)
        assert sum(hit.facets.values()) == pytest.approx(hit.score, abs=1e-9)
        assert hit.facets == pytest.approx(
            {name: weights[name] * cosine / size for name, cosine in hit.cosines.items()}
        )
    scores = [hit.score for hit in found]
    np.testing.assert_allclose(scores, np.sort(expected)[::-1], atol=2e-5)


def test_a_negative_weight_shows_unlike_things_as_unlike(shared):
    """What is most unlike in pitch is found first: its score is high, its cosine is not."""
    query = vectors(1, 5)[0]
    cosines = naive_scores(query, vectors(60), {"pitch": 1.0})
    found = shared.search(query, weights={"pitch": -2.0}, k=3)
    assert ids(found) == [f"i{n}" for n in np.argsort(cosines)[:3]]
    for hit, cosine in zip(found, np.sort(cosines)):
        assert cosine < 0
        assert (hit.cosines["pitch"], hit.score) == pytest.approx((cosine, -cosine), abs=1e-6)
        assert f"pitch {cosine:+.2f}" in repr(hit)


@pytest.mark.parametrize("size", [1e-45, 1e-3, 1e30])
def test_only_ratios_and_signs_of_weights_matter(shared, size):
    plain = shared.search("i3", weights={"timbre": 1.0, "pitch": -1.0}, k=60)
    scaled = shared.search("i3", weights={"timbre": size, "pitch": -size}, k=60)
    assert ids(plain) == ids(scaled)
    assert [hit.score for hit in plain] == [hit.score for hit in scaled]


def test_a_sound_is_wholly_like_itself(shared):
    """Before weights were normalised, two facets scored 2."""
    hit = shared.search(vectors(60)[7], weights={"timbre": 1.0, "pitch": 1.0}, k=1)[0]
    assert (hit.id, hit.score) == ("i7", pytest.approx(1.0, abs=1e-6))


@pytest.mark.parametrize("weights", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("where", [None, "split = 'test' and tempo > 70"])
def test_every_scorer_finds_what_a_naive_loop_finds(tmp_path, weights, where):
    exact = build(tmp_path / "i", 2000)
    coded = Index.open(tmp_path / "i", memory=0)
    assert exact.exact
    assert not coded.exact
    assert scoring._FEWEST < 200  # what is compared exactly is a small part
    query = vectors(1, seed=9)[0]
    scores = naive_scores(query, vectors(2000), weights)
    if where:
        numbers = np.arange(2000)
        scores[(numbers % 3 != 2) | (numbers % 10 == 0) | (numbers <= 10)] = -np.inf
    expected = [f"i{n}" for n in np.argsort(-scores)[:10]]
    for index in (exact, coded):
        found = index.search(query, weights=weights, where=where)
        assert ids(found) == expected
        assert found.candidates == np.isfinite(scores).sum()


def test_scores_of_an_open_query_are_computed_once_for_all_weights(shared):
    query = shared.query(vectors(60)[7])
    assert query.scores.shape == (60, 3)
    order = shared.items(columns=["id"])["id"].to_pylist()
    for weights in KINDS.values():
        total = query.scores @ [weights.get(name, 0) for name in FACETS]
        expected = [order[n] for n in np.argsort(-total)[:10]]
        assert ids(query.rank(weights)) == expected
    coded = Index.open(shared.uri, memory=0).query(vectors(60)[7])
    np.testing.assert_allclose(coded.scores, query.scores, atol=1e-6)


def test_facets_without_weight_are_not_read(shared, monkeypatch):
    asked = []
    facet = Matrix.facet
    monkeypatch.setattr(Matrix, "facet", lambda s, n, p: asked.append(n) or facet(s, n, p))
    query = shared.query(like=["i1"])
    query.rank({"pitch": 1})
    query.rank({"pitch": 1, "rest": 2})
    assert asked == ["pitch", "rest"]


# --- queries -------------------------------------------------------------------------------------


def test_an_item_does_not_find_itself(shared):
    found = shared.search("i5", k=60)
    assert len(found) == 59
    assert "i5" not in ids(found)
    assert found.weights == {"timbre": 1, "pitch": 1, "rest": 1}
    assert ids(found) == ids(shared.search(vectors(60)[5], k=60))[1:]


def test_several_examples_are_their_mean(shared):
    query = shared.query(like=["i1", vectors(60)[2]])
    mean = unit(unit(vectors(60)[[1, 2]]).mean(axis=0))[0]
    np.testing.assert_allclose(query.vector, mean, atol=1e-6)
    assert query.exclude == ("i1",)
    assert query.weights == shared.infer_weights(["i1", "i2"])


def test_away_takes_half_of_the_mean_off(shared):
    query = shared.query(like=["i1"], away=["i2", "i3"])
    all_units = unit(vectors(60))
    expected = unit(all_units[1] - 0.5 * all_units[[2, 3]].mean(axis=0))[0]
    np.testing.assert_allclose(query.vector, expected, atol=1e-6)
    only = shared.query(away=["i2"])
    np.testing.assert_allclose(only.vector, -all_units[2], atol=1e-6)
    with pytest.raises(DataError, match="cancel"):
        shared.query(like=["i1", -vectors(60)[1]])


def test_a_mix_takes_each_facet_from_its_example(shared):
    query = shared.query(mix={"pitch": "i1", "timbre": vectors(60)[2]})
    one, two = unit(vectors(60)[[1, 2]])
    np.testing.assert_allclose(
        FACETS.take(query.vector, "pitch"), FACETS.take(one, "pitch"), atol=1e-6
    )
    np.testing.assert_allclose(
        FACETS.take(query.vector, "timbre"), FACETS.take(two, "timbre"), atol=1e-6
    )
    assert not FACETS.take(query.vector, "rest").any()
    assert query.weights == {"timbre": 1, "pitch": 1, "rest": 0}
    with pytest.raises(DataError, match="has nothing in rest"):
        query.rank({"rest": 1})


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "needs an example"),
        ({"like": ["i600"]}, "'i600' is no item of the index; did you mean 'i"),
        ({"like": ["' OR 1=1 --"]}, "is no item"),
        ({"like": [np.ones(3)]}, r"must be \(13,\)"),
        ({"like": [np.full(13, np.nan)]}, "facet 'timbre' is not finite"),
        ({"like": [np.zeros(13)]}, "facet 'timbre' is zero"),
        ({"mix": {"timbr": "i1"}}, "did you mean 'timbre'"),
        ({"mix": {"timbre": "i1"}, "like": ["i2"]}, "either"),
    ],
)
def test_queries_that_cannot_be(shared, asked, message):
    with pytest.raises(DataError, match=message):
        shared.query(**asked)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"weights": {"tmbre": 1}}, "no facet 'tmbre' to weigh; did you mean 'timbre'"),
        ({"weights": {"timbre": 0.0}}, "Every weight is 0"),
        ({"weights": {"timbre": np.inf}}, "finite"),
        ({"weights": {}}, "Every weight is 0"),
        ({"k": 0}, "at least 1"),
        ({"diversity": 1.5}, r"in \[0, 1\]"),
        ({"where": "tmpo > 3"}, "did you mean 'tempo'"),
        ({"where": "split > 3"}, "cannot be used"),
        ({"where": "1 / 0 > 2"}, "cannot be used"),
    ],
)
def test_searches_that_cannot_be(shared, asked, message):
    with pytest.raises(DataError, match=message):
        shared.search("i1", **asked)


def test_a_query_of_another_model_is_refused(shared):
    assert len(shared.search(vectors(1)[0], model=MODEL)) == 10
    with pytest.raises(ArtifactError, match="another model"):
        shared.search(vectors(1)[0], model="fedcba")


def test_results_have_views(shared):
    found = shared.search("i1", weights={"timbre": 1, "pitch": -1}, k=3)
    table = found.to_pandas()
    assert list(table["id"]) == ids(found)
    mean = (table["cosines.timbre"] - table["cosines.pitch"]) / 2
    np.testing.assert_allclose(mean, table["score"])
    parsed = json.loads(json.dumps(found.to_json()))
    assert [row["id"] for row in parsed] == ids(found)
    assert set(parsed[0]) >= {"path", "score", "facets", "cosines", "tempo", "split", "start"}
    assert found[0] is found.hits[0]
    assert found[:2] == found.hits[:2]


# --- one of a recording, diversity ---------------------------------------------------------------


def test_one_per_recording_is_the_best_of_each(shared):
    everything = shared.search("i1", k=60)
    best = {}
    for hit in everything:
        best.setdefault(hit.recording, hit.id)
    for k in (5, 20, 60):
        assert ids(shared.search("i1", k=k, one_per_recording=True)) == list(best.values())[:k]


def test_diversity_trades_score_for_difference(shared):
    plain = shared.search("i1", k=8)
    assert ids(shared.search("i1", k=8, diversity=0.0)) == ids(plain)
    diverse = shared.search("i1", k=8, diversity=0.7)
    assert diverse[0] == plain[0]

    def likeness(found):
        chosen = unit(np.stack([vectors(60)[int(hit.id[1:])] for hit in found]))
        return (chosen @ chosen.T)[np.triu_indices(8, 1)].mean()

    assert likeness(diverse) < likeness(plain)
    assert len(shared.search("i1", k=8, diversity=0.7, one_per_recording=True)) == 8
