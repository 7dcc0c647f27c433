"""Tables and file names that people have, through the verbs of collections."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from command_line import QUICK, call, complaint
from disentone.embeddings import read_embeddings
from disentone.search import Index

LATIN = os.fsdecode(b"caf\xe9.wav")
REASON = "The name is not valid UTF-8; rename the file."
CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"


def skipped(file):
    with open(file, encoding="utf-8", newline="") as rows:
        return {row["path"]: row["reason"] for row in csv.DictReader(rows)}


@pytest.fixture
def latin(noise):
    """A folder with sub-folders, in which a file and a folder have names that are no UTF-8."""
    for folder in ("low", "high"):
        for number in range(20):
            noise(f"sounds/{folder}/{number}.wav")
    content = Path("sounds/low/0.wav").read_bytes()
    folder = Path("sounds") / os.fsdecode(b"\xe9t\xe9")
    try:
        (Path("sounds") / LATIN).write_bytes(content)
        folder.mkdir()
    except OSError:
        pytest.skip("this file system has no such names")
    (folder / "a.wav").write_bytes(content)
    return "sounds"


def test_names_that_are_no_utf8_cost_nothing_else(model, latin):
    named = {f"sounds/{name}": REASON for name in ("caf\\udce9.wav", "\\udce9t\\udce9/a.wav")}
    for out in ("o.parquet", "o.npz", "o.npy"):
        assert call("embed", model, latin, "-o", out).code == 0
        assert len(read_embeddings(out).values) == 40
        assert skipped("o-skipped.csv") == named
        Path("o-skipped.csv").unlink()
    assert call("index", model, latin, "-o", "x.index").code == 0
    assert len(Index.open("x.index")) == 40
    assert skipped("x.index/skipped.csv") == {
        os.path.abspath(name): reason for name, reason in named.items()
    }
    assert call("index", model, Path(latin) / LATIN, latin, "-o", "x.index").code == 0
    done = call("inspect", latin, "--json", "i.json")
    assert (done.code, "caf\\udce9.wav" in done.out) == (0, True)
    assert {item["path"] for item in json.loads(Path("i.json").read_text("utf-8"))["skipped"]} == {
        name.removeprefix("sounds/") for name in named
    }


def test_training_and_audit_name_what_is_no_utf8(latin):
    words = ["--data", latin, "--facet", "who:4 same=folder", "--set", "frontend.seconds=0.2",
             "--set", "data.split=stratified:folder"]  # fmt: skip
    assert call("train", "facets", *words, "--out", "run", *QUICK).code == 0
    names = {"caf\\udce9.wav": REASON, "\\udce9t\\udce9/a.wav": REASON}
    assert skipped("run/skipped.csv") == names
    assert "caf\\udce9.wav" in Path("run/report.html").read_text("utf-8")
    assert call("audit", "run", "--data", latin, "-o", "again").code == 0
    assert skipped("again/skipped.csv") == names


def test_a_file_in_many_parts_that_is_broken_is_one_line_of_one_path(model, noise):
    noise("good.wav")
    Path("text.wav").write_text("no audio at all " * 100, encoding="utf-8")
    rows = ["path,start,end", "good.wav,0,0.3", "gone.wav,0,1", "good.wav,2,1"]
    rows += [f"text.wav,{start},{start + 1}" for start in range(3)]
    Path("t.csv").write_text("\n".join(rows), encoding="utf-8")
    assert call("index", model, "t.csv", "-o", "x.index").code == 0
    with open("x.index/skipped.csv", encoding="utf-8", newline="") as file:
        paths = [row["path"] for row in csv.DictReader(file)]
    assert paths == [os.path.abspath(name) for name in ("gone.wav", "good.wav@2", "text.wav")]


def test_short_clips_are_called_short_by_what_was_asked_for(model, noise):
    noise("a.wav", seconds=0.5)
    noise("b.wav", seconds=0.1)
    for words, what in (
        ([], "the model's window of 0.2 s"),
        (["--segment", 0.15], "a segment of 0.15 s"),
    ):
        call("embed", model, "a.wav", "b.wav", "-o", "o.npz", "--short", "skip", *words)
        assert skipped("o-skipped.csv") == {"b.wav": f"The clip lasts 0.10 s, less than {what}."}
        Path("o.npz").unlink()


def test_columns_that_an_index_would_call_alike_are_refused(model, noise):
    noise("a.wav")
    Path("t.csv").write_text("path,a.b,a_b\na.wav,x,y\n", encoding="utf-8")
    assert "'a.b' and 'a_b' are both called 'a_b'" in complaint("index", model, "t.csv", "-o", "x")
    assert not Path("x").exists()
    assert call("embed", model, "t.csv", "-o", "o.npz").code == 0
    columns = read_embeddings("o.npz").columns
    assert (columns["a.b"].tolist(), columns["a_b"].tolist()) == (["x"], ["y"])


def test_a_factor_that_is_called_as_a_facet_is_keeps_its_values(model, noise):
    from disentone.embeddings.model import load

    noise("a.wav")
    facet = load(model).facets.names[0]
    Path("t.csv").write_text(f"path,{facet}\na.wav,mine\n", encoding="utf-8")
    done = call("embed", model, "t.csv", "-o", "o.parquet")
    assert (
        f"Factor '{facet}' is the column 'factor_{facet}': there is another '{facet}'." in done.err
    )
    assert pq.read_table("o.parquet")[f"factor_{facet}"].to_pylist() == ["mine"]
    assert read_embeddings("o.parquet").columns[facet].tolist() == ["mine"]


@pytest.mark.parametrize(
    ("case", "query"),
    [
        ("04-pandas-index-column/pandas_index.csv", "s0.wav"),
        ("05-start-end-table/events.csv", None),
        ("06-csv-trailing-commas/trail2.csv", "s1.wav"),
        ("06-csv-trailing-commas/rowtrail.csv", "s2.wav"),
    ],
)
def test_handed_tables_are_indexed_and_searched(model, case, query):
    if not (CASES / case).is_file():
        pytest.skip(f"the handed cases are not beside the checkout ({case} is missing)")
    assert call("index", model, CASES / case, "-o", "x.index").code == 0
    index = Index.open("x.index")
    assert len(index) == 4
    if query is None:
        ends = index.snapshot().table.search().select(["end"]).to_arrow()["end"].to_pylist()
        np.testing.assert_allclose(sorted(ends), [2, 4, 6, 8])
        return
    facet = index.facets.names[0]
    done = call("search", "x.index", query, "--weights", f"{facet}=1", "--json")
    assert (done.code, len(json.loads(done.out))) == (0, 3)


def test_a_table_with_an_index_of_pandas_can_be_searched(model, noise):
    for number in range(3):
        noise(f"s{number}.wav")
    Path("t.csv").write_text(",path\n0,s0.wav\n1,s1.wav\n2,s2.wav\n", encoding="utf-8")
    assert call("index", model, "t.csv", "-o", "x.index").code == 0
    done = call("search", "x.index", "s0.wav", "--json")
    assert (done.code, len(json.loads(done.out))) == (0, 2)
