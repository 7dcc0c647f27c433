"""Reading the flat records of an audit card."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from disentone.facets import Facets

if TYPE_CHECKING:
    from disentone.audit import Card

__all__ = [
    "WHOLE",
    "FacetScore",
    "FactorInformation",
    "grouped",
    "information",
    "published",
    "real",
    "scores",
]

WHOLE = ("all", "both", "joint")  # names that papers and cards give to the whole embedding

Record = Mapping[str, Any]


@dataclass(frozen=True)
class FacetScore:
    """How well one facet predicts one factor; NaN for numbers that the card does not have."""

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
    leak: float  # above chance; NaN where nothing leaks
    sure: bool  # the leak's interval lies above 0
    others: tuple[tuple[str, float], ...]  # further metrics
    delta: tuple[float, float, float] = (math.nan, math.nan, math.nan)  # DSC delta, low and high
    rival: str = ""  # the facet that it is above or below


@dataclass(frozen=True)
class FactorInformation:
    """Information of a dimension or facet about a factor, in nats."""

    value: float
    chance: float  # mean over shuffled factors
    null: float  # 95 % of shuffles give no more

    @property
    def net(self) -> float:
        """Information above what shuffled factors give on average, at least 0."""
        return max(self.value - np.nan_to_num(self.chance), 0.0)

    @property
    def above_chance(self) -> bool:
        """Whether it is more than 95 % of the shuffles give."""
        return self.net >= 0.005 and not self.value <= self.null


def real(value: Any) -> float:
    """Read a number of a record; NaN where there is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return math.nan
    return float(value) if math.isfinite(value) else math.nan


def scores(
    card: Card, *, own: Mapping[str, Sequence[str]], paper: Iterable[Record] = ()
) -> list[FacetScore]:
    """Probe records of a card, one for each facet and factor, with what the paper gives.

    A facet leaks a factor where the card has such a record. A card without any is judged by
    ``own``: whatever else a facet with factors of its own predicts is a leak.
    """
    papers = list(paper)
    probes, leaks = grouped(card, "probe"), grouped(card, "leak")
    deltas = grouped(card, "dsc_delta")
    judged = {facet for facet, _ in leaks}
    found = []
    for (facet, factor), (record, *others) in probes.items():
        value, chance = real(record.get("value")), real(record.get("chance"))
        mine = factor in own.get(facet, ())
        role, leak, sure = "own" if mine or facet in judged else "", math.nan, True
        if (facet, factor) in leaks:
            first = leaks[facet, factor][0]
            role, leak, sure = "leak", real(first.get("value")), not real(first.get("low")) <= 0
        elif not leaks and own.get(facet) and not mine:
            role, leak = "leak", value - chance
        directed = deltas.get((facet, factor), [{}])[0]
        found.append(
            FacetScore(
                facet=facet,
                factor=factor,
                metric=str(record.get("metric") or "score"),
                value=value,
                low=real(record.get("low")),
                high=real(record.get("high")),
                chance=chance,
                n=record.get("n"),
                paper=published(papers, facet, factor),
                role=role,
                leak=leak,
                sure=sure,
                others=tuple((str(o.get("metric")), real(o.get("value"))) for o in others),
                delta=(
                    real(directed.get("value")),
                    real(directed.get("low")),
                    real(directed.get("high")),
                ),
                rival=str(directed.get("other") or ""),
            )
        )
    return found


def grouped(card: Card, measure: str) -> dict[tuple[str, str], list[Record]]:
    """Give records of a measure by facet and factor; the main metric comes first."""
    found: dict[tuple[str, str], list[Record]] = {}
    for record in card.records:
        if record.get("measure") == measure:
            key = (str(record.get("facet")), str(record.get("factor")))
            found.setdefault(key, []).append(record)
    return found


def published(paper: Iterable[Record], facet: str, factor: str) -> float:
    """Find the paper's number for a facet and a factor; NaN if it has none."""
    names = set(WHOLE) if facet in WHOLE else {facet.lower()}
    for row in paper:
        if str(row.get("row")).lower() in names and (
            str(row.get("column")).lower() == factor.lower()
        ):
            return real(row.get("value"))
    return math.nan


def information(card: Card, facets: Facets) -> dict[tuple[str, str], FactorInformation]:
    """Information by facet or dimension (``"shared"``, ``"shared[3]"``) and factor."""
    names = {f"{facet}[{index}]" for facet, size in facets.items() for index in range(size)}
    return {
        (name, factor): FactorInformation(
            *(real(record.get(key)) for key in ("value", "chance", "null"))
        )
        for (name, factor), (record, *_) in grouped(card, "information").items()
        if name in names or name in facets
    }
