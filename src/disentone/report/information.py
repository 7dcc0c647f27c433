"""Mutual information between latent dimensions and factors, facet by facet."""

from __future__ import annotations

import math
from dataclasses import dataclass

from disentone.report.card import FactorInformation, information
from disentone.report.inputs import ReportInputs
from disentone.report.svg import number
from disentone.report.template import Section, render

__all__ = ["section"]

WIDE = 16  # facets of more dimensions are drawn without numbers
LEVELS = 10
UNKNOWN = FactorInformation(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class DimensionCell:
    """One dimension and one factor: the text printed, the shade, and the tooltip."""

    text: str
    level: int
    story: str


def section(inputs: ReportInputs) -> Section | None:
    """Draw a heat map for each facet, all on one scale, less what chance gives."""
    found = information(inputs.card, inputs.facets)
    single = {key: held for key, held in found.items() if key[0] not in inputs.facets}
    if not single:
        return None
    factors = list(dict.fromkeys(factor for _, factor in single))
    top = max((held.net for held in single.values() if held.above_chance), default=0.0)
    blocks = []
    for facet, size in inputs.facets.items():
        rows = []
        for factor in factors:
            names = [f"{facet}[{index}]" for index in range(size)]
            cells = [
                _cell(name, factor, single.get((name, factor), UNKNOWN), top) for name in names
            ]
            whole = found.get((facet, factor), UNKNOWN)
            rows.append((factor, cells, _cell(facet, factor, whole, whole.net).text))
        blocks.append((facet, range(size), size > WIDE, rows))
    body = render(
        "information.html",
        blocks=blocks,
        top=top,
        levels=LEVELS,
        with_chance=any(not math.isnan(held.chance) for held in single.values()),
        with_facets=len(single) < len(found),
    )
    return Section("information", "Where the information sits", body)


def _cell(name: str, factor: str, held: FactorInformation, top: float) -> DimensionCell:
    if math.isnan(held.value):
        return DimensionCell("–", 0, f"{name} and {factor}: not measured")
    chance = "" if math.isnan(held.chance) else f", {number(held.chance, 3)} when shuffled"
    story = f"{name} and {factor}: {number(held.value, 3)} nats{chance}"
    if not held.above_chance:
        return DimensionCell("·", 0, story)
    return DimensionCell(f"{held.net:.2f}", round(LEVELS * held.net / top), story)
