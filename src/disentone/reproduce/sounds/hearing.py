"""A set of clips as a model embeds it, and beside it what a sceptic would ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from disentone.audit.card import ALL
from disentone.clips import ClipTable
from disentone.datasets.config import CollectionConfig
from disentone.datasets.opening import open_collection
from disentone.embeddings.systems import (
    Songs,
    System,
    statistics_system,
    system_of_model,
)
from disentone.embeddings.watcher import Watcher

if TYPE_CHECKING:
    from disentone.embeddings.model import Model

__all__ = ["MODEL", "Heard", "Split", "hear", "row_name"]

Split = Literal["valid", "test"]
MODEL = ""  # the system whose facets are judged


@dataclass(frozen=True)
class Heard:
    """Clips and their embeddings by several systems.

    Parameters
    ----------
    table : ClipTable
        Of the validation split, without test clips: what is chosen by them must not see these.
    systems : mapping of str to System
        The model (named ``""``), its untrained network and log-mel statistics; rows are those of
        the table.
    split : {"valid", "test"}
        The clips that are asked about.
    """

    table: ClipTable
    systems: Mapping[str, System]
    split: Split

    @property
    def asked(self) -> np.ndarray:
        """Which clips are asked about, bool (clips,); probes are fitted to the others."""
        return self.table.split == self.split

    @property
    def model(self) -> System:
        """The system whose facets are judged."""
        return self.systems[MODEL]

    def take(self, rows: np.ndarray) -> Heard:
        """Give the same of some clips."""
        systems = {
            name: System(one.name, one.facets, tuple(self.table.ids[rows]), one.values[rows])
            for name, one in self.systems.items()
        }
        return Heard(self.table.take(rows), systems, self.split)

    def baselines(self) -> dict[str, np.ndarray]:
        """Give everything beside the model's facets, by the name of its row."""
        return {
            row_name(name, facet): part
            for name, system in self.systems.items()
            if name != MODEL
            for facet, part in parts(system).items()
        }

    def blocks(self) -> dict[str, np.ndarray]:
        """Give everything that is measured, by the name of its row."""
        mine = {row_name(MODEL, facet): part for facet, part in parts(self.model).items()}
        return mine | self.baselines()


def parts(system: System) -> dict[str, np.ndarray]:
    """Facets of a system, where it has several, and all of it."""
    alone = system.facets.split(system.values) if len(system.facets) > 1 else {}
    return {**alone, ALL: system.values}


def row_name(system: str, facet: str) -> str:
    """Name of a facet's row in a table: ``"timbre facet"``, ``"untrained network, timbre"``."""
    if system == MODEL:
        return "all facets" if facet == ALL else f"{facet} facet"
    return system if facet == ALL else f"{system}, {facet}"


def hear(
    place: Path, models: Mapping[str, Model], *, split: Split, plain: bool, watcher: Watcher
) -> Heard:
    """Embed the clips of a set; those that one system cannot use are left out for all.

    Parameters
    ----------
    place : Path
        Folder with ``clips.csv``.
    models : mapping of str to Model
        The model, named ``""``, and its untrained network.
    split : {"valid", "test"}
    plain : bool
        Whether log-mel statistics are wanted as well.
    watcher : Watcher

    Raises
    ------
    DataError
        If there is no such set, or nothing usable in it.
    """
    table = open_collection(CollectionConfig(path=str(place))).table
    if split == "valid":
        table = table.take(np.flatnonzero(table.split != "test"))
    songs = Songs(table, np.arange(len(table)))
    found = {
        name: system_of_model(model, songs, name=name, watcher=watcher)
        for name, model in models.items()
    }
    if plain:
        statistics = statistics_system(songs, watcher=watcher)
        found[statistics.name] = statistics
    shared = set.intersection(*(set(one.ids) for one in found.values()))
    rows = np.flatnonzero([name in shared for name in table.ids])
    return Heard(table, {name: _in_order(one, table) for name, one in found.items()}, split).take(
        rows
    )


def _in_order(system: System, table: ClipTable) -> System:
    """The same with a row for every clip of the table; NaN where the system has none."""
    values = np.full((len(table), system.facets.dim), np.nan, dtype=np.float32)
    place = {name: row for row, name in enumerate(table.ids)}
    values[[place[name] for name in system.ids]] = system.values
    return System(system.name, system.facets, tuple(table.ids), values)
