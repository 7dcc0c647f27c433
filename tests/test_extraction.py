import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

import small
from disentone import audio, extraction
from disentone.artifact import load
from disentone.datasets.windowing import WindowSounds
from disentone.embeddings import model_id, read_about, read_embeddings
from disentone.errors import ArtifactError, AudioError, DataError, RecipeError
from disentone.extraction import embed_collection
from disentone.watcher import Watcher

RATE, WINDOW = 16000, 0.2  # of small.FRONTEND
FORMATS = ("o.parquet", "o.npz", "o.npy")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A trained model's folder."""
    folder = tmp_path_factory.mktemp("model")
    small.train(folder, epochs=2)
    return folder


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def noise(rng):
    """Write noise of a length in seconds, and give its path as text."""

    def write(name, seconds=WINDOW, *, rate=RATE, silent=()):
        wave = 0.3 * rng.standard_normal(round(seconds * rate))
        for begin, end in silent:
            wave[round(begin * rate) : round(end * rate)] = 0
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(name, wave, rate)
        return str(name)

    return write


@pytest.fixture
def folder(noise):
    """Four files in two sub-folders, of one window and of several, at three rates."""
    noise("sounds/low/a.wav")
    noise("sounds/low/b.flac", 1.0, rate=22050)
    noise("sounds/high/c.ogg", 0.77, rate=44100)
    noise("sounds/high/d.wav", 0.09)
    return "sounds"


def close(values, expected):
    np.testing.assert_allclose(values, expected, atol=2e-5)


# --- what a row is --------------------------------------------------------------------------


@pytest.mark.parametrize("cache", [None, "store"])
def test_a_row_of_a_file_is_what_the_model_gives(model, folder, cache):
    for _ in range(2):  # with a store, the second time from it
        out = embed_collection(model, [folder], "o.parquet", cache=cache)
        values, facets, columns, _ = read_embeddings(out)
        assert columns["path"].tolist() == [
            f"sounds/{name}" for name in ("high/c.ogg", "high/d.wav", "low/a.wav", "low/b.flac")
        ]
        expected = load(model).embed(columns["path"].tolist())
        assert facets == expected.facets
        close(values, expected.values)
        close(columns["duration"], [0.77, 0.09, 0.2, 1.0])
        assert columns["start"].tolist() == [0] * 4
        assert columns["folder"].tolist() == ["high", "high", "low", "low"]
        out.unlink()


@pytest.mark.parametrize("name", FORMATS)
def test_formats_hold_the_same(model, noise, name):
    paths = ['é "x", y.wav', "b.wav", "c.wav", "d.wav"]
    for path in paths:
        noise(path, 0.5)
    rows = ["path,pitch,shared", '"é ""x"", y.wav",60.5,ja', "b.wav,,", "c.wav,61.25,né"]
    table = Path("t.csv")
    table.write_text("\n".join([*rows, "d.wav,0.1,ja"]), encoding="utf-8")
    expected = read_embeddings(embed_collection(model, [table], "first.parquet"))
    stored = read_embeddings(embed_collection(model, [table], name))
    assert stored.facets == expected.facets == small.FACETS
    assert stored.values.dtype == np.float32
    np.testing.assert_array_equal(stored.values, expected.values)
    assert stored.columns["path"].tolist() == paths
    np.testing.assert_array_equal(stored.columns["pitch"], [60.5, np.nan, 61.25, 0.1])
    assert stored.columns["shared"].tolist() == ["ja", "", "né", "ja"], (
        "a factor named like a facet"
    )
    assert list(stored.columns) == ["path", "start", "duration", "pitch", "shared"]
    assert stored.about["model"] == model_id(model)
    assert read_about(name) == stored.about
    assert not list(Path().glob("*.partial"))


def test_parquet_has_a_column_of_its_own_for_every_facet(model, noise):
    table = pq.read_table(embed_collection(model, [noise("a.wav")], "o.parquet"))
    assert table.column_names == ["path", "start", "duration", "private", "shared"]
    assert [table.schema.field(name).type.list_size for name in small.FACETS] == [3, 2]
    joined = np.concatenate([table["private"][0].as_py(), table["shared"][0].as_py()])
    close(joined, load(model).embed("a.wav").values[0])


def test_npz_needs_nothing_but_numpy(model, noise):
    with np.load(embed_collection(model, [noise("a.wav")], "o.npz")) as stored:
        assert stored["facets"].tolist() == ["private", "shared"]
        assert stored["slices"].tolist() == [[0, 3], [3, 5]]
        assert stored["embedding"].shape == (1, 5)


def test_segments_are_embedded_one_by_one(model, noise):
    path = noise("long.flac", 1.1, rate=22050)
    out = embed_collection(model, [path], "o.parquet", segment=0.4, hop=0.25)
    values, _, columns, about = read_embeddings(out)
    close(columns["start"], [0, 0.25, 0.5])
    close(columns["duration"], [0.4] * 3)
    assert (about["segment"], about["hop"]) == (0.4, 0.25)
    for value, start in zip(values, columns["start"]):
        wave = audio.read(path, sample_rate=RATE, start=start, seconds=0.4)
        close(value, load(model).embed(wave, sample_rate=RATE).values[0])


def test_parts_that_a_table_names_are_embedded(model, noise):
    noise("long.wav", 2.0)
    Path("t.csv").write_text("path,start,seconds\nlong.wav,1.5,0.3\nlong.wav,0.1,0.2\n")
    values, _, columns, _ = read_embeddings(embed_collection(model, ["t.csv"], "o.parquet"))
    assert columns["start"].tolist() == [1.5, 0.1]
    wave = soundfile.read("long.wav", dtype="float32")[0]
    for value, (start, end) in zip(values, [(1.5, 1.8), (0.1, 0.3)]):
        part = wave[round(start * RATE) : round(end * RATE)]
        close(value, load(model).embed(part, sample_rate=RATE).values[0])


def test_windows_without_sound_are_left_out_of_the_mean(model, noise):
    noise("gap.wav", 0.8, silent=[(0.2, 0.4), (0.6, 0.8)])
    values = read_embeddings(embed_collection(model, ["gap.wav"], "o.parquet")).values
    wave = soundfile.read("gap.wav", dtype="float32")[0].reshape(4, -1)
    close(values[0], load(model).embed(wave[[0, 2]], sample_rate=RATE).values.mean(axis=0))


def test_features_are_bounded_whatever_the_length(model, noise, monkeypatch):
    """A file of more windows than are held at once has the same mean."""
    noise("long.wav", 300 * WINDOW)
    monkeypatch.setattr(extraction, "_FEATURE_BYTES", 1)  # 256 windows
    values = read_embeddings(embed_collection(model, ["long.wav"], "o.parquet")).values
    close(values, load(model).embed("long.wav").values)


def test_whatever_is_named_twice_counts_once(model, folder, noise):
    noise("alone.wav")
    Path("t.csv").write_text("path,instrument\nsounds/low/a.wav,oboe\nalone.wav,flute\n")
    paths = ["t.csv", folder, "./alone.wav", os.path.abspath("sounds/low/a.wav")]
    _, _, columns, _ = read_embeddings(embed_collection(model, paths, "o.parquet"))
    assert [Path(path).name for path in columns["path"]] == [
        "a.wav", "alone.wav", "c.ogg", "d.wav", "b.flac",
    ]  # fmt: skip
    assert columns["instrument"].tolist() == ["oboe", "flute", "", "", ""]
    assert columns["folder"].tolist() == ["", "", "high", "high", "low"]


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
    told = []
    watcher = Watcher()
    watcher.note = told.append
    embed_collection(model, [folder], "padded.parquet", watcher=watcher)
    assert told[1:] == [
        "Clips shorter than a segment of 0.2 s, such as 'sounds/high/d.wav' (1 in all), are filled "
        "up with silence; leave them out with --short skip."
    ]
    out = embed_collection(model, [folder], "o.parquet", short="skip")
    assert len(read_embeddings(out).values) == 3
    with open("o-skipped.csv", encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["path"] == "sounds/high/d.wav"
    assert row["reason"] == "The clip lasts 0.09 s, less than a segment of 0.2 s."
    out = embed_collection(model, [folder], "cut.parquet", short="skip", segment=0.05)
    assert "sounds/high/d.wav" in read_embeddings(out).columns["path"], "it has whole segments"
    with pytest.raises(AudioError, match=r"lasts 0\.09 s"):
        embed_collection(model, [folder], "s.parquet", short="skip", on_error="stop")


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
    refused(DataError, "segment must be longer than 0", model, [path], "o.npz", segment=0)
    refused(DataError, "hop needs a segment", model, [path], "o.npz", hop=1)
    refused(ArtifactError, "no model in", "nowhere", [path], "o.parquet")
    refused(RecipeError, "no device 'abacus'", model, [path], "o.parquet", device="abacus")
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
        with pytest.raises(ArtifactError, match=r"No space left on device.*--resume"):
            embed_collection(model, [path], "o.parquet")
    assert not Path("o.parquet").exists()
    embed_collection(model, [path], "o.parquet", resume=True)
    assert len(read_embeddings("o.parquet").values) == 1


@pytest.mark.parametrize("name", FORMATS)
def test_files_of_others_are_refused(name):
    with pytest.raises(DataError, match="There are no embeddings"):
        read_embeddings(name)
    Path(name).write_bytes(b"something else")
    for read in (read_embeddings, read_about):
        with pytest.raises(DataError, match=r"not written by this version of disentone embed"):
            read(name)


def test_a_table_of_another_program_is_refused():
    pq.write_table(pa.table({"path": ["a"]}), "o.parquet")
    with pytest.raises(DataError, match=r"'o\.parquet' is damaged or was not written"):
        read_embeddings("o.parquet")


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
        resume=True, segment=0.2,
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
    small.train(tmp_path / "other", epochs=1)
    for match, options in {
        "add --resume": {},
        "segment None instead of 0.5": {"segment": 0.5, "resume": True},
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
        "from disentone import extraction\n"
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


def test_a_model_is_known_by_what_it_computes(model, tmp_path):
    load(model).save(tmp_path / "copy")
    assert model_id(tmp_path / "copy") == model_id(model)
    config = json.loads((tmp_path / "copy" / "config.json").read_text())
    config["about"]["recipe"] = "renamed"
    (tmp_path / "copy" / "config.json").write_text(json.dumps(config))
    assert model_id(tmp_path / "copy") == model_id(model)
    config["frontend"]["floor_db"] = -80.0
    (tmp_path / "copy" / "config.json").write_text(json.dumps(config))
    assert model_id(tmp_path / "copy") != model_id(model)


def test_a_model_of_one_loudness_hears_nothing_of_level(model, noise, tmp_path, rng):
    loaded = load(model)
    loaded.lufs = -24.0
    loaded.save(tmp_path / "loud")
    loud = load(tmp_path / "loud")
    assert loud.lufs == -24
    wave = (0.3 * rng.standard_normal(round(3 * WINDOW * RATE))).astype(np.float32)
    soft = wave * np.float32(0.01)
    told = [loud.embed(sound, sample_rate=RATE).values for sound in (wave, soft)]
    np.testing.assert_allclose(told[0], told[1], atol=1e-4)
    plain = [load(model).embed(sound, sample_rate=RATE).values for sound in (wave, soft)]
    assert np.abs(plain[0] - plain[1]).max() > 1e-2
    soundfile.write("soft.wav", soft, RATE, subtype="FLOAT")
    embed_collection(tmp_path / "loud", ["soft.wav"], "o.npz")
    np.testing.assert_allclose(read_embeddings("o.npz").values, told[1], atol=1e-4)
