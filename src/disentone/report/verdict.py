"""The audit in plain words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from disentone.report.card import WHOLE, Score, scores
from disentone.report.svg import number

__all__ = ["verdict"]


def verdict(card: Mapping[str, Any], *, own: Mapping[str, Sequence[str]]) -> list[str]:
    """Say in a few sentences what each facet tells and what it leaks.

    Parameters
    ----------
    card : mapping
        An audit with probe records.
    own : mapping of str to sequence of str
        The factors that each facet is meant to hold.

    Returns
    -------
    list of str
        One sentence a facet that was probed, then one on the whole embedding.
    """
    by_facet: dict[str, list[Score]] = {}
    for score in scores(card, own=own):
        if not math.isnan(score.value):
            by_facet.setdefault(score.facet, []).append(score)
    parts = [_sentence(facet, found) for facet, found in by_facet.items() if facet not in WHOLE]
    whole = [_sentence(facet, found) for facet, found in by_facet.items() if facet in WHOLE]
    return [sentence for sentence in parts + whole if sentence]


def _sentence(facet: str, found: list[Score]) -> str:
    subject = "The whole embedding" if facet in WHOLE else f"The {facet} facet"
    leaks = [score for score in found if score.role == "leak"]
    told = [score for score in found if score.role != "leak"]
    parts = []
    if told:
        parts.append("tells " + _listed([f"{s.factor} at {_against(s)}" for s in told]))
    if leaks:
        parts.append("leaks " + _listed([f"{s.factor} at {_above(s)}" for s in leaks]))
    return f"{subject} {' and '.join(parts)}."


def _against(score: Score) -> str:
    chance = "" if math.isnan(score.chance) else f" (chance {number(score.chance)})"
    return f"{number(score.value)} {score.metric}{chance}"


def _above(score: Score) -> str:
    if math.isnan(score.chance):
        return f"{number(score.value)} {score.metric}"
    side = "above" if score.above >= 0 else "below"
    return f"{number(abs(score.above))} {side} chance"


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
