"""A snapshot: one committed state of the store, and its vectors ready to be searched."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from textwrap import shorten
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa

from disentone.errors import ArtifactError, DataError, closest
from disentone.facets import Facets
from disentone.search.filters import check_filter
from disentone.search.folders import Folders
from disentone.search.ordering import DURATION, NAME, Order, order_of
from disentone.search.roots import Roots
from disentone.search.rows import HIDDEN, PLACE, factors_of
from disentone.search.scoring import Codes, Matrix
from disentone.search.store import missing, reason, reporting, texts_filter
from disentone.search.texts import Texts

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
        self._masks: dict[tuple[str, str], np.ndarray] = {}
        self._lock = Lock()
        self._known: pa.Table | None = None
        self._numbers: dict[str, int] | None = None
        self._recordings: np.ndarray | None = None
        self._texts: Texts | None = None
        self._folders: Folders | None = None
        self._orders: dict[str, Order] = {}
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

    def knows(self, where: str | None, text: str | None = None) -> bool:
        """Whether a filter and words are remembered, and cost nothing."""
        known = self._masks
        return (where is None or ("where", where) in known) and (
            not text or ("text", text) in known
        )

    def where(self, expression: str) -> np.ndarray:
        """Which items pass a filter: bool (items,).

        Raises
        ------
        DataError
            If the filter is not understood.
        """
        return self._remembered(("where", expression), self._filtered)

    def _filtered(self, expression: str) -> np.ndarray:
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
        return mask

    def _remembered(self, key: tuple[str, str], make: Callable[[str], np.ndarray]) -> np.ndarray:
        """Which items pass: bool (items,), of what was asked before without asking again."""
        mask = self._masks.get(key)
        if mask is None:
            mask = make(key[1])
            with self._lock:
                while self._masks and (len(self._masks) + 1) * len(self) > _MASKS:
                    del self._masks[next(iter(self._masks))]
                self._masks[key] = mask
        return mask

    def passing(
        self, where: str | None = None, text: str | None = None, folder: str | None = None
    ) -> np.ndarray | None:
        """Which items pass a filter, have words, and lie below a folder: bool (items,), or all.

        Raises
        ------
        DataError
            If the filter is not understood, or there is no such folder.
        """
        masks = [] if where is None else [self.where(where)]
        masks += [self._remembered(("text", text), self.texts.matching)] if text else []
        masks += [self.folders.below(folder)] if folder else []
        return np.logical_and.reduce(masks) if masks else None

    def listed(
        self,
        where: str | None = None,
        text: str | None = None,
        folder: str | None = None,
        sort: str | None = None,
    ) -> np.ndarray:
        """Positions of the items that pass, in an order: see :meth:`disentone.search.Index.items`.

        Raises
        ------
        DataError
            See :meth:`passing`, or if there is no such column to sort by.
        """
        passing = self.passing(where, text, folder)
        if sort is None:
            return np.arange(len(self)) if passing is None else np.flatnonzero(passing)
        wanted = np.ones(len(self), dtype=bool) if passing is None else passing
        column = sort.removeprefix("-")
        return self._sorted_by(column).listed(wanted, descending=sort != column)

    def _sorted_by(self, column: str) -> Order:
        """The order by a column; kept."""
        if column not in self._orders:
            sortable = [NAME, DURATION, *factors_of(self.table.schema)]
            if column not in sortable:
                raise DataError(f"Items cannot be sorted by '{column}'{closest(column, sortable)}")
            needed = list(PLACE) if column in (NAME, DURATION) else [column]
            self._orders[column] = order_of(column, self.everything(needed))
        return self._orders[column]

    @property
    def folders(self) -> Folders:
        """The folders that the files lie in."""
        if self._folders is None:
            self._folders = Folders(self.everything(["path"])["path"].to_pylist())
        return self._folders

    @property
    def texts(self) -> Texts:
        """The words of names, folders, and factors that are texts."""
        if self._texts is None:
            kinds = factors_of(self.table.schema)
            factors = [name for name, kind in kinds.items() if pa.types.is_string(kind)]
            rows = self.everything(["id", "path", *factors])
            values = [rows[name].fill_null("").to_pylist() for name in factors]
            ids, files = rows["id"].to_pylist(), map(os.path.basename, rows["path"].to_pylist())
            places = [f"{self.folders.name(n)}/{file}" for n, file in enumerate(files)]
            named = [item if item.endswith(at) else f"{item}/{at}" for item, at in zip(ids, places)]
            self._texts = Texts(zip(named, *values))
        return self._texts

    def compared(self, positions: np.ndarray) -> np.ndarray:
        """Vectors whose inner product is the mean of the facets' cosines: float32 (items, dim)."""
        return self.scorer.vectors(positions) / np.float32(np.sqrt(len(self.facets)))

    def prepare(self) -> None:
        """Do now what the first list and the first words would wait for: seconds of 100,000."""
        self._sorted_by(NAME)
        self.texts  # noqa: B018  # is made when it is first looked at

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

    def ids(self, positions: Sequence[int] | np.ndarray) -> tuple[str, ...]:
        """Ids of items by position."""
        if not len(positions):
            return ()
        return tuple(self.take(np.asarray(positions), ["id"])["id"].to_pylist())

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
