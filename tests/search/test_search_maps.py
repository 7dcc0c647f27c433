import numpy as np
import pytest
from made_up_items import FACETS, build, items, vectors

from disentone.errors import DataError
from disentone.search import Index, maps
from disentone.search.maps import lay_out, place


def groups(count, size, seed=0):
    """Vectors of unit length around four directions."""
    rng = np.random.default_rng(seed)
    which = np.arange(count) % 4
    rows = 6 * np.eye(4, size)[which] + rng.standard_normal((count, size))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), which


def neighbours_agree(places, which):
    distance = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    return np.mean(which[distance.argmin(axis=1)] == which)


@pytest.mark.parametrize("landmarks", [1000, 60])
def test_neighbours_lie_together(monkeypatch, landmarks):
    monkeypatch.setattr(maps, "_LANDMARKS", landmarks)
    rows, which = groups(100, 6)
    places = lay_out(lambda positions: rows[positions], 100)
    assert places.shape == (100, 2)
    assert np.abs(places).max() == pytest.approx(1)
    assert neighbours_agree(places, which) > 0.95  # 0.25 by chance
    again = lay_out(lambda positions: rows[positions], 100)
    np.testing.assert_array_equal(places, again)


@pytest.mark.parametrize(("count", "size"), [(1, 5), (3, 5), (5, 3), (9, 2), (9, 1)])
def test_small_maps(count, size):
    rows, _ = groups(count, size)
    places = lay_out(lambda positions: rows[positions], count)
    assert places.shape == (count, 2)
    assert np.isfinite(places).all()
    assert np.abs(places).max() <= 1


def test_a_facet_of_two_dimensions_is_its_own_map():
    angle = np.linspace(0, 6, 50)
    rows = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    places = lay_out(lambda positions: rows[positions], 50)
    middle = (rows.min(axis=0) + rows.max(axis=0)) / 2
    np.testing.assert_allclose(places, (rows - middle) / np.abs(rows - middle).max(), atol=1e-6)


def test_items_are_put_where_the_nearest_are():
    known = np.eye(5, dtype=np.float32)
    places = np.arange(10, dtype=np.float32).reshape(5, 2)
    found = place(lambda positions: known[positions], np.array([3, 0]), known, places)
    np.testing.assert_allclose(found, places[[3, 0]], atol=1e-4)


def test_a_map_is_kept_and_grows_with_the_index(tmp_path, monkeypatch):
    index = build(tmp_path / "i")
    first = index.map("pitch")
    assert first.shape == (60, 2)

    def refuse(*_, **__):
        raise AssertionError

    monkeypatch.setattr(maps, "lay_out", refuse)
    np.testing.assert_array_equal(Index.open(index.uri).map("pitch"), first)
    index.add(vectors(5), items(5, first=60))  # the vectors of the first five once more
    index.delete(["i7"])
    index.update(vectors(1, seed=4), items(1, first=9))
    places = dict(zip(index.items(columns=["id"])["id"].to_pylist(), index.map("pitch")))
    assert len(places) == 64
    for n in range(60):
        if n not in (7, 9):
            np.testing.assert_array_equal(places[f"i{n}"], first[n])
    for n in range(5):
        np.testing.assert_allclose(places[f"i{60 + n}"], first[n], atol=1e-3)
    assert not np.allclose(places["i9"], first[9])
    with pytest.raises(DataError, match="no facet 'pich'"):
        index.map("pich")
    assert FACETS.names.index("pitch") == 1
