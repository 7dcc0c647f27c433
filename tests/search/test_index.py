import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_up_items import FACETS, MODEL, build, items, naive_scores, unit, vectors

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


@pytest.fixture
def index(tmp_path):
    return build(tmp_path / "i")


def ids(found):
    return [hit.id for hit in found]


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
def test_scores_are_weighted_sums_of_cosines_and_split_into_facets(shared, seed, weights):
    query = vectors(1, seed)[0]
    expected = naive_scores(query, vectors(60), weights)
    found = shared.search(query, weights=weights, k=60)
    by_id = {hit.id: hit for hit in found}
    assert len(by_id) == 60
    for n, score in enumerate(expected):
        hit = by_id[f"i{n}"]
        assert hit.score == pytest.approx(score, abs=2e-5)
        assert sum(hit.facets.values()) == pytest.approx(hit.score, abs=1e-9)
        assert hit.facets == pytest.approx(
            {name: weights[name] * cosine for name, cosine in hit.cosines.items()}
        )
    scores = [hit.score for hit in found]
    np.testing.assert_allclose(scores, np.sort(expected)[::-1], atol=2e-5)


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
    with pytest.raises(DataError, match="says nothing about rest"):
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
    np.testing.assert_allclose(table["facets.timbre"] + table["facets.pitch"], table["score"])
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


# --- changing ------------------------------------------------------------------------------------


def test_changes_give_what_a_new_index_gives(index, tmp_path):
    extra = vectors(20, seed=5)
    index.add(extra, items(20, first=60))
    index.update(vectors(2, seed=6), items(2, first=3))
    index.delete(["i0", "i61"])
    whole = np.concatenate([vectors(60), extra])
    whole[3:5] = vectors(2, seed=6)
    keep = [n for n in range(80) if n not in (0, 61)]
    rebuilt = Index.build(
        tmp_path / "new",
        vectors=whole[keep],
        facets=FACETS,
        items=items(80).take(keep),
        model=MODEL,
    )
    for other in (index, Index.open(index.uri)):
        assert len(other) == 78
        for query in ("i3", "i70", vectors(1, seed=7)[0]):
            weights = {"timbre": 1, "pitch": -0.5, "rest": 0.1}
            one, two = (i.search(query, weights=weights, k=78) for i in (other, rebuilt))
            assert one == two
    index.tidy()
    assert index.search("i3") == rebuilt.search("i3")


def test_factors_of_which_nothing_is_known_may_become_anything(index):
    nothing = pa.array([None], pa.float64())
    index.add(vectors(1), items(1, 60).append_column("mood", nothing))  # its tempo is null, too
    assert set(index.factors) == {"tempo", "split"}
    index.add(vectors(1), items(1, 61).append_column("mood", pa.array(["calm"])))
    assert index.items(["i60", "i61"])["mood"].to_pylist() == [None, "calm"]
    index.update(vectors(1), items(1, 61).append_column("mood", nothing))
    assert index.items(["i61"])["mood"].to_pylist() == [None]


def test_factors_that_come_later_are_unknown_before(index):
    new = items(2, first=60).append_column("mood", pa.array(["calm", None]))
    index.add(vectors(2, seed=5), new.drop_columns(["tempo"]))
    assert set(index.factors) == {"tempo", "split", "mood"}
    known = index.items(["i60", "i61", "i5"]).to_pydict()
    assert known["mood"] == ["calm", None, None]
    assert known["tempo"] == [None, None, 65.0]
    assert ids(index.search("i1", where="mood is not null")) == ["i60"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda i: i.add(vectors(1), items(1)), "'i0' is in the index already"),
        (lambda i: i.update(vectors(1), items(1, first=99)), "'i99' is no item"),
        (lambda i: i.delete(["i1", "nix"]), "'nix' is no item"),
        (lambda i: i.add(vectors(2), items(1, first=99)), "2 vectors for 1 items"),
        (lambda i: i.add(np.full((1, 13), np.nan), items(1, 99)), "'i99' .* is not finite"),
        (lambda i: i.add(np.zeros((1, 13)), items(1, 99)), "'i99' .* is zero"),
        (lambda i: i.add(vectors(1)[:, :5], items(1, 99)), r"must be \(items, 13\)"),
        (
            lambda i: i.add(vectors(2), pa.concat_tables([items(1, 99), items(1, 99)])),
            "'i99' occurs twice",
        ),
        (
            lambda i: i.add(vectors(1), items(1, 99).drop_columns(["path"])),
            "need a column 'path'",
        ),
        (
            lambda i: i.add(vectors(1), items(1, 99).append_column("score", pa.array([1.0]))),
            "cannot be called 'score'",
        ),
        (
            lambda i: i.add(
                vectors(1),
                items(1, 99).drop_columns(["tempo"]).append_column("tempo", pa.array(["fast"])),
            ),
            "'tempo' is a number in the index",
        ),
    ],
)
def test_a_bad_change_leaves_the_index_as_it_was(index, change, message):
    before = index.items()
    with pytest.raises(DataError, match=message):
        change(index)
    assert Index.open(index.uri).items() == before


def test_ids_may_hold_anything(tmp_path):
    names = ["it's", "' OR 1=1 --", "a/b c.wav@2.5", "ü🎵", '"q"', "`"]
    index = Index.build(
        tmp_path / "i",
        vectors=vectors(6),
        facets=FACETS,
        items=pa.table({"id": names, "path": names}),
        model=MODEL,
    )
    assert index.items(names)["id"].to_pylist() == names
    for name in names:
        assert name in index
        assert name not in ids(index.search(name))
    index.delete(["' OR 1=1 --"])
    assert len(index) == 5


def test_others_see_what_was_committed_when_they_refresh(index):
    reader = Index.open(index.uri)
    assert len(reader) == 60
    query = reader.query(like=["i1"])
    index.delete(["i1", "i2"])
    assert len(reader) == 60
    assert len(query.rank(k=60)) == 59  # an open query sees what it was opened on
    assert {"i0", "i2"} < set(ids(query.rank(k=60, where="split != 'valid'")))
    assert reader.refresh()
    assert not reader.refresh()
    assert len(reader) == 58


def test_an_empty_index_can_be_searched(index):
    index.delete([f"i{n}" for n in range(60)])
    assert len(index) == 0
    assert not index.search(vectors(1)[0])
    assert index.map("pitch").shape == (0, 2)


# --- on the disk ---------------------------------------------------------------------------------


def test_what_is_no_index_is_refused(tmp_path, index):
    with pytest.raises(ArtifactError, match="There is no index"):
        Index.open(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactError, match="no index in"):
        Index.open(tmp_path / "empty")
    with pytest.raises(ArtifactError, match="already"):
        build(index.uri)
    with pytest.raises(ArtifactError, match="format 99"):
        _other_format(tmp_path / "future")
    assert not Index.exists(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def _other_format(path):
    import lancedb

    notes = {b"disentone": b'{"format": 99, "facets": {"a": 1}, "model": "", "about": {}}'}
    table = pa.table({"id": ["a"]}).replace_schema_metadata(notes)
    lancedb.connect(str(path)).create_table("items", table)
    Index.open(path)


def test_the_same_code_opens_a_store_by_uri(index):
    other = Index.open(f"file://{Path(index.uri).resolve()}")
    assert other.search("i1") == index.search("i1")


@pytest.mark.parametrize(
    ("module", "use"),
    [
        ("lancedb", lambda index, found: Index.open(index.uri)),
        ("faiss", lambda index, found: Index.open(index.uri, memory=0).search("i1")),
        ("pandas", lambda index, found: found.to_pandas()),
    ],
)
def test_what_is_not_installed_is_named(index, monkeypatch, module, use):
    found = index.search("i1")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ArtifactError, match="pip install"):
        use(index, found)


def test_a_single_reading_thread_is_not_left_alone(index, monkeypatch):
    monkeypatch.setenv("LANCE_IO_THREADS", "1")
    assert len(Index.open(index.uri)) == 60
    assert os.environ["LANCE_IO_THREADS"] == "2"


def test_threads_search_and_change_at_once(index):
    expected = {f"i{n}": ids(index.search(f"i{n}", k=5, where="split = 'test'")) for n in range(20)}
    reader = Index.open(index.uri)
    with ThreadPoolExecutor(8) as pool:
        changes = pool.submit(
            lambda: [index.add(vectors(1, n), items(1, n)) for n in range(60, 65)]
        )
        found = pool.map(
            lambda n: ids(reader.search(f"i{n % 20}", k=5, where="split = 'test'")), range(100)
        )
        for n, hits in enumerate(found):
            assert hits == expected[f"i{n % 20}"]
        changes.result()
    assert len(index) == 65


ADDING = """
import sys
sys.path[:0] = sys.argv[2:]
from made_up_items import build, items, vectors
index = build(sys.argv[1], 10)
print("ready", flush=True)
for first in range(10, 100_000, 10):
    index.add(vectors(10, first), items(10, first))
"""


def test_a_process_killed_while_adding_leaves_what_it_committed(tmp_path):
    path = tmp_path / "i"
    process = subprocess.Popen(
        [sys.executable, "-c", ADDING, path, Path(__file__).parent, *filter(None, sys.path)],
        stdout=subprocess.PIPE,
    )
    process.stdout.readline()
    committed = path / "items.lance" / "_versions"
    while len(os.listdir(committed)) < 8:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    index = Index.open(path)
    count = len(index)
    assert count >= 70
    assert count % 10 == 0  # a batch is there whole, or not at all
    assert index.items(columns=["id"])["id"].to_pylist() == [f"i{n}" for n in range(count)]
    last = vectors(10, count - 10)[3]
    assert index.search(last, k=1)[0].id == f"i{count - 7}"
    index.add(vectors(10, 99), items(10, count))
    assert len(index) == count + 10


def test_a_build_that_was_killed_can_be_done_again(tmp_path):
    path = tmp_path / "i"
    (path / "items.lance" / "data").mkdir(parents=True)  # files, and nothing committed
    (path / "items.lance" / "data" / "x.lance").write_bytes(b"junk")
    assert not Index.exists(path)
    assert len(build(path)) == 60
