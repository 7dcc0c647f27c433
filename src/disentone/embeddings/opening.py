"""Open embeddings that any program wrote: arrays, and tables with a row for each item."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from disentone.embeddings.layout import about_of
from disentone.embeddings.reading import read_embeddings
from disentone.errors import DataError, closest
from disentone.facets import Facets

__all__ = ["OPENED_SUFFIXES", "OpenedEmbeddings", "open_embeddings"]

OPENED_SUFFIXES = (".npy", ".npz", ".csv", ".tsv", ".parquet")
WHOLE = "embedding"  # the one facet of an array without named facets


class OpenedEmbeddings(NamedTuple):
    """What :func:`open_embeddings` gives.

    Parameters
    ----------
    values : ndarray of float, shape (rows, dims)
    facets : Facets or None
        Where the file names them.
    columns : dict of str to ndarray, shape (rows,)
        Further columns of the file, such as ``path``.
    """

    values: np.ndarray
    facets: Facets | None
    columns: dict[str, np.ndarray]


def open_embeddings(path: str | Path, *, key: str | None = None) -> OpenedEmbeddings:
    """Open embeddings of any program.

    Parameters
    ----------
    path : path
        ``.npy``: one array (rows, dims). ``.npz``: one such array, or several, each a facet; arrays
        with one value a row go with them. ``.csv``, ``.tsv`` and ``.parquet``: a column for each
        dimension, or in Parquet for each facet a column of lists; columns of text go with them.
        Or whatever ``disentone embed`` wrote.
    key : str, optional
        A column that names the rows and is no dimension, though it may be numbers.

    Raises
    ------
    DataError
        If there is no such file, or it holds no embeddings.
    """
    path = Path(path)
    if path.suffix.lower() not in OPENED_SUFFIXES:
        raise DataError(f"'{path}' is no embedding file: use {', '.join(OPENED_SUFFIXES)}.")
    if not path.is_file():
        raise DataError(f"There are no embeddings '{path}'.")
    if _is_ours(path):
        values, facets, columns, _ = read_embeddings(path)
        return OpenedEmbeddings(values, facets, columns)
    read = {".npy": _npy, ".npz": _npz, ".parquet": _parquet}.get(path.suffix.lower(), _text)
    try:
        return read(path, key)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, pa.ArrowException) as error:
        raise DataError(f"'{path}' cannot be read as embeddings: {error}.") from error


def _is_ours(path: Path) -> bool:
    """Whether ``disentone embed`` wrote a file."""
    try:
        if path.suffix.lower() == ".parquet":
            return bool(about_of(pq.read_schema(path)))
        if path.suffix.lower() == ".npz":
            with np.load(path) as stored:
                return {"about", "embedding", "slices"} <= set(stored.files)
    except (DataError, OSError, ValueError, zipfile.BadZipFile, pa.ArrowException):
        return False
    beside = all(path.with_suffix(suffix).is_file() for suffix in (".csv", ".json"))
    return path.suffix.lower() == ".npy" and beside


def _npy(path: Path, key: str | None) -> OpenedEmbeddings:
    _no_key(path, key, ())
    return OpenedEmbeddings(_table(path, np.load(path, mmap_mode="r")), None, {})


def _npz(path: Path, key: str | None) -> OpenedEmbeddings:
    with np.load(path) as stored:  # refuses pickles
        arrays = {name: stored[name] for name in stored.files}
    tables = {name: array for name, array in arrays.items() if array.ndim == 2}
    columns = {name: array for name, array in arrays.items() if array.ndim == 1}
    if not tables or len({len(array) for array in arrays.values() if array.ndim}) > 1:
        raise DataError(
            f"'{path}' needs one array (rows, dims), or one for each facet, and columns of as many "
            f"rows; it has {_shapes(arrays)}."
        )
    _no_key(path, key, columns)
    return _joined(path, tables, columns)


def _parquet(path: Path, key: str | None) -> OpenedEmbeddings:
    return _of_columns(path, pq.read_table(path), key)


def _text(path: Path, key: str | None) -> OpenedEmbeddings:
    with path.open(encoding="utf-8-sig") as file:
        header = file.readline()
    separators = "\t" if path.suffix.lower() == ".tsv" else ",\t;"
    separator = max(separators, key=header.count)
    options = pa_csv.ParseOptions(delimiter=separator)
    return _of_columns(path, pa_csv.read_csv(path, parse_options=options), key)


def _of_columns(path: Path, table: pa.Table, key: str | None) -> OpenedEmbeddings:
    """Columns of numbers are dimensions, columns of lists facets; others go with the rows."""
    dims, facets, columns = {}, {}, {}
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        if pa.types.is_list(column.type) or pa.types.is_fixed_size_list(column.type):
            facets[name] = _lists(path, name, column)
        elif name != key and _is_number(column.type):
            dims[name] = column.to_numpy(zero_copy_only=False).astype(float)
        else:
            columns[name] = np.array(["" if v is None else str(v) for v in column.to_pylist()])
    _no_key(path, key, columns)
    if facets:  # numbers beside them are factors, and no dimensions
        return _joined(path, facets, columns | dims)
    if not dims:
        raise DataError(f"'{path}' has no column of numbers: {', '.join(table.column_names)}.")
    return OpenedEmbeddings(_table(path, np.column_stack(list(dims.values()))), None, columns)


def _lists(path: Path, name: str, column: Any) -> np.ndarray:
    rows = column.to_pylist()
    if len({len(row) if row is not None else -1 for row in rows}) != 1:
        raise DataError(f"'{path}': lists in column '{name}' differ in length.")
    return np.array(rows, dtype=float)


def _is_number(kind: Any) -> bool:
    return pa.types.is_floating(kind) or pa.types.is_integer(kind)


def _joined(
    path: Path, parts: Mapping[str, np.ndarray], columns: dict[str, np.ndarray]
) -> OpenedEmbeddings:
    """One table of the parts, each a facet; a single one has no facets to name."""
    values = np.concatenate([_table(path, part) for part in parts.values()], axis=1)
    facets = Facets({name: part.shape[1] for name, part in parts.items()})
    return OpenedEmbeddings(values, facets if len(parts) > 1 else None, columns)


def _table(path: Path, values: np.ndarray) -> np.ndarray:
    if values.ndim != 2 or not np.issubdtype(values.dtype, np.number) or not values.size:
        raise DataError(
            f"'{path}' must hold one table (rows, dims) of numbers: not {values.dtype} "
            f"{values.shape}."
        )
    return np.asarray(values)


def _no_key(path: Path, key: str | None, columns: Any) -> None:
    if key is not None and columns and key not in columns:
        raise DataError(f"'{path}' has no column '{key}'{closest(key, columns)}")


def _shapes(arrays: Mapping[str, np.ndarray]) -> str:
    return ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "none"
