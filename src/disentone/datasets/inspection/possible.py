"""Which relations are possible: how many clips would have a view, and facets to begin with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from disentone.agreement import Relation, ViewSampler
from disentone.clips import ClipTable
from disentone.errors import DataError

__all__ = ["PossibleRelation", "facet", "find_relations", "suggest_facets"]

_ENOUGH = 2 / 3  # share of clips with a partner from which a relation is suggested
_NEARLY_ALL = 0.95  # share from which views must differ: a clip without a partner is of no use
_BOOKKEEPING = re.compile(  # factors that are rarely of interest as facets
    r"(?:^|_)(?:fold|take|licen[cs]e|title|id|seconds|duration|start)(?:$|_)", re.IGNORECASE
)
_REST = "rest:8"
_ONE_WORD = re.compile(r"[^\s,()]+")  # what the command line accepts as one factor
_MOST_FACTORS = 20  # of which every two are tried


@dataclass(frozen=True)
class PossibleRelation:
    """How many clips have a view under a relation.

    Parameters
    ----------
    same : str
        Factor, or ``"recording"``.
    differ : str or None
    clips : int
        Clips of the train split that have a partner there.
    of : int
        Clips of the train split.
    reason : str
        Why no clip has one; empty where some do.
    """

    same: str
    differ: str | None
    clips: int
    of: int
    reason: str

    @property
    def share(self) -> float:
        """Share of the clips that have a partner, in [0, 1]."""
        return self.clips / self.of if self.of else 0.0


def find_relations(
    table: ClipTable, decided: Mapping[str, Iterable[str]]
) -> tuple[PossibleRelation, ...]:
    """Try ``same=F`` for the recording and every factor, and ``differ=G`` beside it.

    What differs is one of the first twenty factors.

    Parameters
    ----------
    table : ClipTable
    decided : mapping of str to iterable of str
        Factors that follow from each factor or from the recording: what is the same in one
        cannot differ in the other.

    Returns
    -------
    tuple of PossibleRelation
        One for every `same`, possible or not; with `differ` only the possible ones.
    """
    train = table.take(table.where("train"))
    found = []
    for same in ("recording", *table.factors):
        alone = _try(train, same, None)
        found.append(alone)
        others = list(table.factors)[:_MOST_FACTORS] if alone.clips else []
        out = {same, *decided.get(same, ())}
        pairs = [_try(train, same, name) for name in others if name not in out]
        found += [pair for pair in pairs if pair.clips]
    return tuple(found)


def suggest_facets(
    relations: Sequence[PossibleRelation], decided: Mapping[str, Iterable[str]]
) -> tuple[str, ...]:
    """Give facets that most clips have views for, as ``disentone train facets`` takes them.

    The first two factors that can be crossed, each with the other as what differs where nearly
    all clips have such partners; else the first factor that will do, else the recording. The rest
    is private.

    Parameters
    ----------
    relations : sequence of PossibleRelation
    decided : mapping of str to iterable of str

    Returns
    -------
    tuple of str
        Such as ``"pitch:8 same=pitch differ=instrument"``; empty where no relation will do.
    """
    good = {(r.same, r.differ): r for r in relations if r.share >= _ENOUGH}
    plain = [same for same, differ in good if differ is None]
    factors = [
        name
        for name in plain
        if name != "recording" and _ONE_WORD.fullmatch(name) and not _BOOKKEEPING.search(name)
    ]
    for one in factors:
        for other in factors:
            apart = other not in decided.get(one, ()) and one not in decided.get(other, ())
            if apart and (one, other) in good and (other, one) in good:
                share = min(good[one, other].share, good[other, one].share)
                if share < _NEARLY_ALL:
                    return facet(one), facet(other), _REST
                return facet(one, other), facet(other, one), _REST
    first = [*factors[:1], *(["recording"] if "recording" in plain else [])][:1]
    return (*(facet(name) for name in first), _REST) if first else ()


def facet(same: str, differ: str | None = None) -> str:
    """Write a facet of eight dimensions as the command line takes it."""
    name = re.sub(r"\W+|^(?=\d)", "_", same)  # as Python names things
    return f"{name}:8 same={same}" + (f" differ={differ}" if differ else "")


def _try(train: ClipTable, same: str, differ: str | None) -> PossibleRelation:
    if not len(train):
        return PossibleRelation(same, differ, 0, 0, "No clip is in the train split.")
    try:
        sampler = ViewSampler(train, {"x": Relation(same, differ)}, leave_out=True)
    except DataError as error:
        return PossibleRelation(same, differ, 0, len(train), str(error))
    clips = len(train) - sampler.left_out.get("x", 0)
    return PossibleRelation(same, differ, clips, len(train), "")
