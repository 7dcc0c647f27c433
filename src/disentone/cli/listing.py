"""Items on the screen: what was found, as a table, as ids, or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from disentone.facets import Facets

__all__ = ["print_items"]

_PLACE = ("id", "path", "recording", "start", "end", "score", "facets", "cosines", "copies")


def print_items(
    rows: Sequence[Mapping[str, Any]], facets: Facets, *, as_json: bool, quiet: bool
) -> None:
    """Print items: the duration, the score and the cosine in each facet of a query, the factors.

    After an item stands how many were folded into it.

    Parameters
    ----------
    rows : sequence of mapping
        As :meth:`disentone.search.Hit.to_json` gives them; without a query there is no score.
    facets : Facets
        Of the index.
    as_json : bool
        Print a list of the rows.
    quiet : bool
        Print the ids alone.
    """
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    elif quiet:
        for row in rows:
            typer.echo(row["id"])
    elif rows:
        _print_table(rows, facets)
    else:
        typer.echo("Nothing passes the filter.")


def _print_table(rows: Sequence[Mapping[str, Any]], facets: Facets) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    scored = "score" in rows[0]
    factors = [name for name in rows[0] if name not in _PLACE]
    factors = [name for name in factors if any(row[name] is not None for row in rows)]
    table = Table(box=None, pad_edge=False)
    table.add_column("", justify="right", style="dim")
    table.add_column("item", overflow="fold")
    table.add_column("s", justify="right", no_wrap=True)
    for name in ("score", *facets) if scored else ():
        table.add_column(name, justify="right", no_wrap=True, style="bold" * (name == "score"))
    table.add_column(" · ".join(factors), style="dim", overflow="fold")
    for rank, row in enumerate(rows, 1):
        cosines = [f"{cosine:+.2f}" for cosine in row["cosines"].values()] if scored else []
        numbers = [_seconds(row), *([f"{row['score']:.3f}", *cosines] if scored else ())]
        known = " · ".join(_shown(row[name]) for name in factors)
        more = f" (+{len(row['copies'])})" if row.get("copies") else ""
        table.add_row(str(rank), Text(row["id"] + more), *numbers, Text(known))
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _seconds(row: Mapping[str, Any]) -> str:
    """Duration of an item, "-" where it is not known."""
    return "-" if row["end"] is None else f"{row['end'] - (row['start'] or 0.0):.2f}"


def _shown(value: str | float | None) -> str:
    return "-" if value is None else value if isinstance(value, str) else f"{value:g}"
