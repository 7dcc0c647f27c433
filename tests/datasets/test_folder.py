"""Collections from folders."""

import os

import pytest

from disentone.audio import Skipped
from disentone.datasets.config import CollectionConfig
from disentone.datasets.folder import find_audio, read_folder
from disentone.datasets.opening import open_collection
from disentone.errors import DataError


def test_sub_folders_are_factors(tmp_path, tone):
    for name in ("piano/soft/b.wav", "piano/loud/a.flac", "cello/c.ogg", "d.wav"):
        tone(name)
    clips = read_folder(tmp_path).table
    assert clips.ids.tolist() == ["cello/c.ogg", "d.wav", "piano/loud/a.flac", "piano/soft/b.wav"]
    assert clips.factor("folder").labels() == ["cello", "", "piano", "piano"]
    assert clips.factor("folder2").labels() == ["", "", "loud", "soft"]
    assert clips.recordings.tolist() == clips.ids.tolist()


def test_what_is_not_audio_or_hidden_is_not_looked_at(tmp_path, tone):
    for name in ("a.wav", "B.WAV", ".hidden.wav", ".git/c.wav"):
        tone(name)
    (tmp_path / "readme.txt").write_text("text")
    assert find_audio(tmp_path) == (["B.WAV", "a.wav"], [])


def test_symbolic_links_end(tmp_path, tone):
    tone("a/b/c.wav")
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path / "a")
    (tmp_path / "again").symlink_to(tmp_path / "a")
    (tmp_path / "file.wav").symlink_to(tmp_path / "a" / "b" / "c.wav")
    (tmp_path / "broken.wav").symlink_to(tmp_path / "nowhere.wav")
    collection = read_folder(tmp_path)
    assert collection.table.ids.tolist() == ["a/b/c.wav", "file.wav"]
    assert [item.path for item in collection.skipped] == ["broken.wav"]


def test_patterns(tmp_path, tone):
    names = ["alto_sax_57_1.wav", "alto_sax_58_2.wav", "flute_57_1.WAV", "notes.wav"]
    for name in names:
        tone(name)
    collection = read_folder(tmp_path, CollectionConfig(pattern="{instrument}_{pitch}_{take}.wav"))
    clips = collection.table
    assert clips.factor("instrument").labels() == ["alto_sax", "alto_sax", "flute"]
    assert clips.factor("pitch").kind == "ordinal"
    assert clips.factor("pitch").values.tolist() == [57, 58, 57]
    assert clips.factor("take").kind == "categorical"
    assert collection.skipped == [
        Skipped(
            "notes.wav", "The name does not match the pattern '{instrument}_{pitch}_{take}.wav'."
        )
    ]


def test_patterns_of_paths_special_fields_and_any_suffix(tmp_path, tone):
    for name in ("cello/train/a-1.wav", "cello/test/a-2.flac", "viola/train/b-3.wav"):
        tone(name)
    clips = read_folder(
        tmp_path, CollectionConfig(pattern="{instrument}/{split}/{recording}-{}")
    ).table
    assert set(clips.factors) == {"instrument"}
    assert clips.recordings.tolist() == ["a", "a", "b"]
    assert clips.split[0] == "test"


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("{a}_{b}_{c}.wav", "matches none of the 1 audio files"),
        ("{a}.flac", "matches none"),
        ("{a.wav", "not well formed"),
        ("{a}_{a}.wav", "field 'a' is no word or occurs twice"),
        ("{2nd}.wav", "field '2nd' is no word"),
        ("name.wav", "has no field"),
    ],
)
def test_patterns_that_cannot_be_used(tmp_path, tone, pattern, words):
    tone("note.wav")
    with pytest.raises(DataError, match=words):
        read_folder(tmp_path, CollectionConfig(pattern=pattern))


def test_folders_that_cannot_be_used(tmp_path, tone):
    with pytest.raises(DataError, match="does not exist"):
        open_collection(CollectionConfig(path=str(tmp_path / "missing")))
    with pytest.raises(DataError, match="has no usable audio file"):
        open_collection(CollectionConfig(path=str(tmp_path)))
    with pytest.raises(DataError, match="is not a folder or a table"):
        open_collection(CollectionConfig(path=str(tone("a.wav"))))
    (tmp_path / "a.wav").write_bytes(b"")
    with pytest.raises(DataError, match=r"no usable audio file .a\.wav: The file is empty"):
        open_collection(CollectionConfig(path=str(tmp_path)))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_without_permission_is_named(tmp_path, tone):
    tone("open/a.wav")
    tone("closed/b.wav").parent.chmod(0)
    try:
        collection = read_folder(tmp_path)
        with pytest.raises(DataError, match="Permission denied"):
            read_folder(tmp_path / "closed")
    finally:
        (tmp_path / "closed").chmod(0o755)
    assert collection.table.ids.tolist() == ["open/a.wav"]
    assert [item.path for item in collection.skipped] == ["closed"]


def test_a_refused_folder_is_named_whoever_asks(tmp_path, tone, monkeypatch):
    tone("open/a.wav")
    tone("closed/b.wav")
    scandir = os.scandir

    def refusing(path):
        if os.path.basename(path) == "closed":
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    files, skipped = find_audio(tmp_path)
    assert files == ["open/a.wav"]
    assert skipped == [Skipped("closed", "The folder cannot be read: Permission denied.")]


def test_a_name_that_is_not_text_is_named(tmp_path, tone):
    tone("a.wav")
    os.rename(tone("b.wav"), os.fsencode(tmp_path) + b"/\xff.wav")
    collection = read_folder(tmp_path)
    assert collection.table.ids.tolist() == ["a.wav"]
    assert "not valid UTF-8" in collection.skipped[0].reason


def test_open_collection_chooses(tmp_path, tone, table):
    for name in ("a_1.wav", "a_2.wav", "b_3.wav"):
        tone(name)
    assert len(open_collection(CollectionConfig(path=str(tmp_path))).table) == 3
    path = table([["path", "word"], ["a_1.wav", "x"], ["gone.wav", "y"]])
    from_folder, from_file = (
        open_collection(CollectionConfig(path=str(tmp_path))),
        open_collection(CollectionConfig(path=str(path))),
    )
    assert from_folder.table.ids.tolist() == from_file.table.ids.tolist() == ["a_1.wav"]
    assert from_folder.notes[-1].startswith("2 audio files have no row in ")
    by_name = open_collection(CollectionConfig(path=str(tmp_path), pattern="{letter}_{number}.wav"))
    assert set(by_name.table.factors) == {"letter", "number"}
    with pytest.raises(DataError, match="A pattern is for a folder"):
        open_collection(CollectionConfig(path=str(path), pattern="{a}.wav"))


@pytest.mark.parametrize(
    ("name", "clips", "kinds"),
    [
        ("notes/fluid", 888, {"instrument": "categorical", "pitch": "ordinal"}),
        ("notes/recorded", 360, {"take": "categorical", "microphone": "categorical"}),
        ("urban/esc10", 398, {"category": "categorical", "fold": "categorical"}),
        ("urban/streets", 640, {"sensor": "categorical", "rain": "categorical"}),
        ("music", 715, {"tempo": "continuous", "key": "categorical"}),
    ],
)
def test_shared_collections_open(shared_data, name, clips, kinds):
    collection = open_collection(CollectionConfig(path=str(shared_data / name)))
    assert len(collection.table) == clips
    assert not collection.skipped
    assert {factor: collection.table.factor(factor).kind for factor in kinds} == kinds
    assert "title" not in collection.table.factors
