"""A CSN is a run like any other: model, audit, report, embeddings; what it lacks is told."""

import json

import numpy as np
import pytest

from csn_songs import VALUES, write_songs
from disentone import cli, load
from disentone.errors import DataError, RecipeError
from disentone.recipes import parse_recipe
from disentone.runs import train
from disentone.watcher import Watcher


class Notes(Watcher):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def recipe(folder, **changes):
    values = VALUES | changes
    return parse_recipe(values | {"data": {**values["data"], "path": str(folder)}}, name="songs")


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """A run, and what it told."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "songs").mkdir()
    table, notes = write_songs(tmp_path / "songs"), Notes()
    train(recipe(table), tmp_path / "run", watcher=notes)
    return tmp_path / "run", notes.notes


def test_a_run_leaves_what_every_run_leaves_and_embeds(finished, capsys):
    run, notes = finished
    assert {"model.safetensors", "config.json", "audit.json", "report.html", "last"} <= {
        path.name for path in run.iterdir()
    }
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for facet in VALUES["facets"]:
        assert {f"train/{part}_{facet}" for part in ("triplet", "active", "correct")} <= set(
            lines[0]
        )
    assert not any("no valid triplet" in note for note in notes)

    song = run.parent / "songs" / "song00.wav"
    model = load(run)
    embedding = model.embed(song)  # two segments, whose mean it is
    halves = [model.embed(part, sample_rate=8000).values for part in _halves(song)]
    np.testing.assert_allclose(embedding.values, np.mean(halves, axis=0), atol=1e-6)
    for facet in model.facets:
        np.testing.assert_allclose(np.linalg.norm(halves[0][:, model.facets.slice(facet)]), 1, 1e-5)

    cli.app(["info", str(run)], standalone_mode=False)
    text = capsys.readouterr().out
    parameters = sum(p.numel() for p in model.network.parameters())
    assert f"{parameters:,} parameters" in text
    assert "multiply-adds" in text


def _halves(song):
    import soundfile

    wave, rate = soundfile.read(song, dtype="float32")
    return wave[: rate // 2], wave[rate // 2 :]


def test_dimensions_of_one_class_and_batches_without_triplets_are_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table, notes = write_songs(tmp_path, genres=("folk",)), Notes()
    train(recipe(table, audit={"factors": ["key"], "seeds": 1, "permutations": 20}),
          tmp_path / "run", watcher=notes)  # fmt: skip
    one_class = "No two of the train clips differ in 'genre': there is no triplet of facet 'genre'"
    assert any(note.startswith(one_class) for note in notes.notes)
    assert "100% of the batches had no valid triplet for facet 'genre'." in notes.notes
    last = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["train/without_genre"] == 1
    assert last["train/without_key"] < 1
    assert np.isfinite(last["train/total"])


def test_terms_that_decode_need_a_decoder(tmp_path):
    with pytest.raises(RecipeError, match="term 'reconstruction' needs a decoder"):
        recipe(tmp_path, objective=[{"term": "reconstruction"}], balanced=False)


def test_balanced_batches_need_triplets_with_a_factor(tmp_path):
    views = {"term": "triplet", "dimensions": {"genre": {"rule": "views"}}}
    with pytest.raises(RecipeError, match="'balanced' needs a term 'triplet' with a factor"):
        recipe(tmp_path, objective=[views])


def test_given_triplets_train_and_unknown_clips_are_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table, notes = write_songs(tmp_path), Notes()
    rows = ["anchor,positive,negative,dimension"]
    rows += [f"song{i:02}.wav,song{i + 2:02}.wav,song{i + 1:02}.wav,genre" for i in range(22)]
    (tmp_path / "triplets.csv").write_text("\n".join(rows))
    term = {"term": "given", "dimensions": {"genre": "genre"}}
    given = {"objective": [term, *VALUES["objective"]], "balanced": False}
    given |= {"triplets": str(tmp_path / "triplets.csv"), "audit": {"permutations": 20, "seeds": 1}}
    train(recipe(table, **given), tmp_path / "run", watcher=notes)
    assert "10 of the 22 given triplets are of train clips." in notes.notes
    assert "4 of the 22 given triplets are of valid clips." in notes.notes
    last = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert {"train/given_genre", "train/triplet_key", "valid/given_correct_genre"} <= set(last)

    (tmp_path / "triplets.csv").write_text(
        "\n".join([*rows, "song00.wav,what.wav,song01.wav,genre"])
    )
    with pytest.raises(DataError, match=r"triplets.csv' names 'what.wav', which the data does not"):
        train(recipe(table, **given), tmp_path / "again")


def test_given_triplets_and_their_term_go_together(tmp_path):
    with pytest.raises(RecipeError, match="'triplets', a table, and a term 'given' go together"):
        recipe(tmp_path, triplets="triplets.csv")
