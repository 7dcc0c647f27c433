"""What the loaders of named datasets share: a check of the layout, a table of text, folds."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from disentone.datasets.config import CollectionConfig
from disentone.datasets.tables import Collection, collect
from disentone.errors import DataError
from disentone.factors import FactorKind

__all__ = ["collect_known", "read_columns", "require", "split_by_fold"]


def require(found: object, folder: Path, dataset: str, layout: str) -> None:
    """Refuse a folder that is not laid out as its dataset is.

    Parameters
    ----------
    found : object
        True where what is needed is there.
    folder : Path
    dataset, layout : str
        Name of the dataset, and what its folder has in it.

    Raises
    ------
    DataError
    """
    if found:
        return
    problem = "does not look like" if folder.is_dir() else "is no folder with"
    raise DataError(f"'{folder}' {problem} {dataset}: expected {layout} in it.")


def read_columns(path: Path, needed: Sequence[str]) -> dict[str, list[str]]:
    """Read a CSV file, as text, by column.

    Parameters
    ----------
    path : Path
        ``.csv`` or ``.csv.gz``.
    needed : sequence of str
        Columns that must be there.

    Returns
    -------
    dict of str to list of str

    Raises
    ------
    DataError
        If the file cannot be read, a row is too short or long, or a column is missing.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            names, *rows = [row for row in csv.reader(file) if row] or [[]]
    except (OSError, EOFError, UnicodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"Table '{path}' cannot be read: {reason}.") from error
    missing = [name for name in needed if name not in names]
    if missing:
        raise DataError(f"Table '{path}' has no column '{missing[0]}'.")
    bad = next((number for number, row in enumerate(rows, 1) if len(row) != len(names)), None)
    if bad is not None:
        fields = f"{len(rows[bad - 1])} fields for {len(names)} columns"
        raise DataError(f"Table '{path}' is damaged: row {bad} has {fields}.")
    columns = zip(*rows) if rows else ((),) * len(names)
    return {name: list(column) for name, column in zip(names, columns)}


def split_by_fold(folds: Sequence[str], *, valid: str, test: str) -> list[str]:
    """Make one fold valid, one test and the others train."""
    return [{valid: "valid", test: "test"}.get(fold, "train") for fold in folds]


def collect_known(
    folder: Path,
    paths: Sequence[str],
    columns: Mapping[str, Sequence[Any]],
    kinds: Mapping[str, FactorKind],
    config: CollectionConfig,
    *,
    dataset: str,
    folds: str = "",
) -> Collection:
    """Make a collection of a named dataset; kinds that the user gives override its own.

    Parameters
    ----------
    folder : Path
    paths : sequence of str
        Relative to the folder.
    columns : mapping of str to sequence
        See :func:`~disentone.datasets.tables.collect`.
    kinds : mapping of str to str
        Of columns that may be there.
    config : CollectionConfig
    dataset : str
    folds : str
        Which folds are train, valid and test, where the dataset has folds and no splits.

    Returns
    -------
    Collection
    """
    known = {name: kind for name, kind in kinds.items() if name in columns}
    config = config.model_copy(update={"kinds": {**known, **config.kinds}})
    collection = collect(folder, paths, columns, config, source=f"{dataset} in '{folder}'")
    if folds and config.split == "given":
        collection.notes.append(
            f"{dataset} has folds, made for cross-validation, and no split: {folds}."
        )
    return collection
