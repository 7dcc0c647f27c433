"""Names of clips, found among names that are written otherwise."""

import unicodedata

import pytest

from disentone.clips import file_of, match_names


@pytest.mark.parametrize(
    ("name", "file"),
    [("a.wav", "a.wav"), ("a.wav@2", "a.wav"), ("a.wav@2.5", "a.wav"), ("a.wav@1e-05", "a.wav"),
     ("me@home/a.wav", "me@home/a.wav"), ("me@home/a.wav@3", "me@home/a.wav"), ("@1", "@1")],
)  # fmt: skip
def test_the_file_of_a_part(name, file):
    assert file_of(name) == file


CLIPS = ["music/low/0.wav", "music/high/0.wav", "music/high/1.mp3", "music/long.wav@2.5"]


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("music/low/0.wav", 0),
        ("./music/low/0.wav", 0),
        ("music\\low\\0.wav", 0),
        ("low/0.wav", 0),
        ("1.mp3", 2),
        ("1", 2),
        ("long@2.5", 3),
        ("high/long.wav@2.5", None),  # of another folder
        ("D:\\mine\\music\\high\\1.mp3", 2),
        ("0.wav", None),
        ("0", None),
        ("long.wav", None),
        ("ow/0.wav", None),
    ],
)
def test_a_name_means_the_only_clip_that_it_fits(name, row):
    expected = {"music/low/0.wav": 0} | ({} if row is None else {name: row})
    assert match_names(CLIPS, ["music/low/0.wav", name]) == expected


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_match_in_any_form(form):
    ids = [unicodedata.normalize(form, name) for name in ("é/a.wav", "e/a.wav")]
    assert match_names(ids, ["é/a.wav"]) == {"é/a.wav": 0}
    other = unicodedata.normalize("NFD", "é/a.wav")
    assert match_names(ids, [other]) == {other: 0}


def test_two_of_a_name_are_no_match():
    assert match_names(["a.wav", "a.wav"], ["a.wav"]) == {}
    assert match_names(["a.wav"], ["x/a.wav", "y/a.wav"]) == {}
    assert match_names(["a.wav"], ["a.wav", "y/a.wav"]) == {"a.wav": 0, "y/a.wav": 0}


def test_names_of_other_folders_match_where_no_name_does_otherwise():
    ids = ["/here/low/0.wav", "/here/high/0.wav"]
    assert match_names(ids, ["/there/low/0.wav", "/there/mid/0.wav"]) == {"/there/low/0.wav": 0}
    assert match_names(ids, ["/there/low/0.wav", "high/0.wav"]) == {"high/0.wav": 1}


def test_numbers_have_no_suffix():
    assert match_names(["6.5", "7"], ["6", "7"]) == {"7": 1}
