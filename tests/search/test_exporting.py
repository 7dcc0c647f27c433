"""Exports: a playlist, a table that is read back, a folder of copies; whole or not at all."""

import csv

import pyarrow as pa
import pytest
from made_up_items import FACETS, MODEL, vectors

from command_line import call
from disentone.errors import ArtifactError, DataError
from disentone.search import Index
from disentone.search.exporting import export, playlist

NAMES = ["a/kick.wav", "b/kick.wav", 'b/it\'s, "Größe".wav']


@pytest.fixture
def library(tmp_path):
    sounds = tmp_path / "sounds"
    for name in NAMES:
        (sounds / name).parent.mkdir(parents=True, exist_ok=True)
        (sounds / name).write_bytes(name.encode())
    items = pa.table(
        {
            "id": [*NAMES, "a/kick.wav@1"],
            "path": [str(sounds / name) for name in (*NAMES, NAMES[0])],
            "start": [0.0, 0.0, None, 1.0],
            "end": [1.0, 2.5, None, 2.0],
            "instrument": ["drum", None, "drum", "drum"],
        }
    )
    given = {"vectors": vectors(4), "facets": FACETS, "model": MODEL}
    return Index.build(tmp_path / "my.index", items=items, **given)


def test_a_playlist_names_files_and_their_parts(library):
    rows = library.items().to_pylist()
    lines = playlist(rows).splitlines()
    assert lines[:3] == ["#EXTM3U", "#EXTINF:1,a/kick.wav", rows[0]["path"]]
    assert [line for line in lines if not line.startswith("#")] == [row["path"] for row in rows]
    assert '#EXTINF:-1,b/it\'s, "Größe".wav' in lines
    assert lines[-3:-1] == ["#EXTVLCOPT:start-time=1", "#EXTVLCOPT:stop-time=2"]
    with pytest.raises(DataError, match="line break"):
        playlist([rows[0] | {"path": "a\nb.wav"}])


def test_a_table_is_read_back_with_likeness_and_factors(library, tmp_path):
    found = library.search(NAMES[0], k=3)
    export(found.to_json(), tmp_path / "found.csv")
    with (tmp_path / "found.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["id"] for row in rows] == [hit.id for hit in found]
    assert [float(row["cosines.pitch"]) for row in rows] == [hit.cosines["pitch"] for hit in found]
    assert [row["instrument"] or None for row in rows] == [h.factors["instrument"] for h in found]
    assert "facets" not in rows[0]


def test_a_folder_has_a_copy_of_each_file(library, tmp_path):
    rows = library.items().to_pylist()
    assert export(rows, tmp_path / "new/picked") == []
    copies = {file.name: file.read_bytes().decode() for file in (tmp_path / "new/picked").iterdir()}
    assert copies == {
        "kick.wav": NAMES[0],
        "kick (2).wav": NAMES[1],
        'it\'s, "Größe".wav': NAMES[2],
    }
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["picked"]


def test_files_that_are_gone_are_named_and_no_folder_is_left_where_all_are(library, tmp_path):
    rows = library.items().to_pylist()
    (tmp_path / "sounds" / NAMES[1]).unlink()
    assert export(rows, tmp_path / "picked") == [rows[1]["path"]]
    assert len(list((tmp_path / "picked").iterdir())) == 2
    with pytest.raises(DataError, match="None of the files is there"):
        export(rows[1:2], tmp_path / "other")
    assert not [file for file in tmp_path.iterdir() if "other" in file.name]


def test_exports_that_cannot_be(library, tmp_path):
    rows = library.items().to_pylist()
    with pytest.raises(DataError, match="must end in"):
        export(rows, tmp_path / "a.txt")
    with pytest.raises(DataError, match="Nothing was found"):
        export([], tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("mine")
    with pytest.raises(ArtifactError, match="exists"):
        export(rows, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == "mine"


def test_the_command_line_exports_what_it_finds(library, tmp_path):
    listed = tmp_path / "listed.m3u8"
    assert call("search", library.uri, "--text", "kick", "--export", listed).code == 0
    assert listed.read_text(encoding="utf-8").count("#EXTINF") == 3
    found = call("search", library.uri, NAMES[0], "-k", "2", "--export", tmp_path / "two.csv", "-q")
    with (tmp_path / "two.csv").open(encoding="utf-8", newline="") as stream:
        assert [row["id"] for row in csv.DictReader(stream)] == found.out.splitlines()
    wrong = call("search", library.uri, NAMES[0], "--export", tmp_path / "two.csv")
    assert (wrong.code, wrong.out, "exists" in wrong.err) == (2, "", True)
