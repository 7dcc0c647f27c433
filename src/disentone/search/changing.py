"""Changes of an index while no other process changes it: each method is whole or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from disentone.errors import DataError
from disentone.facets import Facets
from disentone.search.maps import map_name
from disentone.search.roots import Roots
from disentone.search.rows import KEPT, PLACE, factor, fitted, item_table
from disentone.search.store import Store, missing

__all__ = ["Changes"]


class Changes:
    """What can be done to the items of a store: see :meth:`disentone.search.Index.changing`."""

    def __init__(self, store: Store, facets: Facets) -> None:
        self._store, self._facets = store, facets

    def add(self, vectors: np.ndarray, items: pa.Table) -> None:
        """Add items; see :meth:`disentone.search.Index.add`."""
        rows = item_table(vectors, self._facets, items)
        there = self.ids(rows["id"].to_pylist())
        if there:
            raise DataError(
                f"Item '{min(there)}' is in the index already: update it, or leave it out."
            )
        self._store.add(rows)

    def update(self, vectors: np.ndarray, items: pa.Table) -> None:
        """Replace items; see :meth:`disentone.search.Index.update`."""
        rows = item_table(vectors, self._facets, items)
        ids = rows["id"].to_pylist()
        self._check_there(ids)
        self._leave_maps(ids)
        self._store.update(rows)

    def delete(self, ids: Sequence[str]) -> None:
        """Delete items; see :meth:`disentone.search.Index.delete`."""
        self._check_there(ids)
        if len(ids):
            self._leave_maps(ids)
            self._store.delete(ids)

    def put(self, vectors: np.ndarray, items: pa.Table) -> None:
        """Add items, and replace what is given here of those that are there."""
        rows = item_table(vectors, self._facets, items)
        ids = rows["id"].to_pylist()
        there = self.ids(ids)
        known = pa.array([name in there for name in ids], pa.bool_())
        old = rows.filter(known)
        if len(old):
            self._leave_maps(old["id"].to_pylist())
            self._store.update(old, whole=False)
        if len(old) < len(rows):
            self._store.add(rows)  # leaves out those that are there

    def amend(self, rows: pa.Table) -> None:
        """Replace some columns, but vectors, of items that are there."""
        self._store.update(rows, whole=False)

    def relabel(self, rows: pa.Table) -> list[str]:
        """Replace factors where they are others than in the index, and give the ids of these.

        Parameters
        ----------
        rows : pyarrow.Table
            ``id``, and columns as in :meth:`disentone.search.Index.build`; a column of which
            nothing is known is left as it is.
        """
        ids = rows["id"].to_pylist()
        names = [name for name in rows.column_names if name != "id"]
        stored = {row["id"]: row for row in self.read(["id", *names]).to_pylist()}
        columns, differ = {"id": rows["id"]}, set[int]()
        for name in names:
            new = rows[name] if name in PLACE else factor(name, rows[name])
            if new.null_count == len(new):
                continue
            if name in self.schema.names:
                kind = pa.schema([self.schema.field(name)])
                new = fitted(pa.table({name: new}), kind)[name]
            columns[name] = new
            values = zip(ids, new.to_pylist())
            differ |= {n for n, (item, value) in enumerate(values) if stored[item][name] != value}
        if differ:
            self.amend(pa.table(columns).take(sorted(differ)))
        return [ids[place] for place in sorted(differ)]

    def ids(self, among: Sequence[str] | None = None) -> set[str]:
        """Ids of all items, or those of some names that are ids of items."""
        some = {} if among is None else {"id": among}
        return set(self._store.read(["id"], **some)["id"].to_pylist())

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Read columns of all items, paths as they are below their roots."""
        return self._store.read(columns)

    def entries(
        self, paths: Sequence[str] | None = None, *, ids: Sequence[str] | None = None
    ) -> pa.Table:
        """Read where items are, and how they follow their files: all, or some by path or id."""
        some = {name: names for name, names in (("path", paths), ("id", ids)) if names is not None}
        return self._store.read([*PLACE, *KEPT], **some)

    def scan(self) -> Iterator[pa.RecordBatch]:
        """Read what :meth:`entries` reads of all items, some of them at a time."""
        return self._store.scan([*PLACE, *KEPT])

    @property
    def schema(self) -> pa.Schema:
        """Columns of the items."""
        return self._store.schema

    def roots(self) -> Roots:
        """Read the folders that paths are below."""
        return self._store.roots()

    def put_roots(self, roots: Roots) -> None:
        """Write the folders that paths are below."""
        self._store.put_roots(roots)

    def upgrade(self) -> None:
        """Bring an index of an older format to this one."""
        self._store.upgrade()

    def _check_there(self, ids: Sequence[str]) -> None:
        there = self.ids(ids)
        unknown = next((name for name in ids if name not in there), None)
        if unknown is not None:
            raise missing(unknown, sorted(self.ids()))

    def _leave_maps(self, ids: Sequence[str]) -> None:
        """Take items off the maps: where they are put depends on their vectors."""
        for facet in self._facets:
            self._store.delete_places(map_name(self._facets, facet), ids)
