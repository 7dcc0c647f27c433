"""The store: a LanceDB table with a row an item, and JSON that goes with the whole."""

from __future__ import annotations

import difflib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
from filelock import FileLock, Timeout

from disentone.errors import ArtifactError, DataError
from disentone.search.roots import ROOT, Root, Roots
from disentone.search.rows import KEPT, PLACE, fitted

__all__ = [
    "Store",
    "check_free",
    "check_library",
    "check_there",
    "is_local",
    "locked",
    "missing",
    "reason",
    "reporting",
    "texts_filter",
]

FORMAT = 2
_NO_LIBRARY = "An index needs LanceDB: pip install 'disentone[search]'."
_OLDER = (1,)  # without roots: paths are whole
_COMPARED = 20_000  # ids that are looked at to mend a mistyped one
_SCANNED = 8192  # rows that are read at once
_WAIT = 600  # seconds for another command to finish a change
_MAP = pa.schema({"id": pa.string(), "x": pa.float32(), "y": pa.float32()})
_TABLE, _ROOTS, _KEY = "items", "roots", b"disentone"
_OURS = re.compile(r"(items|roots|map_\d+)\.lance|model|lock|skipped\.csv|open\.(lock|json)")
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
        if known not in (*_OLDER, FORMAT):
            raise ArtifactError(
                f"Index '{uri}' has format {known!r}, and this version of disentone reads format "
                f"{FORMAT}: use the version that wrote it."
            )

    @classmethod
    def create(
        cls,
        uri: str | Path,
        rows: pa.Table,
        notes: Mapping[str, Any],
        roots: Roots | None = None,
        **options: Any,
    ) -> Store:
        """Make a store of rows of :func:`disentone.search.rows.item_table`."""
        check_free(uri)
        database = _connect(uri, options)
        rows = rows.replace_schema_metadata(_metadata(notes))
        with reporting(f"Index '{uri}' could not be written"):
            if _found(database, _TABLE) is not None:
                raise ArtifactError(f"There is an index in '{uri}' already: choose another.")
            if roots is not None:  # first: an item must not name a root that is not there
                _write_roots(database, roots)
            return cls(database, database.create_table(_TABLE, rows), str(uri))

    @classmethod
    def open(cls, uri: str | Path, **options: Any) -> Store:
        """Open a store."""
        check_there(uri)
        database = _connect(uri, options)
        with reporting(f"The index in '{uri}' is damaged"):
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
        with reporting(f"'{uri}' cannot be opened"):
            return _found(database, _TABLE) is not None

    @property
    def schema(self) -> pa.Schema:
        """Columns of the items."""
        return self.table.schema

    def refresh(self) -> None:
        """See what others have committed."""
        with reporting(f"Index '{self.uri}' could not be read"):
            self.table.checkout_latest()

    def latest(self) -> Any:
        """Open the table as it is now, for reading."""
        with reporting(f"Index '{self.uri}' could not be read"):
            return self.database.open_table(_TABLE)

    def read(self, columns: Sequence[str], **texts: Sequence[str]) -> pa.Table:
        """Read columns of items as they are now; unknown where there is no such.

        Of all items, or with ``id=names`` or ``path=names`` of those that have one of the names.
        """
        table = self.latest()
        there = [name for name in columns if name in table.schema.names]
        with reporting(f"Index '{self.uri}' could not be read"):
            query = table.search()
            for column, names in texts.items():
                query = query.where(texts_filter(column, names))
            found = query.select(there).to_arrow()
        for name in columns:
            if name not in there:
                kind = (PLACE | KEPT).get(name, pa.string())
                found = found.append_column(name, pa.nulls(len(found), kind))
        return found.select(list(columns))

    def scan(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Read columns of all items as they are now, some rows at a time."""
        with reporting(f"Index '{self.uri}' could not be read"):
            yield from self.latest().search().select(list(columns)).to_batches(_SCANNED)

    def add(self, rows: pa.Table) -> None:
        """Add rows in one commit, leaving out ids that another process has added meanwhile."""
        with reporting(f"Index '{self.uri}' could not be written"):
            self._widen(rows.schema)
            merge = self.table.merge_insert("id").when_not_matched_insert_all()
            merge.execute(fitted(rows, self.schema))

    def update(self, rows: pa.Table, *, whole: bool = True) -> None:
        """Replace the rows of these ids in one commit, or only the columns that are given."""
        with reporting(f"Index '{self.uri}' could not be written"):
            self._widen(rows.schema)
            schema = self.schema
            if not whole:
                schema = pa.schema([f for f in schema if f.name in rows.column_names])
            merge = self.table.merge_insert("id").when_matched_update_all()
            merge.execute(fitted(rows, schema))

    def delete(self, ids: Sequence[str]) -> None:
        """Delete the rows of these ids in one commit."""
        with reporting(f"Index '{self.uri}' could not be written"):
            self.table.checkout_latest()
            self.table.delete(texts_filter("id", ids))

    def roots(self) -> Roots:
        """Read the folders that files lie below."""
        with reporting(f"Index '{self.uri}' could not be read"):
            table = _found(self.database, _ROOTS)
            rows = (ROOT.empty_table() if table is None else table.to_arrow()).to_pylist()
        try:
            return Roots([Root(**row) for row in rows], self.uri if is_local(self.uri) else "")
        except TypeError as error:
            raise ArtifactError(f"The index in '{self.uri}' is damaged: make it again.") from error

    def put_roots(self, roots: Roots) -> None:
        """Write all roots in one commit."""
        with reporting(f"Index '{self.uri}' could not be written"):
            _write_roots(self.database, roots)

    def upgrade(self) -> None:
        """Write a store of an older format as this one, in one commit; the rows stay."""
        if self.notes["format"] == FORMAT:
            return
        notes = {name: note for name, note in self.notes.items() if name != "format"}
        with reporting(f"Index '{self.uri}' could not be written"):
            table = self.latest()
            batches = table.search().select(table.schema.names).to_batches()
            rows = pa.RecordBatchReader.from_batches(
                table.schema.with_metadata(_metadata(notes)), iter(batches)
            )
            self.table = self.database.create_table(_TABLE, rows, mode="overwrite")
        self.notes = {"format": FORMAT, **notes}

    def places(self, name: str) -> pa.Table:
        """Read a map: id, x, y of the items that are on it."""
        with reporting(f"Index '{self.uri}' could not be read"):
            table = _found(self.database, name)
            return _MAP.empty_table() if table is None else table.to_arrow()

    def add_places(self, name: str, rows: pa.Table) -> None:
        """Put items on a map."""
        with reporting(f"Index '{self.uri}' could not be written"):
            table = self.database.create_table(name, schema=_MAP, exist_ok=True)
            merge = table.merge_insert("id").when_matched_update_all()
            merge.when_not_matched_insert_all().execute(rows)

    def delete_places(self, name: str, ids: Sequence[str]) -> None:
        """Take items off a map, if there is one."""
        with reporting(f"Index '{self.uri}' could not be written"):
            table = _found(self.database, name)
            if table is not None:
                table.delete(texts_filter("id", ids))

    def tidy(self) -> None:
        """Join small files, and index the ids; nothing that can be read changes."""
        with reporting(f"Index '{self.uri}' could not be written"):
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


def _write_roots(database: Any, roots: Roots) -> None:
    mode = "create" if _found(database, _ROOTS) is None else "overwrite"
    database.create_table(_ROOTS, roots.to_table(), mode=mode)


def _metadata(notes: Mapping[str, Any]) -> dict[bytes, bytes]:
    text = json.dumps({"format": FORMAT, **notes}, ensure_ascii=False, allow_nan=False)
    return {_KEY: text.encode()}


@contextmanager
def locked(uri: str | Path) -> Iterator[None]:
    """Let no other process on this machine change an index; one that is killed holds no lock.

    Raises
    ------
    ArtifactError
        If another one changes it for very long, or the folder cannot be written.
    """
    if not is_local(uri):
        yield
        return
    check_free(uri)
    lock = FileLock(Path(uri) / "lock", timeout=_WAIT)
    try:
        Path(uri).mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise ArtifactError(f"Another command is changing '{uri}': try again later.") from error
    except OSError as error:
        raise ArtifactError(f"Index '{uri}' could not be written: {error.strerror}.") from error
    try:
        yield
    finally:
        lock.release()


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


def check_free(uri: str | Path) -> None:
    """Refuse a place where an index would lie among other things.

    Raises
    ------
    ArtifactError
    """
    if not is_local(uri) or not os.path.lexists(uri):
        return
    if not os.path.isdir(uri):
        raise ArtifactError(f"'{uri}' is a file, and an index is a folder: choose another place.")
    others = [name for name in os.listdir(uri) if not _OURS.fullmatch(name)]
    if others:
        raise ArtifactError(
            f"'{uri}' holds other things than an index, such as '{sorted(others)[0]}': choose a "
            "new folder."
        )


def texts_filter(column: str, texts: Sequence[str]) -> str:
    """Write a filter for some texts in a column, whatever is in them."""
    if not len(texts):
        return "false"
    quoted = ", ".join("'" + text.replace("'", "''") + "'" for text in texts)
    return f"{column} IN ({quoted})"


def reason(error: BaseException) -> str:
    """LanceDB's message, without the places in its sources."""
    text = " ".join(str(error).split())
    text = re.split(r",? ?/\S+\.rs:\d+", text)[0]
    return re.sub(r"^(lance error: )?(Invalid input, |Query Execution error: )?", "", text)[:300]


def check_library() -> None:
    """Refuse to go on without LanceDB, which is not imported.

    Raises
    ------
    ArtifactError
    """
    try:
        there = find_spec("lancedb") is not None
    except ValueError:  # in Python's words, of a package that must not be imported
        there = False
    if not there:
        raise ArtifactError(_NO_LIBRARY)


def _connect(uri: str | Path, options: Mapping[str, Any]) -> Any:
    try:
        with _without(REST_CLIENT):
            import lancedb
    except ImportError as error:
        raise ArtifactError(_NO_LIBRARY) from error
    if os.environ.get("LANCE_IO_THREADS") == "1":  # with a single one, reading never ends
        os.environ["LANCE_IO_THREADS"] = "2"
    with reporting(f"'{uri}' cannot be opened"):
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
def reporting(what: str) -> Iterator[None]:
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
