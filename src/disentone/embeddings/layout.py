"""Columns of an embedding file, and what goes with the file as a whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from disentone.embeddings.model_files import find_model, read_config
from disentone.errors import DataError
from disentone.facets import Facets

__all__ = [
    "KEY",
    "PLACE",
    "SUFFIXES",
    "about_of",
    "check_suffix",
    "columns_of",
    "model_id",
    "no_embeddings",
    "schema_of",
    "table_of",
    "values_of",
]

PLACE = ("path", "start", "duration")

SUFFIXES = (".parquet", ".npz", ".npy")
KEY = b"disentone"  # of our JSON in the metadata of a Parquet file
_RESERVED = ("embedding", "facets", "slices", "about")  # what else an .npz holds


def model_id(folder: str | Path) -> str:
    """Name a model by what it computes: the same for a copy, another for any other weights.

    Parameters
    ----------
    folder : path or str
        A folder, or the name of a packaged model: see
        :func:`~disentone.embeddings.model_files.find_model`.

    Returns
    -------
    str
        SHA-256 of the weights and of the configuration of facets, front-end and network.

    Raises
    ------
    ArtifactError
        If there is no model, or its configuration cannot be read.
    """
    folder = find_model(folder)
    config = read_config(folder)
    for name in ("about", "size"):
        config.pop(name, None)
    digest = hashlib.sha256(json.dumps(config).encode())
    digest.update((folder / "model.safetensors").read_bytes())
    return digest.hexdigest()


def schema_of(facets: Facets, factors: Mapping[str, bool], about: Mapping[str, Any]) -> pa.Schema:
    """Columns of an embedding table: place, facets, factors, and JSON about the whole.

    Parameters
    ----------
    facets : Facets
    factors : mapping of str to bool
        Whether each factor is a number; it is text otherwise. A factor whose name is taken, as
        by a facet, has the column ``factor_NAME``.
    about : mapping
        See :class:`StoredEmbeddings`; must be JSON.

    Returns
    -------
    pyarrow.Schema
    """
    fields = [pa.field("path", pa.string())]
    fields += [pa.field(name, pa.float64()) for name in PLACE[1:]]
    fields += [pa.field(_column(name), pa.list_(pa.float32(), n)) for name, n in facets.items()]
    names: dict[str, str] = {}
    for name, numeric in factors.items():
        column = name
        while column in {*_RESERVED, *(field.name for field in fields)}:
            column = f"factor_{column}"
        names[name] = column
        fields.append(pa.field(column, pa.float64() if numeric else pa.string()))
    notes = {"format": 1, **about, "facets": facets.to_json(), "factors": names}
    return pa.schema(fields, {KEY: json.dumps(notes).encode()})


def _column(facet: str) -> str:
    return f"facet_{facet}" if facet in PLACE else facet


def table_of(
    schema: pa.Schema, place: Sequence[np.ndarray], values: np.ndarray, known: Mapping[str, Any]
) -> pa.Table:
    """Some rows as a Parquet table.

    Parameters
    ----------
    schema : pyarrow.Schema
        Of :func:`schema_of`.
    place : sequence of three ndarrays, shape (rows,)
        Path, start and duration.
    values : ndarray of float32, shape (rows, dim)
    known : mapping of str to sequence
        Values of every factor of the schema, None where unknown.
    """
    about = about_of(schema)
    columns = dict(zip(PLACE, place)) | {about["factors"][name]: v for name, v in known.items()}
    for name, part in Facets.from_json(about["facets"]).split(values).items():
        flat = pa.array(np.ascontiguousarray(part, np.float32).reshape(-1))
        columns[_column(name)] = pa.FixedSizeListArray.from_arrays(flat, part.shape[1])
    return pa.table([pa.array(columns[f.name], f.type) for f in schema], schema=schema)


def about_of(schema: pa.Schema, file: str | Path = "") -> dict[str, Any]:
    """JSON that goes with an embedding table; a table of another program has none."""
    try:
        return json.loads((schema.metadata or {})[KEY])
    except (KeyError, ValueError) as error:
        raise no_embeddings(file) from error


def columns_of(table: pa.Table) -> dict[str, np.ndarray]:
    """Place and factors of the rows, by their own names; unknown is NaN or ``""``."""
    about = about_of(table.schema)
    names = dict(zip(PLACE, PLACE)) | about["factors"]
    columns = {name: table.column(column) for name, column in names.items()}
    return {
        name: np.array(column.fill_null("").to_pylist(), dtype=np.str_)
        if pa.types.is_string(column.type)
        else column.fill_null(np.nan).to_numpy()
        for name, column in columns.items()
    }


def values_of(table: pa.Table) -> np.ndarray:
    """Embeddings of the rows, shape (rows, dim), facets in their order."""
    facets = Facets.from_json(about_of(table.schema)["facets"])
    columns = {name: table.column(_column(name)).combine_chunks() for name in facets}
    return facets.join(
        {name: c.flatten().to_numpy().reshape(-1, facets[name]) for name, c in columns.items()}
    )


def check_suffix(path: str | Path) -> Path:
    """Refuse a file name without the suffix of a format of embeddings."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(
            f"'{path}' is no embedding file: its name must end in .parquet, .npz or .npy."
        )
    return path


def no_embeddings(file: str | Path) -> DataError:
    """Give the error that a file is not what it should be."""
    return DataError(
        f"'{file}' is damaged or was not written by this version of disentone embed: make it again."
    )
