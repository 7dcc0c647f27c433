"""Embedding goes on past what cannot be used, and where it was stopped."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from near_embeddings import RATE, close

import tiny_training
from disentone.datasets.windowing import WindowSounds
from disentone.embeddings import collection as extraction
from disentone.embeddings import read_embeddings
from disentone.embeddings.collection import embed_collection
from disentone.embeddings.embedder import EmbedOptions
from disentone.embeddings.model import load
from disentone.embeddings.watcher import Watcher
from disentone.errors import ArtifactError, AudioError, DataError, RecipeError

# --- what cannot be used ----------------------------------------------------------------------


@pytest.fixture
def with_broken(folder, noise):
    """The folder with five files that cannot be used."""
    Path("sounds/empty.wav").write_bytes(b"")
    Path("sounds/text.wav").write_text("no audio at all " * 100)
    noise("sounds/silent.wav", silent=[(0, 1)])
    soundfile.write("sounds/nan.wav", np.full(3200, np.nan), RATE, subtype="FLOAT")
    content = Path("sounds/high/c.ogg").read_bytes()
    Path("sounds/cut.ogg").write_bytes(content[: len(content) // 2])
    return folder


def test_skipped_files_are_listed_with_the_reason(model, with_broken):
    out = embed_collection(model, [with_broken], "o.parquet")
    assert len(read_embeddings(out).values) == 4
    with open("o-skipped.csv", encoding="utf-8", newline="") as file:
        reasons = {Path(row["path"]).name: row["reason"] for row in csv.DictReader(file)}
    assert set(reasons) == {"empty.wav", "text.wav", "silent.wav", "nan.wav", "cut.ogg"}
    for name, word in {
        "empty.wav": "0 bytes", "text.wav": "not audio", "silent.wav": "silent",
        "nan.wav": "not finite", "cut.ogg": "truncated",
    }.items():  # fmt: skip
        assert word in reasons[name]
    assert not Path("o.parquet.partial").exists()


def test_a_clip_shorter_than_the_window_is_padded_openly_or_refused(model, folder):
    notes = []
    watcher = Watcher()
    watcher.note = notes.append
    embed_collection(model, [folder], "padded.parquet", watcher=watcher)
    assert notes[1:] == [
        "Clips shorter than the model's window of 0.2 s, such as 'sounds/high/d.wav' (1 in all), "
        "are padded with silence; leave them out with --short skip."
    ]
    out = embed_collection(model, [folder], "o.parquet", EmbedOptions(short="skip"))
    assert len(read_embeddings(out).values) == 3
    with open("o-skipped.csv", encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["path"] == "sounds/high/d.wav"
    assert row["reason"] == "The clip lasts 0.09 s, less than the model's window of 0.2 s."
    out = embed_collection(model, [folder], "cut.parquet", EmbedOptions(short="skip", segment=0.05))
    assert "sounds/high/d.wav" in read_embeddings(out).columns["path"], "it has whole segments"
    with pytest.raises(AudioError, match=r"lasts 0\.09 s"):
        embed_collection(model, [folder], "s.parquet", EmbedOptions(short="skip"), on_error="stop")


def test_nothing_skipped_leaves_no_list(model, noise):
    Path("o-skipped.csv").write_text("of an earlier file")
    embed_collection(model, [noise("a.wav")], "o.parquet")
    assert not Path("o-skipped.csv").exists()


@pytest.mark.parametrize("name", ["nan.wav", "text.wav", "silent.wav"])
def test_stop_keeps_what_was_done(model, noise, monkeypatch, name):
    monkeypatch.setattr(extraction, "_PART", 2)
    good = [noise(f"{letter}.wav") for letter in "abcd"]
    if name == "nan.wav":
        soundfile.write(name, np.full(3200, np.nan), RATE, subtype="FLOAT")
    elif name == "text.wav":
        Path(name).write_text("no audio at all " * 100)
    else:
        noise(name, silent=[(0, 1)])
    paths = [*good[:3], name, good[3]]
    with pytest.raises(AudioError, match=name):
        embed_collection(model, paths, "o.parquet", on_error="stop")
    assert not Path("o.parquet").exists()
    assert [len(pq.read_table(p)) for p in Path("o.parquet.partial").glob("*.parquet")] == [2]
    counted = Counted()
    embed_collection(model, paths, "o.parquet", resume=True, watcher=counted)
    assert sorted(read_embeddings("o.parquet").columns["path"]) == good
    os.unlink(name)


def test_stop_before_anything_is_done_leaves_nothing(model, noise):
    Path("text.wav").write_text("no audio at all " * 100)
    with pytest.raises(AudioError, match=r"text\.wav"):
        embed_collection(model, ["text.wav", noise("a.wav")], "o.parquet", on_error="stop")
    assert {path.name for path in Path().iterdir()} == {"text.wav", "a.wav"}


def refused(kind, match, *arguments, **options):
    """The call is refused in one sentence and leaves nothing."""
    before = sorted(Path().rglob("*"))
    with pytest.raises(kind, match=match) as caught:
        embed_collection(*arguments, **options)
    assert "\n" not in str(caught.value)
    assert sorted(Path().rglob("*")) == before


def test_bad_input_is_refused_in_one_sentence(model, noise):
    path = noise("a.wav")
    Path("nothing").mkdir()
    Path("text.wav").write_text("no audio at all " * 100)
    refused(DataError, "'b.wav' does not exist", model, [path, "b.wav"], "o.parquet")
    refused(DataError, "'nothing' has no usable audio", model, ["nothing"], "o.parquet")
    refused(DataError, "No clip is usable; .*text.wav", model, ["text.wav"], "o.parquet")
    refused(DataError, "nothing to embed", model, [], "o.parquet")
    refused(DataError, r"must end in \.parquet, \.npz or \.npy", model, [path], "o.csv")
    with pytest.raises(DataError, match="segment must be longer than 0"):
        EmbedOptions(segment=0)
    with pytest.raises(DataError, match="hop needs a segment"):
        EmbedOptions(hop=1)
    refused(ArtifactError, "no model in", "nowhere", [path], "o.parquet")
    nowhere = EmbedOptions(device="abacus")
    refused(RecipeError, "no device 'abacus'", model, [path], "o.parquet", nowhere)
    refused(ArtifactError, "could not be made", model, [path], "a.wav/o.parquet")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_is_refused(model, noise):
    path = noise("a.wav")
    Path("locked").mkdir(mode=0o500)
    refused(ArtifactError, "could not be made", model, [path], "locked/o.parquet")


def test_a_name_that_is_no_text_is_skipped(model, noise):
    noise("a.wav")
    os.link("a.wav", b"\xff.wav")
    embed_collection(model, ["a.wav", os.fsdecode(b"\xff.wav")], "o.parquet")
    assert len(read_embeddings("o.parquet").values) == 1
    assert "UTF-8" in Path("o-skipped.csv").read_text()


def test_a_full_disk_is_one_sentence_and_loses_nothing(model, noise, monkeypatch):
    path = noise("a.wav")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("disentone.embeddings.writing._write_parquet", full)
        with pytest.raises(ArtifactError, match=r"No space left on device.*resuming"):
            embed_collection(model, [path], "o.parquet")
    assert not Path("o.parquet").exists()
    embed_collection(model, [path], "o.parquet", resume=True)
    assert len(read_embeddings("o.parquet").values) == 1


# --- going on ---------------------------------------------------------------------------------


class Counted(Watcher):
    """Counts the calls of progress and remembers the last."""

    def __init__(self):
        self.calls, self.notes = [], []

    def note(self, text):
        self.notes.append(text)

    def stage(self, name):
        return lambda *call: self.calls.append(call)


def test_progress_counts_clips(model, folder):
    counted = Counted()
    embed_collection(model, [folder], "o.parquet", watcher=counted)
    assert counted.calls == sorted(counted.calls)
    assert counted.calls[-1] == (4, 4)


def test_what_exists_is_not_overwritten(model, noise):
    path = noise("a.wav")
    embed_collection(model, [path], "o.parquet")
    content = Path("o.parquet").read_bytes()
    refused(ArtifactError, "'o.parquet' exists", model, [path], "o.parquet")
    counted = Counted()
    embed_collection(model, [path], "o.parquet", resume=True, watcher=counted)
    assert "finished already" in counted.notes[0]
    assert not counted.calls
    refused(
        ArtifactError, "segment None instead of 0.2", model, [path], "o.parquet",
        EmbedOptions(segment=0.2), resume=True,
    )  # fmt: skip
    assert Path("o.parquet").read_bytes() == content


def stopped(model, paths, monkeypatch):
    """Embed the first four of some paths in two parts, then stop."""
    monkeypatch.setattr(extraction, "_PART", 2)
    Path("stop.wav").write_bytes(b"no audio")
    with pytest.raises(AudioError):
        embed_collection(model, [*paths[:4], "stop.wav"], "o.parquet", on_error="stop")


@pytest.fixture
def decoded(monkeypatch):
    """Files that are decoded from now on."""
    paths = []
    decode = WindowSounds._decode

    def note(self, number):
        paths.append(self._files.paths[self._first[number]])
        return decode(self, number)

    monkeypatch.setattr(WindowSounds, "_decode", note)
    return paths


def test_resume_does_only_the_rest(model, noise, monkeypatch, decoded):
    paths = [noise(f"{letter}.wav") for letter in "abcdef"]
    stopped(model, paths, monkeypatch)
    decoded.clear()
    embed_collection(model, paths, "o.parquet", resume=True)
    assert sorted(decoded) == paths[4:]
    embed_collection(model, paths, "whole.parquet")
    resumed, whole = read_embeddings("o.parquet"), read_embeddings("whole.parquet")
    np.testing.assert_array_equal(resumed.values, whole.values)
    assert resumed.columns["path"].tolist() == paths


def test_resume_leaves_out_what_is_no_longer_named(model, noise, monkeypatch):
    paths = [noise(f"{letter}.wav") for letter in "abcde"]
    stopped(model, paths, monkeypatch)
    embed_collection(model, paths[1:], "o.parquet", resume=True)
    assert read_embeddings("o.parquet").columns["path"].tolist() == paths[1:]


def test_resume_with_other_settings_is_refused(model, noise, monkeypatch, tmp_path):
    paths = [noise(f"{letter}.wav") for letter in "abcde"]
    stopped(model, paths, monkeypatch)
    tiny_training.train(tmp_path / "other", epochs=1)
    for match, options in {
        "add --resume to go on": {},
        "segment None instead of 0.5": {"options": EmbedOptions(segment=0.5), "resume": True},
        "another model": {"model": tmp_path / "other", "resume": True},
    }.items():
        given = {"model": model, "paths": paths, "out": "o.parquet"} | options
        refused(ArtifactError, match, **given)
    Path("o.parquet.partial/settings.json").write_text("{")
    refused(ArtifactError, "damaged", model, paths, "o.parquet", resume=True)


def test_two_commands_do_not_work_on_one_file(model, noise):
    path = noise("a.wav")

    class Second(Watcher):
        def stage(self, name):
            def show(done, total):
                with pytest.raises(ArtifactError, match="Another command is at work"):
                    embed_collection(model, [path], "o.parquet", resume=True)

            return show

    embed_collection(model, [path], "o.parquet", watcher=Second())
    assert len(read_embeddings("o.parquet").values) == 1


def test_a_killed_command_loses_the_part_in_flight_only(model, noise, decoded):
    paths = [noise(f"{i:03d}.wav") for i in range(300)]
    code = (
        "import sys, torch; torch.set_num_threads(1)\n"
        "from disentone.embeddings import collection as extraction\n"
        "extraction._PART = 2\n"
        "extraction.embed_collection(sys.argv[1], sys.argv[2:], 'o.parquet')\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(model), *paths])
    partial = Path("o.parquet.partial")
    deadline = time.monotonic() + 120
    while len(list(partial.glob("part-*"))) < 5:
        assert process.poll() is None
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGKILL)
    process.wait()
    parts = sorted(partial.glob("part-*.parquet"))
    done = sum(len(pq.read_table(file)) for file in parts)
    assert 10 <= done < 300, "killed in the middle"
    embed_collection(model, paths, "o.parquet", resume=True)
    assert sorted(decoded) == paths[done:]
    values, _, columns, _ = read_embeddings("o.parquet")
    assert columns["path"].tolist() == paths
    close(values, load(model).embed(paths).values)
