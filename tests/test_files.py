import errno
import json
import os
import resource
from contextlib import contextmanager

import pytest

from disentone.errors import ArtifactError
from disentone.files import append_line, write_bytes, write_json


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def small_disk():
    """Let no file grow beyond 1000 bytes, the log of the tests included: keep it short."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_writing_makes_folders_and_replaces(tmp_path):
    file = tmp_path / "a" / "b" / "file.bin"
    write_bytes(file, b"old and longer")
    write_bytes(file, b"new")
    assert contents(file.parent) == {"file.bin": b"new"}


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, broken):
    file = tmp_path / "file.bin"
    write_bytes(file, b"old")
    monkeypatch.setattr(os, broken, full)
    with pytest.raises(ArtifactError, match=r"file\.bin could not be written \(No space left"):
        write_bytes(file, b"new")
    assert contents(tmp_path) == {"file.bin": b"old"}


def test_a_write_cut_short_leaves_the_old_file_and_nothing_else(tmp_path):
    file = tmp_path / "file.bin"
    write_bytes(file, b"old")
    with small_disk(), pytest.raises(ArtifactError, match=r"\(File too large\)"):
        write_bytes(file, bytes(100_000))
    assert contents(tmp_path) == {"file.bin": b"old"}


def test_ctrl_c_while_writing_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    file = tmp_path / "file.bin"
    write_bytes(file, b"old")
    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(file, b"new")
    assert contents(tmp_path) == {"file.bin": b"old"}


def test_content_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    """Else a power cut could leave an empty file in place of the old one."""
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, r=real, n=name: (calls.append(n), r(*a))[1])
    write_bytes(tmp_path / "file.bin", b"new")
    assert calls == ["fsync", "replace"]


def test_a_folder_that_cannot_be_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ArtifactError, match="could not be written"):
        write_bytes(tmp_path / "file" / "below", b"")


def test_json_is_readable_and_strict(tmp_path):
    file = tmp_path / "file.json"
    write_json(file, {"name": "Dvořák", "values": [1, 2.5, None]})
    assert json.loads(file.read_text(encoding="utf-8")) == {
        "name": "Dvořák",
        "values": [1, 2.5, None],
    }
    assert "Dvořák" in file.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="JSON"):
        write_json(file, float("nan"))
    assert json.loads(file.read_text(encoding="utf-8"))["name"] == "Dvořák"


def test_lines_are_added_and_a_full_disk_is_one_sentence(tmp_path, monkeypatch):
    file = tmp_path / "lines"
    append_line(file, "one")
    append_line(file, "two")
    assert file.read_text() == "one\ntwo\n"
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ArtifactError, match=r"lines could not be written \(No space left"):
        append_line(file, "three")
