"""Factors of items from a table alone: one row an item, in order or by a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from disentone.clips import match_names
from disentone.datasets.columns import factors_of, take_column
from disentone.datasets.path_columns import is_path_name, path_columns
from disentone.datasets.regions import region_columns
from disentone.datasets.splits import make_splits
from disentone.datasets.table_files import table_columns
from disentone.datasets.tables import RECORDINGS, recordings_of
from disentone.errors import DataError, closest
from disentone.factors import Factor, FactorKind

__all__ = ["Labelled", "label_items", "read_labels"]

PLACES = ("start", "duration", "seconds")  # where a clip is cut from its file is no factor


@dataclass(frozen=True)
class Labelled:
    """Items and their factors.

    Parameters
    ----------
    factors : dict of str to Factor
    split : ndarray of str, shape (items,)
        ``"train"``, ``"valid"`` or ``"test"``.
    made : bool
        Whether the split was made here, so that no model can have been trained on it.
    recordings, ids : ndarray of str, shape (items,)
    rows : ndarray of int, shape (items,)
        Rows of the embeddings that these are.
    notes : list of str
        What was guessed and decided, one sentence each.
    """

    factors: dict[str, Factor]
    split: np.ndarray
    made: bool
    recordings: np.ndarray
    ids: np.ndarray
    rows: np.ndarray
    notes: list[str]


def read_labels(
    path: str | Path, *, items: int, own: Mapping[str, np.ndarray], key: str | None = None
) -> tuple[dict[str, list[Any]], np.ndarray, list[str]]:
    """Read a table of factors, and find the rows of embeddings that its rows are about.

    Where the embeddings name their rows, in ``key`` or in a column of paths that the table has as
    well, rows are matched by these names, or by file names where paths differ; else by order.

    Parameters
    ----------
    path : path
        ``.csv``, ``.tsv``, ``.jsonl`` or ``.parquet``.
    items : int
        Rows of the embeddings.
    own : mapping of str to ndarray, shape (items,)
        Columns that go with the embeddings.
    key : str, optional

    Returns
    -------
    columns : dict of str to list
        Of the matched rows.
    rows : ndarray of int
        Their rows of the embeddings, increasing.
    notes : list of str

    Raises
    ------
    DataError
        If the table cannot be read, or does not fit.
    """
    columns, skipped, _, notes = table_columns(Path(path))
    if skipped:
        raise DataError(f"{skipped[0].path} of '{path}' cannot be used: {skipped[0].reason}")
    length = len(next(iter(columns.values()), []))
    name = _key(path, columns, own, key)
    if name is None:
        if length != items:
            raise DataError(
                f"'{path}' has {length} rows for {items} embeddings: give as many, in the same "
                "order, or name the rows of both in a column, the key."
            )
        return columns, np.arange(items), notes
    names = [str(value) for value in own[name[0]]]
    place = match_names([str(value) for value in columns[name[1]]], names)
    rows = np.array([row for row, text in enumerate(names) if text in place], dtype=int)
    if not len(rows):
        raise DataError(
            f"No row of '{path}' is about an embedding: its {name[1]} is such as "
            f"'{columns[name[1]][0]}', that of the embeddings such as '{names[0]}'."
        )
    order = [place[names[row]] for row in rows]
    found = {column: [values[place] for place in order] for column, values in columns.items()}
    without = items - len(rows)
    notes = [*notes, f"{len(rows)} of {items} embeddings are matched by '{name[1]}'."]
    notes += [f"{without} have no row in '{path}' and are left out."] if without else []
    return found, rows, notes


def label_items(
    columns: Mapping[str, Sequence[Any]],
    rows: np.ndarray,
    *,
    kinds: Mapping[str, FactorKind],
    names: Sequence[str] = (),
    split: str = "given",
    group: str | None = None,
    key: str | None = None,
    seed: int = 0,
) -> Labelled:
    """Make factors, split and recordings of the columns of a table.

    Parameters
    ----------
    columns : mapping of str to sequence
    rows : ndarray of int
        Rows of the embeddings that they are about.
    kinds : mapping of str to kind
        Of factors; others are guessed.
    names : sequence of str
        The factors to use; all by default.
    split : str
        See :func:`~disentone.datasets.splits.make_splits`.
    group : str, optional
        The column whose values splits must not share, and whose rows are not independent: by
        default ``source_id``, ``recording`` or a path that occurs twice.
    key : str, optional
        The column that names the items.
    seed : int

    Returns
    -------
    Labelled
    """
    places = (*PLACES, *region_columns(columns))
    left = {name: list(values) for name, values in columns.items() if name not in places}
    for name in (*kinds, *names, *([group] if group else [])):
        if name not in left:
            raise DataError(f"There is no column '{name}'{closest(name, left)}")
    given = take_column(left, ("split",))
    named = key or next(filter(is_path_name, left), None)
    paths = left.pop(named, None) if named else None
    ids = np.array([str(p) for p in paths] if paths else [str(row) for row in rows])
    grouped = left[group] if group else take_column(left, RECORDINGS)
    recordings = recordings_of(grouped, ids.tolist())
    asked = {name: values for name, values in left.items() if not names or name in names}
    kinds = {name: kind for name, kind in kinds.items() if name in asked}
    factors, notes = factors_of(asked, kinds, {}, len(set(recordings)))
    where, more = make_splits(given, recordings, factors, how=split, seed=seed)
    made = given is None or split != "given"
    unique = len(set(ids)) == len(ids)
    ids = ids if unique else np.array([f"{name} #{row}" for name, row in zip(ids, rows)])
    return Labelled(factors, where, made, recordings, ids, rows, notes + more)


def _key(
    path: str | Path,
    columns: Mapping[str, Any],
    own: Mapping[str, np.ndarray],
    key: str | None,
) -> tuple[str, str] | None:
    """Columns of the embeddings and of the table that name their rows; None to go by order."""
    if key is None:
        mine = next(filter(is_path_name, own), None)
        theirs = path_columns(columns) if mine else []
        if mine is None or not theirs:
            return None
        names = [str(value) for value in own[mine]]
        found = {n: len(match_names([str(v) for v in columns[n]], names)) for n in theirs[1:]}
        first = len(match_names([str(v) for v in columns[theirs[0]]], names)) if found else 1
        return mine, max(theirs, key=lambda n: found.get(n, first))
    for where, names in ((f"'{path}'", columns), ("What goes with the embeddings", own)):
        if key not in names:
            raise DataError(f"{where} has no column '{key}'{closest(key, names)}")
    return key, key
