"""One table, written as people and programs write tables, is read as the same table."""

import csv
import io
import json
import string

import pandas
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from disentone.datasets.table_files import table_columns
from disentone.datasets.tables import read_table
from disentone.errors import DataError

LETTERS = string.ascii_letters + string.digits + " äñé,;|'\"()[]&+!."
text = st.text(LETTERS, min_size=1, max_size=12).map(str.strip).filter(bool)
label = text.filter(lambda t: t[0] != "#" and not t.isdecimal())


@st.composite
def tables(draw):
    """Names of columns, and rows of a path, a label that may be empty, and a number."""
    rows = draw(st.integers(2, 12))
    labels = draw(st.lists(st.one_of(st.just(""), label), min_size=rows, max_size=rows))
    numbers = draw(st.lists(st.integers(-9999, 9999), min_size=rows, max_size=rows))
    paths = [f"{draw(label)}{row}.wav" for row in range(rows)]
    return [[path, lab, f"{n / 100:.2f}"] for path, lab, n in zip(paths, labels, numbers)]


NAMES = ["path", "label", "tempo"]


def written(rows, *, names=NAMES, sep=",", line="\r\n", quoting=csv.QUOTE_MINIMAL):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=sep, lineterminator=line, quoting=quoting)
    writer.writerows([names, *rows])
    return out.getvalue()


def commas(rows):
    return [[path, lab, n.replace(".", ",")] for path, lab, n in rows]


def padded(text):
    first, *rest = text.splitlines()
    return "\n".join([first, *(line + ",,," for line in rest)])


def with_comments(text):
    first, *rest = text.splitlines()
    between = "\n# a note; with, signs | of its own\n#\n"
    return "# made by hand\n\n" + first + between + "\n".join(rest) + "\n\n# the end"


DIALECTS = {
    "plain": lambda rows: written(rows),
    "unix": lambda rows: written(rows, line="\n"),
    "all quoted": lambda rows: written(rows, quoting=csv.QUOTE_ALL),
    "semicolons": lambda rows: written(rows, sep=";"),
    "tabs": lambda rows: written(rows, sep="\t"),
    "pipes": lambda rows: written(rows, sep="|"),
    "decimal commas": lambda rows: written(commas(rows), sep=";"),
    "decimal commas in quotes": lambda rows: written(commas(rows)),
    "told to Excel": lambda rows: "sep=;\r\n" + written(rows, sep=";"),
    "trailing commas": lambda rows: written([[*r, ""] for r in rows], names=[*NAMES, ""]),
    "trailing commas in rows": lambda rows: written([[*r, "", ""] for r in rows]),
    "trailing commas in the header": lambda rows: written(rows, names=[*NAMES, "", ""]),
    "empty rows": lambda rows: padded(written(rows, line="\n")) + "\n,,\n,,,,\n\n",
    "line breaks in the header": lambda rows: written(rows, names=["path\n", "label", "\ntempo"]),
    "comments": lambda rows: with_comments(written(rows)),
    "header in a comment": lambda rows: "# mine\n# " + written(rows),
    "header again": lambda rows: written([*rows, NAMES, *rows[:0]]),
    "index of pandas": lambda rows: pandas.DataFrame(rows, columns=NAMES).to_csv(),
    "index of pandas twice": lambda rows: pandas.read_csv(
        io.StringIO(pandas.DataFrame(rows, columns=NAMES).to_csv()), dtype=str, na_filter=False
    ).to_csv(),
    "row names of R": lambda rows: written(
        [[str(n), *row] for n, row in enumerate(rows, 1)], quoting=csv.QUOTE_ALL
    ),
}


def same(columns, rows):
    """Whether columns are those of rows, an empty text and none being the same."""
    found = list(zip(*(columns[name] for name in NAMES)))
    return list(columns) == NAMES and [[v or "" for v in row] for row in found] == rows


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=tables())
def test_a_table_is_the_same_in_every_dialect(tmp_path, dialect, rows):
    file = tmp_path / "t.csv"
    file.write_text(DIALECTS[dialect](rows), encoding="utf-8", newline="")
    found = table_columns(file)
    assert same(found.columns, rows), (file.read_text(encoding="utf-8"), found)
    assert not found.skipped


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=tables())
def test_a_table_is_the_same_in_every_encoding(tmp_path, encoding, rows):
    file = tmp_path / "t.csv"
    rows[0][1] = "é" + rows[0][1]
    file.write_bytes(written(rows, sep=";").encode(encoding))
    found = table_columns(file)
    assert same(found.columns, rows)
    assert bool(found.notes) == (encoding == "cp1252")


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(paths=st.lists(label.filter(lambda t: t[0] != '"'), min_size=1, max_size=8))
def test_a_table_of_one_column_is_not_split(tmp_path, paths):
    file = tmp_path / "t.csv"
    file.write_text("path\n" + "".join(f"{path}.wav\n" for path in paths), encoding="utf-8")
    assert table_columns(file).columns == {"path": [f"{path}.wav" for path in paths]}


def columns_of(tmp_path, content, name="t.csv"):
    (tmp_path / name).write_text(content, encoding="utf-8", newline="")
    return table_columns(tmp_path / name)


def test_what_has_no_name_is_told(tmp_path):
    found = columns_of(tmp_path, ",path,\n7,a.wav,x\n3,b.wav,y\n")
    assert found.columns == {"path": ["a.wav", "b.wav"], "column_3": ["x", "y"]}
    assert found.notes == [
        "Column 1 has no name and numbers the rows: it is left out.",
        "Column 3 has no name: it is called 'column_3'.",
    ]


def test_two_columns_of_one_name_are_told(tmp_path):
    found = columns_of(tmp_path, "path,a,a,a_2,a\na.wav,1,2,3,1\n")
    assert found.columns == {"path": ["a.wav"], "a": ["1"], "a_3": ["2"], "a_2": ["3"]}
    assert found.notes == [
        "Two columns are called 'a': the second is called 'a_3' here.",
        "Column 'a' is there twice, with the same values.",
    ]


def test_columns_of_parquet_are_named_as_those_of_csv(tmp_path):
    frame = pandas.DataFrame({"path": ["a.wav", "b.wav"], "x": [1, 2]}).iloc[::-1]
    table = pyarrow.Table.from_pandas(frame)
    table = table.append_column("x", pyarrow.array([5, 6]))
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    columns = table_columns(tmp_path / "t.parquet").columns
    assert columns == {"path": ["b.wav", "a.wav"], "x": [2, 1], "x_2": [5, 6]}


def test_lines_of_json_have_any_encoding(tmp_path):
    rows = [{"path": "é.wav", "x": 1}, {"path": "b.wav"}]
    text = "\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (tmp_path / "t.jsonl").write_bytes(text.encode("utf-16"))
    found = table_columns(tmp_path / "t.jsonl")
    assert found.columns == {"path": ["é.wav", "b.wav"], "x": [1, None]}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('"1,234"\n"12,500"', ["1234", "12500"]),
        ('"1,234,567"\n"1,500"', ["1234567", "1500"]),
        ('"1,5"\n"1,234"\nNA\n3', ["1.5", "1.234", "NA", "3"]),
        ('"1,5"\n"1.5"', ["1,5", "1.5"]),
        ('"1,2,3"\n"1,5"', ["1,2,3", "1,5"]),
        ('"1,5"\nx', ["1,5", "x"]),
    ],
)
def test_commas_in_numbers(tmp_path, written, read):
    lines = [f"a.wav,{line}" for line in written.splitlines()]
    assert columns_of(tmp_path, "path,n\n" + "\n".join(lines)).columns["n"] == read


def test_a_comma_after_semicolons_is_a_decimal_one(tmp_path):
    assert columns_of(tmp_path, "path;n\na.wav;1,234\n").columns["n"] == ["1.234"]


def test_long_tables_are_read_as_short_ones(tmp_path):
    rows = [[f"{n}.wav", f"label {n % 7}", "1"] for n in range(30_000)]
    rows[20_000] = ["x.wav", "a", "1", "too many"]
    found = columns_of(tmp_path, written(rows))
    assert found.columns["path"][25_000] == "25001.wav"
    assert found.numbers[25_000] == 25_002
    assert [item.path for item in found.skipped] == ["t.csv row 20001"]


def test_a_quoted_text_has_line_breaks_and_marks(tmp_path):
    found = columns_of(tmp_path, 'path,n\na.wav,"two\nlines"\n5" pipe.wav,x\nc.wav,"a ""b""\n"')
    assert found.columns["n"] == ["two\nlines", "x", 'a "b"\n']


def test_files_of_which_the_name_begins_with_a_hash(tmp_path, tone):
    tone("#1.wav")
    for content in ("path\n#1.wav\n# no file\n", "path,x\n#1.wav,a\n# no, file\n"):
        (tmp_path / "t.csv").write_text(content, encoding="utf-8")
        found = read_table(tmp_path / "t.csv")
        assert (found.table.ids.tolist(), found.skipped) == (["#1.wav"], [])


def test_an_endless_text_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"field larger.*is a quotation mark not closed\?"):
        columns_of(tmp_path, 'path,x\na.wav,"b\n' + "c.wav,d\n" * 20_000)
