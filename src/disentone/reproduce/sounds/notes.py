"""Notes of instruments: what is near in each facet, and what a probe predicts from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from disentone.audit import audit, retrieval_scores
from disentone.audit.clusters import clustered_interval
from disentone.audit.numeric import regress
from disentone.errors import DataError
from disentone.facets import Facets
from disentone.factors import Factor
from disentone.reproduce.sounds.hearing import Heard, row_name
from disentone.reproduce.sounds.tables import cells, of_card

__all__ = ["microphones", "nearest", "recorded"]

SEMITONE = 1.0  # of pitches as MIDI numbers
PROBES = 3  # of each facet and factor
SAXOPHONE = "alto_sax"

Record = dict[str, Any]


def nearest(title: str, heard: Heard) -> Iterator[Record]:
    """Yield how often the nearest clip has the same instrument, and how often the same pitch."""
    factors = {name: heard.table.factor(name) for name in ("instrument", "pitch")}
    yield from ranked(f"{title}, each clip among all others", heard, factors)
    yield from ranked(
        f"{title}, clips of the {heard.split} split among all others", heard, factors, heard.asked
    )


def ranked(
    title: str,
    heard: Heard,
    factors: dict[str, Factor],
    queries: np.ndarray | None = None,
    metric: str = "precision@1",
) -> Iterator[Record]:
    """Yield how well clips are ranked by the cosine in a facet; all facets weigh the same.

    That is the order in which a search shows them. Clips of the query's recording do not count.
    """
    found: dict[str, dict[str, Record]] = {name: {} for name in factors}
    for name, system in heard.systems.items():
        records = retrieval_scores(
            embedding=unit_facets(system.values, system.facets),
            facets=system.facets,
            factors=factors,
            groups=heard.table.recordings,
            queries=queries,
            at=(1,),
        )
        for record in records:
            if record["metric"] == metric:
                found[record["factor"]][row_name(name, record["facet"])] = record
    what = "same {}" if metric == "precision@1" else "{}, mAP"
    for factor, rows in found.items():
        yield from cells(title, what.format(factor), rows)


def unit_facets(values: np.ndarray, facets: Facets) -> np.ndarray:
    """Every facet of length 1, so that distances of all are sums of cosines."""
    length = {name: np.linalg.norm(part, axis=1) for name, part in facets.split(values).items()}
    return np.concatenate(
        [
            part / np.maximum(length[name], 1e-12)[:, None]
            for name, part in facets.split(values).items()
        ],
        axis=1,
    )


def recorded(title: str, heard: Heard) -> Iterator[Record]:
    """Yield what probes predict of pitch and instrument, and what leaks of either."""
    pitch = replace(heard.table.factor("pitch"), tolerance=SEMITONE)
    card = audit(
        heard.model.values,
        facets=heard.model.facets,
        factors={"instrument": heard.table.factor("instrument"), "pitch": pitch},
        split=np.where(heard.asked, "test", "train"),
        owns={"pitch": ["pitch"], "timbre": ["instrument"]},
        baselines=heard.baselines(),
        groups=heard.table.recordings,
        measures=("none",),
        seeds=PROBES,
    )
    probes = [
        ("pitch within a semitone", "probe", "pitch", "within"),
        ("pitch", "probe", "pitch", "accuracy"),
        ("instrument", "probe", "instrument", "accuracy"),
    ]
    leaks = [(name, "leak", name, "accuracy") for name in ("pitch", "instrument")]
    yield from of_card(f"{title}, by a two-layer probe", card, probes)
    yield from pitches(f"{title}, by regression", heard)
    yield from of_card(f"{title}, leak: accuracy of that probe above chance", card, leaks)


def pitches(title: str, heard: Heard) -> Iterator[Record]:
    """Yield how often regression on a facet errs by a semitone at most.

    Most pitches that are asked about were never fitted with their instrument, and some not at all:
    a probe of classes cannot name these, and a number may lie between those that it was fitted to.
    """
    pitch = np.asarray(heard.table.factor("pitch").values, dtype=float)
    known, asked = pitch[~heard.asked], heard.asked
    constant = max(np.unique(known), key=lambda value: (np.abs(known - value) <= SEMITONE).mean())
    chance = float((np.abs(pitch[asked] - constant) <= SEMITONE).mean())
    rows = {}
    for name, block in heard.blocks().items():
        found = regress(block[~asked], known[:, None], block[asked]).predicted[:, 0]
        within = (np.abs(found - pitch[asked]) <= SEMITONE) * 1.0
        low, high = clustered_interval(within[:, None], heard.table.recordings[asked])
        numbers = {"value": float(within.mean()), "low": float(low[0]), "high": float(high[0])}
        rows[name] = numbers | {"chance": chance, "n": len(within)}
    yield from cells(title, "pitch within a semitone", rows)


def microphones(title: str, heard: Heard) -> Iterator[Record]:
    """Yield how well a probe hears which of two microphones recorded the saxophone.

    Raises
    ------
    DataError
        If there is no such instrument.
    """
    instrument = heard.table.factor("instrument")
    if SAXOPHONE not in instrument.classes:
        raise DataError(f"There is no instrument '{SAXOPHONE}' of two microphones.")
    rows = np.flatnonzero(instrument.values == instrument.classes.index(SAXOPHONE))
    of = heard.take(rows)
    card = audit(
        of.model.values,
        facets=of.model.facets,
        factors={"microphone": of.table.factor("microphone")},
        split=np.where(of.asked, "test", "train"),
        baselines=of.baselines(),
        groups=of.table.recordings,
        measures=("none",),
        seeds=PROBES,
    )
    columns = [("microphone", "probe", "microphone", "accuracy")]
    yield from of_card(f"{title}, by a two-layer probe", card, columns)
