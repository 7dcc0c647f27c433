"""What is in a collection, before a model is trained on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

import numpy as np

from disentone.audio import Skipped
from disentone.clips import SPLITS, ClipTable
from disentone.datasets.config import CollectionConfig
from disentone.datasets.file_sounds import FileSounds
from disentone.datasets.inspection.file_figures import (
    Duplicates,
    FileFigures,
    find_duplicates,
    measure_all,
)
from disentone.datasets.inspection.known import (
    Crossing,
    FactorSummary,
    cross,
    find_decided,
    find_leaks,
    summarise_factors,
)
from disentone.datasets.inspection.possible import PossibleRelation, find_relations, suggest_facets
from disentone.datasets.inspection.unlabelled import Proposal, propose
from disentone.datasets.opening import open_collection
from disentone.errors import DataError

__all__ = ["Inspection", "SplitSummary", "inspect"]


@dataclass(frozen=True)
class SplitSummary:
    """Clips, recordings and seconds of audio of one split."""

    name: str
    clips: int
    recordings: int
    seconds: float


@dataclass(frozen=True)
class Inspection:
    """What is in a collection.

    Splits, factors, crossings and relations are those of the clips that training would take:
    clips of files that are broken, silent or not finite do not count.

    Parameters
    ----------
    config : CollectionConfig
        How the collection was read.
    splits : tuple of SplitSummary
    files : tuple of FileFigures
        All that can be decoded, also silent and not finite ones.
    skipped : tuple of Skipped
        Files, folders, rows and clips that cannot be used, with the reason.
    notes : tuple of str
        What was guessed when the collection was read.
    duplicates : tuple of Duplicates
    factors : tuple of FactorSummary
    decided : dict of str to list of str
        Factors that follow from each factor, or from the recording.
    crossings : tuple of Crossing
    leaks : dict of str to list of str
        The splits of every recording that is in several.
    relations : tuple of PossibleRelation
    facets : tuple of str
        Facets to begin with, as ``disentone train facets`` takes them.
    proposals : tuple of Proposal
        Where there are none: facets that need no labels, the one to begin with first.
    """

    config: CollectionConfig
    splits: tuple[SplitSummary, ...]
    files: tuple[FileFigures, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]
    duplicates: tuple[Duplicates, ...]
    factors: tuple[FactorSummary, ...]
    decided: dict[str, list[str]]
    crossings: tuple[Crossing, ...]
    leaks: dict[str, list[str]]
    relations: tuple[PossibleRelation, ...]
    facets: tuple[str, ...]
    proposals: tuple[Proposal, ...]

    def to_json(self) -> dict[str, Any]:
        """Give the same as plain values for a JSON file."""
        parts = {name: getattr(self, name) for name in self.__dataclass_fields__}
        plain = {name: _plain(value) for name, value in parts.items() if name != "config"}
        return {"schema": 1, "config": self.config.model_dump(mode="json"), **plain}


def inspect(
    config: CollectionConfig,
    *,
    jobs: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Inspection:
    """Inspect a whole collection: every file is decoded once, in parts.

    Parameters
    ----------
    config : CollectionConfig
        How to read it.
    jobs : int
        Threads that decode.
    progress : callable, optional
        Called with the files that are done and all files.

    Returns
    -------
    Inspection

    Raises
    ------
    DataError
        If there is no collection, or no clip in it can be used.
    """
    collection = open_collection(config)
    table, sounds = collection.table, collection.table.sounds
    assert isinstance(sounds, FileSounds)  # collections are made of files
    names = [str(i).removesuffix(f"@{s:.10g}") for i, s in zip(table.ids, sounds.start)]
    files = dict(zip(names, sounds.paths))
    figures, broken = measure_all(files, jobs=jobs, progress=progress)
    seconds = _seconds(names, sounds, figures)
    unusable = [*broken, *_unusable(figures), *_too_short(table, sounds, seconds)]
    if not (seconds > 0).any():
        first = f"{unusable[0].path}: {unusable[0].reason}"
        raise DataError(f"No clip of '{config.path}' can be used ({first}).")
    table, seconds = table.take(np.flatnonzero(seconds > 0)), seconds[seconds > 0]
    decided = find_decided(table)
    relations = find_relations(table, decided)
    facets = suggest_facets(relations, decided)
    return Inspection(
        config=config,
        splits=_splits(table, seconds),
        files=tuple(figures),
        skipped=(*collection.skipped, *unusable),
        notes=tuple(collection.notes),
        duplicates=find_duplicates(figures, files, _splits_of_files(names, collection.table)),
        factors=summarise_factors(table),
        decided=decided,
        crossings=cross(table, decided),
        leaks=find_leaks(table),
        relations=relations,
        facets=facets,
        proposals=() if facets else propose(config),
    )


def _seconds(
    names: Sequence[str], sounds: FileSounds, figures: Sequence[FileFigures]
) -> np.ndarray:
    """Seconds of every clip (clips,): NaN where its file is of no use, 0 or less beyond its end."""
    length = {one.path: one.seconds for one in figures if one.usable}
    whole = np.array([length.get(name, np.nan) for name in names])
    return np.where(np.isnan(whole), np.nan, np.fmin(sounds.seconds, whole - sounds.start))


def _unusable(figures: Iterable[FileFigures]) -> Iterator[Skipped]:
    for one in figures:
        if one.not_finite:
            yield Skipped(one.path, "The file has samples that are not finite (NaN or Inf).")
        elif one.silent:
            yield Skipped(one.path, "The file is silent: it stays within -90 dBFS of a constant.")


def _too_short(table: ClipTable, sounds: FileSounds, seconds: np.ndarray) -> Iterator[Skipped]:
    for clip in np.flatnonzero(seconds <= 0):
        yield Skipped(table.ids[clip], f"The file ends before {sounds.start[clip]:g} s.")


def _splits(table: ClipTable, seconds: np.ndarray) -> tuple[SplitSummary, ...]:
    places = {split: table.where(split) for split in SPLITS}
    return tuple(
        SplitSummary(split, len(at), len(set(table.recordings[at])), float(seconds[at].sum()))
        for split, at in places.items()
    )


def _splits_of_files(names: Iterable[str], table: ClipTable) -> dict[str, set[str]]:
    splits = defaultdict(set)
    for name, split in zip(names, table.split):
        splits[name].add(split)
    return splits


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
