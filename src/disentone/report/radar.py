"""Radar (Kiviat) charts as inline SVG: one axis a measure, one line a system."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from disentone.report.svg import element, number, ticks

__all__ = ["radar"]

WIDTH, HEIGHT, RADIUS = 460, 340, 118
CENTRE = (WIDTH / 2, 158)
SERIES = 12  # colours of the page
DASHES = (None, "7 3", "2 3", "9 3 2 3")  # lines differ without their colours
FALLBACK = ("#0072b2", "#d55e00", "#00875f", "#aa4499", "#8a6d00", "#3fa0d8")  # outside a page
_LEGEND = 18  # height of a line


def radar(
    series: Mapping[str, Mapping[str, float]],
    *,
    title: str,
    unit: str,
    low: float = 0.0,
    high: float = 1.0,
    reference: float | None = None,
    reference_label: str = "chance",
) -> Markup:
    """Draw a radar chart.

    Colours are those of the page, in both themes, and lines differ in their dashes as well; a
    file of the chart alone is drawn in fixed colours. The values are in its description, for
    those who do not see it.

    Parameters
    ----------
    series : mapping of str to mapping of str to float
        For each system its value on each axis; a value that is not finite leaves a gap.
    title : str
        What is shown, for its description.
    unit : str
        What the rings count, such as ``"share of triplets in order"``.
    low, high : float
        At the centre and at the edge.
    reference : float, optional
        A dashed ring, such as chance.
    reference_label : str

    Returns
    -------
    Markup
        An ``svg`` element.

    Raises
    ------
    ValueError
        If there are fewer than three axes, or the scale is empty.
    """
    axes = list(dict.fromkeys(axis for values in series.values() for axis in values))
    if len(axes) < 3:
        raise ValueError(f"A radar chart needs three axes or more, not {len(axes)}.")
    if not high > low:
        raise ValueError("A radar chart needs a scale whose high end is above its low end.")
    spokes = [2 * math.pi * index / len(axes) for index in range(len(axes))]
    share = {value: (value - low) / (high - low) for value in ticks(low, high)}
    parts = [element("title", title)]
    parts += [_ring(spokes, at, "grid", stroke="#d8dce2") for at in share.values() if at > 0]
    parts += [_spoke(angle, axis) for angle, axis in zip(spokes, axes)]
    parts += [_mark(at, value) for value, at in share.items()]
    names = [(name, index) for index, name in enumerate(series)]
    if reference is not None:
        at = (reference - low) / (high - low)
        parts.append(_ring(spokes, at, "tick", stroke="currentColor", stroke_dasharray="3 3"))
    for name, index in names:
        points = [
            _place(angle, (min(max(value, low), high) - low) / (high - low))
            if math.isfinite(value)
            else None
            for angle, value in ((a, series[name].get(x, math.nan)) for a, x in zip(spokes, axes))
        ]
        parts += _line(points, index)
    top = CENTRE[1] + RADIUS + 46
    for row, (name, index) in enumerate(names):
        parts += _legend(name, index, top + _LEGEND * row)
    bottom = top + _LEGEND * len(names)
    if reference is not None:
        text = f"dashed ring: {reference_label}, {number(reference)}"
        parts.append(_text(text, 12, bottom))
        bottom += _LEGEND
    parts.append(_text(f"rings: {unit}", 12, bottom))
    return element(
        "svg",
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        class_="plot radar",
        viewBox=f"0 0 {WIDTH} {max(HEIGHT, bottom + 10):g}",
        role="img",
        aria_label=_described(title, unit, series, axes),
        font_family="sans-serif",
        font_size=12,
    )


def _place(angle: float, share: float) -> tuple[float, float]:
    """Point on a spoke; the first one goes up, the others follow clockwise."""
    return (
        CENTRE[0] + RADIUS * share * math.sin(angle),
        CENTRE[1] - RADIUS * share * math.cos(angle),
    )


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _ring(spokes: Sequence[float], share: float, style: str, **attributes: object) -> Markup:
    d = _path([_place(angle, share) for angle in spokes]) + "Z"
    return element("path", class_=style, d=d, fill="none", **attributes)


def _spoke(angle: float, axis: str) -> Markup:
    line = element("path", class_="grid", d=_path([CENTRE, _place(angle, 1)]), stroke="#d8dce2")
    x, y = _place(angle, 1.1)
    side = math.sin(angle)
    anchor = "middle" if abs(side) < 0.2 else "start" if side > 0 else "end"
    return line + element(
        "text", axis, x=x, y=y + 4, text_anchor=anchor, font_weight=600, fill="currentColor"
    )


def _mark(share: float, value: float) -> Markup:
    x, y = _place(0, share)
    text = f"{value:g}".replace("-", "−")
    return element("text", text, x=x + 4, y=y + 11, font_size=10, fill="currentColor")


def _line(points: Sequence[tuple[float, float] | None], index: int) -> list[Markup]:
    """Outline of one system, and a dot on each axis; open where a value is missing."""
    whole = [point for point in points if point is not None]
    if not whole:
        return []
    style = _style(index)
    d = _path(whole) + ("Z" if len(whole) == len(points) else "")
    dots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in whole)
    return [
        element("path", d=d, stroke_width=2, stroke_dasharray=DASHES[index % len(DASHES)], **style),
        element("path", d=dots, stroke_width=6, stroke_linecap="round", **style),
    ]


def _style(index: int) -> dict[str, object]:
    colour = FALLBACK[index % len(FALLBACK)]
    return {"class_": f"radar-{index % SERIES}", "fill": "none", "stroke": colour}


def _legend(name: str, index: int, y: float) -> list[Markup]:
    dash = DASHES[index % len(DASHES)]
    line = element(
        "path", d=f"M12 {y - 4:g}h26", stroke_width=2, stroke_dasharray=dash, **_style(index)
    )
    return [line, _text(name, 46, y)]


def _text(text: str, x: float, y: float) -> Markup:
    return element("text", text, x=x, y=y, fill="currentColor")


def _described(
    title: str, unit: str, series: Mapping[str, Mapping[str, float]], axes: Sequence[str]
) -> str:
    values_by_series = [
        f"{name}: " + ", ".join(f"{axis} {number(values.get(axis, math.nan))}" for axis in axes)
        for name, values in series.items()
    ]
    return f"{title} ({unit}). {'; '.join(values_by_series)}."
