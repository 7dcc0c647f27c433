"""Triplets that are given: which of two clips is nearer to a third, in some dimension."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from disentone.datasets.tables import table_columns
from disentone.errors import DataError, closest

__all__ = ["GivenTriplets", "read_triplets"]

ROLES = ("anchor", "positive", "negative")


@dataclass(frozen=True)
class GivenTriplets:
    """Triplets by the names of their clips.

    Parameters
    ----------
    names : ndarray of str, shape (triplets, 3)
        Anchor, positive, negative.
    dimensions : tuple of tuple of str
        For each triplet, the dimensions in which it holds.
    whence : str
        For errors, such as the file.
    """

    names: np.ndarray
    dimensions: tuple[tuple[str, ...], ...]
    whence: str

    def __len__(self) -> int:
        """Count the triplets."""
        return len(self.names)

    @property
    def named(self) -> tuple[str, ...]:
        """Dimensions in which some triplet holds, sorted; none of people's judgements."""
        return tuple(sorted({name for names in self.dimensions for name in names}))

    @property
    def key(self) -> str:
        """Text that changes with the triplets."""
        text = json.dumps([self.names.tolist(), self.dimensions])
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def take(self, rows: np.ndarray) -> GivenTriplets:
        """Give some of the triplets: rows int or bool (triplets,)."""
        rows = np.arange(len(self))[rows]
        return replace(
            self, names=self.names[rows], dimensions=tuple(self.dimensions[row] for row in rows)
        )

    def places(self, clips: Mapping[str, int]) -> np.ndarray:
        """Look clips up by name: int (triplets, 3).

        Raises
        ------
        DataError
            If a clip is not known.
        """
        unknown = sorted(set(self.names.ravel().tolist()) - set(clips))
        if unknown:
            more = f" and {len(unknown) - 1} more clips" if len(unknown) > 1 else ""
            raise DataError(
                f"{self.whence} names '{unknown[0]}'{more}, which the data does not have"
                f"{closest(unknown[0], tuple(clips))}"
            )
        return np.array([[clips[name] for name in row] for row in self.names.tolist()], dtype=int)

    def holds(self, dimension: str) -> np.ndarray:
        """Which triplets hold in a dimension: bool (triplets,).

        Raises
        ------
        DataError
            If there is none.
        """
        found = np.array([dimension in names for names in self.dimensions])
        if not found.any():
            raise DataError(
                f"{self.whence} has no triplets of dimension '{dimension}'"
                f"{closest(dimension, self.named)}"
            )
        return found


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
    columns, skipped, numbers = table_columns(path)
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
