"""The table of measures of disentanglement: value, interval, chance, and how each was computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from disentone.report.card import WHOLE, real
from disentone.report.inputs import ReportInputs
from disentone.report.svg import interval_bar
from disentone.report.template import Section, render

__all__ = ["NAMES", "section"]

# In the order of the table, each with what it asks.
NAMES: Mapping[str, tuple[str, str]] = {
    "block_mig": ("facet MIG", "is each factor in one facet?"),
    "block_dci_disentanglement": (
        "facet disentanglement",
        "does each facet encode its own factor only?",
    ),
    "block_dci_completeness": ("facet completeness", "is each factor predicted by one facet?"),
    "mig": ("MIG", "is each factor in one dimension?"),
    "dcimig": ("DCIMIG", "has each factor a dimension of its own?"),
    "jemmig": ("JEMMIG", "the same, and nothing else in that dimension?"),
    "dmig": ("DMIG", "MIG, where factors depend on each other"),
    "xmig": ("XMIG", "MIG against dimensions that no factor owns"),
    "sap": ("SAP", "does one dimension alone predict each factor?"),
    "dci_completeness": ("DCI completeness", "is each factor in few dimensions?"),
    "mig_sup": ("MIG-sup", "does each dimension encode one factor?"),
    "dlig": ("DLIG", "the same, where factors depend on each other"),
    "modularity": ("modularity", "does each dimension encode one factor?"),
    "dci_disentanglement": ("DCI disentanglement", "is each dimension for one factor?"),
    "irs": ("IRS", "does a dimension stay constant while other factors change?"),
    "z_diff": ("Z-diff", "do differences of codes show which factor was shared?"),
    "z_min_variance": ("Z-min variance", "does a dimension stay constant with each factor?"),
    "z_max_variance": ("Z-max variance", "does a dimension change with each factor?"),
    "explicitness": ("explicitness", "can a linear classifier separate each class?"),
    "dci_informativeness": ("DCI informativeness", "is every factor predicted at all?"),
    "smoothness": ("smoothness", "does a factor change evenly along its dimension?"),
    "monotonicity": ("monotonicity", "does it change in one direction?"),
    "udr": ("UDR", "do runs find the same dimensions?"),
    "total_correlation": ("total correlation", "do dimensions depend on each other? 0 is least"),
    "wasserstein": ("Wasserstein dependency", "the same, from 0 to 1"),
}
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
    records = [r for r in inputs.card.get("records", ()) if r.get("measure") in NAMES]
    whole = [
        record
        for record in records
        if record["facet"] in WHOLE and record["factor"] in WHOLE and "with" not in record
    ]
    if not whole:
        return None
    order = list(NAMES)
    whole.sort(key=lambda record: (order.index(record["measure"]), record.get("variant", "")))
    factors = list(inputs.card.get("factors", {}))
    rows = [_row(record, _each(records, record, factors)) for record in whole]
    shown = [factor for factor in factors if any(factor in row.each for row in rows)]
    notes = [
        f"{NAMES[record['measure']][0]}, “{record['variant']}”: {record['note']}"
        for record in whole
        if record.get("note")
    ]
    body = render(
        "measures.html",
        rows=rows,
        factors=shown,
        notes=notes,
        missing=list(inputs.card.get("notes", ())),
    )
    return Section("measures", "Measures of disentanglement", body)


def _each(
    records: list[Mapping[str, Any]], whole: Mapping[str, Any], factors: list[str]
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


def _row(record: Mapping[str, Any], each: Mapping[str, float]) -> MeasureRow:
    name, asks = NAMES[record["measure"]]
    value, low, high = (real(record.get(key)) for key in ("value", "low", "high"))
    chance, in_nats = real(record.get("chance")), record.get("metric") in NATS
    return MeasureRow(
        name,
        str(record.get("variant", "")),
        asks,
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
