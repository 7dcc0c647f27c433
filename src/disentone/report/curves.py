"""Training curves: one panel for each term, training and validation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from markupsafe import Markup

from disentone.report.card import real
from disentone.report.inputs import ReportInputs
from disentone.report.svg import concise, element, log_ticks, ticks
from disentone.report.template import Section, render

__all__ = ["section", "terms"]

WIDTH, HEIGHT = 360, 196
LEFT, RIGHT, TOP, BOTTOM = 52, 350, 12, 160
LOG_RATIO = 30  # curves that span more than this are drawn on a log scale

Points = list[tuple[float, float]]


def section(inputs: ReportInputs) -> Section | None:
    """Draw the history of every term that was logged."""
    panels = []
    for term, curves in terms(inputs.history).items():
        last = [(split, points[-1][1]) for split, points in curves.items()]
        panels.append((term, last, panel(term, curves)))
    if not panels:
        return None
    splits = {split for _, last, _ in panels for split, _ in last}
    return Section("training", "Training", render("curves.html", panels=panels, splits=splits))


def terms(history: Sequence) -> dict[str, dict[str, Points]]:
    """Sort a history into ``{term: {"train": [(epoch, value)], "valid": ...}}``; gaps dropped."""
    found: dict[str, dict[str, Points]] = {}
    for index, line in enumerate(history, start=1):
        epoch = real(line.get("epoch"))
        for key, value in line.items():
            split, slash, term = key.partition("/")
            if slash and math.isfinite(real(value)):
                where = index if math.isnan(epoch) else epoch
                found.setdefault(term, {}).setdefault(split, []).append((where, real(value)))
    return dict(sorted(found.items(), key=lambda item: item[0] != "total"))  # the sum leads


def panel(term: str, curves: dict[str, Points]) -> Markup:
    """Draw the curves of one term over epochs."""
    epochs = [epoch for points in curves.values() for epoch, _ in points]
    values = [value for points in curves.values() for _, value in points]
    across = _linear(min(epochs), max(epochs), LEFT, RIGHT)
    up, marks, logarithmic = _vertical(values)
    parts = [_row(value, up(value), logarithmic) for value in marks]
    whole = [t for t in ticks(min(epochs), max(epochs), count=5) if t == int(t)]
    parts += [
        element("text", int(t), x=across(t), y=BOTTOM + 16, text_anchor="middle") for t in whole
    ]
    middle = (LEFT + RIGHT) / 2
    parts.append(element("text", "epoch", x=middle, y=HEIGHT - 5, text_anchor="middle"))
    for split, points in curves.items():
        d = "M" + "L".join(f"{across(x):.1f} {up(y):.1f}" for x, y in points)
        d += "h0.01" if len(points) == 1 else ""
        parts.append(element("path", class_=f"curve {'valid' if split == 'valid' else ''}", d=d))
    ends = ", ".join(f"{split} {concise(points[-1][1])}" for split, points in curves.items())
    scale = "log scale" if logarithmic else "linear scale"
    label = f"{term} over {len(set(epochs))} epochs, {scale}; at the end {ends}"
    return element(
        "svg", *parts, class_="plot", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=label
    )


def _vertical(values: list[float]) -> tuple[Callable[[float], float], list[float], bool]:
    low, high = min(values), max(values)
    if low > 0 and high / low > LOG_RATIO:
        inner = _linear(math.log(low), math.log(high), BOTTOM, TOP)
        return lambda value: inner(math.log(value)), log_ticks(low, high), True
    pad = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    low, high = low - pad, high + pad
    return _linear(low, high, BOTTOM, TOP), ticks(low, high), False


def _linear(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    if high == low:
        return lambda value: (start + end) / 2
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _row(value: float, height: float, logarithmic: bool) -> Markup:
    grid = element("path", class_="grid", d=f"M{LEFT} {height:.1f}H{RIGHT}")
    text = f"{value:g}".replace("-", "−")
    label = element("text", text, x=LEFT - 6, y=height + 4, text_anchor="end")
    return grid + label
