"""Tables, charts and sentences of triplet and retrieval scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from disentone.report.inputs import Figure
from disentone.report.radar import radar
from disentone.report.svg import number

__all__ = ["diagonal", "triplet_figures", "triplet_sentences", "triplet_tables"]

ALL = "all"
TOP = 6  # subsets that are shown, as in CSN's Table 2
RANKS = ("map", "precision@5")
UNIT = "share of triplets in order"

Record = Mapping[str, Any]


def triplet_tables(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Give the rows of all tables, as :func:`~disentone.report.write_tables_report` takes them.

    All systems beside each other on every dimension; the best subsets and the single facets of
    each; its facets by dimension; retrieval by all facets and by the one of the same name.

    Parameters
    ----------
    records : sequence of mapping
        Of :func:`disentone.runs.judging.judge`.
    """
    triplets = [r for r in records if r["measure"] == "triplet"]
    rows = [
        _cell("Triplets in order, all facets", r["run"], r["factor"], r)
        for r in triplets
        if r["facet"] == ALL
    ]
    for run, own in _by_run(triplets).items():
        singles = _singles(own)
        if len(singles) < 2:
            continue
        rows += [_cell(f"Subsets of facets: {run}", r["facet"], "score", r) for r in _shown(own)]
        rows += [
            _cell(f"Facets by dimension: {run}", r["facet"], r["factor"], r)
            for r in own
            if r["factor"] != ALL
        ]
    for metric in RANKS:
        rows += [
            _cell(f"Retrieval: {metric}", f"{r['run']}, {_which(r)}", r["factor"], r)
            for r in records
            if r.get("metric") == metric and r["facet"] in (ALL, r["factor"])
        ]
    return rows


def triplet_figures(records: Sequence[Record]) -> list[Figure]:
    """Draw each facet alone, on all triplets (CSN, Fig. 2) and on those of its own dimension."""
    of = _by_run([r for r in records if r["measure"] == "triplet"])
    alone = {
        run: {r["facet"]: r["value"] for r in own if r["facet"] in _singles(own)}
        for run, own in ((run, [r for r in own if r["factor"] == ALL]) for run, own in of.items())
    }
    mine = {
        run: {name: pairs[name][0]["value"] for name in alone[run] if name in pairs}
        for run, pairs in ((run, diagonal(own)) for run, own in of.items())
    }
    captions = {
        "Each facet alone, on all triplets.": alone,
        "Each facet alone, on the triplets of its own dimension.": mine,
    }
    figures = []
    for caption, series in captions.items():
        drawn = {run: values for run, values in series.items() if len(values) > 2}
        if drawn:
            chart = radar(drawn, title=caption.rstrip("."), unit=UNIT, reference=0.5)
            figures.append(Figure(caption, chart))
    return figures


def diagonal(records: Sequence[Record]) -> dict[str, tuple[Record, Record]]:
    """For each dimension with a facet of its name: that facet's record, and the best other's.

    Parameters
    ----------
    records : sequence of mapping
        Triplet scores of one system.
    """
    found = {}
    singles = _singles(records)
    for dimension in dict.fromkeys(r["factor"] for r in records if r["factor"] in singles):
        of = {r["facet"]: r for r in records if r["factor"] == dimension and r["facet"] in singles}
        own = of.pop(dimension)
        if of:
            found[dimension] = own, max(of.values(), key=lambda r: r["value"])
    return found


def triplet_sentences(records: Sequence[Record]) -> list[str]:
    """Write for each system how many facets are best at their own dimension, and its ties."""
    sentences = []
    for run, own in _by_run([r for r in records if r["measure"] == "triplet"]).items():
        pairs = diagonal(own)
        worse = [
            f"{name} ({other['facet']} {number(other['value'], 3)}, "
            f"itself {number(mine['value'], 3)})"
            for name, (mine, other) in pairs.items()
            if other["value"] >= mine["value"]
        ]
        if pairs:
            text = f"{run}: {len(pairs) - len(worse)} of {len(pairs)} facets are best at the "
            text += "triplets of their own dimension"
            sentences.append(text + (f"; not so {', '.join(worse)}." if worse else "."))
        whole = next(r for r in own if r["facet"] == r["factor"] == ALL)
        if whole["ties"]:
            sentences.append(
                f"{run}: {whole['ties']} of {whole['n']} triplets have two equal distances, which "
                "count as wrong."
            )
    return sentences


def _by_run(records: Sequence[Record]) -> dict[str, list[Record]]:
    runs = dict.fromkeys(r["run"] for r in records)
    return {run: [r for r in records if r["run"] == run] for run in runs}


def _singles(records: Sequence[Record]) -> set[str]:
    return {r["facet"] for r in records if r["facet"] != ALL and "+" not in r["facet"]}


def _shown(records: Sequence[Record]) -> list[Record]:
    """The best subsets on all triplets, then the facets alone."""
    whole = [r for r in records if r["factor"] == ALL]
    singles = _singles(records)
    best = sorted(whole, key=lambda r: -r["value"])[:TOP]
    return [*best, *(r for r in whole if r["facet"] in singles and r not in best)]


def _which(record: Record) -> str:
    return "all facets" if record["facet"] == ALL else "the facet of that name"


def _cell(table: str, row: str, column: str, record: Record) -> dict[str, Any]:
    numbers = {key: record[key] for key in ("value", "low", "high")}
    none = {key: math.nan if value is None else value for key, value in numbers.items()}
    return {"table": table, "row": row, "column": column, **none, "paper": None}
