"""Bars of information, one a dimension, for each factor."""

from __future__ import annotations

import math
from collections.abc import Callable

from markupsafe import Markup

from disentone.report.card import FactorInformation, grouped, information, real
from disentone.report.inputs import ReportInputs
from disentone.report.svg import element, number, ticks
from disentone.report.template import Section, render

__all__ = ["section"]

WIDTH, HEIGHT, LEFT, FOOT, GAP = 640.0, 120.0, 34.0, 20.0, 10.0


def section(inputs: ReportInputs) -> Section | None:
    """Draw the information of every dimension about each factor, less that of a shuffled one."""
    found = information(inputs.card, inputs.facets)
    single = {key: held for key, held in found.items() if key[0] not in inputs.facets}
    if not single:
        return None
    factors = list(dict.fromkeys(factor for _, factor in single))
    bounds = {
        key: (real(records[0].get("low")), real(records[0].get("high")))
        for key, records in grouped(inputs.card, "information").items()
    }
    rows = [(factor, _bars(inputs, single, bounds, factor)) for factor in factors]
    return Section("dimensions", "Dimension by dimension", render("bars.html", rows=rows))


def _bars(
    inputs: ReportInputs,
    held: dict[tuple[str, str], FactorInformation],
    bounds: dict[tuple[str, str], tuple[float, float]],
    factor: str,
) -> Markup:
    top = max((h.net for (_, f), h in held.items() if f == factor), default=0.0)
    highs = (bounds[key][1] - _chance(h) for key, h in held.items() if key[1] == factor)
    top = max([top, 0.01, *(high for high in highs if not math.isnan(high))])
    room = WIDTH - LEFT - GAP * len(inputs.facets)
    step, base = room / inputs.facets.dim, HEIGHT - FOOT

    def at(value: float) -> float:
        return base - max(value, 0.0) / top * (base - 8)

    parts: list[Markup] = []
    for value in ticks(0.0, top, count=3):
        parts.append(element("path", class_="grid", d=f"M{LEFT} {at(value):.1f}H{WIDTH}"))
        label = {"x": LEFT - 5, "y": at(value) + 4, "text_anchor": "end"}
        parts.append(element("text", f"{value:g}", **label))
    x = LEFT + GAP / 2
    for index, (facet, size) in enumerate(inputs.facets.items()):
        middle = {"x": x + size * step / 2, "y": HEIGHT - 4, "text_anchor": "middle"}
        parts.append(element("text", facet, **middle))
        for dim in range(size):
            key = (f"{facet}[{dim}]", factor)
            if key in held:
                low, high = bounds[key]
                spread = (low - _chance(held[key]), high - _chance(held[key]))
                parts += _bar(key[0], held[key], spread, x, step, at, index)
            x += step
        x += GAP
    story = f"Information of each dimension about {factor}, in nats"
    box = f"0 0 {WIDTH:g} {HEIGHT:g}"
    return element("svg", *parts, class_="plot bars", viewBox=box, role="img", aria_label=story)


def _bar(
    name: str,
    held: FactorInformation,
    spread: tuple[float, float],
    x: float,
    step: float,
    at: Callable[[float], float],
    index: int,
) -> list[Markup]:
    base, top = at(0.0), at(held.net)
    story = f"{name}: {number(held.net, 3)} nats above chance"
    style = f"b{index % 2}" if held.above_chance else "faint"
    width = max(step * 0.8, 0.5)
    rect = element(
        "rect", element("title", story), class_=style, x=x, y=top, width=width, height=base - top
    )
    if step < 6 or math.isnan(sum(spread)) or not held.above_chance:
        return [rect]
    middle = x + width / 2
    line = f"M{middle:.1f} {at(spread[0]):.1f}V{at(spread[1]):.1f}"
    return [rect, element("path", class_="whisker", d=line)]


def _chance(held: FactorInformation) -> float:
    return 0.0 if math.isnan(held.chance) else held.chance
