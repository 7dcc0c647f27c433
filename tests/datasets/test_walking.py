"""Walking a folder: what is found, in streams, and what is not."""

import os

import pytest

from disentone.datasets.walking import walk_files


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def make(*names):
        for name in names:
            os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
            with open(name, "w") as file:
                file.write("x")

    return make


def walked(folder="."):
    refused = []
    return sorted(walk_files(folder, refused)), refused


def test_every_file_is_found_as_the_oracle_finds_it(files):
    files("a.wav", "b/c.wav", "b/d/e.txt", "f g/ü.wav")
    expected = [
        os.path.relpath(os.path.join(where, name), ".").replace(os.sep, "/")
        for where, _, names in os.walk(".")
        for name in names
    ]
    assert walked() == (sorted(expected), [])


def test_hidden_and_ignored_names_are_left_out(files):
    files("a.wav", ".b.wav", ".c/d.wav", "drafts/e.wav", "f/g_draft.wav", "f/h.wav")
    with open(".disentoneignore", "w") as file:
        file.write("drafts/\n*_draft.wav\n")
    assert walked()[0] == ["a.wav", "f/h.wav"]


def test_a_link_back_up_is_walked_once(files):
    files("a.wav", "b/c.wav")
    os.symlink(os.path.abspath("."), "b/up")
    os.symlink("nowhere", "broken.wav")
    assert walked()[0] == ["a.wav", "b/c.wav", "broken.wav"]


def test_a_folder_is_read_as_far_as_is_asked(files, monkeypatch):
    files("a.wav", "z/b.wav")
    read = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: read.append(folder) or scandir(folder))
    names = walk_files(".", [])
    assert next(names) == "a.wav"
    assert read == ["."]
    assert [*names] == ["z/b.wav"]
    assert len(read) == 2


def test_what_cannot_be_read_is_told(files, monkeypatch):
    files("a.wav", "closed/b.wav")
    scandir = os.scandir

    def refuse(folder):
        if os.path.basename(folder) == "closed":
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    names, [error] = walked()
    assert names == ["a.wav"]
    assert (error.filename, error.strerror) == ("./closed", "Permission denied")
