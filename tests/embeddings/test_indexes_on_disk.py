"""What an index meets on the disk: older formats, damage, other processes, and kills."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa
import pytest
from followed import all_there, rename, table

import tiny_training
from command_line import complaint
from disentone.embeddings.embedder import EmbedOptions
from disentone.search import Index


def as_format_1(path):
    """Write an index as it was before it knew roots: whole paths, and no hashes."""
    index = Index.open(path)
    rows = lancedb.connect(str(path)).open_table("items").to_arrow()
    ids = rows["id"].to_pylist()
    whole = index.items(ids)["path"].combine_chunks()
    rows = rows.set_column(rows.column_names.index("path"), "path", whole)
    stamps = [" ".join(stamp.split(" ")[:2]) for stamp in rows["stamp"].to_pylist()]
    rows = rows.set_column(rows.column_names.index("stamp"), "stamp", pa.array(stamps))
    rows = rows.drop_columns(["_root", "_content", "_clip"])
    notes = rows.schema.metadata[b"disentone"].replace(b'"format": 2', b'"format": 1')
    assert b'"format": 1' in notes
    database = lancedb.connect(str(path))
    database.drop_table("roots")
    rows = rows.replace_schema_metadata({b"disentone": notes})
    database.create_table("items", rows, mode="overwrite")


@pytest.mark.parametrize("segment", [None, 0.2])
def test_an_index_of_the_format_before_is_taken_up(updated, deaf, noise, segment):
    for number in range(4):
        noise(f"sounds/s{number}.wav", 0.5)
    table("path,start,duration\ns0.wav,0,0.2\ns0.wav,0.2,0.3\n", "sounds/parts.csv")
    options = EmbedOptions(segment=segment)
    index, _ = updated("sounds", "sounds/parts.csv", options=options)
    before, vectors = index.items(), index.vectors(index.items()["id"].to_pylist())
    as_format_1("my.index")
    old = Index.open("my.index")
    assert old.items(before["id"].to_pylist()) == before
    assert old.search("s1.wav")[0].path == index.search("s1.wav")[0].path
    deaf()
    index, line = updated("sounds", options=options)
    assert line == "0 new, 0 changed, 4 kept, 0 gone"
    np.testing.assert_array_equal(index.vectors(before["id"].to_pylist()), vectors)
    rename("sounds", "moved")
    index, line = updated("moved", options=options)
    assert "4 moved" in line
    assert all_there(index)


def test_places_that_are_no_index_are_refused(model, sounds, updated, tmp_path):
    shutil.copytree(sounds, "folder")
    for place, message in {
        "folder": "'folder' holds other things than an index, such as 's0.wav'",
        "sounds/s0.wav": "is a file, and an index is a folder",
    }.items():
        assert message in complaint("index", model, sounds, "-o", place)
    assert len(os.listdir("folder")) == 4
    lancedb.connect("foreign").create_table("items", pa.table({"id": ["a"]}))
    assert "no index of disentone" in complaint("index", model, sounds, "-o", "foreign")
    updated(sounds)
    tiny_training.train(tmp_path / "other", epochs=1)
    assert "another model" in complaint("index", tmp_path / "other", sounds, "-o", "my.index")
    assert len(Index.open("my.index")) == 4


@pytest.mark.parametrize("what", ["items.lance/_versions", "items.lance/data", "roots.lance/data"])
@pytest.mark.parametrize("how", ["cut", "gone"])
def test_a_damaged_index_is_refused_in_a_sentence(model, sounds, updated, what, how):
    updated(sounds)
    for file in Path("my.index", what).iterdir():
        if how == "gone":
            file.unlink()
        else:
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    before = sorted(str(path) for path in Path("my.index").rglob("*"))
    if (what, how) != ("items.lance/_versions", "gone"):  # that is no index any more
        line = complaint("index", model, sounds, "-o", "my.index")
        assert "my.index" in line
    line = complaint("search", "my.index", "s0.wav")
    assert "my.index" in line
    assert sorted(str(path) for path in Path("my.index").rglob("*")) == before


def run_index(model, *words):
    code = "import sys; from disentone.cli import main; sys.argv[0] = 'disentone'; main()"
    command = [sys.executable, "-c", code, "index", str(model), *words]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("folders", [("one/takes", "two/takes"), ("one/takes", "one/takes")])
@pytest.mark.parametrize("begun", [False, True])
def test_two_processes_that_add_at_once_both_end_well(model, noise, updated, folders, begun):
    for folder in set(folders):
        for number in range(24):
            noise(f"{folder}/{number:02d}.wav")
    if begun:
        updated(noise("first.wav"))
    both = [run_index(model, folder, "-o", "my.index") for folder in folders]
    for process in both:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said
    index = Index.open("my.index")
    expected = {os.path.abspath(f"{f}/{n:02d}.wav") for f in folders for n in range(24)}
    expected |= {os.path.abspath("first.wav")} if begun else set()
    paths = index.items()["path"].to_pylist()
    assert set(paths) == expected
    assert len(paths) == len(expected)
    for folder in folders:
        assert updated(folder)[1] == "0 new, 0 changed, 24 kept, 0 gone"


KILLED = """
import os, signal, sys
from disentone.embeddings import collection
from disentone.embeddings.indexing import index_collection
from disentone.search.store import Store

collection._PART = 2
left = int(sys.argv[2])

def killing(change):
    def counted(*arguments, **options):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return change(*arguments, **options)
    return counted

for name in ("add", "update", "delete", "delete_places", "put_roots", "tidy"):
    setattr(Store, name, killing(getattr(Store, name)))
index_collection(sys.argv[1], ["sounds"], "my.index")
"""


def test_a_process_killed_between_changes_is_gone_on_from(model, sounds, updated, noise):
    """Before each commit of an update that moves, relabels, deletes, replaces and adds."""
    rows = [f"s{number}.wav,oboe" for number in range(4)]
    noise("sounds/s4.wav")
    table("\n".join(["path,instrument", *rows, "s4.wav,horn"]) + "\n")
    index, _ = updated(sounds)
    index.map("shared")
    os.unlink("sounds/s0.wav")
    rename("sounds/s1.wav", "sounds/moved.wav")
    noise("sounds/s2.wav", 0.3)
    for number in range(5, 8):
        noise(f"sounds/s{number}.wav")
    rows = ["moved.wav,flute", "s2.wav,oboe", "s3.wav,drum", "s4.wav,horn"]
    rows += [f"s{number}.wav,harp" for number in range(5, 8)]
    table("\n".join(["path,instrument", *rows]) + "\n")
    shutil.copytree("my.index", "before.index")
    whole, _ = updated(sounds, out="whole.index")
    place = sorted(whole.items(columns=["path", "instrument"]).to_pylist(), key=str)
    wanted = {row["path"]: whole.vectors([row["id"]])[0] for row in whole.items().to_pylist()}
    kills = 0
    for commit in (0, 1, 3, 4, 6, 9, 12, 99):
        shutil.rmtree("my.index")
        shutil.copytree("before.index", "my.index")
        process = subprocess.run(
            [sys.executable, "-c", KILLED, str(model), str(commit)], timeout=99
        )
        kills += process.returncode == -9
        if commit == 99:  # it ends before
            assert process.returncode == 0
        index, _ = updated(sounds)
        assert sorted(index.items(columns=["path", "instrument"]).to_pylist(), key=str) == place
        for row in index.items().to_pylist():
            vector = index.vectors([row["id"]])[0]
            np.testing.assert_allclose(vector, wanted[row["path"]], atol=1e-6)
        assert index.map("shared").shape == (len(wanted), 2)
    assert kills >= 6
