"""Which part of its file a clip is."""

import numpy as np
import pytest

from disentone.datasets.config import CollectionConfig
from disentone.datasets.regions import read_regions
from disentone.datasets.tables import read_table

PAIRS = ["start,end", "Start,End", "START TIME,END TIME", "start_time,end_time",
         "startTime,endTime",
         "onset,offset", "begin,stop", "Begin Time (s),End Time (s)", "tmin,tmax", "t_start,t_end",
         "start_seconds,end_seconds", "from,to", "start [s],stop [s]"]  # fmt: skip
LENGTHS = ["start,seconds", "start,duration", "onset,duration", "offset,duration", "Begin,Length",
           "start_s,duration_s", "start time,dur"]  # fmt: skip


def spelled(names, start, other):
    return dict(zip(names.split(","), (start, other)))


@pytest.mark.parametrize("names", PAIRS)
def test_ends_by_any_of_their_names(names):
    found = read_regions(spelled(names, ["0", "2.5"], ["2", "4"]), 2)
    assert (found.start.tolist(), found.seconds.tolist()) == ([0, 2.5], [2, 1.5])
    assert (found.wrong, found.notes) == ({}, [])
    assert {found.columns.start, found.columns.end} == set(names.split(","))


@pytest.mark.parametrize("names", LENGTHS)
def test_lengths_by_any_of_their_names(names):
    found = read_regions(spelled(names, ["0", "2.5"], ["2", "1.5"]), 2)
    assert (found.start.tolist(), found.seconds.tolist()) == ([0, 2.5], [2, 1.5])


@pytest.mark.parametrize(
    "names", ["offset,label", "stop,pitch", "seconds,x", "duration,end user", "starting,ending"]
)
def test_what_is_no_part_stays_a_factor(names):
    found = read_regions(spelled(names, ["1", "2"], ["3", "4"]), 2)
    assert not any(found.columns)
    assert np.isnan(found.seconds).all()


def test_columns_without_a_time_in_them_are_no_parts():
    columns = {"start": ["yes", "no"], "end": ["open", ""]}
    assert not any(read_regions(columns, 2).columns)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90.25", 90.25), ("90,25", 90.25), ("1:30", 90), ("01:30,25", 90.25),
     ("0:01:30.25", 90.25), ("1:00:00", 3600), ("90 s", 90), ("90sec", 90), ("250 ms", 0.25),
     ("1e2", 100), (90, 90), (90.5, 90.5), (np.float32(0.5), 0.5)],
)  # fmt: skip
def test_times_as_people_write_them(text, seconds):
    found = read_regions({"start": [0, text]}, 2)
    assert found.start.tolist() == [0, seconds]


def test_milliseconds_by_the_name_of_the_column():
    found = read_regions({"start_ms": ["500"], "end_ms": ["1250"]}, 1)
    assert (found.start[0], found.seconds[0]) == (0.5, 0.75)


def test_rows_that_are_no_part_are_told():
    columns = {"start": ["0", "4", "x", "-1", ""], "end": ["2", "3", "5", "1", ""]}
    found = read_regions(columns, 5)
    assert found.wrong == {
        1: "It ends at 3 s, and starts at 4 s.",
        2: "Its start 'x' is no time: write seconds, m:s or h:m:s.",
        3: "It starts at -1 s, before its file does.",
    }
    assert found.start[4] == 0
    assert np.isnan(found.seconds[4])


def test_an_end_counts_more_than_a_length_and_alone():
    found = read_regions({"start": [0, 1], "end": [2, 3], "duration": [2, 1]}, 2)
    assert found.seconds.tolist() == [2, 2]
    assert found.notes == [
        "'duration' is not what lies between 'start' and 'end' in 1 rows, where 'end' counts."
    ]
    alone = read_regions({"end": [2]}, 1)
    assert (alone.start[0], alone.seconds[0]) == (0, 2)
    assert alone.notes == ["Clips begin with their files: there is no column of starts by 'end'."]


def test_parts_are_within_their_files(tone, table):
    tone("long.wav", seconds=1)
    rows = [["path", "Onset", "Offset", "label"]]
    rows += [["long.wav", "0", "0.5", "a"], ["long.wav", "0.5", "1.5", "b"],
             ["long.wav", "2", "3", "c"], ["long.wav", "0", "0.25", "d"]]  # fmt: skip
    found = read_table(table(rows))
    assert found.table.ids.tolist() == ["long.wav@0", "long.wav@0.5"]
    assert set(found.table.factors) == {"label"}
    assert [item.reason for item in found.skipped] == [
        "Another part of the file begins there; the first occurrence is used.",
        "The file ends before 2 s.",
    ]
    assert found.notes[0] == (
        "Parts that end after their file, such as 'long.wav@0.5' at 1.5 s (1 in all), end with it."
    )


def test_a_length_that_only_repeats_that_of_the_file_is_no_factor(tone, table):
    rows = [["path", "duration", "label"]]
    for n in range(6):
        tone(f"{n}.wav", seconds=0.1 + n / 5)
        rows.append([f"{n}.wav", f"{0.1 + n / 5:.1f}", "ab"[n % 2]])
    found = read_table(table(rows))
    assert set(found.table.factors) == {"label"}
    assert found.notes[0] == "Column 'duration' is how long the files are, and no factor."
    asked = read_table(table(rows), CollectionConfig(kinds={"duration": "continuous"}))
    assert set(asked.table.factors) == {"duration", "label"}
    for n, row in enumerate(rows[1:]):
        row[1] = 5 - n  # of something else
    assert set(read_table(table(rows)).table.factors) == {"duration", "label"}
