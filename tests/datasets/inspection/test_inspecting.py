import json
import os

import numpy as np
import pytest
from synthetic_sounds import sine

from disentone.datasets.config import CollectionConfig
from disentone.datasets.inspection import inspect, text
from disentone.errors import DataError


def test_clips_hours_and_formats(put, look):
    for take in range(4):
        put(f"x/{take}.wav", sine(1.5))
    put("y/long.wav", sine(3.0, frequency=100, rate=16000), rate=16000)
    found = look(segment=0.5, split="random")
    assert sum(split.clips for split in found.splits) == 4 * 3 + 6
    assert sum(split.seconds for split in found.splits) == pytest.approx(9.0)
    assert sorted({one.sample_rate for one in found.files}) == [8000, 16000]
    assert "18 clips (9 s) from 5 files (9 s)" in " ".join((text(found)).split())
    assert "8,000 Hz mono: 4 files, 16,000 Hz mono: 1 file" in text(found)


def test_clips_of_a_table_with_parts_are_told_by_their_file(put, tmp_path):
    put("long.wav", sine(2.0))
    (tmp_path / "t.csv").write_text(
        "path,start,seconds\nlong.wav,0,1\nlong.wav,1.5,1\nlong.wav,3,1\n"
    )
    found = inspect(CollectionConfig(path=str(tmp_path / "t.csv")))
    assert [one.path for one in found.files] == ["long.wav"]
    assert sum(split.seconds for split in found.splits) == pytest.approx(1.5)
    assert [(one.path, one.reason) for one in found.skipped] == [
        ("long.wav@3", "The file ends before 3 s.")
    ]


def test_files_of_no_use_are_listed_and_not_counted(put, tmp_path, look):
    for take in range(3):
        put(f"good/{take}.wav")
    put("bad/silent.wav", np.zeros(100))
    put("bad/nan.wav", np.full(100, np.nan), subtype="FLOAT")
    (tmp_path / "bad/empty.wav").touch()
    (tmp_path / "bad/text.wav").write_text("this is not audio")
    cut = put("bad/cut.wav")
    os.truncate(cut, os.path.getsize(cut) // 2)
    found = look()
    reasons = {one.path: one.reason for one in found.skipped}
    assert set(reasons) == {f"bad/{n}.wav" for n in ("silent", "nan", "empty", "text", "cut")}
    assert reasons["bad/cut.wav"].startswith("The file is truncated")
    assert sum(split.clips for split in found.splits) == 3
    assert found.factors[0].counts == {"good": 3}
    page = text(found)
    for name, reason in reasons.items():
        assert name in page
        assert reason.split(":")[0] in page.replace("\n ", "")


def test_progress_counts_the_files_in_several_threads(put, tmp_path):
    for take in range(5):
        put(f"{take}.wav")
    seen = []
    inspect(
        CollectionConfig(path=str(tmp_path)),
        jobs=3,
        progress=lambda done, of: seen.append((done, of)),
    )
    assert seen == [(n, 5) for n in range(1, 6)]


def test_a_missing_an_empty_and_a_broken_collection_are_one_clear_error(tmp_path, look):
    with pytest.raises(DataError, match="does not exist"):
        inspect(CollectionConfig(path=str(tmp_path / "nowhere")))
    with pytest.raises(DataError, match="no usable audio file"):
        look()
    (tmp_path / "a.wav").write_text("this is not audio")
    (tmp_path / "b.wav").write_text("nor is this")
    with pytest.raises(
        DataError, match=r"No clip of '.*' can be used \(a.wav: The file is not audio"
    ):
        look()


def test_all_silent_is_an_error_that_says_so(put, look):
    put("a.wav", np.zeros(100))
    with pytest.raises(DataError, match=r"a\.wav: The file is silent"):
        look()


def test_odd_names_are_printed_and_written(put, tmp_path, look):
    names = ['a, "b" [red].wav', "😀 :smile: é.wav", "n" * 250 + ".wav"]
    for name in names:
        put(name)
    (tmp_path / os.fsdecode(b"\xff.wav")).touch()
    found = look()
    assert {one.path for one in found.files} == set(names)
    assert [one.path for one in found.skipped] == ["\\udcff.wav"]
    text(found).encode()
    json.dumps(found.to_json(), ensure_ascii=False, allow_nan=False).encode()


def test_the_page_is_no_wider_than_100_columns(put, look):
    for number in range(30):
        put(f"{'long name of a family ' * 3}{number % 3}/instrument {number % 7}/{number}.wav")
    page = text(look()).split("To begin with")[0]
    assert max(map(len, page.splitlines())) <= 100


def test_a_map_shows_every_cell(put, look):
    for instrument, pitches in {"harp": range(60, 64), "oboe": range(62, 66)}.items():
        for pitch in pitches:
            for take in range(1 + 10 * (pitch == 60)):
                put(f"{instrument}_{pitch}_{take}.wav", sine(0.05, frequency=pitch * 10 + take))
    page = text(look(pattern="{instrument}_{pitch}_{}.wav"))
    assert "instrument x pitch from 60 to 65" in page
    assert "harp  +111..\n  oboe  ..1111\n" in page
    assert "8 of 12  67%" in page


def test_json_says_the_same_as_the_inspection(put, look):
    for number in range(6):
        put(f"{'ab'[number % 2]}/{number}.wav")
    found = look()
    content = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert content["schema"] == 1
    assert [one["path"] for one in content["files"]] == [one.path for one in found.files]
    assert content["factors"][0]["counts"] == {"a": 3, "b": 3}
    assert {one["same"] for one in content["relations"]} == {"recording", "folder"}


@pytest.mark.data
def test_recorded_notes(shared_data):
    found = inspect(CollectionConfig(path=str(shared_data / "notes/recorded")))
    assert (len(found.files), found.skipped, found.duplicates, found.leaks) == (360, (), (), {})
    cells = {crossing.factors: crossing.exist for crossing in found.crossings}
    assert cells["instrument", "pitch"] == 32 + 25 + 18  # as in the collection's README
    assert "note_name" in found.decided["pitch"]
    assert "instrument" in found.decided["recording"]
