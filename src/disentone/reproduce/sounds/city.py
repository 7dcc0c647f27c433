"""City sounds: their category by a tuned probe, and by what is near."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from disentone.audit.clusters import clustered_interval
from disentone.audit.tuned import tuned_probe
from disentone.reproduce.sounds.hearing import Heard
from disentone.reproduce.sounds.notes import ranked
from disentone.reproduce.sounds.tables import cells

__all__ = ["categories"]


def categories(title: str, heard: Heard) -> Iterator[dict[str, Any]]:
    """Yield how well each facet, and all of them, predict and find the category."""
    factor = heard.table.factor("category")
    labels, asked = factor.values, heard.asked
    usual = np.bincount(labels[~asked]).argmax()
    rows = {}
    for name, block in heard.blocks().items():
        found = tuned_probe(
            embedding=block, labels=labels, fitted=~asked, groups=heard.table.recordings
        )
        right = (found.predicted == labels[asked]) * 1.0
        low, high = clustered_interval(right[:, None], heard.table.recordings[asked])
        rows[name] = {
            "value": float(right.mean()),
            "low": float(low[0]),
            "high": float(high[0]),
            "chance": float((labels[asked] == usual).mean()),
            "n": len(right),
        }
    yield from cells(title, "category, by a tuned linear probe", rows)
    found = {"category": factor}
    yield from ranked(title, heard, found, asked)
    yield from ranked(title, heard, found, asked, metric="map")
