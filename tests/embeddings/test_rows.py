"""What a row of embeddings is, in every format, and which model made it."""

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from near_embeddings import RATE, WINDOW, close

import tiny_training
from disentone import audio
from disentone.embeddings import embedder, model_id, read_about, read_embeddings
from disentone.embeddings.collection import embed_collection
from disentone.embeddings.embedder import EmbedOptions
from disentone.embeddings.model import load
from disentone.errors import DataError

FORMATS = ("o.parquet", "o.npz", "o.npy")


@pytest.mark.parametrize("cache", [None, "store"])
def test_a_row_of_a_file_is_what_the_model_gives(model, folder, cache):
    for _ in range(2):  # with a store, the second time from it
        out = embed_collection(model, [folder], "o.parquet", EmbedOptions(cache=cache))
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
    assert stored.facets == expected.facets == tiny_training.FACETS
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
    assert [table.schema.field(name).type.list_size for name in tiny_training.FACETS] == [3, 2]
    joined = np.concatenate([table["private"][0].as_py(), table["shared"][0].as_py()])
    close(joined, load(model).embed("a.wav").values[0])


def test_npz_needs_nothing_but_numpy(model, noise):
    with np.load(embed_collection(model, [noise("a.wav")], "o.npz")) as stored:
        assert stored["facets"].tolist() == ["private", "shared"]
        assert stored["slices"].tolist() == [[0, 3], [3, 5]]
        assert stored["embedding"].shape == (1, 5)


def test_segments_are_embedded_one_by_one(model, noise):
    path = noise("long.flac", 1.1, rate=22050)
    out = embed_collection(model, [path], "o.parquet", EmbedOptions(segment=0.4, hop=0.25))
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
    close(values[0], load(model).embed(list(wave[[0, 2]]), sample_rate=RATE).values.mean(axis=0))
    close(values, load(model).embed("gap.wav").values)


def test_features_are_bounded_whatever_the_length(model, noise, monkeypatch):
    """A file of more windows than are held at once has the same mean."""
    noise("long.wav", 300 * WINDOW)
    monkeypatch.setattr(embedder, "_FEATURE_BYTES", 1)  # 16 windows
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


def test_a_model_of_one_loudness_does_not_depend_on_level(model, noise, tmp_path, rng):
    loaded = load(model)
    loaded.lufs = -24.0
    loaded.save(tmp_path / "loud")
    loud = load(tmp_path / "loud")
    assert loud.lufs == -24
    wave = (0.3 * rng.standard_normal(round(3 * WINDOW * RATE))).astype(np.float32)
    soft = wave * np.float32(0.01)
    values = [loud.embed(sound, sample_rate=RATE).values for sound in (wave, soft)]
    np.testing.assert_allclose(values[0], values[1], atol=1e-4)
    plain = [load(model).embed(sound, sample_rate=RATE).values for sound in (wave, soft)]
    assert np.abs(plain[0] - plain[1]).max() > 1e-2
    soundfile.write("soft.wav", soft, RATE, subtype="FLOAT")
    embed_collection(tmp_path / "loud", ["soft.wav"], "o.npz")
    np.testing.assert_allclose(read_embeddings("o.npz").values, values[1], atol=1e-4)


def test_split_and_recording_of_a_table_go_along(model, noise):
    """Else an audit of the file would test on clips that a model was trained on."""
    for name in "abc":
        noise(f"{name}.wav")
    Path("t.csv").write_text(
        "path,split,source_id\na.wav,train,one\nb.wav,valid,one\nc.wav,test,two\n"
    )
    stored = read_embeddings(embed_collection(model, ["t.csv"], "o.parquet"))
    assert stored.columns["split"].tolist() == ["train", "valid", "test"]
    assert stored.columns["recording"].tolist() == ["one", "one", "two"]
    plain = read_embeddings(embed_collection(model, ["a.wav"], "p.parquet"))
    assert not {"split", "recording"} & set(plain.columns)
