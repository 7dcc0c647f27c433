"""Tables of triplets that are given, of which :mod:`disentone.agreement.given` draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from disentone.agreement.given import GivenTriplets
from disentone.datasets.table_files import table_columns
from disentone.errors import DataError

__all__ = ["read_triplets"]

ROLES = ("anchor", "positive", "negative")


def read_triplets(path: str | Path) -> GivenTriplets:
    """Read a table of triplets.

    Parameters
    ----------
    path : path
        ``.csv``, ``.tsv``, ``.jsonl`` or ``.parquet`` with the columns ``anchor``, ``positive`` and
        ``negative``, names of clips, and ``dimensions`` (separated by ``;``) or ``dimension``.

    Returns
    -------
    GivenTriplets

    Raises
    ------
    DataError
        If the table cannot be read, lacks a column, or a row lacks a clip or its dimension.
    """
    path = Path(path)
    columns, skipped, numbers, _ = table_columns(path)
    if skipped or not numbers:
        reason = skipped[0].reason if skipped else "It has no rows."
        raise DataError(f"'{path}' cannot be used: {reason}")
    given = next((name for name in ("dimensions", "dimension") if name in columns), "dimension")
    for name in (*ROLES, given):
        if name not in columns:
            raise DataError(f"Table '{path}' of triplets needs a column '{name}'.")
    rows = [[_text(columns[name][row]) for name in (*ROLES, given)] for row in range(len(numbers))]
    for number, row in zip(numbers, rows):
        if not all(row):
            raise DataError(f"Row {number} of '{path}' lacks a clip or its dimension.")
        if len(set(row[:3])) < 3:
            raise DataError(f"Row {number} of '{path}' names a clip twice: three are needed.")
    dimensions = tuple(tuple(part.strip() for part in row[3].split(";")) for row in rows)
    names = np.array([row[:3] for row in rows], dtype=object)
    return GivenTriplets(names, dimensions, f"'{path}'")


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()
