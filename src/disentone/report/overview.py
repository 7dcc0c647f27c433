"""One picture of a card: how much of every factor each facet encodes, where above chance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from disentone.report.card import WHOLE, grouped, real
from disentone.report.inputs import ReportInputs
from disentone.report.svg import number
from disentone.report.template import Section, render

__all__ = ["section"]

LEVELS = 10
SURE = 0.05  # p above which a facet counts as encoding nothing


@dataclass(frozen=True)
class FacetCell:
    """One facet and one factor: the text printed, the shade, the tooltip, and whether its own."""

    text: str
    level: int
    story: str
    own: bool


def section(inputs: ReportInputs) -> Section | None:
    """Draw facets down and factors across: the share of the factor's entropy that each encodes."""
    found = grouped(inputs.card, "information")
    factors = [name for name in inputs.card.factors if _entropy(inputs, name) > 0]
    names = [*inputs.facets, *(w for w in WHOLE if any(facet == w for facet, _ in found))]
    if len(inputs.facets) == 1:
        names = names[:1]
    measured = [name for name in names if any((name, factor) in found for factor in factors)]
    if not measured:
        return None
    rows = [
        ("all facets" if name in WHOLE else name, [_cell(inputs, found, name, f) for f in factors])
        for name in measured
    ]
    body = render("overview.html", factors=factors, rows=rows, levels=LEVELS)
    return Section("overview", "What each facet encodes", body)


def _entropy(inputs: ReportInputs, factor: str) -> float:
    about = inputs.card.factors.get(factor, {})
    return real(about.get("entropy")) if isinstance(about, dict) else math.nan


def _cell(
    inputs: ReportInputs, found: dict[tuple[str, str], list[Any]], facet: str, factor: str
) -> FacetCell:
    own = factor in inputs.own.get(facet, ())
    if (facet, factor) not in found:
        return FacetCell("–", 0, f"{facet} and {factor}: not measured", own)
    record = found[facet, factor][0]
    value, entropy, p = real(record.get("value")), _entropy(inputs, factor), real(record.get("p"))
    share = min(max(value / entropy, 0.0), 1.0)
    above = p <= SURE if not math.isnan(p) else real(record.get("low")) > 0
    story = f"{facet} and {factor}: {number(value, 3)} of {number(entropy, 3)} nats"
    story += "" if math.isnan(p) else f", p {number(p, 3)}"
    if not above or share < 0.005:
        return FacetCell("·", 0, f"{story}, no more than chance", own)
    return FacetCell(f"{share:.0%}", round(LEVELS * share), story, own)
