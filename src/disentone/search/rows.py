"""Rows of the store: what is kept of an item, checked, and its vector, facets of unit length."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa

from disentone.errors import DataError
from disentone.facets import Facets

__all__ = [
    "HIDDEN",
    "KEPT",
    "PLACE",
    "column_name",
    "column_names",
    "facet_lengths",
    "factor",
    "factors_of",
    "fitted",
    "item_table",
    "unit_facets",
    "unusable",
]

PLACE = {
    "id": pa.string(),
    "path": pa.string(),
    "recording": pa.string(),
    "start": pa.float64(),
    "end": pa.float64(),
}
KEPT = {  # how an item follows its file; not shown
    "stamp": pa.string(),  # changes when the file may have changed
    "_root": pa.string(),  # which of the roots the path is below; null where it is whole
    "_content": pa.string(),  # hash of the file
    "_clip": pa.float64(),  # start of the clip that it is, or was cut from
}
HIDDEN = ("vector", *KEPT)  # columns that are not shown
_RESERVED = (*HIDDEN, "score", "facets", "cosines", "copies", "x", "y")


def item_table(vectors: np.ndarray, facets: Facets, items: pa.Table) -> pa.Table:
    """Rows of the store, checked: items, and their vectors with facets of unit length.

    Raises
    ------
    DataError
        See :meth:`disentone.search.Index.build`.
    """
    columns = {name: _place(items, name) for name in (*PLACE, *KEPT)}
    ids = columns["id"]
    if len(ids.unique()) != len(items):
        counts = ids.value_counts().to_pylist()
        twice = next(entry["values"] for entry in counts if entry["counts"] > 1)
        raise DataError(f"Item '{twice}' occurs twice: ids must be unique.")
    for name in items.column_names:
        known = None if name in columns else factor(name, items[name])
        if known is not None and known.null_count < len(known):  # else all values are unknown
            columns[name] = known
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


def fitted(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows with the columns of a store, in its order; null where they have none.

    Raises
    ------
    DataError
        If a factor is a text here, and a number there.
    """
    columns = []
    for field in schema:
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
    return pa.table(columns, schema=schema)


def column_name(factor: str) -> str:
    """Name the column of a factor after it, or nearly so where a store does not allow the name."""
    name = re.sub("[.`]", "_", factor)
    taken = name.startswith("_") or name.lower() in {*PLACE, *_RESERVED}
    return f"factor_{name.lstrip('_')}" if taken else name


def column_names(factors: Iterable[str]) -> dict[str, str]:
    """Name the columns of factors by :func:`column_name`.

    Raises
    ------
    DataError
        If two of them would have one column.
    """
    names: dict[str, str] = {}
    for factor in factors:
        same = next((f for f, name in names.items() if name == column_name(factor)), None)
        if same is not None:
            raise DataError(
                f"'{same}' and '{factor}' are both called '{column_name(factor)}' in an index: "
                "rename one of them."
            )
        names[factor] = column_name(factor)
    return names


def _place(items: pa.Table, name: str) -> pa.Array:
    kind = (PLACE | KEPT)[name]
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


def factor(name: str, column: pa.ChunkedArray) -> pa.Array:
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
