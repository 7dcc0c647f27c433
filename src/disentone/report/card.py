"""Reading the flat records of an audit card."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from disentone.facets import Facets

__all__ = ["WHOLE", "Score", "information", "published", "scores"]

WHOLE = ("all", "both", "joint")  # names that papers and cards give to the whole embedding

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Score:
    """How well one facet tells one factor."""

    facet: str
    factor: str
    metric: str
    value: float
    low: float
    high: float
    chance: float
    n: int | None
    paper: float
    role: str  # "own", "leak" or ""

    @property
    def above(self) -> float:
        """How far above chance."""
        return self.value - self.chance


def real(value: Any) -> float:
    """Read a number of a record; NaN where there is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return math.nan
    return float(value)


def scores(
    card: Record, *, own: Mapping[str, Sequence[str]], paper: Iterable[Record] = ()
) -> list[Score]:
    """Probe records of a card, one for each facet and factor, with what the paper gives."""
    judged = {factor for factors in own.values() for factor in factors}
    papers = list(paper)
    found: dict[tuple[str, str], Score] = {}
    for record in card.get("records", ()):
        facet, factor = str(record.get("facet")), str(record.get("factor"))
        if record.get("measure") != "probe" or (facet, factor) in found:
            continue
        role = ""
        if factor in judged and facet not in WHOLE:
            role = "own" if factor in own.get(facet, ()) else "leak"
        found[facet, factor] = Score(
            facet=facet,
            factor=factor,
            metric=str(record.get("metric") or "score"),
            value=real(record.get("value")),
            low=real(record.get("low")),
            high=real(record.get("high")),
            chance=real(record.get("chance")),
            n=record.get("n"),
            paper=published(papers, facet, factor),
            role=role,
        )
    return list(found.values())


def published(paper: Iterable[Record], facet: str, factor: str) -> float:
    """Find the paper's number for a facet and a factor; NaN if it has none."""
    names = set(WHOLE) if facet in WHOLE else {facet.lower()}
    for row in paper:
        if str(row.get("row")).lower() in names and (
            str(row.get("column")).lower() == factor.lower()
        ):
            return real(row.get("value"))
    return math.nan


def information(card: Record, facets: Facets) -> dict[tuple[str, int, str], tuple[float, float]]:
    """Mutual information of latent dimensions: (facet, dimension, factor) -> (value, null).

    Dimensions are counted from 0 within their facet; nats; the null is NaN where not given.
    """
    found: dict[tuple[str, int, str], tuple[float, float]] = {}
    for record in card.get("records", ()):
        facet, dimension = record.get("facet"), record.get("dimension")
        if record.get("measure") != "information" or dimension is None or facet not in facets:
            continue
        null = record.get("null", record.get("chance"))
        key = (str(facet), int(dimension), str(record.get("factor")))
        found.setdefault(key, (real(record.get("value")), real(null)))
    return found
