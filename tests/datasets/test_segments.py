import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from disentone.datasets.config import CollectionConfig
from disentone.datasets.folder import read_folder
from disentone.datasets.segments import windows
from disentone.datasets.tables import read_table


@given(st.integers(1, 5000), st.integers(1, 300), st.integers(1, 300))
def test_windows_are_those_that_a_loop_finds(duration, seconds, hop):
    expected, begin = [], 0
    while begin + seconds <= duration:
        expected.append(begin)
        begin += hop
    found = windows(duration / 100, seconds=seconds / 100, hop=hop / 100)
    np.testing.assert_allclose(found, np.array(expected or [0]) / 100, atol=1e-9)


def test_segments_know_their_file_and_stay_in_one_split(tmp_path, tone):
    for name in range(12):
        tone(f"{name:02}.wav", seconds=1.2)
    tone("short.wav", seconds=0.1)
    (tmp_path / "broken.wav").write_bytes(b"no sound in here")
    collection = read_folder(tmp_path, CollectionConfig(segment=0.5, hop=0.3))
    table = collection.table
    assert table.ids[:3].tolist() == ["00.wav@0", "00.wav@0.3", "00.wav@0.6"]
    assert len(table) == 12 * 3 + 1
    assert table.ids[-1] == "short.wav@0"
    assert [item.path for item in collection.skipped] == ["broken.wav"]
    for recording in set(table.recordings):
        assert len(set(table.split[table.recordings == recording])) == 1
    whole = read_folder(tmp_path).table
    np.testing.assert_array_equal(table.sounds.read(1, 8000), whole.sounds.read(1, 8000)[2400:6400])


def test_rows_that_are_parts_are_cut_within_their_bounds(tone, table):
    tone("long.wav", seconds=3)
    rows = [["path", "start", "seconds", "word"], ["long.wav", 0.5, 1.1, "a"]]
    rows += [["long.wav", 2, "", "b"], ["long.wav", 9, 1, "c"]]
    collection = read_table(table(rows), CollectionConfig(segment=0.5))
    assert collection.table.ids.tolist() == [f"long.wav@{s}" for s in ("0.5", "1", "2", "2.5")]
    assert collection.table.factor("word").labels() == ["a", "a", "b", "b"]
    assert "ends before 9 s" in collection.skipped[0].reason


def test_a_hop_without_a_segment_is_refused():
    with pytest.raises(ValidationError, match="'hop' needs 'segment'"):
        CollectionConfig(hop=1.0)


@pytest.mark.parametrize("short", ["pad", "skip"])
def test_files_that_are_shorter_than_a_segment_are_padded_openly_or_left_out(tmp_path, tone, short):
    for name in range(12):
        tone(f"{name:02}.wav", seconds=1.2)
    tone("short.wav", seconds=0.1)
    collection = read_folder(tmp_path, CollectionConfig(segment=0.5, short=short))
    note_start = "Clips shorter than a segment of 0.5 s, such as 'short.wav' (1 in all), are padded"
    if short == "pad":
        assert len(collection.table) == 12 * 2 + 1
        assert any(note.startswith(note_start) for note in collection.notes)
    else:
        assert len(collection.table) == 12 * 2
        assert [(item.path, item.reason) for item in collection.skipped] == [
            ("short.wav", "The clip lasts 0.10 s, less than a segment of 0.5 s.")
        ]


def test_what_to_do_with_short_files_needs_a_segment():
    with pytest.raises(ValidationError, match="'short' needs 'segment'"):
        CollectionConfig(short="skip")
