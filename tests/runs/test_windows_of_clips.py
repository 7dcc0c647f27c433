"""Training draws from all of a clip, a window each time, and never from silence."""

import json

import numpy as np
import pytest
import soundfile
import torch
import yaml
from quick_runs import QUICK, Notes

from disentone.audit import Card
from disentone.embeddings.model import load
from disentone.embeddings.watcher import Watcher
from disentone.frontends.logmel import LogMel
from disentone.objectives import Objective
from disentone.recipes import dump_recipe, load_recipe
from disentone.runs import reporting
from disentone.runs import training as runs
from disentone.runs.batches import make_split
from disentone.runs.preparation import prepare

RATE, WINDOW = 16000, 4000  # samples


@pytest.fixture
def long(tmp_path):
    """Forty clips of two kinds, each of six windows at six pitches; the second half is silent."""
    rng = np.random.default_rng(0)
    rows = ["path,kind"]
    for number in range(40):
        kind = "pure" if number % 2 else "rough"
        wave = np.zeros(6 * WINDOW)
        for window in range(6):
            time = np.arange(WINDOW) / RATE
            tone = np.sin(2 * np.pi * (400 + 300 * window) * time)
            wave[window * WINDOW : (window + 1) * WINDOW] = 0.4 * tone * (window % 2)
        wave += (wave != 0) * (kind == "rough") * 0.1 * rng.standard_normal(len(wave))
        soundfile.write(tmp_path / f"{number}.wav", wave, RATE)
        rows.append(f"{number}.wav,{kind}")
    soundfile.write(tmp_path / "silent.wav", np.zeros(6 * WINDOW), RATE)
    rows.append("silent.wav,pure")
    (tmp_path / "clips.csv").write_text("\n".join(rows))
    return tmp_path


@pytest.fixture
def recipe(tmp_path, long):
    """A quick recipe on them."""

    def make(*settings, **values):
        given = yaml.safe_load(dump_recipe(load_recipe("debug", settings=QUICK)))
        given |= {"name": "long", "data": {"kind": "collection"}, "audit": {"permutations": 20}}
        given["facets"] = {"kind": {"dim": 2, "same": "kind"}, "rest": {"dim": 2}} | values
        given["objective"] = []
        (tmp_path / "long.yaml").write_text(yaml.safe_dump(given))
        return load_recipe(tmp_path / "long.yaml", data=long, settings=settings)

    return make


def test_every_window_with_sound_is_a_row_and_a_clip_without_is_left_out(recipe):
    watcher = Notes()
    data = prepare(recipe(), watcher=watcher)
    assert len(data.table) == 40
    assert [item.path for item in data.skipped] == ["silent.wav"]
    assert data.windows.count.tolist() == [3] * 40
    assert data.begin.tolist() == [0.25, 0.75, 1.25] * 40
    assert len(data.features) == 120
    loudest = data.features.mean(axis=1).argmax(axis=1).reshape(40, 3)
    assert (np.diff(loudest, axis=1) > 0).all(), "each window has its own pitch"
    assert "30 s of sound, 120 windows of 0.25 s, 1 of a clip an epoch." in watcher.notes


def split_of(recipe, data, name="train"):
    objective = Objective(recipe.objective, recipe.layout())
    moments = torch.zeros(()), torch.ones(())
    return make_split(recipe, data, name, moments, objective, Watcher())


def test_epochs_draw_other_windows_and_the_same_ones_again(recipe):
    data = prepare(recipe())
    split = split_of(recipe(), data)
    drawn = [split.epoch(number) for number in range(30)]
    clips = data.table.where("train")
    owner = np.repeat(np.arange(len(data.views)), data.windows.count)
    for views in drawn:
        assert (owner[views.windows] == clips[views.clips]).all(), "windows of their own clips"
    windows_of_first = {int(w) for v in drawn for w in v.windows[v.clips == 0]}
    assert windows_of_first == set(data.windows.take(clips[:1]).rows.tolist()), "all of them"
    again = split_of(recipe(), data).epoch(7)
    np.testing.assert_array_equal(again.windows, drawn[7].windows)
    other = split_of(recipe("seed=1"), data).epoch(7)
    assert (other.windows != drawn[7].windows).any()


def test_windows_do_not_change_which_clips_are_drawn(recipe):
    data = prepare(recipe())
    split = split_of(recipe(), data)
    for number in (0, 5):
        np.testing.assert_array_equal(split.epoch(number).clips, split.sampler.epoch(number))


def test_copies_have_the_windows_of_their_originals(recipe):
    pytest.importorskip("audiomentations")
    changed = recipe("copies=2", loud={"dim": 2, "augment": ["gain(-6, -6)"]})
    data = prepare(changed)
    copies = np.flatnonzero(data.views.copy_for == "loud")
    assert data.windows.count.tolist() == [3] * len(data.views)
    origin = {name: row for row, name in enumerate(data.table.ids)}
    power = 10 ** (data.features / 10)
    for copy in copies[::7]:
        own = data.windows.take(np.array([origin[data.views.origins[copy]]])).rows
        theirs = data.windows.take(np.array([copy])).rows
        assert data.begin[theirs].tolist() == data.begin[own].tolist()
        loud = power[own] > 1e-3  # away from the floor
        ratio = power[theirs][loud] / power[own][loud]
        np.testing.assert_allclose(ratio, 10**-0.6, rtol=0.02)


def test_a_stopped_run_goes_on_as_if_it_had_not_been(recipe, tmp_path):
    settings = ["training.epochs=4"]
    runs.train(recipe(*settings), tmp_path / "whole", audited=False)

    class Stops(Watcher):
        def training(self, progress):
            if progress.epoch == 2:
                raise InterruptedError

    with pytest.raises(InterruptedError):
        runs.train(recipe(*settings), tmp_path / "cut", audited=False, watcher=Stops())
    runs.train(recipe(*settings), tmp_path / "cut", audited=False, resume=True)
    whole, cut = (
        [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").open()]
        for name in ("whole", "cut")
    )
    for one, other in zip(whole, cut, strict=True):
        assert one | {"seconds": 0} == other | {"seconds": 0}


def test_a_run_is_audited_on_all_windows_and_its_report_plays_one_with_sound(recipe, tmp_path):
    watcher = Notes()
    report = runs.train(recipe(timbre={"dim": 2}), tmp_path / "run", watcher=watcher)
    assert any(note.startswith("Facet 'timbre' has no 'same': private") for note in watcher.notes)
    card = Card.load(tmp_path / "run" / "audit.json")
    assert "kind" in card.factors
    assert "silent.wav" in report.read_text()
    model, data = load(tmp_path / "run"), prepare(recipe())
    assert isinstance(model.frontend, LogMel)
    rows = data.windows.take(data.table.where("train")).rows
    np.testing.assert_allclose(model.mean, data.features[rows].mean(), rtol=1e-5)
    begin = float(data.begin[data.windows.first[3]])
    wave = reporting._original(data.table, 3, begin, model.frontend)
    assert len(wave) == WINDOW
    assert np.abs(wave).max() > 0.3
