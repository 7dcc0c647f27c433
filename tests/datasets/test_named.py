"""Known datasets, on tiny folders in their layouts."""

import json

import pytest

from disentone.datasets.config import CollectionConfig
from disentone.datasets.named import DATASETS, load_dataset
from disentone.datasets.opening import open_collection
from disentone.errors import DataError

ESC = [
    ["filename", "fold", "target", "category", "esc10", "src_file", "take"],
    ["1-100032-A-0.wav", 1, 0, "dog", "True", 100032, "A"],
    ["2-100210-A-36.wav", 2, 36, "vacuum_cleaner", "False", 100210, "A"],
    ["3-100210-B-36.wav", 3, 36, "vacuum_cleaner", "False", 100210, "B"],
    ["4-17367-A-10.wav", 4, 10, "rain", "True", 17367, "A"],
    ["5-9032-A-0.wav", 5, 0, "dog", "True", 9032, "A"],
]
FOLDS = "has folds, made for cross-validation, and no split: folds"
SOL = "Brass/Bass_Tuba/ordinario/BTb-ord-F#1-pp-N-N.wav"
VIOLIN = "Strings/Violin/ordinario/Vn-ord-G6-mf-1c-R100u.wav"
SOL_TABLE = [
    ["Path", "Fold", "Family", "Instrument (abbr.)", "Instrument (in full)", "Technique (abbr.)",
     "Technique (in full)", "Pitch", "Pitch ID", "Dynamics", "Dynamics ID", "Instance ID",
     "String ID (if applicable)", "Needed digital retuning"],
    [SOL, 3, "Brass", "BTb", "Bass Tuba", "ord", "ordinario", "F#1", 30, "pp", 0, 0, "", "FALSE"],
    [VIOLIN, 4, "Strings", "Vn", "Violin", "ord", "ordinario", "G6", 91, "mf", 2, 0, "1.0", "TRUE"],
]  # fmt: skip


@pytest.fixture
def esc50(tmp_path, tone, table):
    for row in ESC[1:]:
        tone(f"audio/{row[0]}")
    (tmp_path / "meta").mkdir()
    table(ESC, "meta/esc50.csv")
    return tmp_path


def test_esc50(esc50):
    collection = load_dataset("esc50", esc50)
    clips = collection.table
    assert clips.ids.tolist() == [f"audio/{row[0]}" for row in ESC[1:]]
    assert clips.split.tolist() == ["train", "train", "train", "valid", "test"]
    assert clips.recordings.tolist() == ["100032", "100210", "100210", "17367", "9032"]
    assert set(clips.factors) == {"category", "fold"}
    assert clips.factor("category").classes == ("dog", "rain", "vacuum_cleaner")
    assert clips.factor("fold").kind == "categorical"
    assert clips.factor("fold").labels() == ["1", "2", "3", "4", "5"]
    assert collection.notes == [f"ESC-50 {FOLDS} 1 to 3 are train, 4 is valid, 5 is test."]
    assert clips.sounds.read(0, 8000).shape == (800,)


def test_esc10_of_esc50(esc50):
    clips = load_dataset("esc10", esc50).table
    assert clips.factor("category").labels() == ["dog", "rain", "dog"]
    assert clips.split.tolist() == ["train", "valid", "test"]


def test_esc10_of_its_own(tmp_path, tone):
    tone("001 - Dog bark/1-30226-A.ogg")
    tone("001 - Dog bark/5-9032-A.ogg")
    tone("004 - Baby cry/4-16704-B.ogg")
    tone("other/1-2-A.ogg")
    clips = load_dataset("esc10", tmp_path).table
    assert clips.factor("category").labels() == ["dog_bark", "dog_bark", "baby_cry"]
    assert clips.factor("fold").labels() == ["1", "5", "4"]
    assert clips.recordings.tolist() == ["30226", "9032", "16704"]
    assert clips.split.tolist() == ["train", "test", "valid"]


def test_the_user_wins_over_the_dataset(esc50):
    config = CollectionConfig(dataset="esc50", path=str(esc50), kinds={"fold": "ordinal"}, seed=1)
    assert open_collection(config).table.factor("fold").kind == "ordinal"
    made = open_collection(config.model_copy(update={"split": "random"}))
    assert made.notes == [
        "The splits that come with the clips were not used.",
        "Splits were made at random (seed 1), no recording in two of them.",
    ]
    by_category = open_collection(config.model_copy(update={"split": "category"})).table
    dogs = by_category.split[[0, 4]]
    assert dogs[0] == dogs[1]


def test_missing_files_are_listed(esc50):
    (esc50 / "audio" / ESC[2][0]).unlink()
    collection = load_dataset("esc50", esc50)
    assert len(collection.table) == 4
    assert [(item.path, item.reason) for item in collection.skipped] == [
        (
            f"audio/{ESC[2][0]}",
            f"The file cannot be found: there is no '{esc50 / 'audio' / ESC[2][0]}'.",
        )
    ]


def test_fsdd(tmp_path, tone):
    for digit in (3, 7):
        for speaker in ("jackson", "van_dyk"):
            for index in range(12):
                tone(f"recordings/{digit}_{speaker}_{index}.wav", seconds=0.01)
    tone("recordings/readme.wav")
    clips = load_dataset("fsdd", tmp_path).table
    assert len(clips) == 48
    assert set(clips.factor("digit").labels()) == {"3", "7"}
    assert set(clips.factor("speaker").labels()) == {"jackson", "van_dyk"}
    assert clips.factor("digit").kind == "categorical"
    tested = {name for name, split in zip(clips.ids, clips.split) if split == "test"}
    assert tested == {
        f"{digit}_{speaker}_{index}.wav"
        for digit in (3, 7)
        for speaker in ("jackson", "van_dyk")
        for index in range(5)
    }
    assert (clips.split == "valid").any()
    same = load_dataset("fsdd", tmp_path / "recordings").table
    assert same.ids.tolist() == clips.ids.tolist()


@pytest.mark.parametrize(
    ("below", "where"), [("", ""), ("TinySOL/", ""), ("audio/", "annotation/")]
)
def test_tinysol(tmp_path, tone, table, below, where):
    tone(f"{below}{SOL}")
    tone(f"{below}{VIOLIN}")
    (tmp_path / where).mkdir(exist_ok=True)
    table(SOL_TABLE, f"{where}TinySOL_metadata.csv")
    collection = load_dataset("tinysol", tmp_path)
    clips = collection.table
    assert clips.ids.tolist() == [f"{below}{SOL}", f"{below}{VIOLIN}"]
    assert clips.split.tolist() == ["valid", "test"]
    assert clips.factor("pitch").kind == "ordinal"
    assert {name: factor.labels() for name, factor in clips.factors.items()} == {
        "instrument": ["Bass Tuba", "Violin"],
        "family": ["Brass", "Strings"],
        "pitch": ["30", "91"],
        "dynamics": ["pp", "mf"],
        "string": ["", "1"],
        "retuned": ["FALSE", "TRUE"],
        "fold": ["3", "4"],
    }
    assert collection.notes == [f"TinySOL {FOLDS} 0 to 2 are train, 3 is valid, 4 is test."]


def nsynth_note(name, qualities=()):
    instrument, pitch, velocity = name.rsplit("-", 2)
    family, source, _ = instrument.split("_")
    return {
        "note": 1, "note_str": name, "instrument": 2, "instrument_str": instrument,
        "pitch": int(pitch), "velocity": int(velocity), "sample_rate": 16000,
        "qualities": [0] * 10, "qualities_str": list(qualities), "instrument_family": 3,
        "instrument_family_str": family, "instrument_source": 0, "instrument_source_str": source,
    }  # fmt: skip


@pytest.fixture
def nsynth(tmp_path, tone):
    names = {
        "train": ["bass_synthetic_033-022-050", "guitar_acoustic_014-103-127"],
        "valid": ["bass_electronic_018-047-075"],
        "test": ["flute_acoustic_002-077-100"],
    }
    for split, notes in names.items():
        for note in notes:
            tone(f"nsynth-{split}/audio/{note}.wav")
        examples = {name: nsynth_note(name, ["dark", "reverb"][: len(notes)]) for name in notes}
        (tmp_path / f"nsynth-{split}" / "examples.json").write_text(json.dumps(examples))
    return tmp_path


def test_nsynth(nsynth):
    clips = load_dataset("nsynth", nsynth).table
    assert clips.split.tolist() == ["train", "train", "valid", "test"]
    assert clips.ids[0] == "nsynth-train/audio/bass_synthetic_033-022-050.wav"
    assert {name: (factor.kind, factor.labels()[0]) for name, factor in clips.factors.items()} == {
        "instrument": ("categorical", "bass_synthetic_033"),
        "family": ("categorical", "bass"),
        "source": ("categorical", "synthetic"),
        "pitch": ("ordinal", "22"),
        "velocity": ("ordinal", "50"),
        "qualities": ("multilabel", "dark;reverb"),
    }
    assert clips.factor("qualities").values.tolist() == [[1, 1], [1, 1], [1, 0], [1, 0]]


def test_one_split_of_nsynth(nsynth):
    collection = load_dataset("nsynth", nsynth / "nsynth-train")
    assert collection.table.ids[1] == "audio/guitar_acoustic_014-103-127.wav"
    assert collection.notes == ["Splits were made at random (seed 0), no recording in two of them."]
    for split in ("train", "valid"):
        (nsynth / f"nsynth-{split}" / "examples.json").unlink()
    alone = load_dataset("nsynth", nsynth).table
    assert alone.ids.tolist() == ["nsynth-test/audio/flute_acoustic_002-077-100.wav"]


def test_damaged_json(nsynth):
    path = nsynth / "nsynth-test" / "examples.json"
    for text, words in (("{", "cannot be read"), ("[1]", "is not a JSON object")):
        path.write_text(text)
        with pytest.raises(DataError, match=words):
            load_dataset("nsynth", nsynth)


@pytest.mark.parametrize("name", DATASETS)
def test_a_wrong_folder_is_one_clear_error(tmp_path, tone, name):
    tone("other/sound.wav")
    with pytest.raises(DataError, match=r"does not look like .*: expected .* in it\.$"):
        load_dataset(name, tmp_path)
    with pytest.raises(DataError, match=r"is no folder with .*: expected"):
        load_dataset(name, tmp_path / "nowhere")


@pytest.mark.parametrize("name", DATASETS)
def test_every_loader_tells_licence_factors_and_split(name):
    text = DATASETS[name].__doc__
    assert all(word in text for word in ("Licence", "plit", "References"))
    assert "Factors" in text


def test_unknown_names(tmp_path):
    with pytest.raises(DataError, match="Dataset 'esc5' is unknown; did you mean 'esc50'"):
        load_dataset("esc5", tmp_path)
    with pytest.raises(DataError, match="did you mean 'sonyc-ust-v2'"):
        open_collection(CollectionConfig(path=str(tmp_path), dataset="sonyc-ust2"))
    with pytest.raises(DataError, match="needs no pattern"):
        load_dataset("esc50", tmp_path, CollectionConfig(pattern="{a}.wav"))


def test_damaged_tables(esc50, table):
    path = esc50 / "meta" / "esc50.csv"
    cases = {
        b"filename,fold\na.wav,1\n": "has no column 'category'",
        b"": "has no column 'filename'",
        path.read_bytes() + b"x.wav,1\n": "is damaged: row 6 has 2 fields for 7 columns",
        b"\xff\xfe": "cannot be read",
        b"filename,fold,target,category,esc10,src_file,take\n": "has no usable audio file",
    }
    for content, words in cases.items():
        path.write_bytes(content)
        with pytest.raises(DataError, match=words):
            load_dataset("esc50", esc50)
