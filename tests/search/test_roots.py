"""Roots: where files are, whatever has moved, and never anywhere else."""

import os

import pyarrow as pa
import pytest
from made_up_items import FACETS, MODEL, vectors

from disentone.errors import ArtifactError
from disentone.search import Index
from disentone.search.roots import Roots, below


def test_a_root_is_found_beside_the_index_or_where_it_was(tmp_path):
    home, folder = tmp_path / "a/i", tmp_path / "a/sounds"
    folder.mkdir(parents=True)
    roots, root = Roots((), home).with_root(str(folder), "", "")
    assert (root.folder, root.beside) == (str(folder), "../sounds")
    assert roots.path(root.key, "x/y.wav") == str(folder / "x/y.wav")
    rows = roots.all.values()
    assert Roots(rows, tmp_path / "elsewhere/i") == roots  # the index alone has moved
    (tmp_path / "a").rename(tmp_path / "b")
    moved = Roots(rows, tmp_path / "b/i")
    assert moved.path(root.key, "x.wav") == str(tmp_path / "b/sounds/x.wav")
    assert moved != roots


def test_one_folder_is_one_root_by_any_name(tmp_path):
    (tmp_path / "sounds").mkdir()
    os.symlink(tmp_path / "sounds", tmp_path / "link")
    roots, root = Roots().with_root(str(tmp_path / "sounds"), "", "")
    assert roots.with_root(str(tmp_path / "link"), "", "") == (roots, root)
    more, other = roots.with_root(str(tmp_path / "sounds"), "train.csv", "")
    assert other.key != root.key
    assert len(more.all) == 2
    again, _ = Roots().with_root(str(tmp_path / "sounds"), "", "")
    assert list(again.all) == [root.key]  # as another process would name it


def test_names_of_ids_begin_differently(tmp_path):
    roots = Roots()
    for place in ("one/takes", "two/takes", "three/takes"):
        roots, _ = roots.with_root(str(tmp_path / place), "", "takes/")
    roots, _ = roots.with_root(str(tmp_path / "two/takes"), "clips.csv", "takes/")
    prefixes = [root.prefix for root in roots.all.values()]
    assert prefixes == ["takes/", "takes-2/", "takes-3/", "takes-2/"]


@pytest.mark.parametrize(
    ("path", "folder", "name"),
    [("/a/b/c", "/a", "b/c"), ("/a/b", "/a/b", ""), ("/ab/c", "/a", ""), ("/a", "/", "a")],
)
def test_what_is_below_a_folder(path, folder, name):
    assert below(path, folder) == name


def indexed(tmp_path, name, root="known"):
    roots, known = Roots((), tmp_path / "i").with_root(str(tmp_path / "sounds"), "", "")
    key = {"known": known.key, "unknown": "?", None: None}[root]
    items = pa.table({"id": ["a"], "path": [name], "_root": pa.array([key], pa.string())})
    return Index.build(
        tmp_path / "i", vectors=vectors(1), facets=FACETS, items=items, model=MODEL, roots=roots
    )


def test_paths_are_those_below_the_root(tmp_path):
    index = indexed(tmp_path, "x/..y.wav")
    whole = str(tmp_path / "sounds/x/..y.wav")
    assert index.items(columns=["path"])["path"].to_pylist() == [whole]
    assert index.search(vectors(1)[0])[0].path == whole
    assert index.ids_of(whole) == ["a"]
    assert index.ids_of("x/..y.wav") == []
    assert index.items(where="path = 'x/..y.wav'").num_rows == 1
    assert index.roots == [str(tmp_path / "sounds")]
    by_codes = Index.open(index.uri, memory=0)
    assert by_codes.items(["a"])["path"].to_pylist() == [whole]
    assert set(index.items().column_names) == {"id", "path", "recording", "start", "end"}


@pytest.mark.parametrize(
    ("name", "root"),
    [("../s.wav", "known"), ("x/../../s.wav", "known"), ("..\\s.wav", "known"), ("a", "unknown")],
)
def test_a_name_that_leaves_its_root_is_refused(tmp_path, name, root):
    index = indexed(tmp_path, name, root)
    for look in (index.items, lambda: index.search(vectors(1)[0])):
        with pytest.raises(ArtifactError, match=r"names the file '.*' outside of the folders"):
            look()


def test_an_absolute_name_stays_below_its_root(tmp_path):
    index = indexed(tmp_path, "/etc/hostname")
    assert index.items()["path"].to_pylist() == [f"{tmp_path}/sounds//etc/hostname"]


def test_without_a_root_a_path_is_whole(tmp_path):
    index = indexed(tmp_path, "../as/it/is.wav", None)
    assert index.items()["path"].to_pylist() == ["../as/it/is.wav"]
    assert index.ids_of("../as/it/is.wav") == ["a"]
