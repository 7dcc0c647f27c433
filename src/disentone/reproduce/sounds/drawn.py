"""Patches that the model was not trained on: what is known of each by its synthesis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from disentone.audit import Card, audit
from disentone.datasets.patches import Patches, patches
from disentone.datasets.patches.table import KNOWN
from disentone.embeddings.systems import Songs, System, statistics_system
from disentone.embeddings.watcher import Watcher
from disentone.reproduce.sounds.hearing import Heard, Split
from disentone.reproduce.sounds.tables import of_card
from disentone.runs.preparation import window_features

if TYPE_CHECKING:
    from disentone.embeddings.model import Model

__all__ = ["drawn_card", "drawn_tables", "hear_patches"]

SEEDS: dict[Split, int] = {"valid": 1_000_003, "test": 2_000_003}  # no recipe's
OWNS = {
    "pitch": ("f0", "notes"),
    "timbre": ("brightness", "noise"),
    "envelope": ("attack", "length", "rate"),
    "space": ("reverberation", "floor", "level"),
}
"""The group of each cause that is known of a patch."""


def hear_patches(
    models: Mapping[str, Model], *, clips: int, split: Split, plain: bool, watcher: Watcher
) -> Heard:
    """Synthesise and embed patches; a fifth of them, of draws that the others lack, is asked about.

    Every split has patches of its own seed. Each draw is in two of them, so that as many as
    possible are asked about. Parameters are those of
    :func:`~disentone.reproduce.sounds.hearing.hear`.
    """
    frontend = next(iter(models.values())).frontend
    table = patches(Patches(clips=clips, repeats=2, seed=SEEDS[split]))
    data = window_features(
        table, frontend, cache=None, watcher=watcher, stage="Synthesising", jobs=1
    )
    ids, rows = tuple(data.table.ids), np.arange(len(data.table))
    found = {
        name: System(name, model.facets, ids, data.of_clips(model.embed_features, rows))
        for name, model in models.items()
    }
    if plain:
        statistics = statistics_system(Songs(data.table, rows), watcher=watcher)
        found[statistics.name] = statistics
    asked = np.where(data.table.split == "train", "train", split).astype(object)
    return Heard(replace(data.table, split=asked), found, split)


def drawn_card(heard: Heard, *, probes: int, watcher: Watcher) -> Card:
    """Audit facets by what was drawn for each patch."""
    facets = heard.model.facets
    return audit(
        heard.model.values,
        facets=facets,
        factors={name: heard.table.factor(name) for name in KNOWN},
        split=np.where(heard.asked, "test", "train"),
        owns={facet: OWNS[facet] for facet in facets if facet in OWNS},
        baselines=heard.baselines(),
        measures=("none",),
        seeds=probes,
        run="held-out patches",
        stage=watcher.stage,
    )


def drawn_tables(title: str, card: Card) -> Iterator[dict[str, Any]]:
    """Yield what each facet predicts of the causes, and what it leaks of those of other groups."""
    known = [(name, "probe", name, "r2") for name in card.factors]
    leaks = [(name, "leak", name, "accuracy") for name in card.factors]
    yield from of_card(f"{title}, R2 by ridge regression or on random cosines", card, known)
    yield from of_card(f"{title}, leak: accuracy in 20 classes above chance", card, leaks)
