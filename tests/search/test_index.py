"""An index that is changed, shared, killed and opened again holds what a new one would."""

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from made_up_items import FACETS, MODEL, build, ids, items, vectors

from disentone.errors import ArtifactError, DataError
from disentone.search import Index


@pytest.fixture
def index(tmp_path):
    return build(tmp_path / "i")


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


def test_whatever_file_of_the_store_is_damaged_is_told(index, tmp_path):
    index.tidy()  # makes an index of the ids
    told = 0
    files = sorted(path for path in (tmp_path / "i").rglob("*") if path.is_file())
    assert any("_indices" in path.parts for path in files)
    for number, path in enumerate(files):
        copy = tmp_path / str(number)
        shutil.copytree(tmp_path / "i", copy)
        (copy / path.relative_to(tmp_path / "i")).write_bytes(b"junk")
        for use in (
            lambda one: "i3" in one,
            lambda one: one.search("i3", k=2, where="tempo > 70"),
            lambda one: one.items(["i3"]),
            lambda one: one.ids_of("/sounds/1.wav"),
        ):
            try:
                use(Index.open(copy))  # what it does not need may be damaged
            except ArtifactError:
                told += 1
    assert told


def test_a_build_that_was_killed_can_be_done_again(tmp_path):
    path = tmp_path / "i"
    (path / "items.lance" / "data").mkdir(parents=True)  # files, and nothing committed
    (path / "items.lance" / "data" / "x.lance").write_bytes(b"junk")
    assert not Index.exists(path)
    assert len(build(path)) == 60
