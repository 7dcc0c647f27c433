"""Runs on files: bad ones are named, good ones are decoded once."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml
from quick_runs import QUICK, RATE, Notes

from disentone.audit import Card
from disentone.embeddings.watcher import Watcher
from disentone.errors import DataError
from disentone.objectives import Objective
from disentone.recipes import dump_recipe, load_recipe
from disentone.runs import training as runs
from disentone.runs.batches import make_split
from disentone.runs.preparation import prepare


@pytest.fixture
def of_files(tmp_path):
    """Give a tiny recipe whose data are files."""
    values = yaml.safe_load(dump_recipe(load_recipe("debug", settings=QUICK)))
    values |= {"name": "of-files", "data": {"kind": "collection"}}
    values["data"]["kinds"] = {"frequency": "continuous"}
    values["frontend"] |= {"sample_rate": RATE, "n_mels": 12}
    values["audit"]["classes"] = {"frequency": 3}
    (tmp_path / "of_files.yaml").write_text(yaml.safe_dump(values))
    return lambda path, *settings: load_recipe(
        tmp_path / "of_files.yaml", data=path, settings=settings
    )


def break_some(folder):
    """Add to a table every kind of bad file; give the word that must be in the reason."""
    good = (folder / "sine_0.wav").read_bytes()
    (folder / "empty.wav").touch()
    (folder / "truncated.wav").write_bytes(good[: len(good) // 2])
    (folder / "text.wav").write_text("these are words, and no sound at all\n" * 9)
    soundfile.write(folder / "silent.wav", np.zeros(RATE // 4), RATE)
    nan = np.full(RATE // 4, 0.1)
    nan[99] = np.nan
    soundfile.write(folder / "nan.wav", nan, RATE, subtype="FLOAT")
    words = {
        "missing.wav": "cannot be found|does not exist|No such file",
        "empty.wav": "empty",
        "truncated.wav": "truncated|cut|ends|shorter",
        "text.wav": "not audio|no audio|cannot be|unknown",
        "silent.wav": "silent",
        "nan.wav": "NaN",
    }
    with (folder / "clips.csv").open("a", newline="") as file:
        csv.writer(file).writerows([name, "sine", 500] for name in words)
    return words


def test_bad_files_are_named_and_the_run_goes_on(tones, of_files, tmp_path):
    words, watcher = break_some(tones), Notes()
    report = runs.train(of_files(tones), tmp_path / "run", watcher=watcher)
    assert report == tmp_path / "run" / "report.html"
    with (tmp_path / "run" / "skipped.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["path"] for row in rows) == sorted(words)
    for row in rows:
        assert any(word in row["reason"] for word in words[row["path"]].split("|")), row
    warned = [note for note in watcher.notes if note.startswith("Left out")]
    assert len(warned) == 6, "five by name, and how many more"
    assert "1 more; see skipped.csv" in warned[-1]
    card = Card.load(tmp_path / "run" / "audit.json")
    assert set(card.factors) == {"timbre", "frequency"}
    page = report.read_text()
    assert all(name in page for name in words), "the report says it too"


def test_a_broken_file_in_parts_is_left_out_once(tones, of_files, tmp_path):
    good = (tones / "sine_0.wav").read_bytes()
    (tones / "broken.wav").write_bytes(good[: len(good) // 2])
    soundfile.write(tones / "quiet.wav", np.zeros(RATE), RATE)
    with (tones / "clips.csv").open(newline="") as file:
        names, *rows = csv.reader(file)
    parts = [["quiet.wav", "sine", 500, start] for start in (0, 0.5)]
    parts += [["broken.wav", "sine", 500, start] for start in (0, 0.05, 0.1)]
    with (tones / "clips.csv").open("w", newline="") as file:
        csv.writer(file).writerows([[*names, "start"], *([*row, 0] for row in rows), *parts])
    skipped = prepare(of_files(tones)).skipped
    assert [item.path for item in skipped] == ["quiet.wav@0", "quiet.wav@0.5", "broken.wav"]


def test_a_class_with_one_clip_is_told_and_left_out_of_training(tones, of_files, tmp_path):
    (tones / "lone.wav").write_bytes((tones / "sine_0.wav").read_bytes())
    with (tones / "clips.csv").open("a", newline="") as file:
        csv.writer(file).writerow(["lone.wav", "lone", 500])
    recipe, watcher = of_files(tones, "training.epochs=1"), Notes()
    data = prepare(recipe, watcher=watcher)
    split = data.table.split[list(data.table.ids).index("lone.wav")]
    runs.train(recipe, tmp_path / "run", data=data, watcher=watcher)
    clips = len(data.table.where(split))
    note_start = f"1 of {clips} {split} clips have no partner for facet 'shared'"
    assert split in ("train", "valid")
    assert any(note.startswith(note_start) for note in watcher.notes)
    assert (tmp_path / "run" / "audit.json").is_file()


def test_prepared_data_are_the_usable_clips_in_order(tones, of_files):
    clean = prepare(of_files(tones), cache=tones / "cache")
    assert clean.skipped == []
    assert len(clean.table) == len(clean.features) == 40
    (tones / "sine_3.wav").write_text("overwritten")
    (tones / "square_9.wav").unlink()
    left = prepare(of_files(tones), cache=tones / "cache")
    assert {item.path for item in left.skipped} == {"sine_3.wav", "square_9.wav"}
    assert len(left.table) == len(left.features) == 38
    row = {name: i for i, name in enumerate(clean.table.ids)}
    expected = clean.features[[row[name] for name in left.table.ids]]
    np.testing.assert_array_equal(left.features, expected)


def test_features_of_files_are_kept_for_the_next_run(tones, of_files, monkeypatch):
    first = prepare(of_files(tones))
    assert list((Path.cwd() / ".cache" / "disentone").iterdir())

    def decoded(*_, **__):
        raise AssertionError("read again")

    monkeypatch.setattr("disentone.audio.read", decoded)
    second = prepare(of_files(tones))
    np.testing.assert_array_equal(second.features, first.features)


def test_no_usable_clip_is_one_sentence(tmp_path, of_files):
    folder = tmp_path / "bad"
    folder.mkdir()
    with pytest.raises(DataError, match="no usable audio file"):
        prepare(of_files(folder, "data.kinds={}"))
    for name in ("a.wav", "b.wav"):
        soundfile.write(folder / name, np.zeros(RATE), RATE)
    with pytest.raises(DataError, match=r"None of the 2 clips is usable.*silent"):
        prepare(of_files(folder, "data.kinds={}"))


def test_a_split_without_clips_is_named(tmp_path, of_files, rng):
    for i in range(2):
        soundfile.write(tmp_path / f"{i}.wav", 0.1 * rng.standard_normal(RATE), RATE)
    with pytest.raises(DataError, match=r"no usable clip in the (train|valid|test) split"):
        prepare(of_files(tmp_path, "data.kinds={}"))


def test_training_copies_no_features(of_files, tones):
    """Splits are rows of the store's map, however large it is."""
    recipe = of_files(tones)
    data = prepare(recipe, cache=tones / "cache")
    objective = Objective(recipe.objective, recipe.layout())
    assert isinstance(data.features, np.memmap)
    for name in ("train", "valid"):
        moments = torch.zeros(()), torch.ones(())
        split = make_split(recipe, data, name, moments, objective, Watcher())
        assert np.shares_memory(split.features, data.features)
        assert len(split) == len(data.table.where(name))
        index = split.sampler.epoch(0)[:, 0]
        assert set(data.table.split[split.windows.first[index]]) == {name}, "one window each"


def test_a_folder_without_labels_trains_and_says_that_there_is_nothing_to_audit(of_files, tmp_path):
    (tmp_path / "bare").mkdir()
    rng = np.random.default_rng(0)
    for number in range(30):
        wave = 0.1 * rng.standard_normal(RATE)
        soundfile.write(tmp_path / "bare" / f"{number}.wav", wave, RATE)
    values = yaml.safe_load(dump_recipe(of_files(tmp_path / "bare", "data.segment=0.25")))
    values["facets"] = {"source": {"dim": 2, "same": "recording"}, "rest": {"dim": 2}}
    values["objective"] = []
    values["data"]["kinds"] = {}
    values["audit"]["classes"] = {}
    (tmp_path / "bare.yaml").write_text(yaml.safe_dump(values))
    watcher = Notes()
    left = runs.train(load_recipe(tmp_path / "bare.yaml"), tmp_path / "run", watcher=watcher)
    assert left == tmp_path / "run"
    assert (left / "model.safetensors").exists()
    assert not (left / "report.html").exists()
    assert any("no factor of these clips is known" in note for note in watcher.notes)
