"""The table of measures of disentanglement: value, interval, chance, and how each was computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from disentone.audit.measures import Measure
from disentone.audit.registry import tabled
from disentone.report.card import WHOLE, real
from disentone.report.inputs import ReportInputs
from disentone.report.svg import interval_bar
from disentone.report.template import Section, render

__all__ = ["section"]

NATS = ("nats",)


@dataclass(frozen=True)
class MeasureRow:
    """One measure: its name, the question it answers, its numbers, and its value by factor."""

    name: str
    variant: str
    asks: str
    value: float
    low: float
    high: float
    chance: float
    unit: str
    bar: Markup | None
    how: str
    each: Mapping[str, float]


def section(inputs: ReportInputs) -> Section | None:
    """Draw the measures of a card, one a row."""
    records = list(inputs.card.records)
    measures = {one.name: one for one in tabled([str(r.get("measure")) for r in records])}
    records = [r for r in records if r.get("measure") in measures]
    whole = [
        record
        for record in records
        if record["facet"] in WHOLE and record["factor"] in WHOLE and "with" not in record
    ]
    if not whole:
        return None
    order = list(measures)
    whole.sort(key=lambda record: (order.index(record["measure"]), record.get("variant", "")))
    factors = list(inputs.card.factors)
    rows = [
        _row(measures[record["measure"]], record, _each(records, record, factors))
        for record in whole
    ]
    shown = [factor for factor in factors if any(factor in row.each for row in rows)]
    notes = [
        f"{measures[record['measure']].label}, “{record['variant']}”: {record['note']}"
        for record in whole
        if record.get("note")
    ]
    body = render(
        "measures.html",
        rows=rows,
        factors=shown,
        notes=notes,
        missing=list(inputs.card.notes),
    )
    return Section("measures", "Measures of disentanglement", body)


def _each(
    records: Sequence[Mapping[str, Any]], whole: Mapping[str, Any], factors: list[str]
) -> dict[str, float]:
    """Values of a measure by factor."""
    same = ("measure", "variant", "metric")
    return {
        record["factor"]: real(record["value"])
        for record in records
        if record["factor"] in factors
        and record["facet"] in WHOLE
        and all(record.get(key) == whole.get(key) for key in same)
    }


def _row(measure: Measure, record: Mapping[str, Any], each: Mapping[str, float]) -> MeasureRow:
    value, low, high = (real(record.get(key)) for key in ("value", "low", "high"))
    chance, in_nats = real(record.get("chance")), record.get("metric") in NATS
    return MeasureRow(
        measure.label,
        str(record.get("variant", "")),
        measure.question,
        value,
        low,
        high,
        chance,
        "nats" if in_nats else "",
        None if in_nats else interval_bar(value, low, high, chance),
        _how(record),
        each,
    )


def _how(record: Mapping[str, Any]) -> str:
    """How the number was computed, in a line."""
    batches = "batch" in record
    parts = [f"{record['n']:,} {'batches' if batches else 'items'} ({record['split']})"]
    if record.get("predictor"):
        parts.append(str(record["predictor"]))
    for key, text in (
        ("train", "{} to fit"),
        ("bins", "{} bins"),
        ("factor_bins", "{} bins of continuous factors"),
        ("active", "{} informative dimensions"),
        ("interval", "interval: {}"),
    ):
        if record.get(key) is not None:
            parts.append(text.format(record[key]))
    return " · ".join(parts)
