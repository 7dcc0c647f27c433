"""The table of facets by factors: how well each facet predicts each factor, beside the paper."""

from __future__ import annotations

import math

from markupsafe import Markup

from disentone.report.card import WHOLE, FacetScore, scores
from disentone.report.inputs import ReportInputs
from disentone.report.svg import interval_bar, number
from disentone.report.template import Section, render

__all__ = ["section"]


def section(inputs: ReportInputs) -> Section | None:
    """Draw the probes of the card as a table, facets down and factors across."""
    found = scores(inputs.card, own=inputs.own, paper=inputs.paper)
    if not found:
        return None
    cells = {(score.facet, score.factor): score for score in found}
    names = list(dict.fromkeys(score.facet for score in found))
    rows = sorted(names, key=lambda name: (name not in inputs.facets, name not in WHOLE))
    factors = list(dict.fromkeys(score.factor for score in found))
    body = render(
        "scores.html",
        rows=[(_row_title(name), _size(inputs, name), name) for name in rows],
        columns=[(factor, _metric(found, factor), _classes(inputs, factor)) for factor in factors],
        cells=cells,
        bar=bar,
        with_paper=any(not math.isnan(score.paper) for score in found),
        with_roles=any(score.role for score in found),
        with_deltas=any(score.rival for score in found),
        clips=[f"{n:,}" for n in sorted({score.n for score in found if score.n})],
    )
    return Section("scores", "What each facet predicts", body)


def bar(score: FacetScore) -> Markup:
    """Draw a score on a line from 0 to 1: interval, chance and the paper's number."""
    return interval_bar(score.value, score.low, score.high, score.chance, score.paper)


def _row_title(facet: str) -> str:
    return "all facets" if facet in WHOLE else facet


def _size(inputs: ReportInputs, facet: str) -> str:
    size = inputs.facets.dim if facet in WHOLE else inputs.facets.get(facet)
    return "" if size is None else f"{size} dimension{'s' if size > 1 else ''}"


def _metric(found: list[FacetScore], factor: str) -> str:
    return next(score.metric for score in found if score.factor == factor)


def _classes(inputs: ReportInputs, factor: str) -> str:
    entry = inputs.card.factors.get(factor, {})
    classes = entry.get("classes") if isinstance(entry, dict) else None
    count = classes if isinstance(classes, int) else len(classes or ())
    return f"{number(count, 0)} classes" if count else ""
