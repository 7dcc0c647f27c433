"""Rows and columns of the tables, as flat records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from disentone.audit import Card
from disentone.audit.card import ALL
from disentone.reproduce.sounds.hearing import MODEL, row_name

__all__ = ["CHANCE", "Column", "cells", "of_card"]

CHANCE = "chance"  # the row of what no information would give

Record = dict[str, Any]
Column = tuple[str, str, str, str]  # its title; and measure, factor and metric of its records


def cells(table: str, column: str, rows: Mapping[str, Mapping[str, Any]]) -> Iterator[Record]:
    """Yield a column of a table: a record a row, and what chance gives.

    Where chance is 0, no row says so.

    Parameters
    ----------
    table, column : str
        Titles.
    rows : mapping of str to record
        Numbers of each row: ``value``, ``low``, ``high``, ``n`` and perhaps ``chance``.
    """
    for row, one in rows.items():
        numbers = {key: one.get(key) for key in ("value", "low", "high", "n")}
        yield {"table": table, "row": row, "column": column, **numbers}
    chances = [one["chance"] for one in rows.values() if one.get("chance") is not None]
    if any(chances):
        yield {"table": table, "row": CHANCE, "column": column, "value": chances[0]}


def of_card(table: str, card: Card, columns: Sequence[Column]) -> Iterator[Record]:
    """Yield a table of records of a card: a row for every facet and baseline that has them."""
    for title, measure, factor, metric in columns:
        asked = (measure, factor, metric)
        of = [r for r in card.records if (r["measure"], r["factor"], r["metric"]) == asked]
        yield from cells(table, title, {_row(card, str(r["facet"])): r for r in of})


def _row(card: Card, facet: str) -> str:
    return row_name(MODEL, facet) if facet in card.facets or facet == ALL else facet
