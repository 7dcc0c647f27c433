"""Mutual information between latent dimensions and factors, facet by facet."""

from __future__ import annotations

import math
from dataclasses import dataclass

from disentone.report.card import information
from disentone.report.inputs import ReportInputs
from disentone.report.svg import number
from disentone.report.template import Section, render

__all__ = ["section"]

WIDE = 16  # facets of more dimensions are drawn without numbers
LEVELS = 10


@dataclass(frozen=True)
class Cell:
    """One dimension and one factor: what to print, how dark, and the whole story."""

    text: str
    level: int
    story: str


def section(inputs: ReportInputs) -> Section | None:
    """Draw a heat map for each facet, all on one scale, with what chance gives taken off."""
    found = information(inputs.card, inputs.facets)
    if not found:
        return None
    factors = list(dict.fromkeys(factor for _, _, factor in found))
    gains = [gain(value, null) for value, null in found.values()]
    top = max((g for g in gains if not math.isnan(g)), default=0.0)
    blocks = []
    for facet, size in inputs.facets.items():
        rows = []
        for factor in factors:
            pairs = [found.get((facet, d, factor), (math.nan, math.nan)) for d in range(size)]
            cells = [_cell(facet, d, factor, pair, top) for d, pair in enumerate(pairs)]
            rows.append((factor, cells))
        blocks.append((facet, range(size), size > WIDE, rows))
    with_null = any(not math.isnan(null) for _, null in found.values())
    body = render("information.html", blocks=blocks, top=top, levels=LEVELS, with_null=with_null)
    return Section("information", "Where the information sits", body)


def gain(value: float, null: float) -> float:
    """Information above what shuffled factors give; never below 0."""
    return max(value - (0.0 if math.isnan(null) else null), 0.0) if value == value else math.nan


def _cell(facet: str, dimension: int, factor: str, pair: tuple[float, float], top: float) -> Cell:
    value, null = pair
    net = gain(value, null)
    if math.isnan(net):
        return Cell("–", 0, f"{facet}[{dimension}] and {factor}: not measured")
    chance = "" if math.isnan(null) else f", {number(null, 3)} when shuffled"
    story = f"{facet}[{dimension}] and {factor}: {number(value, 3)} nats{chance}"
    text = "·" if net < 0.005 else f"{net:.2f}"
    return Cell(text, round(LEVELS * net / top) if top > 0 else 0, story)
