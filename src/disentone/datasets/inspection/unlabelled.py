"""Facets that need no labels, for the clips of a collection, and what each would mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from disentone.agreement import CLIP, RECORDING, Relation, ViewSampler
from disentone.clips import ClipTable
from disentone.datasets.config import CollectionConfig
from disentone.datasets.opening import open_collection
from disentone.errors import DataError

__all__ = ["Proposal", "propose"]

SEGMENT = 1  # seconds that recordings are cut into, as measured on esc10 (docs/facets.md)
_ENOUGH = 2 / 3  # share of the clips to train on that must have a partner
_LEAST = {"train": 2, "valid": 2, "test": 1}  # clips with partners; test needs none
_REST = "rest:8"


@dataclass(frozen=True)
class Proposal:
    """A facet that needs no labels.

    Parameters
    ----------
    facets : tuple of str
        As ``disentone train facets`` takes them; the first one is what it is about.
    agree : str
        What makes clips agree in it.
    encodes : str
        What it therefore encodes.
    settings : dict
        Keys of the collection that it needs, such as ``segment``.
    """

    facets: tuple[str, ...]
    agree: str
    encodes: str
    settings: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Name of the facet."""
        return self.facets[0].partition(":")[0]


_OF_RECORDINGS = (
    "source:16 same=recording",
    "parts of one recording",
    "what stays over a recording: source, room, device",
)
_OF_COPIES = (
    (
        "timbre:16 augment=pitch_shift(-4,4)",
        "a clip and its copies up to four semitones higher and lower",
        "what a transposition leaves, such as timbre and rhythm, and not pitch",
    ),
    (
        "tone:16 augment=time_stretch(0.8,1.25)",
        "a clip and its copies played slower and faster at the same pitch",
        "what tempo leaves, such as pitch and timbre, and not speed",
    ),
    (
        "sound:16 augment=equaliser(-12,12)+gain(-12,12)",
        "a clip and its copies through other equalisers, at other levels",
        "what sounds, and not the colour of room and device, nor the level",
    ),
)


def propose(config: CollectionConfig) -> tuple[Proposal, ...]:
    """Propose facets that need no labels and that this collection has the clips for.

    No sound is decoded: the lengths of files decide whether segments of a recording can agree.

    Parameters
    ----------
    config : CollectionConfig

    Returns
    -------
    tuple of Proposal
        The one to begin with first; none where the clips are too few to train on.

    Raises
    ------
    DataError
        If there is no collection.
    """
    settings: dict[str, Any] = {}
    table = open_collection(config).table
    found: list[Proposal] = []
    segments = {"segment": SEGMENT} if config.segment is None else {}
    for more in ({}, segments):
        cut = open_collection(config.model_copy(update=more)).table if more else table
        if _is_possible(cut, RECORDING):
            settings, table = more, cut
            found.append(_proposal(_OF_RECORDINGS, settings))
            break
    if _is_possible(table, CLIP):
        found += [_proposal(each, settings) for each in _OF_COPIES]
    return tuple(found)


def _proposal(words: tuple[str, str, str], settings: Mapping[str, Any]) -> Proposal:
    facet, agree, encodes = words
    return Proposal((facet, _REST), agree, encodes, settings)


def _is_possible(table: ClipTable, same: str) -> bool:
    """Whether training would find the clips that it needs; copies of a clip there always are."""
    for name, least in _LEAST.items():
        part = table.take(table.where(name))
        count = len(part)
        if same == RECORDING and name != "test" and count:
            count -= _without_partner(part)
        if count < least or (name == "train" and count < _ENOUGH * len(part)):
            return False
    return True


def _without_partner(part: ClipTable) -> int:
    try:
        sampler = ViewSampler(part, {"x": Relation(RECORDING)}, leave_out=True)
    except DataError:
        return len(part)
    return sampler.left_out.get("x", 0)
