"""SONYC-UST: annotators made one, and both versions from their layouts."""

import csv
import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from disentone.agreement import Relation, ViewSampler
from disentone.clips import ClipTable
from disentone.datasets.config import CollectionConfig
from disentone.datasets.named import load_dataset
from disentone.datasets.sonyc import aggregate, read_annotations
from disentone.datasets.splits import make_splits
from disentone.errors import DataError
from disentone.factors import Factor

FINE = ("1-1_small-sounding-engine", "1-2_medium-sounding-engine", "1-X_engine-of-uncertain-size")
TAGS = [f"{name}_presence" for name in (*FINE, "8-1_dog-barking-whining", "1_engine", "8_dog")]
# what is annotated of each clip, and by whom: 0 is the team's agreement, below 0 one of the team
V2 = [
    ["split", "sensor_id", "audio_filename", "annotator_id", "year", "week", "day", "hour",
     "borough", "block", "latitude", "longitude", *TAGS],
    ["train", 0, "00_1.wav", 5, 2016, 44, 1, 6, 1, 547, 40.72, -73.99, 1, 0, 0, 0, 1, 0],
    ["train", 0, "00_1.wav", 6, 2016, 44, 1, 6, 1, 547, 40.72, -73.99, 0, 1, 0, 0, 1, 0],
    ["train", 0, "00_1.wav", -2, 2016, 44, 1, 6, 1, 547, 40.72, -73.99, -1, -1, -1, 0, -1, 0],
    ["validate", 3, "03_7.wav", 5, 2017, 2, 0, 23, 3, 9, 40.68, -73.98, 1, 0, 0, 1, 1, 1],
    ["validate", 3, "03_7.wav", 0, 2017, 2, 0, 23, 3, 9, 40.68, -73.98, 0, 0, 1, 0, 1, 0],
    ["test", 3, "03_9.wav", -1, 2019, 30, 6, 12, 4, 9, 40.68, -73.98, 0, 0, 0, -1, 0, -1],
    ["test", 12, "12_4.wav", 5, 2019, 30, 6, 12, 4, 9, 40.68, -73.98, 0, 0, 0, 0, 0, 0],
]  # fmt: skip
V1 = [[*row[:4], *row[12:]] for row in V2]


@pytest.fixture
def audio(tone):
    for path in ("audio/00_1.wav", "audio-3/03_7.wav", "audio-3/03_9.wav"):
        tone(path)


def test_v2(tmp_path, audio, table):
    table(V2, "annotations.csv")
    collection = load_dataset("sonyc-ust-v2", tmp_path)
    clips = collection.table
    assert clips.ids.tolist() == ["audio/00_1.wav", "audio-3/03_7.wav", "audio-3/03_9.wav"]
    assert clips.split.tolist() == ["train", "valid", "test"]
    nan = np.nan
    assert clips.factor("coarse").classes == ("engine", "dog")
    np.testing.assert_array_equal(clips.factor("coarse").values, [[1, 0], [1, 0], [0, nan]])
    assert clips.factor("fine").classes == (
        "small-sounding-engine", "medium-sounding-engine", "dog-barking-whining",
    )  # fmt: skip
    np.testing.assert_array_equal(
        clips.factor("fine").values, [[1, 1, 0], [nan, nan, 0], [0, 0, nan]]
    )
    kinds_and_labels = {
        name: (f.kind, f.labels()) for name, f in clips.factors.items() if f.kind != "multilabel"
    }
    assert kinds_and_labels == {
        "sensor": ("categorical", ["0", "3", "3"]),
        "verified": ("categorical", ["no", "yes", "no"]),
        "borough": ("categorical", ["Manhattan", "Brooklyn", "Queens"]),
        "block": ("categorical", ["547", "9", "9"]),
        "year": ("ordinal", ["2016", "2017", "2019"]),
        "week": ("ordinal", ["44", "2", "30"]),
        "day": ("ordinal", ["1", "0", "6"]),
        "hour": ("ordinal", ["6", "23", "12"]),
        "time": ("ordinal", ["7254", "8927", "31236"]),
        "latitude": ("continuous", ["40.72", "40.68", "40.68"]),
        "longitude": ("continuous", ["-73.99", "-73.98", "-73.98"]),
    }
    assert [item.path for item in collection.skipped] == ["audio/12_4.wav"]
    assert collection.notes == [
        "Tags are verified for 1 of 4 recordings, else what at least one annotator heard.",
        f"1 of 4 recordings have no audio in '{tmp_path}'; sensors without any: 12; missing: "
        "12_4.wav, expected in audio/ or audio-*/.",
    ]


def test_v1_and_segments(tmp_path, audio, table):
    table(V1, "annotations.csv")
    whole = load_dataset("sonyc-ust-v1", tmp_path).table
    assert set(whole.factors) == {"coarse", "fine", "sensor", "verified"}
    cut = load_dataset("sonyc-ust-v1", tmp_path, CollectionConfig(segment=0.05)).table
    assert len(cut) == 6
    np.testing.assert_array_equal(
        cut.factor("coarse").values, np.repeat(whole.factor("coarse").values, 2, axis=0)
    )


def test_splits_of_ones_own(tmp_path, audio, table):
    table(V2, "annotations.csv")
    for how in ("sensor", "stratified:coarse", "random"):
        config = CollectionConfig(split=how)
        collection = load_dataset("sonyc-ust-v2", tmp_path, config)
        assert collection.notes[0] == "The splits that come with the clips were not used."
        assert collection.table.factor("fine").values.shape == (3, 3)


def test_what_is_wrong_with_the_folder(tmp_path, tone, table):
    table(V2, "annotations.csv")
    with pytest.raises(
        DataError,
        match=r"none of the 4 recordings .* such as 00_1.wav, into audio/.*records/3966543",
    ):
        load_dataset("sonyc-ust-v2", tmp_path)
    with pytest.raises(DataError, match="is of SONYC-UST V2: use sonyc-ust-v2"):
        load_dataset("sonyc-ust-v1", tmp_path)
    table(V1, "annotations.csv")
    with pytest.raises(DataError, match="is of SONYC-UST V1: use sonyc-ust-v1"):
        load_dataset("sonyc-ust-v2", tmp_path)
    table([["audio_filename", "split"], ["00_1.wav", "train"]], "annotations.csv")
    with pytest.raises(DataError, match="has no coarse tags, such as '1_engine_presence'"):
        load_dataset("sonyc-ust-v2", tmp_path)
    table([["audio_filename", "1_engine_presence"], ["00_1.wav", "far"]], "annotations.csv")
    with pytest.raises(DataError, match="has tags that are no numbers"):
        load_dataset("sonyc-ust-v2", tmp_path)
    rows = [V2[0], [*V2[1][:4], 2016, "late", *V2[1][6:]]]
    table(rows, "annotations.csv")
    with pytest.raises(DataError, match="an invalid time: 2016, late, 1, 6"):
        load_dataset("sonyc-ust-v2", tmp_path)
    table([V2[0]], "annotations.csv")
    with pytest.raises(DataError, match=r"annotations.csv' has no rows"):
        load_dataset("sonyc-ust-v2", tmp_path)
    table([row[:2] + row[3:] for row in V2], "annotations.csv")
    with pytest.raises(DataError, match="has no column 'audio_filename'"):
        load_dataset("sonyc-ust-v2", tmp_path)
    table([["audio_filename", "x"], ["00_1.wav", "1", "2"]], "annotations.csv")
    with pytest.raises(DataError, match="row 1 has 3 fields for 2 columns"):
        load_dataset("sonyc-ust-v2", tmp_path)


def test_a_table_without_some_columns_is_read_and_what_it_lacks_is_told(tmp_path, audio, table):
    fine = [at for at, name in enumerate(V2[0]) if name[:1].isdigit() and "-" in name[:2]]
    gone = {0, 1, 3, 4, *fine}  # split, sensor_id, annotator_id, year, fine tags
    table([[cell for at, cell in enumerate(row) if at not in gone] for row in V2],
          "annotations.csv")  # fmt: skip
    collection = load_dataset("sonyc-ust-v2", tmp_path)
    assert collection.notes[-3] == (
        "The table of annotations has no split, no annotator_id, no year, no fine tags."
    )
    assert collection.table.factor("sensor").labels() == ["0", "3", "3"]
    assert not {"fine", "verified", "time", "year"} & set(collection.table.factors)
    with pytest.raises(DataError, match="no factor 'time'"):
        ViewSampler(collection.table, {"shared": Relation("sensor", "time")})


def network(table, tone, sensors):
    """Annotations and audio of so many recordings of each sensor, an hour apart."""
    rows = [V2[0]]
    for sensor, count in sensors.items():
        for hour in range(count):
            name = f"{sensor:02d}_{hour:06d}.wav"
            tone(f"audio/{name}")
            rows.append(["train", sensor, name, 5, 2017, 2, hour // 24, hour % 24, *V2[1][8:]])
    table(rows, "annotations.csv")


def test_pairs_are_of_one_sensor_at_different_times(tmp_path, tone, table):
    network(table, tone, {0: 5, 1: 4, 2: 1})
    clips = load_dataset("sonyc-ust-v2", tmp_path).table
    relation = {"shared": Relation("sensor", "time")}
    sampler = ViewSampler(clips, relation, draws=3, leave_out=True)
    assert sampler.left_out == {"shared": 1}  # the clip that is alone with its sensor
    pairs = sampler.epoch(0)
    assert len(pairs) == 3 * 9
    sensor, time = clips.factor("sensor").values[pairs], clips.factor("time").values[pairs]
    assert (sensor[:, 0] == sensor[:, 1]).all()
    assert (time[:, 0] != time[:, 1]).all()
    with pytest.raises(DataError, match=r"1 of 10 clips lack a partner .* 'audio/02_000000.wav'"):
        ViewSampler(clips, relation)


def test_so_many_sensors_in_each_split(tmp_path, tone, table):
    network(table, tone, {0: 3, 1: 4, 2: 3, 3: 5, 4: 3, 5: 4})
    collection = load_dataset("sonyc-ust-v2", tmp_path, CollectionConfig(split="sensor:3/1/2"))
    clips = collection.table
    sensors = np.array(clips.factor("sensor").labels())
    found = [set(sensors[clips.split == name]) for name in ("train", "valid", "test")]
    assert [len(names) for names in found] == [3, 1, 2]
    assert len(set.union(*found)) == 6
    with pytest.raises(DataError, match="asks for 56 values, but these clips have 6 of 'sensor'"):
        load_dataset("sonyc-ust-v2", tmp_path, CollectionConfig(split="sensor:39/5/12"))


def naive(presence, recording, verified):
    """One recording, one tag, one annotator at a time."""
    result = []
    for one in range(max(recording) + 1):
        rows = [row for row, other in enumerate(recording) if other == one]
        tags = []
        for tag in range(len(presence[0])):
            agreed = [presence[r][tag] for r in rows if verified[r] and presence[r][tag] >= 0]
            present = [presence[r][tag] for r in rows if not verified[r] and presence[r][tag] >= 0]
            decided = agreed or present
            tags.append(float(any(decided)) if decided else np.nan)
        result.append(tags)
    return result


@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from([-1, 0, 1]), min_size=3, max_size=3), st.booleans()),
        min_size=4,
        max_size=30,
    )
)
def test_aggregation_is_that_of_a_plain_loop(rows):
    presence, verified = [tags for tags, _ in rows], [one for _, one in rows]
    recording = [row % 4 for row in range(len(rows))]
    ours = aggregate(np.array(presence, float), np.array(recording), np.array(verified))
    np.testing.assert_array_equal(ours, naive(presence, recording, verified))


def baseline_targets(rows, columns):
    """The minority vote of the DCASE 2019 baseline: a sum over rows, annotator 0 alone wins."""
    targets = {}
    for row in rows:
        targets.setdefault(row["audio_filename"], []).append(row)
    result = {}
    for name, of_one in targets.items():
        agreed = [row for row in of_one if row["annotator_id"] == "0"]
        used = agreed[:1] or of_one
        result[name] = [float(any(float(row[c]) > 0 for row in used)) for c in columns]
    return result


@pytest.mark.data
def test_v1_of_the_real_annotations(shared_data):
    path = shared_data / "urban" / "sonyc" / "annotations-v1.csv.gz"
    if not path.is_file():
        pytest.skip(f"{path.name} is not there")
    read = read_annotations(path)
    assert len(read.recordings) == 2794
    assert len(set(read.columns["sensor"])) == 43
    assert read.columns["verified"].count("yes") == 443
    assert read.columns["split"].count("validate") == 443
    with gzip.open(path, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    coarse = [name for name in rows[0] if name[1] == "_" and name.endswith("_presence")]
    targets = baseline_targets(rows, coarse)
    expected = np.array([targets[name] for name in read.recordings])
    ours = read.tags["coarse"].values
    assert read.tags["coarse"].known.all()
    differs = (ours != expected).any(axis=0)
    # the file is of before version 0.4, where machinery impact is set with any other impact
    assert [name for name, bad in zip(coarse, differs) if bad] == ["2_machinery-impact_presence"]
    wrong = ours[:, 1] != expected[:, 1]
    assert (ours[wrong, 2] == 1).all()
    assert (expected[wrong, 1] == 1).all()
    fine = [n for n in rows[0] if n[1] == "-" and n.endswith("_presence") and "-X_" not in n]
    targets = baseline_targets(rows, fine)
    expected = np.array([targets[name] for name in read.recordings])
    ours = read.tags["fine"].values
    known = ~np.isnan(ours)
    np.testing.assert_array_equal(ours[known], expected[known])
    assert (expected[~known] == 0).all()
    assert 0.03 < (~known).mean() < 0.05


@pytest.mark.data
def test_v2_of_the_real_tags(shared_data):
    path = shared_data / "urban" / "sonyc" / "tag_annotations.csv.gz"
    if not path.is_file():
        pytest.skip(f"{path.name} is not there")
    read = read_annotations(path)
    assert len(read.recordings) == 18510
    assert len(set(read.columns["sensor"])) == 56
    assert set(read.columns) == {"sensor"}
    assert read.tags["coarse"].values.shape == (18510, 8)
    assert set(read.tags) == {"coarse"}


@pytest.mark.data
def test_the_papers_splits_of_the_real_sensors(shared_data):
    """39/5/12 sensors and, three for a clip, 39k/6k/11k pairs (the paper), near enough."""
    path = shared_data / "urban" / "sonyc" / "tag_annotations.csv.gz"
    if not path.is_file():
        pytest.skip(f"{path.name} is not there")
    read = read_annotations(path)
    factor = Factor.categorical("sensor", read.columns["sensor"])
    names = np.array(read.recordings, dtype=object)
    for seed in range(3):
        split, _ = make_splits(None, names, {"sensor": factor}, how="sensor:39/5/12", seed=seed)
        places = {name: split == name for name in ("train", "valid", "test")}
        assert [len(set(factor.values[rows])) for rows in places.values()] == [39, 5, 12]
        pairs = [3 * int(rows.sum()) for rows in places.values()]
        assert sum(pairs) == 55530
        np.testing.assert_allclose(pairs, [39_000, 6_000, 11_000], atol=1500)
    for name, at_least in {"train": 37_500, "valid": 4_500, "test": 9_500}.items():
        rows = np.flatnonzero(split == name)
        part = ClipTable(names[rows], {"sensor": factor.take(rows)}, split[rows], sounds=None)
        sampler = ViewSampler(
            part, {"shared": Relation("sensor", "recording")}, draws=3, leave_out=True
        )
        pairs = sampler.epoch(0)
        assert len(pairs) > at_least
        sensors = part.factor("sensor").values[pairs]
        assert (sensors[:, 0] == sensors[:, 1]).all()
        assert (pairs[:, 0] != pairs[:, 1]).all()


@pytest.mark.data
def test_a_folder_with_the_real_annotations(shared_data, tmp_path, tone):
    path = shared_data / "urban" / "sonyc" / "annotations-v1.csv.gz"
    if not path.is_file():
        pytest.skip(f"{path.name} is not there")
    (tmp_path / "annotations.csv.gz").write_bytes(path.read_bytes())
    for name in read_annotations(path).recordings[::700]:
        tone(f"audio/{name}")
    collection = load_dataset("sonyc-ust-v1", tmp_path)
    assert len(collection.table) == 4
    assert len(collection.skipped) == 2790
    assert len(collection.table.factor("coarse").classes) == 8
    assert len(collection.table.factor("fine").classes) == 23
