"""Read embedding files of any format."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from disentone.embeddings.layout import (
    PLACE,
    about_of,
    check_suffix,
    columns_of,
    no_embeddings,
    values_of,
)
from disentone.errors import DataError
from disentone.facets import Facets

__all__ = ["StoredEmbeddings", "read_about", "read_embeddings"]


class StoredEmbeddings(NamedTuple):
    """What :func:`read_embeddings` gives.

    Attributes
    ----------
    values : ndarray of float32, shape (rows, dim)
    facets : Facets
        Which columns of ``values`` are which facet.
    columns : dict of str to ndarray, shape (rows,)
        ``path`` (text), ``start`` and ``duration`` (seconds), and the factors that were known:
        numbers, NaN where unknown, or text, ``""`` where unknown.
    about : dict
        ``model`` (see :func:`model_id`), ``recipe``, ``segment`` and ``hop`` in seconds or None,
        ``disentone`` (version).
    """

    values: np.ndarray
    facets: Facets
    columns: dict[str, np.ndarray]
    about: dict[str, Any]


def read_embeddings(path: str | Path) -> StoredEmbeddings:
    """Read what ``disentone embed`` wrote, in any of its formats.

    Parameters
    ----------
    path : path
        ``.parquet``, ``.npz``, or ``.npy`` with its ``.csv`` and ``.json`` beside it.

    Returns
    -------
    StoredEmbeddings

    Raises
    ------
    DataError
        If the file is missing, damaged, or was not written by ``disentone embed``.

    Examples
    --------
    >>> values, facets, columns, about = read_embeddings("out.parquet")   # doctest: +SKIP
    >>> facets.take(values, "shared").shape, columns["path"].shape        # doctest: +SKIP
    ((888, 8), (888,))
    """
    path = check_suffix(path)
    if not path.is_file():
        raise DataError(f"There are no embeddings '{path}'.")
    read = {".parquet": _read_parquet, ".npz": _read_npz, ".npy": _read_npy}[path.suffix.lower()]
    try:
        return read(path)
    except (OSError, ValueError, KeyError, TypeError, EOFError, pa.ArrowException,
            zipfile.BadZipFile) as error:  # fmt: skip
        raise no_embeddings(path) from error


def read_about(path: str | Path) -> dict[str, Any]:
    """Read only what goes with an embedding file as a whole.

    Raises
    ------
    DataError
        As :func:`read_embeddings` does.
    """
    path = check_suffix(path)
    try:
        if path.suffix.lower() == ".parquet":
            return about_of(pq.read_schema(path), path)
        if path.suffix.lower() == ".npy":
            return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        with np.load(path) as stored:
            return json.loads(str(stored["about"]))
    except (OSError, ValueError, KeyError, EOFError, pa.ArrowException,
            zipfile.BadZipFile) as error:  # fmt: skip
        raise no_embeddings(path) from error


def _read_parquet(path: Path) -> StoredEmbeddings:
    table = pq.read_table(path)
    about = about_of(table.schema, path)
    facets = Facets.from_json(about["facets"])
    return StoredEmbeddings(values_of(table), facets, columns_of(table), about)


def _read_npz(path: Path) -> StoredEmbeddings:
    with np.load(path) as stored:  # refuses pickles
        about = json.loads(str(stored["about"]))
        names = dict(zip(PLACE, PLACE)) | about["factors"]
        columns = {name: stored[column] for name, column in names.items()}
        return StoredEmbeddings(
            stored["embedding"], Facets.from_json(about["facets"]), columns, about
        )


def _read_npy(path: Path) -> StoredEmbeddings:
    about = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    with path.with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file))
    texts = dict(zip(header, map(list, zip(*rows)) if rows else [[] for _ in header]))
    names = dict(zip(PLACE, PLACE)) | about["factors"]
    numeric = {"start", "duration", *about["numbers"]}
    columns = {
        name: np.array([float(text or "nan") for text in texts[column]])
        if name in numeric
        else np.array(texts[column], dtype=np.str_)
        for name, column in names.items()
    }
    values = np.load(path)
    if len(values) != len(rows):
        raise ValueError("the two files do not belong together")
    return StoredEmbeddings(values, Facets.from_json(about["facets"]), columns, about)
