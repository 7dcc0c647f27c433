"""A CSN is a run like any other: model, audit, report, embeddings; what it lacks is noted."""

import json
import shutil

import numpy as np
import pytest
import torch

from csn_songs import VALUES, write_songs
from disentone import cli, load
from disentone.embeddings.watcher import Watcher
from disentone.errors import DataError, RecipeError
from disentone.recipes import parse_recipe
from disentone.runs.judging import judge_files
from disentone.runs.training import train


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
    """A run, and its notes."""
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
    # Both at once, as embed has them: rounding depends on how many clips are summed together.
    halves = model.embed_features(model.frontend(torch.from_numpy(_halves(song))))
    np.testing.assert_allclose(embedding.values[0], np.mean(halves, axis=0), atol=1e-6)
    for facet in model.facets:
        np.testing.assert_allclose(np.linalg.norm(halves[0, model.facets.slice(facet)]), 1, 1e-5)

    cli.app(["info", str(run)], standalone_mode=False)
    text = capsys.readouterr().out
    parameters = sum(p.numel() for p in model.network.parameters())
    assert f"{parameters:,} parameters" in text
    assert "multiply-adds" in text


def _halves(song):
    import soundfile

    wave, _ = soundfile.read(song, dtype="float32")
    return wave.reshape(2, -1)


def test_a_run_is_judged_on_songs_of_which_less_is_known(finished, tmp_path):
    """Dim-sim has no tempo, of which the run's recipe says what kind it is."""
    run, _ = finished
    folder, notes = tmp_path / "dim-sim", Notes()
    folder.mkdir()
    for number, name in enumerate(("TRA", "TRB", "TRC")):
        shutil.copy(tmp_path / "songs" / f"song{number:02}.wav", folder / f"{name}.wav")
    names = ",".join(f"{r}_id,{r}_start_seconds" for r in ("anchor", "song1", "song2"))
    rows = "TRA,0,TRB,0,TRC,0,1\nTRA,0,TRX,0,TRC,0,1\n"
    (folder / "dim-sim.csv").write_text(f"{names},song1_vote\n{rows}")
    report, text = judge_files([run], folder / "dim-sim.csv", tmp_path / "out", data=folder,
                               dataset="dim-sim", watcher=notes)  # fmt: skip
    assert report.is_file()
    assert "Triplets in order" in text
    assert any("1 of 2 triplets name clips" in note for note in notes.notes), "TRX is not there"


def test_triplets_of_clips_that_were_trained_on_are_told(finished, tmp_path):
    run, _ = finished
    rows = "song00.wav,song02.wav,song01.wav,genre\nsong18.wav,song20.wav,song19.wav,genre\n"
    table, notes = tmp_path / "triplets.csv", Notes()
    table.write_text("anchor,positive,negative,dimension\n" + rows)
    judge_files([run], table, tmp_path / "out", watcher=notes)
    assert any("1 of 2 triplets have a clip of the train or valid split" in n for n in notes.notes)


def test_dimensions_of_one_class_and_batches_without_triplets_are_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table, notes = write_songs(tmp_path, genres=("folk",)), Notes()
    train(recipe(table, audit={"factors": ["key"], "seeds": 1, "permutations": 20}),
          tmp_path / "run", watcher=notes)  # fmt: skip
    one_class = "There is no triplet of facet 'genre' in the train split"
    assert any(note.startswith(one_class) for note in notes.notes)
    assert "100% of the batches had no valid triplet for facet 'genre'." in notes.notes
    last = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["train/without_genre"] == 1
    assert last["train/without_key"] < 1
    assert np.isfinite(last["train/total"])


def test_a_valid_split_that_judges_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = write_songs(tmp_path, genres=("folk",))
    only = {"genre": {"dim": 3, "same": "genre"}}
    with pytest.raises(DataError, match=r"no triplet in the valid split.*training\.keep=last"):
        train(recipe(table, facets=only, audit={"factors": ["key"]}), tmp_path / "run")


def test_triplets_of_views_need_views_and_labels_are_not_those_of_copies(tmp_path):
    with pytest.raises(RecipeError, match="needs a facet with 'same'"):
        recipe(tmp_path, facets={"genre": {"dim": 3}}, sampling="partners")
    facets = {"genre": {"augment": ["gain"], "unlike": ["key"]}, "key": {"dim": 3}}
    with pytest.raises(RecipeError, match="facet 'key' has no views"):
        recipe(tmp_path, facets=facets, sampling="partners")
    itself = {"genre": {"augment": ["gain"], "unlike": ["genre"]}}
    with pytest.raises(RecipeError, match="'genre' cannot be unlike itself"):
        recipe(tmp_path, facets=itself, sampling="partners")
    both = {"genre": {"augment": ["gain"]}, "tempo": {"same": "tempo", "rule": "tempo"}}
    with pytest.raises(RecipeError, match="use either factors or views"):
        recipe(tmp_path, facets=both, sampling="partners")
    with pytest.raises(RecipeError, match="'unlike' is for facets whose views are copies"):
        recipe(tmp_path, facets={"genre": {"same": "genre", "unlike": ["key"]}})


def test_terms_that_decode_need_a_decoder(tmp_path):
    with pytest.raises(RecipeError, match="term 'reconstruction' needs a decoder"):
        recipe(tmp_path, objective=[{"term": "reconstruction"}])


def test_balanced_batches_have_clips_alone(tmp_path):
    with pytest.raises(RecipeError, match="'sampling: balanced' needs a facet with 'same'"):
        recipe(tmp_path, facets={"rest": {"dim": 3}}, objective=[{"term": "kl"}])
    with pytest.raises(RecipeError, match=r"'room' .same recording. needs its views"):
        recipe(tmp_path, facets={"room": {"same": "recording"}})
    with pytest.raises(RecipeError, match="term 'agreement' compares views"):
        recipe(tmp_path, objective=[{"term": "agreement", "facet": "genre"}])


def test_given_triplets_train_and_unknown_clips_are_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table, notes = write_songs(tmp_path), Notes()
    rows = ["anchor,positive,negative,dimension"]
    rows += [f"song{i:02}.wav,song{i + 2:02}.wav,song{i + 1:02}.wav,genre" for i in range(22)]
    (tmp_path / "triplets.csv").write_text("\n".join(rows))
    term = {"term": "given", "dimensions": {"genre": "genre"}}
    given = {"objective": [term, *VALUES["objective"]]}
    given |= {"sampling": {"triplets": str(tmp_path / "triplets.csv")}}
    given |= {"audit": {"permutations": 20, "seeds": 1}}
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
    with pytest.raises(RecipeError, match="and a term 'given' go together"):
        recipe(tmp_path, sampling={"triplets": "triplets.csv"})
    given = [{"term": "given", "dimensions": {"genre": "genre"}}]
    with pytest.raises(RecipeError, match="and a term 'given' go together"):
        recipe(tmp_path, objective=given)
