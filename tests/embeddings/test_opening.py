"""Embeddings that other programs wrote."""

import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from disentone.embeddings.layout import schema_of, table_of
from disentone.embeddings.opening import open_embeddings
from disentone.embeddings.writing import write_embeddings
from disentone.errors import DataError
from disentone.facets import Facets

VALUES = np.arange(12.0).reshape(4, 3)
NAMES = ["a.wav", "b.wav", "c.wav", "d.wav"]


def test_an_array_alone(tmp_path):
    np.save(tmp_path / "z.npy", VALUES)
    found = open_embeddings(tmp_path / "z.npy")
    np.testing.assert_array_equal(found.values, VALUES)
    assert (found.facets, found.columns) == (None, {})


def test_arrays_with_names_are_facets_and_columns(tmp_path):
    one = tmp_path / "one.npz"
    np.savez(one, z=VALUES, path=np.array(NAMES))
    found = open_embeddings(one)
    assert found.facets is None
    assert found.columns["path"].tolist() == NAMES
    two = tmp_path / "two.npz"
    np.savez(two, timbre=VALUES[:, :2], pitch=VALUES[:, 2:])
    found = open_embeddings(two)
    assert found.facets == Facets({"timbre": 2, "pitch": 1})
    np.testing.assert_array_equal(found.values, VALUES)


@pytest.mark.parametrize("name", ["z.csv", "z.tsv"])
def test_a_column_for_each_dimension(tmp_path, name):
    with (tmp_path / name).open("w", newline="") as file:
        rows = csv.writer(file, delimiter="\t" if name.endswith("tsv") else ",")
        rows.writerow(["path", "number", "z0", "z1"])
        rows.writerows([n, i, i / 2, -i] for i, n in enumerate(NAMES))
    found = open_embeddings(tmp_path / name, key="number")
    np.testing.assert_array_equal(found.values, [[0, 0], [0.5, -1], [1, -2], [1.5, -3]])
    assert found.columns["path"].tolist() == NAMES
    assert found.columns["number"].tolist() == list("0123")
    assert open_embeddings(tmp_path / name).values.shape == (4, 3)


def test_a_column_of_lists_for_each_facet(tmp_path):
    lists = {"timbre": VALUES[:, :2].tolist(), "pitch": VALUES[:, 2:].tolist()}
    pq.write_table(
        pa.table({"path": NAMES, "tempo": [1, 2, 3, 4], **lists}), tmp_path / "z.parquet"
    )
    found = open_embeddings(tmp_path / "z.parquet")
    assert found.facets == Facets({"timbre": 2, "pitch": 1})
    np.testing.assert_array_equal(found.values, VALUES)
    assert set(found.columns) == {"path", "tempo"}


@pytest.mark.parametrize("suffix", [".parquet", ".npz", ".npy"])
def test_what_embed_wrote(tmp_path, suffix):
    facets = Facets({"timbre": 2, "pitch": 1})
    schema = schema_of(facets, {"room": False}, {"model": "m", "segment": None, "hop": None})
    place = (np.array(NAMES), np.zeros(4), np.ones(4))
    part = table_of(schema, place, VALUES.astype(np.float32), {"room": list("xyxy")})
    out = tmp_path / f"z{suffix}"
    write_embeddings(out, [part], schema=schema, rows=4, workshop=tmp_path)
    found = open_embeddings(out)
    assert found.facets == facets
    np.testing.assert_array_equal(found.values, VALUES)
    assert found.columns["room"].tolist() == list("xyxy")


def test_what_is_no_embedding_is_said(tmp_path):
    np.save(tmp_path / "flat.npy", VALUES[0])
    np.save(tmp_path / "words.npy", np.array([["a"]]))
    np.savez(tmp_path / "odd.npz", one=VALUES, two=VALUES[:3])
    (tmp_path / "broken.npy").write_text("words")
    (tmp_path / "text.csv").write_text("path,name\na.wav,b\n")
    ragged = pa.table({"timbre": [[1.0], [1.0, 2.0]]})
    pq.write_table(ragged, tmp_path / "ragged.parquet")
    (tmp_path / "z.json").write_text(json.dumps({}))
    for name, message in {
        "flat.npy": r"one table \(rows, dims\) of numbers: not float64 \(3,\)",
        "words.npy": "of numbers",
        "odd.npz": r"columns of as many rows; it has one \(4, 3\), two \(3, 3\)",
        "broken.npy": "cannot be read as embeddings",
        "text.csv": "no column of numbers: path, name",
        "ragged.parquet": "lists in column 'timbre' differ in length",
        "z.json": "no embedding file: use .npy",
        "nowhere.npy": "There are no embeddings",
    }.items():
        with pytest.raises(DataError, match=message):
            open_embeddings(tmp_path / name)
    with pytest.raises(DataError, match="no column 'pth'; did you mean 'path'"):
        open_embeddings(tmp_path / "text.csv", key="pth")
