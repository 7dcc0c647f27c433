"""Datasets of mirdata and soundata, of their shape and, where installed, of their classes."""

import csv
import json
import sys
from functools import cached_property
from types import SimpleNamespace

import numpy as np
import pytest

from disentone.datasets.adapters import from_mirdata, from_soundata
from disentone.datasets.config import CollectionConfig
from disentone.datasets.named import load_dataset
from disentone.errors import DataError


class Track:
    """Shaped as tracks of mirdata are: paths, plain attributes, properties, cached properties."""

    def __init__(self, track_id, home, metadata):
        self._data_home = home
        self._metadata = metadata
        self.track_id = track_id
        self.beats_path = None
        self.audio_path = None if track_id == "5" else f"{home}/audio/{track_id}.wav"
        self.audio_mix_path = f"{home}/mix/{track_id}.wav"

    @property
    def genre(self):
        return self._metadata[self.track_id]["genre"]

    @property
    def split(self):
        return self._metadata[self.track_id]["split"]

    @property
    def pitch(self):
        return np.int64(60 + int(self.track_id))

    @property
    def moods(self):
        return ["calm", "happy"] if self.track_id == "1" else []

    @property
    def style(self):
        if self.track_id == "1":
            raise AttributeError("This Track does not have metadata.")
        return "fast"

    @property
    def notes(self):
        return SimpleNamespace(pitches=[60])

    @property
    def audio(self):
        raise AssertionError("sounds are not to be read here")

    @cached_property
    def tempo(self):
        return 100.0 + 10 * int(self.track_id)

    @cached_property
    def beats(self):
        raise AssertionError("annotations are not to be read unless asked for")

    def to_jams(self):
        raise AssertionError


def dataset(home, genres="rock pop rock pop rock", splits="train train valid test test"):
    metadata = {
        str(number): {"genre": genre, "split": split}
        for number, (genre, split) in enumerate(zip(genres.split(), splits.split()), 1)
    }
    return SimpleNamespace(
        name="songs",
        data_home=str(home),
        track_ids=list(metadata),
        track=lambda one: Track(one, home, metadata),
    )


@pytest.fixture
def home(tmp_path, tone):
    for number in range(1, 6):
        tone(f"audio/{number}.wav")
        tone(f"mix/{number}.wav", seconds=0.2)
    return tmp_path


def test_tracks_become_clips(home):
    collection = from_mirdata(dataset(home))
    clips = collection.table
    assert clips.ids.tolist() == [f"audio/{number}.wav" for number in range(1, 5)]
    assert clips.split.tolist() == ["train", "train", "valid", "test"]
    assert {name: (factor.kind, factor.labels()) for name, factor in clips.factors.items()} == {
        "genre": ("categorical", ["rock", "pop", "rock", "pop"]),
        "pitch": ("ordinal", ["61", "62", "63", "64"]),
        "moods": ("multilabel", ["calm;happy", "", "", ""]),
        "style": ("categorical", ["", "fast", "fast", "fast"]),
    }
    assert [(item.path, item.reason) for item in collection.skipped] == [("5", "It has no audio.")]
    assert clips.sounds.read(3, 8000).shape == (800,)


def test_factors_and_sound_as_asked(home):
    config = CollectionConfig(kinds={"tempo": "ordinal"}, split="random")
    collection = from_mirdata(
        dataset(home), config, factors=["genre", "tempo"], audio="audio_mix_path"
    )
    clips = collection.table
    assert len(clips) == 5
    assert set(clips.factors) == {"genre", "tempo"}
    assert clips.factor("tempo").values.tolist() == [110, 120, 130, 140, 150]
    assert clips.sounds.read(0, 8000).shape == (1600,)


def test_a_split_of_other_names_is_a_fold(home):
    clips = from_mirdata(dataset(home, splits="0 1 2 3 4")).table
    assert clips.factor("fold").labels() == ["0", "1", "2", "3"]
    assert clips.factor("fold").kind == "categorical"


def test_what_is_not_there(home):
    songs = dataset(home)
    for options, words in (
        ({"factors": ["genr"]}, "Dataset 'songs' has no 'genr'; did you mean 'genre'"),
        ({"factors": ["notes"]}, "'notes' of Dataset 'songs' is no text, number or list"),
        ({"audio": "audio_mixed_path"}, "has no 'audio_mixed_path'; did you mean 'audio_mix_path'"),
    ):
        with pytest.raises(DataError, match=words):
            from_mirdata(songs, **options)
    with pytest.raises(DataError, match=r"Dataset 'songs' cannot be read: .*clip_ids"):
        from_soundata(songs)
    with pytest.raises(DataError, match="Dataset 'songs' is empty"):
        from_mirdata(SimpleNamespace(name="songs", track_ids=[], track=None))

    def no_index():
        raise FileNotFoundError("This dataset's index must be downloaded.")

    lazy = type("Lazy", (), {"track_ids": property(lambda self: no_index()), "name": "lazy"})()
    with pytest.raises(DataError, match="Dataset 'lazy' cannot be read: This dataset's index"):
        from_mirdata(lazy)


def test_library_that_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mirdata", None)
    with pytest.raises(DataError, match="'mirdata:tinysol' needs mirdata: pip install mirdata"):
        load_dataset("mirdata:tinysol", tmp_path)


def index_of(tmp_path, kind, paths):
    """An index file as the libraries download them."""
    items = {name: {"audio": [path, "0" * 32]} for name, path in paths.items()}
    path = tmp_path / "index.json"
    path.write_text(json.dumps({"version": "1.0", kind: items}))
    return str(path)


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def test_tinysol_of_the_real_mirdata(tmp_path, tone):
    mirdata = pytest.importorskip("mirdata", reason="mirdata is not installed")
    names = {"BTb-ord-F#1-pp-N-N": "Brass", "Vn-ord-G6-mf-1c-R100u": "Strings"}
    paths = {name: f"audio/{family}/{name}.wav" for name, family in names.items()}
    for path in paths.values():
        tone(path)
    tail = [["BTb", "Bass Tuba", "ord", "ordinario", "F#1", 30, "pp", 0, 0, "", "FALSE"],
            ["Vn", "Violin", "ord", "ordinario", "G6", 91, "mf", 2, 0, "1.0", "TRUE"]]  # fmt: skip
    rows = [[path[6:], fold, names[name], *more]
            for fold, ((name, path), more) in enumerate(zip(paths.items(), tail))]  # fmt: skip
    write(tmp_path / "annotation" / "TinySOL_metadata.csv", [["header"], *rows])
    sol = mirdata.initialize("tinysol", data_home=str(tmp_path))
    sol.index_path = index_of(tmp_path, "tracks", paths)
    clips = from_mirdata(sol).table
    assert clips.ids.tolist() == list(paths.values())
    assert clips.factor("instrument_full").labels() == ["Bass Tuba", "Violin"]
    assert clips.factor("pitch_id").values.tolist() == [30, 91]
    assert clips.factor("string_id").labels() == ["", "1"]
    assert clips.factor("fold").labels() == ["0", "1"]


def test_annotations_of_the_real_mirdata_when_asked(tmp_path, tone):
    mirdata = pytest.importorskip("mirdata", reason="mirdata is not installed")
    tracks = {}
    for number, tempo in enumerate((120, 126), 1):
        tone(f"audio/{number}.wav")
        (tmp_path / f"{number}.json").write_text(json.dumps({"bpm": tempo, "artists": []}))
        (tmp_path / f"{number}.txt").write_text("A minor")
        files = {"audio": f"audio/{number}.wav", "key": f"{number}.txt", "meta": f"{number}.json"}
        tracks[str(number)] = {name: [file, "0"] for name, file in files.items()}
    beatport = mirdata.initialize("beatport_key", data_home=str(tmp_path))
    (tmp_path / "index.json").write_text(json.dumps({"version": "1.0.0", "tracks": tracks}))
    beatport.index_path = str(tmp_path / "index.json")
    assert "tempo" not in from_mirdata(beatport).table.factors
    clips = from_mirdata(beatport, factors=["tempo", "key"]).table
    assert clips.factor("tempo").values.tolist() == [120, 126]
    assert clips.factor("key").labels() == ["A minor", "A minor"]


def test_esc50_of_the_real_soundata(tmp_path, tone):
    soundata = pytest.importorskip("soundata", reason="soundata is not installed")
    rows = [["1-100032-A-0.wav", 1, 0, "dog", "True", 100032, "A"],
            ["5-17367-A-10.wav", 5, 10, "rain", "False", 17367, "A"]]  # fmt: skip
    header = ["filename", "fold", "target", "category", "esc10", "src_file", "take"]
    write(tmp_path / "meta" / "esc50.csv", [header, *rows])
    paths = {row[0].removesuffix(".wav"): f"audio/{row[0]}" for row in rows}
    for path in paths.values():
        tone(path)
    esc = soundata.initialize("esc50", data_home=str(tmp_path))
    esc.index_path = index_of(tmp_path, "clips", paths)
    clips = from_soundata(esc).table
    assert clips.factor("category").labels() == ["dog", "rain"]
    assert clips.factor("tags").kind == "multilabel"
    assert clips.factor("tags").labels() == ["dog", "rain"]
    assert clips.factor("fold").labels() == ["1", "5"]


@pytest.mark.parametrize("library", ["mirdata", "soundata"])
def test_by_name_from_the_real_libraries(tmp_path, library):
    pytest.importorskip(library, reason=f"{library} is not installed")
    name = {"mirdata": "tinysol", "soundata": "esc50"}[library]
    with pytest.raises(DataError, match=f"Dataset '{name}' (cannot be read|has no usable audio)"):
        load_dataset(f"{library}:{name}", tmp_path)  # its index is nowhere, or its audio
    with pytest.raises(DataError, match=f"{library} has no dataset '{name}x'; did you mean"):
        load_dataset(f"{library}:{name}x", tmp_path)
