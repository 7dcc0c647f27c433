"""Collections from tables."""

import json
import os

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from disentone.audio import Skipped
from disentone.clips import SPLITS
from disentone.datasets.config import CollectionConfig
from disentone.datasets.file_sounds import FileSounds
from disentone.datasets.tables import read_table
from disentone.errors import AudioError, DataError

ROWS = [
    ["path", "instrument", "pitch", "split", "source_id"],
    ["a.wav", "piano", 60, "train", "one"],
    ["sub/b.wav", "cello", 61, "valid", "two"],
    ["c.wav", "", 62, "test", "one"],
]


@pytest.fixture
def files(tone):
    for name in ("a.wav", "sub/b.wav", "c.wav"):
        tone(name)


def as_jsonl(path, rows):
    lines = [json.dumps(dict(zip(rows[0], row))) for row in rows[1:]]
    path.write_text("\n\n".join(lines))


def as_parquet(path, rows):
    columns = {name: [row[at] for row in rows[1:]] for at, name in enumerate(rows[0])}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl", "t.parquet", "t.CSV"])
def test_all_kinds_of_tables_give_the_same_clips(tmp_path, files, table, name):
    path = tmp_path / name
    if name.endswith("jsonl"):
        as_jsonl(path, ROWS)
    elif name.endswith("parquet"):
        as_parquet(path, ROWS)
    else:
        table(ROWS, name)
    collection = read_table(path)
    clips = collection.table
    assert clips.ids.tolist() == ["a.wav", "sub/b.wav", "c.wav"]
    assert clips.split.tolist() == ["train", "valid", "test"]
    assert clips.recordings.tolist() == ["one", "two", "one"]
    assert clips.factor("instrument").labels() == ["piano", "cello", ""]
    assert clips.factor("pitch").kind == "ordinal"
    assert clips.factor("pitch").values.tolist() == [60, 61, 62]
    assert not collection.skipped
    assert clips.sounds.read(1, 8000).shape == (800,)


def test_excel_of_the_continent(tmp_path, files):
    (tmp_path / "t.csv").write_text("\ufeffFile;instrument\r\na.wav;Flöte\r\n", encoding="utf-8")
    assert read_table(tmp_path / "t.csv").table.factor("instrument").labels() == ["Flöte"]


def test_bad_rows_are_named_and_the_rest_goes_on(tmp_path, files, table, tone):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "folder.wav").mkdir()
    path = table(
        [
            ["path", "instrument"],
            ["a.wav", "piano"],
            ["gone.wav", "piano"],
            ["./a.wav", "cello"],
            ["", "piano"],
            ["empty.wav", "piano"],
            ["folder.wav", "piano"],
            ["c.wav", "cello", "more"],
            ["sub/b.wav"],
        ]
    )
    collection = read_table(path)
    assert collection.table.ids.tolist() == ["a.wav", "sub/b.wav"]
    assert collection.table.factor("instrument").labels() == ["piano", ""]
    assert {item.path: item.reason for item in collection.skipped} == {
        "gone.wav": f"The file cannot be found: there is no '{tmp_path / 'gone.wav'}'.",
        "./a.wav": "The clip occurs twice; the first occurrence is used.",
        "clips.csv row 4": "The row names no file.",
        "empty.wav": "The file is empty (0 bytes).",
        "folder.wav": "It is a folder, not a file.",
        "clips.csv row 7": "The row has 3 fields for 2 columns.",
    }


def test_bad_lines_of_json_are_named(tmp_path, files):
    (tmp_path / "t.jsonl").write_text('{"path": "a.wav"}\n{"path": \n[1]\n{"path": "c.wav"}\n')
    collection = read_table(tmp_path / "t.jsonl")
    assert collection.table.ids.tolist() == ["a.wav", "c.wav"]
    assert collection.skipped == [
        Skipped(f"t.jsonl row {number}", "The line is not a JSON object.") for number in (2, 3)
    ]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.csv", None, "cannot be read: No such file"),
        ("t.csv", b"", "needs a column 'path', but is empty"),
        ("t.csv", b"sound,pitch\ndog,1\n", "needs a column 'path', but has: sound, pitch"),
        ("t.csv", b"path\n\x81\xff.wav\n", "neither UTF-8, UTF-16 nor Windows-1252"),
        ("t.csv", b"a.wav,piano\nc.wav,cello\n", "begins with 'a.wav,piano' where the names"),
        ("t.csv", b'path,x\na.wav,1\n"c.wav,2\nd.wav,3\n', "quotation mark 2 lines before its end"),
        ("t.csv", b"\xff\xfep\x00a", "cannot be read"),
        ("t.csv", b"path,x\na.wav,b\0\n", "has zero bytes in its text"),
        ("t.csv", b"PK\3\4" + b"\0\xd8" * 50, "is a spreadsheet, not text"),
        ("t.csv", b"RIFF" + bytes(100) + b"\xd8\0\xd8\0", "neither UTF-8, UTF-16 nor Windows-1252"),
        ("t.csv", b"path\ngone.wav\n", "no usable audio file .gone.wav: The file cannot be found"),
        ("t.parquet", b"PAR1 this is none", "cannot be read"),
        ("t.xlsx", b"", "is no table"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, files, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_table(tmp_path / name)


def test_kinds_and_tolerances_are_given(files, table):
    path = table(ROWS)
    clips = read_table(
        path, CollectionConfig(kinds={"pitch": "continuous"}, tolerances={"pitch": 0.5})
    ).table
    assert clips.factor("pitch").kind == "continuous"
    assert clips.factor("pitch").tolerance == 0.5
    for options in ({"kinds": {"pich": "ordinal"}}, {"tolerances": {"pich": 1.0}}):
        with pytest.raises(DataError, match="did you mean 'pitch'"):
            read_table(path, CollectionConfig(**options))


def test_parts_of_one_file(table, tone):
    tone("long.wav", seconds=3)
    path = table(
        [["file", "start", "seconds", "word"]]
        + [["long.wav", begin, 0.5, word] for begin, word in ((0, "a"), (1.25, "b"), (2, "a"))]
    )
    clips = read_table(path).table
    assert clips.ids.tolist() == ["long.wav@0", "long.wav@1.25", "long.wav@2"]
    assert set(clips.recordings) == {"long.wav"}
    assert set(clips.factors) == {"word"}
    assert len(set(clips.split)) == 1  # one recording is never in two splits
    whole = FileSounds(clips.sounds.paths[:1], np.zeros(1), np.full(1, np.nan)).read(0, 8000)
    np.testing.assert_array_equal(clips.sounds.read(1, 8000), whole[10000:14000])
    assert clips.sounds.cropped(0.25).read(1, 8000).shape == (2000,)
    assert len({clips.sounds.key(clip) for clip in range(3)}) == 3


def many(tone, table, columns, count=60):
    tone("a.wav")
    content = (tone("a.wav")).read_bytes()
    names = [f"{clip:02}.wav" for clip in range(count)]
    for name in names:
        (table([["path"]]).parent / name).write_bytes(content)
    return table(
        [
            ["path", *columns],
            *([name, *row] for name, row in zip(names, columns_of(columns, count))),
        ]
    )


def columns_of(columns, count):
    return [[make(clip) for make in columns.values()] for clip in range(count)]


def test_made_splits_are_exact_seeded_and_told(tone, table):
    path = many(tone, table, {})
    first = read_table(path)
    counts = [int((first.table.split == name).sum()) for name in SPLITS]
    assert counts == [48, 6, 6]
    assert (read_table(path).table.split == first.table.split).all()
    assert (read_table(path, CollectionConfig(seed=1)).table.split != first.table.split).any()
    assert first.notes == ["Splits were made at random (seed 0), no recording in two of them."]


@pytest.mark.parametrize("seed", range(5))
def test_splits_keep_recordings_and_groups_together(tone, table, seed):
    path = many(tone, table, {"recording": lambda c: f"r{c // 4}", "sensor": lambda c: c % 3})
    clips = read_table(path, CollectionConfig(seed=seed)).table
    shares = {}
    for split, recording in zip(clips.split, clips.recordings):
        shares.setdefault(recording, set()).add(split)
    assert all(len(splits) == 1 for splits in shares.values())
    assert set(clips.split) == set(SPLITS)
    grouped = read_table(path, CollectionConfig(seed=seed, split="sensor")).table
    sensors = grouped.factor("sensor").values
    assert sorted(len(set(grouped.split[sensors == s])) for s in range(3)) == [1, 1, 1]
    assert set(grouped.split) == set(SPLITS)
    with pytest.raises(DataError, match="did you mean 'sensor'"):
        read_table(path, CollectionConfig(split="sensr"))


def test_given_splits(tone, table):
    names = ["training", "Test", "", "test", "dev"]
    path = many(tone, table, {"split": lambda c: names[c % 5]}, count=10)
    collection = read_table(path)
    assert collection.table.split.tolist() == ["train", "test", "train", "test", "valid"] * 2
    assert collection.notes == ["2 clips without a split were put into train."]
    path = many(tone, table, {"split": lambda c: "train" if c < 40 else "test"})
    collection = read_table(path)
    assert [int((collection.table.split == name).sum()) for name in SPLITS] == [36, 4, 20]
    assert (collection.table.split[40:] == "test").all()
    path = many(tone, table, {"split": lambda c: "holdout"}, count=3)
    with pytest.raises(DataError, match="Split 'holdout' is unknown"):
        read_table(path)


def test_keys_follow_content_and_stamps_follow_change(tmp_path, tone):
    first, second = tone("a.wav"), tone("b.wav", frequency=500)
    paths = np.array([str(first), str(second)], dtype=object)
    sounds = FileSounds(paths, np.zeros(2), np.full(2, np.nan))
    key, stamp = sounds.key(0), sounds.stamp(0)
    assert key != sounds.key(1)
    os.utime(first, ns=(1, 1))
    assert sounds.key(0) == key
    assert sounds.stamp(0) != stamp
    first.write_bytes(second.read_bytes())
    assert sounds.key(0) == sounds.key(1)
    assert sounds.take(np.array([1])).key(0) == sounds.key(1)
    louder = FileSounds(paths, np.zeros(2), np.full(2, np.nan), lufs=-20.0)
    assert louder.key(0) != sounds.key(0)
    first.unlink()
    for look in (sounds.key, sounds.stamp):
        with pytest.raises(AudioError, match="does not exist"):
            look(0)


def test_a_factor_with_one_value_is_kept(files, table):
    path = table([["path", "room"], ["a.wav", "hall"], ["c.wav", "hall"]])
    assert read_table(path).table.factor("room").classes == ("hall",)


def test_names_of_any_kind(tmp_path, tone, table):
    names = ["a b,c.wav", '"it\'s".wav', "🎻 ñ.wav", "x" * 251 + ".wav"]
    for name in names:
        tone(name)
    clips = read_table(table([["path"], *([name] for name in names)])).table
    assert clips.ids.tolist() == names
    assert all(len(clips.sounds.read(clip, 8000)) == 800 for clip in range(4))
