import numpy as np
from synthetic_sounds import clip_table

from disentone.datasets.config import CollectionConfig
from disentone.datasets.inspection import inspect, text
from disentone.datasets.inspection.known import cross, find_decided, find_leaks


def test_decided_factors_and_factors_that_say_the_same():
    table = clip_table(
        recordings=[str(n // 2) for n in range(8)],
        pitch=["60", "60", "62", "62", "64", "64", "60", "60"],
        name=["C", "C", "D", "D", "E", "E", "C", ""],
        octave=["4", "4", "4", "4", "5", "5", "4", "4"],
        take=["1", "2", "1", "2", "1", "2", "1", "2"],
        unique=list("abcdefgh"),
    )
    assert find_decided(table) == {
        "pitch": ["name", "octave"],
        "name": ["pitch", "octave"],
        "recording": ["pitch", "name", "octave"],
    }


def test_cells_of_a_crossing_are_those_of_a_naive_count():
    rng = np.random.default_rng(0)
    one, other = rng.choice(list("abc"), 60), rng.choice(["x", "y", ""], 60)
    other[one == "c"] = "x"
    (crossing,) = cross(clip_table(one=one, other=other), {})
    expected = {a: {b: int(((one == a) & (other == b)).sum()) for b in "xy"} for a in "abc"}
    assert crossing.cells == expected
    assert (crossing.exist, crossing.possible) == (5, 6)
    assert crossing.emptiest == ("one", "c")


def test_crossings_that_tell_nothing_are_left_out():
    count = 200
    rng = np.random.default_rng(0)
    labels = {
        "one": rng.integers(0, 2, count).astype(str),
        "many": rng.integers(0, 150, count).astype(str),
        "most": rng.integers(0, 150, count).astype(str),
        "constant": np.full(count, "x"),
    }
    labels["twin"] = np.char.add(labels["one"], "'")
    table = clip_table(**labels)
    found = [crossing.factors for crossing in cross(table, find_decided(table))]
    assert found == [("one", "many"), ("one", "most")]


def test_recordings_in_two_splits_are_leaks_also_where_a_clip_has_several():
    table = clip_table(
        split=["train", "test", "train", "valid", "test"],
        recordings=["a", "a", "b;c", "c; d", "e"],
        x=list("12345"),
    )
    assert find_leaks(table) == {"a": ["train", "test"], "c": ["train", "valid"]}


def test_values_that_a_split_lacks_are_said(put, tmp_path):
    rows = ["path,instrument,tempo,split"]
    for number, (instrument, split) in enumerate(
        [("oboe", "train"), ("oboe", "train"), ("harp", "test"), ("oboe", "test"), ("", "train")]
    ):
        put(f"{number}.wav")
        rows.append(f"{number}.wav,{instrument},{90.5 + number},{split}")
    (tmp_path / "clips.csv").write_text("\n".join(rows))
    found = inspect(CollectionConfig(path=str(tmp_path), seed=0))
    instrument, tempo = found.factors
    assert instrument.counts == {"oboe": 3, "harp": 1}
    assert instrument.unknown == 1
    assert instrument.absent["train"] == ["harp"]
    assert instrument.absent["test"] == []
    assert (tempo.counts, tempo.extent) == ({}, (90.5, 92.5, 94.5))
    assert "Values that no clip in train has: instrument 1 (harp)." in text(found)
