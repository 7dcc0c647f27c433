"""A snapshot: one committed state of the store, and its vectors ready to be searched."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from textwrap import shorten
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa

from disentone.errors import ArtifactError, DataError, closest
from disentone.facets import Facets
from disentone.search.filters import check_filter
from disentone.search.roots import Roots
from disentone.search.rows import HIDDEN
from disentone.search.scoring import Codes, Matrix
from disentone.search.store import missing, reason, reporting, texts_filter

__all__ = ["Snapshot"]

_BATCH = 8192  # rows that are read at once
_MASKS = 2**26  # bytes of filters that are remembered
_ROW = "_rowid"
_SMALL_MACHINE = 8 * 2**30  # bytes of memory


class Snapshot:
    """Items in a fixed order, whatever is committed later.

    Parameters
    ----------
    table : LanceDB table
        Not used for anything else.
    facets : Facets
    roots : Roots
        Folders that the paths are below.
    uri : str
        Where the index is, for errors.
    memory : int, optional
        Bytes that vectors may take; half of the machine's by default.
    """

    def __init__(
        self, table: Any, facets: Facets, roots: Roots, uri: str, *, memory: int | None = None
    ) -> None:
        self.table, self.facets, self.version = table, facets, table.version
        self.roots = roots
        self._damaged = f"The index in '{uri}' is damaged: make it again"
        self.columns = [name for name in table.schema.names if name not in HIDDEN]
        self._memory = _half_of_memory() if memory is None else memory
        self.maps: dict[str, np.ndarray] = {}
        self._masks: dict[str, np.ndarray] = {}
        self._lock = Lock()
        self._known: pa.Table | None = None
        self._numbers: dict[str, int] | None = None
        self._recordings: np.ndarray | None = None
        self._rows: list[np.ndarray] = []  # of the store, in the order of the items
        self.scorer = self._load(table.count_rows())
        self.rows = np.concatenate([np.empty(0, np.uint64), *self._rows])
        self._order = np.argsort(self.rows, kind="stable")

    def __len__(self) -> int:
        """Count the items."""
        return len(self.rows)

    def _load(self, count: int) -> Matrix | Codes:
        if 4 * self.facets.dim * count <= self._memory:
            return Matrix(self._first_pass(), count, self.facets)
        return Codes(
            self._first_pass(),
            count,
            self.facets,
            again=self._later_pass,
            take=self._stored_vectors,
        )

    def _scan(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows of the store and their vectors, some at a time."""
        query = self.table.search().with_row_id(True).select(["vector"])
        with reporting(self._damaged):
            for batch in query.to_batches(_BATCH):
                vectors = batch["vector"].flatten().to_numpy().reshape(-1, self.facets.dim)
                yield batch[_ROW].to_numpy(), vectors

    def _first_pass(self) -> Iterator[np.ndarray]:
        for rows, vectors in self._scan():
            self._rows.append(rows)
            yield vectors

    def _later_pass(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for rows, vectors in self._scan():
            yield self._places(rows), vectors

    def _places(self, rows: np.ndarray | Sequence[int]) -> np.ndarray:
        """Positions of rows of the store."""
        return self._order[np.searchsorted(self.rows, rows, sorter=self._order)]

    def _stored_vectors(self, positions: np.ndarray) -> np.ndarray:
        column = self._stored(positions, ["vector"])["vector"].combine_chunks()
        return column.flatten().to_numpy().reshape(-1, self.facets.dim)

    def take(self, positions: np.ndarray, columns: Sequence[str]) -> pa.Table:
        """Rows of items, in the order asked."""
        if isinstance(self.scorer, Matrix):
            return self.everything(columns).take(pa.array(positions))
        return self._stored(positions, columns)

    def _stored(self, positions: np.ndarray, columns: Sequence[str]) -> pa.Table:
        wanted = self.rows[positions]
        query = self.table.take_row_ids(wanted.tolist()).with_row_id().select(self._with(columns))
        return self._whole(self._ordered(self._read(query), wanted)).select(list(columns))

    def everything(self, columns: Sequence[str]) -> pa.Table:
        """Rows of all items; where vectors fit into memory, they are read once and kept."""
        if not isinstance(self.scorer, Matrix):
            return self._read_all(list(columns))
        known = self._known
        if known is None:
            known = self._known = self._read_all(self.columns).combine_chunks()
        return known.select(list(columns))

    def _read_all(self, columns: list[str]) -> pa.Table:
        query = self.table.search().with_row_id(True).select(self._with(columns))
        return self._whole(self._ordered(self._read(query), self.rows)).select(columns)

    def _read(self, query: Any) -> pa.Table:
        """Rows of a query of the store, or one sentence that it is damaged."""
        with reporting(self._damaged):
            return query.to_arrow()

    def _with(self, columns: Sequence[str]) -> list[str]:
        """Columns, and what else is needed for them."""
        rooted = "path" in columns and "_root" in self.table.schema.names
        return [*columns, "_root"] if rooted else list(columns)

    def _whole(self, found: pa.Table) -> pa.Table:
        """Rows with paths as they are opened, and not below their roots."""
        if "_root" not in found.column_names:
            return found
        place = found.column_names.index("path")
        return found.set_column(place, "path", self.roots.paths(found["_root"], found["path"]))

    def _ordered(self, found: pa.Table, wanted: np.ndarray) -> pa.Table:
        rows = found[_ROW].to_numpy()
        if np.array_equal(rows, wanted):
            return found
        order = np.argsort(rows)
        return found.take(pa.array(order[np.searchsorted(rows, wanted, sorter=order)]))

    def knows(self, expression: str) -> bool:
        """Whether a filter is remembered, and costs nothing."""
        return expression in self._masks

    def where(self, expression: str) -> np.ndarray:
        """Which items pass a filter: bool (items,).

        Raises
        ------
        DataError
            If the filter is not understood.
        """
        mask = self._masks.get(expression)
        if mask is None:
            checked = check_filter(expression, self.columns)
            query = self.table.search().where(checked).select([_ROW])
            try:
                found = query.to_arrow()
            except (ValueError, RuntimeError) as error:
                if "LanceError(IO)" in str(error):  # the files, not the filter
                    raise ArtifactError(f"{self._damaged}: {reason(error)}") from error
                raise DataError(
                    f'The filter "{shorten(expression, 80)}" cannot be used: compare columns with '
                    "values of their kind, and finish every comparison; there are: "
                    f"{self._kinds()}."
                ) from error
            mask = np.zeros(len(self), dtype=bool)
            mask[self._places(found[_ROW].to_numpy())] = True
            with self._lock:
                while self._masks and (len(self._masks) + 1) * len(self) > _MASKS:
                    del self._masks[next(iter(self._masks))]
                self._masks[expression] = mask
        return mask

    def _kinds(self) -> str:
        """Columns and what they hold, for people."""
        types = ((name, self.table.schema.field(name).type) for name in self.columns)
        return ", ".join(f"{n} ({'text' if pa.types.is_string(t) else 'number'})" for n, t in types)

    def positions(self, ids: Sequence[str]) -> np.ndarray:
        """Positions of items by id.

        Raises
        ------
        DataError
            If an id is not there.
        """
        ids = list(ids)
        if not ids:
            return np.empty(0, dtype=np.int64)
        places = self._numbered() if isinstance(self.scorer, Matrix) else self._stored_places(ids)
        unknown = [name for name in ids if name not in places]
        if unknown:
            raise self.missing(unknown[0])
        return np.array([places[name] for name in ids])

    def _numbered(self) -> dict[str, int]:
        """Position of every item by id; kept, for a question to the store costs 10 ms."""
        if self._numbers is None:
            ids = self.everything(["id"])["id"].to_pylist()
            self._numbers = dict(zip(ids, range(len(ids))))
        return self._numbers

    def _stored_places(self, ids: Sequence[str]) -> dict[str, int]:
        """Positions by id of those of the given items that are in the store."""
        query = self.table.search().where(texts_filter("id", ids)).with_row_id(True).select(["id"])
        found = self._read(query)
        places = self._places(found[_ROW].to_numpy())
        return dict(zip(found["id"].to_pylist(), places.tolist()))

    def has(self, name: str) -> bool:
        """Whether there is an item of this id."""
        query = self.table.search().where(texts_filter("id", [name])).select(["id"])
        return bool(len(self._read(query)))

    def missing(self, name: str, also: str = "") -> DataError:
        """Give the error that there is no item of this id."""
        return missing(name, self.everything(["id"])["id"].to_pylist(), also)

    def of_file(self, path: str) -> list[str]:
        """Ids of the items of a file, by its path from ``/`` on."""
        places = self.roots.place(path)
        names = sorted({name for _, name in places})
        columns = self._with(["id", "path"])
        query = self.table.search().where(texts_filter("path", names)).select(columns)
        rows = self._read(query).to_pylist()
        return [row["id"] for row in rows if (row.get("_root"), row["path"]) in places]

    def known(self, columns: Sequence[str] | None) -> list[str]:
        """Check the names of columns; all by default.

        Raises
        ------
        DataError
            If there is no such column.
        """
        for name in columns or ():
            if name not in self.columns:
                raise DataError(f"There is no column '{name}'{closest(name, self.columns)}")
        return list(self.columns if columns is None else columns)

    def recordings(self) -> np.ndarray:
        """Number of the recording that each item was cut from: int (items,)."""
        if self._recordings is None:
            column = self.everything(["recording"])["recording"].combine_chunks()
            codes = column.fill_null("").dictionary_encode().indices
            self._recordings = np.asarray(codes)
        return self._recordings


def _half_of_memory() -> int:
    """Bytes; where the system does not report them, as Windows, half of a small machine's."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, ValueError, OSError):
        return _SMALL_MACHINE // 2
