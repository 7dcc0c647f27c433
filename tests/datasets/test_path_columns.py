"""Which column names the files, and which files its names are."""

import os
import unicodedata

import pytest

from disentone.datasets.tables import read_table


def test_the_column_of_most_files_is_taken(tone, table):
    for name in ("sub/a.wav", "sub/b.wav", "sub/c.wav"):
        tone(name)
    rows = [["filename", "audio", "clip", "label"], ["a.wav", "yes", "sub/a.wav", "x"],
            ["b.wav", "no", "sub/b.wav", "y"], ["c.wav", "no", "sub/c.wav", "x"]]  # fmt: skip
    found = read_table(table(rows))
    assert found.table.ids.tolist() == ["sub/a.wav", "sub/b.wav", "sub/c.wav"]
    assert set(found.table.factors) == {"audio", "label"}
    assert "Files are those of column 'clip', and not of 'filename'." in found.notes


def test_a_column_of_files_may_have_any_name(tone, table):
    tone("a.wav")
    assert read_table(table([["sound", "pitch"], ["a.wav", 1]])).table.ids.tolist() == ["a.wav"]


@pytest.mark.parametrize("disk", ["NFC", "NFD"])
def test_names_in_any_form_and_with_any_slash(tone, table, disk):
    there = unicodedata.normalize(disk, "Été/Flöte ñ.wav")
    tone(there)
    for form in ("NFC", "NFD"):
        for slash in "/\\":
            name = unicodedata.normalize(form, f"Été{slash}Flöte ñ.wav")
            found = read_table(table([["path"], [name]]))
            assert found.table.ids.tolist() == [there], "as a folder lists it"
            assert found.table.sounds.read(0, 8000).shape == (800,)


def test_names_in_another_case_where_one_file_alone_has_them(tone, table):
    for name in ("Sub/A.wav", "Sub/b.wav", "Sub/B.wav"):
        tone(name)
    if len(os.listdir(tone("Sub/A.wav").parent)) < 3:
        pytest.skip("this file system takes b.wav and B.wav for one")
    found = read_table(table([["path"], ["SUB\\a.WAV"], ["sub/b.wav"], ["sub/B.WAV"]]))
    assert found.table.ids.tolist() == ["Sub/A.wav", "Sub/b.wav"]
    assert [item.path for item in found.skipped] == ["sub/B.WAV"], "b.wav or B.wav?"


def test_a_file_of_that_very_name_comes_first(tone, table):
    forms = [unicodedata.normalize(form, "é.wav") for form in ("NFC", "NFD")]
    tone(forms[0])
    try:
        os.stat(tone(forms[1]).parent / forms[1])
    except OSError:
        pytest.skip("this file system takes both for one")
    if len({f.name for f in tone(forms[0]).parent.glob("*.wav")}) < 2:
        pytest.skip("this file system takes both for one")
    found = read_table(table([["path"], *([form] for form in forms)]))
    assert found.table.ids.tolist() == forms


def test_one_file_by_two_names_is_one_clip(tone, table):
    tone("sub/a.wav")
    found = read_table(table([["path"], ["sub/a.wav"], ["sub\\a.wav"]]))
    assert found.table.ids.tolist() == ["sub/a.wav"]
    assert found.skipped[0].reason.startswith("The clip occurs twice")


def test_bytes_that_are_no_utf8_are_named_and_cost_nothing_else(tmp_path, tone):
    tone("a.wav")
    (tmp_path / os.fsdecode(b"caf\xe9.wav")).write_bytes((tmp_path / "a.wav").read_bytes())
    (tmp_path / "t.csv").write_bytes(b"path,label\na.wav,x\ncaf\xe9.wav,y\n")
    found = read_table(tmp_path / "t.csv")
    assert found.table.ids.tolist() == ["a.wav"]
    assert [(item.path, item.reason) for item in found.skipped] == [
        ("caf\\udce9.wav", "The name is not valid UTF-8; rename the file.")
    ]
