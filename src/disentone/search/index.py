"""The index: items on disk, and the searches among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np
import pyarrow as pa

from disentone.errors import ArtifactError, DataError
from disentone.facets import Facets
from disentone.search.changing import Changes
from disentone.search.copies import ALIKE, Copies, groups
from disentone.search.examples import ask, infer_weights, vectors_of
from disentone.search.folders import Folder
from disentone.search.maps import stored_map
from disentone.search.query import OpenQuery
from disentone.search.results import Results
from disentone.search.roots import Roots
from disentone.search.rows import factors_of, item_table
from disentone.search.scoring import Matrix
from disentone.search.snapshot import Snapshot
from disentone.search.store import Store, locked, reporting

__all__ = ["Index"]


class Index:
    """A collection on disk that can be searched by facets: ``Index("sounds.index")`` opens it.

    ``disentone index`` or :meth:`build` makes one. The store is a LanceDB database: a folder,
    ``s3://...``, or a server of the same engine. Every change is one atomic commit. A search sees
    the collection as it was when the index was opened, last changed through this object, or
    refreshed. Searches may run in several threads.

    Parameters
    ----------
    path : path or URI
    memory : int, optional
        Bytes that vectors may take; half of the machine's by default. Where float32 vectors
        need more, 8-bit codes of them are searched and the best are compared exactly.
    **options
        For :func:`lancedb.connect`, such as ``storage_options`` or ``api_key``.

    Raises
    ------
    ArtifactError
        If there is no index, or it is of another version.

    Attributes
    ----------
    facets : Facets
    model : str
        Identity of the model that made the vectors (:func:`disentone.embeddings.model_id`).
    about : dict
        What else was stored with the index.
    uri : str
        Where it is.
    """

    def __init__(
        self, path: str | Path | Store, *, memory: int | None = None, **options: Any
    ) -> None:
        store = path if isinstance(path, Store) else Store.open(path, **options)
        self.facets = Facets.from_json(store.notes["facets"])
        self.model: str = store.notes["model"]
        self.about: dict[str, Any] = store.notes["about"]
        self.uri = store.uri
        self._store, self._memory = store, memory
        self._snapshot: Snapshot | None = None
        self._lock, self._map_lock = RLock(), RLock()

    # --- making and changing ---------------------------------------------------------------------

    @classmethod
    def build(
        cls,
        path: str | Path,
        *,
        vectors: np.ndarray,
        facets: Facets,
        items: pa.Table,
        model: str,
        about: Mapping[str, Any] | None = None,
        roots: Roots | None = None,
        **options: Any,
    ) -> Index:
        """Make an index of vectors and their metadata.

        Parameters
        ----------
        path : path or URI
            A new folder, or anything that LanceDB opens.
        vectors : ndarray, shape (items, dim)
            Facets need not be normalised.
        facets : Facets
        items : pyarrow.Table
            ``id`` (unique text) and ``path``; ``recording`` (by default the path), ``start`` and
            ``end`` in seconds (by default unknown); ``stamp``, a text that changes with the file;
            every other column is a factor, a number or a text, null where unknown.
        model : str
            Identity of the model; a query from another one is refused.
        about : mapping, optional
            Anything worth keeping with the index; must be JSON.
        roots : Roots, optional
            Folders that the paths of items with a ``_root`` are below.
        **options
            As for :meth:`open`.

        Raises
        ------
        ArtifactError
            If there is an index already, or it cannot be written.
        DataError
            If a vector is not finite or has a facet of zeros, an id occurs twice, a column is
            missing or has a reserved name, or the numbers of rows differ.
        """
        rows = item_table(vectors, facets, items)
        notes = {"facets": facets.to_json(), "model": model, "about": dict(about or {})}
        return cls(Store.create(path, rows, notes, roots, **options))

    @staticmethod
    def exists(path: str | Path, **options: Any) -> bool:
        """Whether there is an index; see :meth:`open` for the parameters."""
        return Store.exists(path, **options)

    @classmethod
    def open(cls, path: str | Path, *, memory: int | None = None, **options: Any) -> Index:
        """Open an index, as ``Index(path)`` does."""
        return cls(path, memory=memory, **options)

    @contextmanager
    def changing(self) -> Iterator[Changes]:
        """Change items; other threads, and other processes on this machine, wait meanwhile."""
        with self._lock, locked(self.uri):
            self._store.refresh()
            yield Changes(self._store, self.facets)
            self._snapshot = None

    def add(self, vectors: np.ndarray, items: pa.Table) -> None:
        """Add items; all of them or none.

        Raises
        ------
        DataError
            As :meth:`build`, or if an id exists already.
        """
        with self.changing() as changes:
            changes.add(vectors, items)

    def update(self, vectors: np.ndarray, items: pa.Table) -> None:
        """Replace items that have these ids; all of them or none.

        Raises
        ------
        DataError
            As :meth:`build`, or if an id is not there.
        """
        with self.changing() as changes:
            changes.update(vectors, items)

    def delete(self, ids: Sequence[str]) -> None:
        """Delete items; all of them or none.

        Raises
        ------
        DataError
            If an id is not there.
        """
        with self.changing() as changes:
            changes.delete(ids)

    def refresh(self) -> bool:
        """Load what others have committed since, while searches go on; whether anything had."""
        with self._lock:
            known = self._snapshot
        if known is None or (
            known.version == self._store.latest().version and known.roots == self._store.roots()
        ):
            return False
        fresh = self._read()
        with self._lock:
            if self._snapshot is known:  # else it was changed through this object
                self._snapshot = fresh
        return True

    def tidy(self) -> None:
        """Join the small files that many additions leave; nothing that is found changes."""
        with self.changing():
            self._store.tidy()

    # --- looking ---------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Count the items."""
        return len(self.snapshot())

    def __repr__(self) -> str:
        """Say what is in it, without reading a vector."""
        count = self._store.latest().count_rows()
        return f"Index({count} items, facets: {self.facets.describe()}, '{self.uri}')"

    def __contains__(self, name: str) -> bool:
        """Whether there is an item of this id."""
        return self.snapshot().has(name)

    def unknown(self, name: str, also: str = "") -> DataError:
        """Make the error of an id that is not there, which names the one that is near it."""
        return self.snapshot().missing(name, also)

    @property
    def roots(self) -> list[str]:
        """Folders that were indexed, where they are now."""
        return sorted({root.folder for root in self.snapshot().roots.all.values()})

    def ids_of(self, path: str) -> list[str]:
        """Ids of the items of one audio file."""
        return self.snapshot().of_file(path)

    @property
    def exact(self) -> bool:
        """Whether all vectors are in memory, and not only 8-bit codes of them."""
        return isinstance(self.snapshot().scorer, Matrix)

    @property
    def factors(self) -> dict[str, pa.DataType]:
        """The factors by name, each with its type: a number or text."""
        return factors_of(self.snapshot().table.schema)

    def items(
        self,
        ids: Sequence[str] | None = None,
        *,
        where: str | None = None,
        text: str | None = None,
        folder: str | None = None,
        sort: str | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Give the metadata of items, without their vectors.

        Parameters
        ----------
        ids : sequence of str, optional
            In this order; all items by default, in the order of ``OpenQuery.scores``.
        where, text, folder : str, optional
            See :meth:`OpenQuery.rank`; not together with `ids`.
        sort : str, optional
            ``"name"`` (of the file), ``"duration"`` or a factor; with ``-`` before it, the
            largest first. Unknown values are last. Not together with `ids`.
        columns : sequence of str, optional
            All by default.

        Raises
        ------
        DataError
            If an id or a column is unknown, or the filter is not understood.
        """
        snapshot = self.snapshot()
        names = snapshot.known(columns)
        if ids is not None:
            return snapshot.take(snapshot.positions(ids), names)
        if where is text is folder is sort is None:
            return snapshot.everything(names)
        return snapshot.take(snapshot.listed(where, text, folder, sort), names)

    def folders(self, inside: str = "") -> list[Folder]:
        """Give the folders in a folder, each with how many items lie in and below it.

        Parameters
        ----------
        inside : str
            Such as ``"drums/kicks"``; "" is the folder that all files have in common.

        Raises
        ------
        DataError
            If there is no such folder.
        """
        return self.snapshot().folders.inside(inside)

    def vectors(self, ids: Sequence[str]) -> np.ndarray:
        """Vectors of items, float32 (ids, dim), facets of unit length.

        Raises
        ------
        DataError
            If an id is unknown.
        """
        return vectors_of(self.snapshot(), list(ids))

    def map(self, facet: str) -> np.ndarray:
        """Places of all items on a map of one facet, where neighbours in that facet lie together.

        Made when it is first asked for, and stored; items that were added since are put among
        their neighbours.

        Returns
        -------
        ndarray of float32, shape (items, 2)
            In [-1, 1], in the order of :meth:`items`.

        Raises
        ------
        DataError
            If there is no such facet.
        """
        snapshot = self.snapshot()
        self.facets.slice(facet)  # refuses one that there is not
        with self._map_lock:
            if facet not in snapshot.maps:
                snapshot.maps[facet] = stored_map(self._store, snapshot, facet)
            return snapshot.maps[facet]

    def snapshot(self) -> Snapshot:
        """Give the state that is searched, which is read when it is first needed."""
        with self._lock:
            if self._snapshot is None:
                self._snapshot = self._read()
            return self._snapshot

    def _read(self) -> Snapshot:
        table, roots = self._store.latest(), self._store.roots()
        with reporting(f"The index in '{self.uri}' is damaged: make it again"):
            return Snapshot(table, self.facets, roots, self.uri, memory=self._memory)

    # --- searching -------------------------------------------------------------------------------

    def query(
        self,
        vector: np.ndarray | None = None,
        *,
        like: Sequence[str | np.ndarray] = (),
        away: Sequence[str | np.ndarray] = (),
        mix: Mapping[str, str | np.ndarray] | None = None,
        model: str | None = None,
    ) -> OpenQuery:
        """Open a query, to be weighted as often as one likes.

        An example is the id of an item or an embedding (dim,).

        Parameters
        ----------
        vector : ndarray, shape (dim,), optional
            The same as one example in `like`.
        like : sequence of str or ndarray
            Examples of what is wanted: their mean in each facet. Of several, the weights are
            inferred: see :meth:`infer_weights`.
        away : sequence of str or ndarray
            Examples to stay away from (Rocchio, "Relevance feedback in information retrieval",
            1971): half of their mean is taken off.
        mix : mapping of str to (str or ndarray), optional
            The example from which each facet is taken: ``{"timbre": "a.wav", "rhythm": "b.wav"}``.
            Facets that are not named do not count.
        model : str, optional
            Identity of the model that made the embeddings of the query.

        Raises
        ------
        ArtifactError
            If `model` is not the index's.
        DataError
            If there is no example, an id or facet is unknown, or an embedding is not finite, of
            another size, or zero in every facet.
        """
        if model is not None:
            self.check_model(model)
        like = ([] if vector is None else [vector]) + list(like)
        snapshot = self.snapshot()
        return OpenQuery(snapshot, ask(snapshot, like=like, away=away, mix=mix))

    def search(
        self,
        query: str | np.ndarray | OpenQuery,
        *,
        weights: Mapping[str, float] | None = None,
        where: str | None = None,
        text: str | None = None,
        folder: str | None = None,
        k: int = 10,
        diversity: float = 0.0,
        one_per_recording: bool = False,
        fold: bool = False,
        model: str | None = None,
    ) -> Results:
        """Find what is most like an item, an embedding or a query: :meth:`OpenQuery.rank`."""
        if not isinstance(query, OpenQuery):
            query = self.query(like=[query], model=model)
        return query.rank(
            weights,
            where=where,
            text=text,
            folder=folder,
            k=k,
            diversity=diversity,
            one_per_recording=one_per_recording,
            fold=fold,
        )

    def duplicates(self, threshold: float = ALIKE) -> list[Copies]:
        """Find the items that are nearly the same sound, by comparing all with all.

        Parameters
        ----------
        threshold : float
            Mean cosine over all facets, in (0, 1], from which on two are; 1 is the same within
            the rounding of float32.

        Returns
        -------
        list of Copies
            Groups of items that are alike, directly or by way of others of the group: their ids,
            and how like the first is the one that is least so.

        Raises
        ------
        DataError
            If the threshold is out of range.
        """
        snapshot, found = self.snapshot(), []
        for group in groups(snapshot.compared, len(snapshot), threshold):
            vectors = snapshot.compared(group)
            found.append(Copies(snapshot.ids(group), min(1.0, float((vectors @ vectors[0]).min()))))
        return found

    def infer_weights(self, examples: Sequence[str | np.ndarray]) -> dict[str, float]:
        """Weights of the facets that examples share.

        A facet's weight is how much more similar the examples are than the items of the whole
        collection, ``(a - m) / (1 - m)``, with ``a`` and ``m`` the mean cosine of two examples
        and of two items, and nothing where ``a < m``. The largest weight is then 1.

        Parameters
        ----------
        examples : sequence of str or ndarray
            Ids or embeddings (dim,).

        Returns
        -------
        dict of str to float
            In [0, 1]; all 1 for a single example, and for examples that share nothing.
        """
        return infer_weights(self.snapshot(), list(examples))

    def check_model(self, model: str) -> None:
        """Refuse a query from another model.

        Raises
        ------
        ArtifactError
            If the identity is not that of the index's model.
        """
        if model != self.model:
            raise ArtifactError(
                f"The query is of another model ({model[:12]}) than the index "
                f"({self.model[:12]}): embed it with the model that made the index."
            )
