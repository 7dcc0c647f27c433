"""The store: a LanceDB table with a row an item, and JSON that goes with the whole."""

from __future__ import annotations

import difflib
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from disentone.errors import ArtifactError, DataError
from disentone.facets import Facets

__all__ = [
    "HIDDEN",
    "PLACE",
    "Store",
    "check_there",
    "column_name",
    "facet_lengths",
    "factors_of",
    "is_local",
    "item_table",
    "missing",
    "reason",
    "texts_filter",
    "unit_facets",
    "unusable",
]

FORMAT = 1
_COMPARED = 20_000  # ids that are looked at to mend a mistyped one
PLACE = {
    "id": pa.string(),
    "path": pa.string(),
    "recording": pa.string(),
    "start": pa.float64(),
    "end": pa.float64(),
}
HIDDEN = ("vector", "stamp")  # columns that are not shown
_RESERVED = (*HIDDEN, "score", "facets", "cosines", "x", "y")
_MAP = pa.schema({"id": pa.string(), "x": pa.float32(), "y": pa.float32()})
_TABLE, _KEY = "items", b"disentone"
REST_CLIENT = "lance_namespace_urllib3_client"
"""LanceDB needs its models; its ``__init__`` takes as long as the rest of LanceDB."""


class Store:
    """A LanceDB table of items; every change is one commit."""

    def __init__(self, database: Any, table: Any, uri: str) -> None:
        self.database, self.table, self.uri = database, table, uri
        try:
            self.notes: dict[str, Any] = json.loads(table.schema.metadata[_KEY])
            known = self.notes["format"]
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"'{uri}' is no index of disentone: choose another.") from error
        if known != FORMAT:
            raise ArtifactError(
                f"Index '{uri}' has format {known!r}, and this version of disentone reads format "
                f"{FORMAT}: use the version that wrote it."
            )

    @classmethod
    def create(
        cls, uri: str | Path, rows: pa.Table, notes: Mapping[str, Any], **options: Any
    ) -> Store:
        """Make a store of rows of :func:`item_table`."""
        database = _connect(uri, options)
        text = json.dumps({"format": FORMAT, **notes}, ensure_ascii=False, allow_nan=False)
        rows = rows.replace_schema_metadata({_KEY: text.encode()})
        with _reporting(f"Index '{uri}' could not be written"):
            if _found(database, _TABLE) is not None:
                raise ArtifactError(f"There is an index in '{uri}' already: choose another.")
            return cls(database, database.create_table(_TABLE, rows), str(uri))

    @classmethod
    def open(cls, uri: str | Path, **options: Any) -> Store:
        """Open a store."""
        check_there(uri)
        database = _connect(uri, options)
        with _reporting(f"The index in '{uri}' is damaged"):
            table = _found(database, _TABLE)
        if table is None:
            raise ArtifactError(f"There is no index in '{uri}': make it with disentone index.")
        return cls(database, table, str(uri))

    @staticmethod
    def exists(uri: str | Path, **options: Any) -> bool:
        """Whether there is a store; nothing is made."""
        if is_local(uri) and not Path(uri).is_dir():
            return False
        database = _connect(uri, options)
        with _reporting(f"'{uri}' cannot be opened"):
            return _found(database, _TABLE) is not None

    @property
    def schema(self) -> pa.Schema:
        """Columns of the items."""
        return self.table.schema

    def latest(self) -> Any:
        """Open the table as it is now, for reading."""
        with _reporting(f"Index '{self.uri}' could not be read"):
            return self.database.open_table(_TABLE)

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Read columns of all items as they are now."""
        table = self.latest()
        with _reporting(f"Index '{self.uri}' could not be read"):
            return table.search().select(list(columns)).to_arrow()

    def add(self, rows: pa.Table) -> None:
        """Add rows in one commit, leaving out ids that another process has added meanwhile."""
        with _reporting(f"Index '{self.uri}' could not be written"):
            self._widen(rows.schema)
            merge = self.table.merge_insert("id").when_not_matched_insert_all()
            merge.execute(self._fitted(rows))

    def update(self, rows: pa.Table) -> None:
        """Replace the rows of these ids in one commit."""
        with _reporting(f"Index '{self.uri}' could not be written"):
            self._widen(rows.schema)
            self.table.merge_insert("id").when_matched_update_all().execute(self._fitted(rows))

    def delete(self, ids: Sequence[str]) -> None:
        """Delete the rows of these ids in one commit."""
        with _reporting(f"Index '{self.uri}' could not be written"):
            self.table.checkout_latest()
            self.table.delete(texts_filter("id", ids))

    def places(self, name: str) -> pa.Table:
        """Read a map: id, x, y of the items that are on it."""
        with _reporting(f"Index '{self.uri}' could not be read"):
            table = _found(self.database, name)
            return _MAP.empty_table() if table is None else table.to_arrow()

    def add_places(self, name: str, rows: pa.Table) -> None:
        """Put items on a map."""
        with _reporting(f"Index '{self.uri}' could not be written"):
            table = self.database.create_table(name, schema=_MAP, exist_ok=True)
            merge = table.merge_insert("id").when_matched_update_all()
            merge.when_not_matched_insert_all().execute(rows)

    def delete_places(self, name: str, ids: Sequence[str]) -> None:
        """Take items off a map, if there is one."""
        with _reporting(f"Index '{self.uri}' could not be written"):
            table = _found(self.database, name)
            if table is not None:
                table.delete(texts_filter("id", ids))

    def tidy(self) -> None:
        """Join small files, and index the ids; nothing that can be read changes."""
        with _reporting(f"Index '{self.uri}' could not be written"):
            self.table.checkout_latest()
            self.table.optimize()
            if not self.table.list_indices():
                from lancedb.index import BTree

                self.table.create_index("id", config=BTree())

    def _widen(self, schema: pa.Schema) -> None:
        """Add columns for factors that are new; their older rows are null."""
        self.table.checkout_latest()
        new = [field for field in schema if field.name not in self.schema.names]
        if new:
            self.table.add_columns(new)

    def _fitted(self, rows: pa.Table) -> pa.Table:
        """Rows with the columns of the store, in its order."""
        columns = []
        for field in self.schema:
            if field.name not in rows.column_names:
                columns.append(pa.nulls(len(rows), field.type))
                continue
            column = rows[field.name]
            if pa.types.is_string(column.type) and pa.types.is_floating(field.type):
                raise DataError(
                    f"Factor '{field.name}' is a number in the index, and a text in what is "
                    "added: rename one of them."
                )
            columns.append(column.cast(field.type))
        return pa.table(columns, schema=self.schema)


def item_table(vectors: np.ndarray, facets: Facets, items: pa.Table) -> pa.Table:
    """Rows of the store, checked: items, and their vectors with facets of unit length.

    Raises
    ------
    DataError
        See :meth:`disentone.search.Index.build`.
    """
    columns = {name: _place(items, name) for name in (*PLACE, "stamp")}
    ids = columns["id"]
    if len(ids.unique()) != len(items):
        counts = ids.value_counts().to_pylist()
        twice = next(entry["values"] for entry in counts if entry["counts"] > 1)
        raise DataError(f"Item '{twice}' occurs twice: ids must be unique.")
    for name in items.column_names:
        factor = None if name in columns else _factor(name, items[name])
        if factor is not None and factor.null_count < len(factor):  # else all values are unknown
            columns[name] = factor
    if len(vectors) != len(items):
        raise DataError(f"There are {len(vectors)} vectors for {len(items)} items.")
    unit = unit_facets(vectors, facets, lambda row: f"item '{ids[row]}'")
    flat = pa.array(unit.reshape(-1))
    columns["vector"] = pa.FixedSizeListArray.from_arrays(flat, facets.dim)
    return pa.table(columns)


def unit_facets(vectors: np.ndarray, facets: Facets, name: Callable[[int], str]) -> np.ndarray:
    """Scale every facet of vectors (items, dim) to unit length, float32.

    Raises
    ------
    DataError
        If the shape is another, a number is not finite, or a facet is zero; ``name(row)`` gives
        the name of a row.
    """
    vectors = np.asarray(vectors)
    if vectors.ndim != 2 or vectors.shape[1] != facets.dim:
        raise DataError(
            f"Vectors must be (items, {facets.dim}) for the facets {facets}, "
            f"not of shape {vectors.shape}."
        )
    lengths = facet_lengths(vectors, facets)
    wrong = unusable(lengths, facets)
    for row, problem in wrong.items():
        raise DataError(f"The vector of {name(row)} cannot be compared with others: {problem}.")
    unit = [vectors[:, facets.slice(n)] / lengths[:, i, None] for i, n in enumerate(facets)]
    return np.concatenate(unit, axis=1, dtype=np.float32)


def facet_lengths(vectors: np.ndarray, facets: Facets) -> np.ndarray:
    """Length of every facet of vectors (items, dim): float64 (items, facets)."""
    parts = facets.split(np.asarray(vectors, dtype=np.float64)).values()
    return np.stack([np.linalg.norm(part, axis=1) for part in parts], axis=1)


def unusable(lengths: np.ndarray, facets: Facets) -> dict[int, str]:
    """Rows of :func:`facet_lengths` that have no direction, and why."""
    rows, columns = np.nonzero(~(np.isfinite(lengths) & (lengths > 0)))
    wrong = {}
    for row, column in zip(rows.tolist(), columns.tolist()):
        problem = "is zero" if lengths[row, column] == 0 else "is not finite (NaN or infinity)"
        wrong.setdefault(row, f"facet '{facets.names[column]}' {problem}")
    return wrong


def factors_of(schema: pa.Schema) -> dict[str, pa.DataType]:
    """Columns of a store that are factors."""
    return {f.name: f.type for f in schema if f.name not in (*PLACE, *HIDDEN)}


def column_name(factor: str) -> str:
    """Name the column of a factor after it, or nearly so where a store does not allow the name."""
    name = re.sub("[.`]", "_", factor)
    taken = name.startswith("_") or name.lower() in {*PLACE, *_RESERVED}
    return f"factor_{name.lstrip('_')}" if taken else name


def is_local(uri: str | Path) -> bool:
    """Whether an index is a folder on this machine."""
    return "://" not in str(uri)


def check_there(uri: str | Path) -> None:
    """Refuse a folder that is not there, before LanceDB is imported for it.

    Raises
    ------
    ArtifactError
    """
    if is_local(uri) and not Path(uri).is_dir():
        raise ArtifactError(f"There is no index '{uri}': make it with disentone index.")


def texts_filter(column: str, texts: Sequence[str]) -> str:
    """Write a filter for some texts in a column, whatever is in them."""
    quoted = ", ".join("'" + text.replace("'", "''") + "'" for text in texts)
    return f"{column} IN ({quoted})"


def reason(error: BaseException) -> str:
    """LanceDB's message, without the places in its sources."""
    text = " ".join(str(error).split())
    text = re.split(r",? ?/\S+\.rs:\d+", text)[0]
    return re.sub(r"^(lance error: )?(Invalid input, |Query Execution error: )?", "", text)[:300]


def _place(items: pa.Table, name: str) -> pa.Array:
    kind = PLACE.get(name, pa.string())
    if name in items.column_names:
        column = items[name].combine_chunks().cast(kind)
        if name in ("id", "path") and not all(column.to_pylist()):
            raise DataError(f"Every item needs its {name}.")
        return column
    if name == "recording" and "path" in items.column_names:
        return items["path"].combine_chunks().cast(kind)
    if name in ("id", "path"):
        raise DataError(f"Items need a column '{name}', but have: {', '.join(items.column_names)}.")
    return pa.nulls(len(items), kind)


def _factor(name: str, column: pa.ChunkedArray) -> pa.Array:
    """Check a factor, and give it as numbers or as text; NaN and empty text are unknown."""
    if name != column_name(name):
        raise DataError(f"A factor cannot be called '{name}' in an index: rename the column.")
    values = column.combine_chunks()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    kind = values.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
        return pa.array(numbers, mask=~np.isfinite(numbers))
    if not (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_null(kind)
    ):
        raise DataError(f"Factor '{name}' is of type {kind}: make it numbers or texts.")
    return pa.array([text or None for text in values.cast(pa.string()).to_pylist()], pa.string())


def _connect(uri: str | Path, options: Mapping[str, Any]) -> Any:
    try:
        with _without(REST_CLIENT):
            import lancedb
    except ImportError as error:
        raise ArtifactError("An index needs LanceDB: pip install 'disentone[search]'.") from error
    if os.environ.get("LANCE_IO_THREADS") == "1":  # with a single one, reading never ends
        os.environ["LANCE_IO_THREADS"] = "2"
    with _reporting(f"'{uri}' cannot be opened"):
        return lancedb.connect(str(uri), **options)


@contextmanager
def _without(package: str) -> Iterator[None]:
    """Import parts of a package without what its ``__init__`` imports.

    Whoever imports the package itself later gets all of it.
    """
    spec = None if package in sys.modules else find_spec(package)
    if spec is None:  # all of it is there already, or nothing
        yield
        return
    sys.modules[package] = module_from_spec(spec)
    try:
        yield
    finally:
        del sys.modules[package]


def _found(database: Any, name: str) -> Any | None:
    """Open a table, or give None: what a killed process left of one does not count."""
    try:
        return database.open_table(name)
    except ValueError as error:
        if "not found" in str(error):
            return None
        raise


@contextmanager
def _reporting(what: str) -> Iterator[None]:
    """Turn what LanceDB raises into one sentence."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        raise ArtifactError(f"{what}: {reason(error)}") from error


def missing(name: str, known: Sequence[str], also: str = "") -> DataError:
    """Give the error that an id is not there, with the nearest one."""
    near = difflib.get_close_matches(name, known[:_COMPARED], n=1)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    return DataError(f"'{name}' is {also}no item of the index{hint}")
