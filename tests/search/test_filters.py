import numpy as np
import pytest
from made_up_items import build

from disentone.errors import DataError
from disentone.search.filters import check_filter

COLUMNS = ["id", "tempo", "split", "note name", "Key", "order"]


@pytest.mark.parametrize(
    ("where", "written"),
    [
        ("split = 'test' and tempo > 120", "`split` = 'test' and `tempo` > 120"),
        (
            "SPLIT=='it''s' AND NOT key IN ('C','D')",
            "`split` = 'it''s' and not `Key` in ( 'C' , 'D' )",
        ),
        (
            "`note name` like 'A%' or \"note name\" is null",
            "`note name` like 'A%' or `note name` is null",
        ),
        ("abs(tempo - 1.5e2) <= .5", "abs ( `tempo` - 1.5e2 ) <= .5"),
        ("order between 1 and 2", "`order` between 1 and 2"),
        ("lower(id) = ''", "lower ( `id` ) = ''"),
    ],
)
def test_filters_are_written_with_the_columns_names(where, written):
    assert check_filter(where, COLUMNS) == written


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("tempo > 3; drop table items", "cannot be understood from '; drop"),
        ("tempo > 3 -- more", "no column 'more'"),
        ("tempo > 3 /* more */", "no column 'more'"),
        ("tempo > $1", "cannot be understood"),
        ("tempo > ?", "cannot be understood"),
        ("vector[1] > 0", "no column 'vector'"),
        ("_rowid < 3", "no column '_rowid'"),
        ("tempo > (select max(tempo) from items)", "no column 'select'"),
        ("tempo > 3 limit 1", "no column 'limit'"),
        ("tempo > 3) or (1 = 1", "brackets"),
        ("(tempo > 3", "brackets"),
        ("sleep(3) = 1", "no function 'sleep'"),
        ("regexp_like(id, '(a+)+$')", "no function 'regexp_like'"),
        ("split = test", "no column 'test' .* single quotes"),
        ('split = "test"', "no column 'test' .* single quotes"),
        ("tmpo > 3", "did you mean 'tempo'"),
        ("split = 'test", "cannot be understood from ''test'"),
        ("tempo > 12x", "cannot be understood"),
        ("", "empty"),
        ("  ", "empty"),
        ("tempo > 3 or " * 300 + "true", "2000 characters"),
        ("tempo > 3 \x00", "cannot be understood"),
        ("tempo > " + "+".join(["1"] * 900), "100 operators"),
        ("not " * 101 + "true", "100 operators"),
        ("(" * 21 + "true" + ")" * 21, "20 brackets"),
    ],
)
def test_what_is_no_filter_is_refused(where, message):
    with pytest.raises(DataError, match=message):
        check_filter(where, COLUMNS)


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    return build(tmp_path_factory.mktemp("filters") / "i", 30)


TEMPO = np.array([np.nan if n % 10 == 0 else 60.0 + n for n in range(30)])
SPLIT = np.array([("train", "valid", "test")[n % 3] for n in range(30)])


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("tempo > 70 and split = 'test'", (TEMPO > 70) & (SPLIT == "test")),
        ("Tempo > 70 or SPLIT in ('train', 'valid')", (TEMPO > 70) | (SPLIT != "test")),
        ("tempo is null", np.isnan(TEMPO)),
        ("not split like 't%'", SPLIT == "valid"),
        ("abs(tempo - 65) <= 1.5", np.abs(TEMPO - 65) <= 1.5),
        ("cast = 1 or true", None),
        ("start = 1 and `end` = 2", np.arange(30) % 3 == 1),
        ("tempo % 2 = 0", TEMPO % 2 == 0),
        (
            "upper(split) = 'TEST' and (tempo between 62 and 80)",
            (SPLIT == "test") & (TEMPO >= 62) & (TEMPO <= 80),
        ),
        ("id = 'i3' or id = ''' OR 1=1 --'", np.arange(30) == 3),
    ],
)
def test_filters_let_through_what_a_naive_loop_does(index, where, expected):
    if expected is None:
        with pytest.raises(DataError, match="no column 'cast'"):
            index.items(where=where)
        return
    found = index.items(where=where, columns=["id"])["id"].to_pylist()
    assert found == [f"i{n}" for n in np.flatnonzero(expected)]


def test_a_filter_is_read_once(index, monkeypatch):
    snapshot = index.snapshot()
    first = snapshot.where("tempo > 66")
    monkeypatch.setattr(snapshot, "table", None)
    assert snapshot.where("tempo > 66") is first


@pytest.mark.parametrize(
    "where",
    [
        "tempo < " + "+".join(["9"] * 101),
        "tempo < " + " + ".join(["tempo"] * 101),
        " and ".join(["tempo > 1"] * 101),
        " or ".join(["tempo > 1"] * 101),
        "(" * 20 + "tempo > 1" + ")" * 20,
        "abs(" * 20 + "tempo" + ")" * 20 + " > 1",
        "tempo in (" + ",".join(str(n) for n in range(60, 500)) + ")",
    ],
    ids=["sum", "columns", "and", "or", "brackets", "functions", "in"],
)
def test_the_largest_filters_are_computed(index, where):
    assert len(index.items(where=where)) == np.isfinite(TEMPO).sum()


def test_filters_that_are_understood_and_cannot_be_computed(index):
    for where in ("split > 3", "tempo", "tempo + 1", "1 / 0 > 2", "tempo and", "= 3"):
        with pytest.raises(DataError, match="cannot be used") as refused:
            index.items(where=where)
        assert str(refused.value) == (
            f'The filter "{where}" cannot be used: compare columns with values of their kind, and '
            "finish every comparison; there are: id (text), path (text), recording (text), "
            "start (number), end (number), tempo (number), split (text)."
        )


def test_columns_that_are_not_there_are_refused(index):
    with pytest.raises(DataError, match="did you mean 'tempo'"):
        index.items(columns=["tmpo"])
    names = ["id", "path", "recording", "start", "end", "tempo", "split"]
    assert index.items().column_names == names
