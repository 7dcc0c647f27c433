from itertools import chain, combinations

import numpy as np
import pytest

from disentone.audit import facet_subsets, triplet_scores
from disentone.audit.clusters import clustered_interval
from disentone.errors import DataError
from disentone.facets import Facets

FACETS = Facets({"genre": 2, "tempo": 3, "key": 1})


def made(rng, triplets=200, clips=40):
    embedding = rng.normal(size=(clips, FACETS.dim))
    rows = dict(zip(("anchors", "positives", "negatives"), rng.integers(0, clips, (3, triplets))))
    dimensions = rng.choice(["genre", "tempo", "mode", ""], triplets)
    return embedding, rows, dimensions


def naive(embedding, rows, facets):
    """One triplet after the other, by numpy's norm."""
    columns = np.concatenate([np.arange(FACETS.dim)[FACETS.slice(name)] for name in facets])
    points = embedding[:, columns]
    right = []
    for a, p, n in zip(*rows.values()):
        right.append(np.linalg.norm(points[a] - points[p]) < np.linalg.norm(points[a] - points[n]))
    return np.array(right)


def test_every_subset_equals_a_loop_over_triplets(rng):
    embedding, rows, _ = made(rng)
    records = triplet_scores(embedding=embedding, facets=FACETS, **rows)
    subsets = list(chain.from_iterable(combinations(FACETS, size) for size in (1, 2, 3)))
    assert len(records) == len(subsets) == 7
    values = {record["facet"]: record["value"] for record in records}
    for names in subsets:
        name = "all" if len(names) == 3 else "+".join(names)
        assert values[name] == naive(embedding, rows, names).mean()


def test_dimensions_are_scored_on_their_own_triplets(rng):
    embedding, rows, dimensions = made(rng)
    records = triplet_scores(embedding=embedding, facets=FACETS, **rows, dimensions=dimensions)
    own = [record for record in records if record["factor"] != "all"]
    assert {record["factor"] for record in own} == {"genre", "tempo", "mode"}
    assert len(own) == 3 * 4, "the whole embedding and every facet, no pairs"
    for record in own:
        of = dimensions == record["factor"]
        names = tuple(FACETS) if record["facet"] == "all" else (record["facet"],)
        assert record["value"] == naive(embedding, rows, names)[of].mean()
        assert record["n"] == of.sum()
        assert record["low"] <= record["value"] <= record["high"]


def test_a_triplet_of_several_dimensions_counts_in_each(rng):
    embedding, rows, _ = made(rng, triplets=3)
    several = [("tempo", "genre"), (), ("tempo",)]
    records = triplet_scores(embedding=embedding, facets=FACETS, **rows, dimensions=several)
    assert {(r["factor"], r["n"]) for r in records} == {("all", 3), ("tempo", 2), ("genre", 1)}
    tempo = next(r for r in records if (r["facet"], r["factor"]) == ("all", "tempo"))
    assert tempo["value"] == naive(embedding, rows, tuple(FACETS))[[0, 2]].mean()


def test_six_facets_have_63_subsets_and_eleven_only_themselves():
    six = facet_subsets(Facets(dict.fromkeys("abcdef", 1)))
    assert len(six) == 63
    assert list(six)[:2] == ["all", "a"]
    assert len(set(map(frozenset, six.values()))) == 63
    assert len(facet_subsets(Facets(dict.fromkeys("abcdefghijk", 1)))) == 12


def test_a_facet_that_tells_nothing_is_not_right_and_its_ties_are_told(rng):
    embedding, rows, _ = made(rng)
    embedding[:, FACETS.slice("key")] = 7.0
    records = triplet_scores(embedding=embedding, facets=FACETS, **rows)
    key = next(record for record in records if record["facet"] == "key")
    assert (key["value"], key["ties"]) == (0.0, 200)


def test_what_is_planted_is_found(rng):
    """Anchors and positives share the tempo, negatives do not; key is noise."""
    tempo = rng.integers(0, 4, 60)
    embedding = rng.normal(size=(60, FACETS.dim))
    embedding[:, FACETS.slice("tempo")] = tempo[:, None] * 10 + rng.normal(size=(60, 3))
    picked = rng.integers(0, 60, (4000, 3))
    a, p, n = picked[(tempo[picked[:, 0]] == tempo[picked[:, 1]])
                     & (tempo[picked[:, 0]] != tempo[picked[:, 2]])].T  # fmt: skip
    records = triplet_scores(
        embedding=embedding, facets=FACETS, anchors=a, positives=p, negatives=n
    )
    by_facet = {record["facet"]: record for record in records}
    assert by_facet["tempo"]["value"] > 0.99
    assert by_facet["key"]["low"] < 0.5 < by_facet["key"]["high"]


def test_blocks_change_nothing(rng, monkeypatch):
    embedding, rows, dimensions = made(rng)
    whole = triplet_scores(embedding=embedding, facets=FACETS, **rows, dimensions=dimensions)
    monkeypatch.setattr("disentone.audit.triplets._BLOCK", 50)
    assert whole == triplet_scores(
        embedding=embedding, facets=FACETS, **rows, dimensions=dimensions
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"anchors": [0, 1]}, "equally many"),
        ({"anchors": [], "positives": [], "negatives": []}, "no triplet"),
        ({"anchors": [99]}, "names a row that the 4 clips do not have"),
        ({"anchors": [-1]}, "names a row"),
        ({"anchors": [0.5]}, "whole numbers"),
        ({"embedding": np.zeros((4, 2))}, "facets have 6"),
        ({"embedding": np.full((4, 6), np.nan)}, "clip 0 is not finite"),
        ({"dimensions": ["tempo", "key"]}, "as many dimensions"),
    ],
)
def test_what_cannot_be_scored_is_refused(change, message):
    given = {
        "embedding": np.zeros((4, 6)),
        "anchors": [0],
        "positives": [1],
        "negatives": [2],
    } | change
    with pytest.raises(DataError, match=message):
        triplet_scores(facets=FACETS, **given)


def test_the_interval_covers_the_truth_of_clustered_triplets():
    """Of 200 samples of 40 clusters about 95 % must hold the mean that they were drawn from."""
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(200):
        chances = rng.beta(3, 2, 40)  # each cluster has its own, mean 0.6
        values = (rng.random((40, 10)) < chances[:, None]).reshape(-1, 1)
        low, high = clustered_interval(values, np.repeat(np.arange(40), 10), replicates=300)
        inside += low[0] <= 0.6 <= high[0]
    assert 0.90 <= inside / 200 <= 0.99


def test_twenty_of_twenty_are_no_certainty():
    low, high = clustered_interval(np.ones((20, 1)), np.arange(20))
    assert 0.7 < low[0] < 0.95
    assert high[0] == 1


def test_shares_have_the_plain_interval_of_their_clusters(rng):
    """Of normal means: 1.96 standard errors, where every item is its own cluster."""
    values = rng.beta(2, 8, (400, 1))
    low, high = clustered_interval(values, np.arange(400), right_or_wrong=False, replicates=4000)
    half = 1.96 * values.std() / 20
    assert low[0] == pytest.approx(values.mean() - half, abs=half / 10)
    assert high[0] == pytest.approx(values.mean() + half, abs=half / 10)
