"""Maps: places of items in the plane, near those that are similar in one facet."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from disentone.facets import Facets
from disentone.search.snapshot import Snapshot
from disentone.search.store import Store

__all__ = ["lay_out", "map_name", "place", "stored_map"]

_LANDMARKS = 2000  # laid out together; everything else is put among them
_NEAREST = 3
_CHUNK = 8192


def stored_map(store: Store, snapshot: Snapshot, facet: str) -> np.ndarray:
    """Places of all items on the map of a facet, float32 (items, 2).

    Items that are on no stored map are put on it, and their places are stored. Once most items
    are new, as in an index that has just begun to grow, all are laid out anew.
    """
    name, columns = map_name(snapshot.facets, facet), snapshot.facets.slice(facet)

    def vectors(positions: np.ndarray) -> np.ndarray:
        return snapshot.scorer.vectors(positions)[:, columns]

    ids = snapshot.everything(["id"])["id"].to_pylist()
    stored = store.places(name).to_pydict()
    there = {item: (x, y) for item, x, y in zip(stored["id"], stored["x"], stored["y"])}
    on_map = np.array([item in there for item in ids], dtype=bool)
    whole = np.empty((len(ids), 2), np.float32)
    whole[on_map] = [there[item] for item in ids if item in there] or np.empty((0, 2))
    new = np.flatnonzero(~on_map)
    if not len(new):
        return whole
    if 2 * len(new) <= len(ids):
        known = np.flatnonzero(on_map)
        known = known[:: max(1, len(known) // _LANDMARKS)]
        whole[new] = place(vectors, new, vectors(known), whole[known])
    else:
        whole, new = lay_out(vectors, len(ids)), np.arange(len(ids))
    rows = {"id": [ids[i] for i in new], "x": whole[new, 0], "y": whole[new, 1]}
    store.add_places(name, pa.table(rows))
    return whole


def map_name(facets: Facets, facet: str) -> str:
    """Name the table of a facet's map: facets may be called what no table can."""
    return f"map_{facets.names.index(facet)}"


def lay_out(
    vectors: Callable[[np.ndarray], np.ndarray], count: int, *, seed: int = 0
) -> np.ndarray:
    """Lay items out so that neighbours lie together: t-SNE of some, the others among them.

    Parameters
    ----------
    vectors : callable
        From positions to the vectors of items in one facet, (positions, size), of unit length.
    count : int
        Items.
    seed : int

    Returns
    -------
    ndarray of float32, shape (count, 2)
        In [-1, 1].

    References
    ----------
    Van der Maaten and Hinton, "Visualizing data using t-SNE", JMLR 2008.
    """
    if not count:
        return np.empty((0, 2), np.float32)
    rng = np.random.default_rng(seed)
    landmarks = np.sort(rng.choice(count, min(count, _LANDMARKS), replace=False))
    known = vectors(landmarks)
    places = _plane(known, seed)
    places -= (places.min(axis=0) + places.max(axis=0)) / 2
    places /= max(float(np.abs(places).max()), 1e-12)
    if len(landmarks) == count:
        return places
    whole = np.empty((count, 2), np.float32)
    others = np.setdiff1d(np.arange(count), landmarks, assume_unique=True)
    whole[landmarks] = places
    whole[others] = place(vectors, others, known, places)
    return whole


def place(
    vectors: Callable[[np.ndarray], np.ndarray],
    positions: np.ndarray,
    known: np.ndarray,
    places: np.ndarray,
) -> np.ndarray:
    """Put items among others: at the mean place of the most similar, the nearest weighing most.

    Parameters
    ----------
    vectors : callable
        As for :func:`lay_out`.
    positions : ndarray of int, shape (items,)
    known : ndarray, shape (others, size)
        Of unit length.
    places : ndarray, shape (others, 2)

    Returns
    -------
    ndarray of float32, shape (items, 2)
    """
    found = np.empty((len(positions), 2), np.float32)
    nearest = min(_NEAREST, len(known))
    for start in range(0, len(positions), _CHUNK):
        cosines = vectors(positions[start : start + _CHUNK]) @ known.T
        best = np.argpartition(-cosines, nearest - 1, axis=1)[:, :nearest]
        distance = 1 - np.take_along_axis(cosines, best, axis=1)
        weight = 1 / np.maximum(distance, 1e-6)
        weight /= weight.sum(axis=1, keepdims=True)
        found[start : start + _CHUNK] = (places[best] * weight[..., None]).sum(axis=1)
    return found


def _plane(vectors: np.ndarray, seed: int) -> np.ndarray:
    """Two coordinates of vectors: their own, where they have no more, else those of t-SNE."""
    count, size = vectors.shape
    if size <= 2 or count <= 4:
        return np.pad(vectors[:, :2].astype(np.float32), ((0, 0), (0, max(0, 2 - size))))
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (count - 1) / 3)
    sne = TSNE(perplexity=perplexity, init="pca", max_iter=500, random_state=seed)
    return sne.fit_transform(vectors)
