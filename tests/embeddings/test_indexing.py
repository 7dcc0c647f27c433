import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

import tiny_training
from command_line import call, complaint
from disentone.embeddings import collection as extraction
from disentone.embeddings import model_id
from disentone.embeddings.embedder import EmbedOptions
from disentone.embeddings.indexing import index_collection
from disentone.embeddings.model import load
from disentone.embeddings.querying import AudioQueries, embed_query, model_of
from disentone.embeddings.watcher import Watcher
from disentone.errors import ArtifactError, AudioError, DataError
from disentone.search import Index
from disentone.search.changing import Changes

RATE = 16000


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    tiny_training.train(folder, epochs=1)
    return str(folder)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def noise(rng):
    def write(name, seconds=0.2, silent=0.0):
        wave = 0.3 * rng.standard_normal(round(seconds * RATE))
        wave[len(wave) - round(silent * RATE) :] = 0
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(name, wave, RATE)
        return name

    return write


@pytest.fixture
def sounds(noise):
    """A table of four files, two of them of one recording, and one that is broken."""
    for name in "abcd":
        noise(f"sounds/{name}.wav", 0.5)
    Path("sounds/junk.wav").write_text("no audio at all " * 100)
    Path("sounds/clips.csv").write_text(
        "path,instrument,tempo,split,source_id\n"
        "a.wav,oboe,100,train,r1\nb.wav,oboe,120,test,r1\n"
        "c.wav,flute,,test,r2\nd.wav,horn,90.5,extra,r3\njunk.wav,horn,90,train,r4\n"
    )
    return "sounds"


@pytest.fixture
def index(model, sounds):
    return index_collection(model, [sounds], "my.index")


def test_items_are_embeddings_with_the_factors_of_the_table(index, model):
    assert index.items().to_pydict() == {
        "id": ["a.wav", "b.wav", "c.wav", "d.wav"],
        "path": [os.path.abspath(f"sounds/{name}.wav") for name in "abcd"],
        "recording": ["r1", "r1", "r2", "r3"],
        "start": [0.0] * 4,
        "end": [0.5] * 4,
        "instrument": ["oboe", "oboe", "flute", "horn"],
        "tempo": [100.0, 120.0, None, 90.5],
        "split": ["train", "test", "test", "extra"],
    }
    assert index.model == model_id(model)
    assert index.facets == tiny_training.FACETS
    embedded = load(model).embed([f"sounds/{name}.wav" for name in "abcd"])
    stored = index.vectors(["a.wav", "b.wav", "c.wav", "d.wav"])
    for name in tiny_training.FACETS:
        unit = embedded[name] / np.linalg.norm(embedded[name], axis=1, keepdims=True)
        np.testing.assert_allclose(index.facets.take(stored, name), unit, atol=1e-5)


def test_what_was_left_out_is_listed_and_told(model, sounds):
    notes = []
    watcher = Watcher()
    watcher.note = notes.append
    index_collection(model, [sounds], "my.index", watcher=watcher)
    with open("my.index/skipped.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [Path(row["path"]).name for row in rows] == ["junk.wav"]
    assert "not audio" in rows[0]["reason"]
    assert any("junk.wav" in note for note in notes)


def test_the_same_command_goes_on_and_adds_what_is_new(model, sounds, noise, monkeypatch):
    monkeypatch.setattr(extraction, "_PART", 2)
    put, calls = Changes.put, []

    def killed(self, vectors, items):
        calls.append(items["id"].to_pylist())
        raise KeyboardInterrupt

    monkeypatch.setattr(Changes, "put", killed)
    with pytest.raises(KeyboardInterrupt):
        index_collection(model, [sounds], "my.index")
    assert calls == [["c.wav", "d.wav"]]
    assert len(Index.open("my.index")) == 2  # the first part

    monkeypatch.setattr(
        Changes, "put", lambda s, v, i: calls.append(i["id"].to_pylist()) or put(s, v, i)
    )
    noise("more/e.wav")
    both = index_collection(model, [sounds, "more"], "my.index")
    assert calls[1:] == [["c.wav", "d.wav"], ["more/e.wav"]]
    assert len(both) == 5
    assert len(index_collection(model, [sounds, "more"], "my.index")) == 5
    assert len(calls) == 3
    at_once = index_collection(model, [sounds, "more"], "other.index")
    names = {item: Path(item).name for item in both.items()["id"].to_pylist()}
    for query in ("a.wav", "more/e.wav"):
        found = [names[hit.id] for hit in both.search(query)]
        again = at_once.search(
            next(i for i in at_once.items()["id"].to_pylist() if i.endswith(Path(query).name))
        )
        assert found == [Path(hit.id).name for hit in again]


def test_a_file_that_changed_is_embedded_anew(model, sounds, noise):
    before = index_collection(model, [sounds], "my.index", EmbedOptions(segment=0.2))
    count = len(before)
    old = before.vectors(["b.wav", "a.wav"])
    noise("sounds/b.wav", 0.3)  # one segment instead of two
    os.utime("sounds/b.wav", (1, 1))
    after = index_collection(model, [sounds], "my.index", EmbedOptions(segment=0.2))
    assert len(after) == count - 1
    assert "b.wav@0.2" not in after
    query = embed_query(load(model), "sounds/b.wav", end=0.2)
    new = after.vectors(["b.wav", "a.wav"])
    np.testing.assert_allclose(new[0], after.query(query).vector, atol=1e-6)
    assert not np.allclose(new[0], old[0])
    np.testing.assert_array_equal(new[1], old[1])


def test_segments_are_items_of_their_own(model, sounds):
    index = index_collection(model, [sounds], "my.index", EmbedOptions(segment=0.2))
    found = index.items(["a.wav", "a.wav@0.2"]).to_pydict()
    assert found["start"] == [0.0, 0.2]
    assert found["end"] == pytest.approx([0.2, 0.4])
    assert found["recording"] == ["r1", "r1"]
    with pytest.raises(ArtifactError, match="segment"):
        index_collection(model, [sounds], "my.index", EmbedOptions(segment=0.3))
    close = embed_query(load(model), "sounds/a.wav", start=0.2, end=0.4)
    assert index.search(close, k=1)[0].id == "a.wav@0.2"


def test_an_index_is_of_one_model(index, model, tmp_path):
    other = tmp_path / "other"
    tiny_training.train(other, epochs=2)
    with pytest.raises(ArtifactError, match="another model"):
        index_collection(other, ["sounds"], "my.index")
    with pytest.raises(ArtifactError, match="another model"):
        model_of(index, other)
    assert model_of(index, model).facets == index.facets
    shutil.rmtree(Path(index.uri) / "model")
    assert model_of(index).facets == index.facets  # where it was made from
    index.about["model_folder"] = "gone"
    with pytest.raises(ArtifactError, match="no model at 'gone'"):
        model_of(index)


def test_nothing_usable_leaves_no_index(model):
    Path("text.wav").write_text("no audio at all " * 100)
    with pytest.raises(DataError, match=r"No clip is usable; .*text\.wav"):
        index_collection(model, ["text.wav"], "my.index")
    assert not Index.exists("my.index")


def test_a_vector_that_has_no_angle_is_left_out(model, sounds, monkeypatch):
    from disentone.embeddings import indexing

    values_of = indexing.values_of

    def spoilt(table):
        values = values_of(table).copy()
        values[1] = np.nan
        values[2, tiny_training.FACETS.slice("shared")] = 0
        return values

    monkeypatch.setattr(indexing, "values_of", spoilt)
    index = index_collection(model, [sounds], "my.index")
    assert index.items()["id"].to_pylist() == ["a.wav", "d.wav"]
    listed = Path("my.index/skipped.csv").read_text()
    assert "b.wav,Its facet 'private' is not finite" in listed
    assert "c.wav,Its facet 'shared' is zero" in listed


def test_a_query_is_embedded_as_the_items_are(model, noise):
    noise("pause.wav", 0.6, silent=0.3)
    index = index_collection(model, ["pause.wav"], "my.index")
    query = embed_query(load(model), "pause.wav")
    np.testing.assert_allclose(
        index.query(query).vector, index.vectors(["pause.wav"])[0], atol=1e-6
    )


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"path": "text.wav"}, "not audio"),
        ({"path": "silent.wav"}, "silent"),
        ({"path": "a.wav", "start": 9.0}, "a.wav"),
        ({"path": "a.wav", "start": 0.2, "end": 0.1}, "must end later"),
    ],
)
def test_queries_that_are_no_sound(model, noise, asked, message):
    noise("a.wav")
    noise("silent.wav", silent=0.2)
    Path("text.wav").write_text("no audio at all " * 100)
    with pytest.raises(AudioError, match=message):
        embed_query(load(model), asked.pop("path"), **asked)


def test_names_are_items_or_files(index, model, noise):
    queries = AudioQueries(index)
    assert queries.example("a.wav") == "a.wav"
    assert queries.example("sounds/a.wav") == "a.wav"
    assert queries.example("sounds/a.wav", end=0.2).shape == (5,)
    assert queries.example(noise("new.wav")).shape == (5,)
    with pytest.raises(DataError, match=r"'b\.wv' is no audio file, and no item .* 'b\.wav'"):
        queries.example("b.wv")


# --- the command line ----------------------------------------------------------------------------


def test_index_and_search_from_the_command_line(model, sounds, noise):
    made = call("index", model, sounds, "-o", "my.index")
    assert (made.code, made.out) == (0, "my.index\n")
    assert "Left out: " in made.err
    new = noise("new.wav", 0.3)
    found = call(
        "search", "my.index", new, "--weights", "shared=1,private=-0.5", "--json", "-k", "3"
    )
    rows = json.loads(found.out)
    expected = Index.open("my.index").search(
        embed_query(load(model), new), weights={"shared": 1, "private": -0.5}, k=3
    )
    assert [row["id"] for row in rows] == [hit.id for hit in expected]
    assert rows[0]["score"] == pytest.approx(expected[0].score, abs=1e-6)
    assert set(rows[0]["facets"]) == {"private", "shared"}
    assert "--weights private=-0.5,shared=1" in found.err
    quiet = call("search", "my.index", new, "--weights", "shared=1,private=-0.5", "-k", "3", "-q")
    assert quiet.out.split() == [hit.id for hit in expected]
    assert quiet.err == ""


def test_what_a_table_of_hits_shows(index):
    shown = call("search", "my.index", "a.wav", "--where", "split = 'test'").out
    head, *rows = shown.splitlines()
    assert head.split()[:5] == ["item", "s", "score", "private", "shared"]
    hits = index.search("a.wav", where="split = 'test'")
    assert [row.split()[:2] for row in rows] == [["1", hits[0].id], ["2", hits[1].id]]
    likeness = f"{hits[0].cosines['private']:+.2f}"
    assert rows[0].split()[2:5] == [f"{hits[0].end:.2f}", f"{hits[0].score:.3f}", likeness]
    assert "oboe · 120 · test" in shown
    assert "flute · - · test" in shown
    assert "Nothing passes" in call("search", "my.index", "a.wav", "--where", "tempo < 0").out


def test_every_kind_of_query_from_the_command_line(index):
    def ids(*words):
        return call("search", "my.index", *words, "-q").out.split()

    def hits(query, **options):
        return [hit.id for hit in query.rank(**options)]

    both = ["a.wav", "b.wav"]
    assert ids("a.wav", "--like", "sounds/b.wav") == hits(index.query(like=both))
    assert ids("a.wav", "--away", "d.wav") == hits(index.query(like=["a.wav"], away=["d.wav"]))
    mixed = index.query(mix={"private": "c.wav", "shared": "d.wav"})
    assert ids("--mix", "private=c.wav,shared=sounds/d.wav") == hits(mixed)
    once = index.query(like=["c.wav"]).rank(one_per_recording=True, diversity=0.5)
    words = ("c.wav", "--one-per-recording", "--diverse", "0.5")
    assert ids(*words) == [hit.id for hit in once]
    assert len(once) == 2
    part = embed_query(model_of(index), "sounds/a.wav", start=0.1, end=0.4)
    assert ids("sounds/a.wav", "--start", "0.1", "--end", "0.4") == hits(index.query(part))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nowhere.index", "a.wav"), "There is no index 'nowhere.index'"),
        (("my.index",), "needs an example"),
        (("my.index", "nix"), "'nix' is no audio file, and no item"),
        (("my.index", "a.wav", "--weights", "sharde=1"), "did you mean 'shared'"),
        (("my.index", "a.wav", "--weights", "shared=0"), "Every weight is 0"),
        (("my.index", "a.wav", "--where", "tempo > 1; drop table items"), "cannot be understood"),
        (("my.index", "--mix", "shared"), "--mix 'shared' must look like"),
        (("my.index", "a.wav", "--model", "nowhere", "--end", "0.2"), "no audio file"),
        (("my.index", "sounds/a.wav", "--model", "nowhere", "--end", "0.2"), "no model in nowhere"),
    ],
)
def test_mistakes_are_one_sentence(index, words, message):
    assert message in complaint("search", *words)
