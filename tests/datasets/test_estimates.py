import json

import numpy as np
import pytest
import soundfile
from test_estimators import cadence, clicks
from typer.testing import CliRunner

from disentone.cli import app
from disentone.datasets import estimates
from disentone.datasets.config import CollectionConfig
from disentone.datasets.inspection import inspect
from disentone.datasets.opening import open_collection
from disentone.errors import DataError

RATE = 22050


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three keys, a tempo, silence and a file that is no audio, in a folder of their own."""
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    for name, wave in {
        "c.wav": cadence(0, False),
        "cm.wav": cadence(0, True),
        "d.wav": cadence(2, False),
        "t.wav": clicks(120),
        "silence.wav": np.zeros(4 * RATE),
    }.items():
        soundfile.write(sounds / name, wave, RATE)
    (sounds / "broken.wav").write_bytes(b"RIFF of nothing")
    monkeypatch.chdir(tmp_path)
    return sounds


def opened(folder, **derive):
    config = CollectionConfig(path=str(folder), derive=derive)
    return open_collection(config)


def test_keys_and_tempi_become_factors_and_silence_is_unknown(folder):
    collection = opened(folder, key="estimate", bpm="estimate tempo >= 0.3")
    table = collection.table
    key = dict(zip(table.ids, table.factor("key").labels()))
    assert [key[name] for name in ("c.wav", "cm.wav", "d.wav")] == ["C major", "C minor", "D major"]
    assert key["silence.wav"] == key["broken.wav"] == ""
    bpm = dict(zip(table.ids, table.factor("bpm").values))
    assert bpm["t.wav"] == pytest.approx(120, abs=3)
    assert np.isnan(bpm["silence.wav"])
    assert table.factor("bpm").tolerance == 5
    assert any("key is estimated for 3 of 6 clips" in note for note in collection.notes)


def test_what_was_estimated_is_kept_and_a_changed_file_is_estimated_anew(folder, monkeypatch):
    first = opened(folder, key="estimate").table.factor("key").labels()
    with monkeypatch.context() as patch:
        again = "disentone.datasets.estimators.estimate"
        patch.setattr(again, lambda *_, **__: pytest.fail("estimated again"))
        assert opened(folder, key="estimate").table.factor("key").labels() == first
    soundfile.write(folder / "c.wav", cadence(9, True), RATE)
    table = opened(folder, key="estimate").table
    assert dict(zip(table.ids, table.factor("key").labels()))["c.wav"] == "A minor"


def test_a_line_that_was_cut_off_does_no_harm(folder):
    opened(folder, key="estimate")
    text = estimates.CACHE.read_text()
    assert len(text.splitlines()) == 6
    estimates.CACHE.write_text(text[: len(text) // 2])
    found = opened(folder, key="estimate").table.factor("key")
    assert found.known.sum() == 3
    assert json.loads(estimates.CACHE.read_text().splitlines()[0])[0].startswith("key profiles")


def test_segments_have_the_key_of_their_clip(folder):
    config = CollectionConfig(path=str(folder), segment=1, derive={"key": "estimate"})
    table = open_collection(config).table
    labels = np.array(table.factor("key").labels())
    assert set(labels[table.recordings == "d.wav"]) == {"D major"}
    assert (table.recordings == "d.wav").sum() == 4


def test_inspect_tells_of_them(folder):
    found = inspect(CollectionConfig(path=str(folder), derive={"key": "estimate"}))
    assert "key" in {factor.name for factor in found.factors}


def test_the_command_line_derives_factors_to_look_at(folder):
    result = CliRunner().invoke(app, ["inspect", str(folder), "--derive", "key=estimate"])
    assert result.exit_code == 0, result.output
    assert "D major" in result.output
    wrong = CliRunner().invoke(app, ["inspect", str(folder), "--derive", "key"])
    assert "must look like tempo=estimate" in str(wrong.exception)


@pytest.mark.parametrize(
    "rule", ["estimate mood", "estimate by ear", "estimate key by librosa", "estimate >= x"]
)
def test_rules_that_cannot_be_read_say_what_there_is(folder, rule):
    with pytest.raises(DataError, match="there are: tempo by autocorrelation"):
        opened(folder, key=rule)


def test_a_collection_without_any_tempo_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    soundfile.write(tmp_path / "a.wav", np.zeros(RATE), RATE)
    with pytest.raises(DataError, match="the tempo of no clip can be estimated"):
        opened(tmp_path, tempo="estimate")
