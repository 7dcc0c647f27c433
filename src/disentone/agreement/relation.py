"""Relations: what makes two clips views of each other, declared once, in the facet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from disentone.agreement.criterion import Also, Rule

__all__ = ["CLIP", "RECORDING", "Relation"]

RECORDING = "recording"
"""In a relation: clips that were cut from one recording."""
CLIP = "clip"
"""In a relation: transformed copies of one clip."""


@dataclass(frozen=True)
class Relation:
    """Two clips are views of each other when they agree in some factors and differ in others.

    Clips agree in a categorical factor when its value is the same, in a multi-label one when they
    share a label, and in an ordinal or continuous one when their values are no farther apart than
    its tolerance. They differ when both values are known and they do not agree.

    Parameters
    ----------
    same : str or sequence of str
        Factors in which views agree; ``"recording"`` for clips cut from the same recording and
        ``"clip"`` for transformed copies of one clip.
    differ : str or sequence of str, optional
        Factors in which every two views differ; ``"recording"`` for clips of different recordings.
    within : float, optional
        Tolerance of the ordinal and continuous factors in `same`, instead of their own.
    rule : {"same", "tempo", "key"}
        How views agree in the first factor of `same`: ``"tempo"`` within 5 beats per minute (or
        `within`) at any octave, ``"key"`` in the same key or one of `also`
        (:mod:`disentone.agreement.rules`).
    also : {"parallel", "relative", "none"}
        Keys that count as the same.
    unlike : tuple of str
        Facets whose views of a clip are its only negatives in triplets:
        what was changed for them is what this facet encodes. By default all other clips are.
    """

    same: str | Sequence[str]
    differ: str | Sequence[str] | None = None
    within: float | None = None
    rule: Rule = "same"
    also: Also = "parallel"
    unlike: tuple[str, ...] = ()

    @property
    def sames(self) -> tuple[str, ...]:
        """Names in which views agree."""
        return _names(self.same)

    @property
    def differs(self) -> tuple[str, ...]:
        """Names in which views differ."""
        return _names(self.differ)

    @property
    def factors(self) -> tuple[str, ...]:
        """Factors that decide it: names of both kinds without recordings and copies."""
        names = dict.fromkeys((*self.sames, *self.differs))
        return tuple(name for name in names if name not in (RECORDING, CLIP))

    @property
    def is_of_labels(self) -> bool:
        """Whether labels alone decide it, so that any two clips can be compared by them."""
        return not {RECORDING, CLIP} & {*self.sames, *self.differs}

    def rule_of(self, name: str) -> Rule:
        """Rule by which views agree in one factor of `same`."""
        return self.rule if name == self.sames[0] else "same"

    def __str__(self) -> str:
        """Describe the relation in words."""
        text = f"same {' and '.join(self.sames)}"
        text += f" by the rule of {self.rule}" if self.rule != "same" else ""
        text += f", {self.also} keys counted the same" if self.also == "relative" else ""
        text += ", exactly" if self.also == "none" else ""
        text += f" within {self.within:g}" if self.within is not None else ""
        return text + (f", different {' and '.join(self.differs)}" if self.differs else "")


def _names(names: str | Sequence[str] | None) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names or ())
