"""An embedding is a mapping from facet to array, and one array."""

import sys

import numpy as np
import pandas as pd
import pytest
import torch

from disentone import Embedding, Facets
from disentone.errors import ArtifactError, DataError


@pytest.fixture
def embedding(rng):
    values = rng.standard_normal((4, 3)).astype(np.float32)
    return Embedding(values, Facets({"timbre": 2, "pitch": 1}), ("a", "b", "c", "d"))


def test_a_mapping_from_facet_to_array(embedding):
    assert list(embedding) == list(embedding.keys()) == ["timbre", "pitch"]
    assert "timbre" in embedding
    assert "mood" not in embedding
    parts = {"timbre": embedding.values[:, :2], "pitch": embedding.values[:, 2:]}
    for given in (dict(embedding), dict(embedding.items()), dict(**embedding)):
        assert list(given) == list(parts)
        for name, part in parts.items():
            np.testing.assert_array_equal(given[name], part)
    with pytest.raises(DataError, match="no facet 'mood'"):
        embedding["mood"]


def test_one_array_of_clips(embedding):
    assert len(embedding) == 4
    np.testing.assert_array_equal(np.asarray(embedding), embedding.values)
    assert torch.equal(torch.as_tensor(np.asarray(embedding)), torch.from_numpy(embedding.values))
    assert repr(embedding) == "Embedding(4 clips, facets: timbre 2 | pitch 1)"


def test_a_table_of_pandas(embedding):
    table = embedding.to_pandas()
    assert list(table.index) == ["a", "b", "c", "d"]
    assert table.index.name == "id"
    assert list(table.columns) == ["timbre_0", "timbre_1", "pitch_0"]
    np.testing.assert_array_equal(table.to_numpy(), embedding.values)
    empty = Embedding(np.empty((0, 3), np.float32), embedding.facets, ())
    assert isinstance(empty.to_pandas(), pd.DataFrame)


def test_a_table_needs_pandas(embedding, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ArtifactError, match="pip install pandas"):
        embedding.to_pandas()
