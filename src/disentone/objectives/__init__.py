"""Objectives: weighted sums of small terms, each acting on named facets of any model."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, SerializeAsAny, WrapValidator

from disentone.objectives.agreement import Agreement, agreement
from disentone.objectives.classification import Classification
from disentone.objectives.contrast import Contrast
from disentone.objectives.covariance import Covariance
from disentone.objectives.crossview import CrossView
from disentone.objectives.divergence import Divergence, KLParts, decomposed_kl
from disentone.objectives.given import Given
from disentone.objectives.independence import Independence
from disentone.objectives.invariance import Invariance
from disentone.objectives.masking import Masking
from disentone.objectives.own import own_term
from disentone.objectives.reconstruction import Reconstruction
from disentone.objectives.similarity import Separation, Similarity
from disentone.objectives.term import Term
from disentone.objectives.triplet import Triplet

if TYPE_CHECKING:
    from disentone.objectives.critic import Critic
    from disentone.objectives.objective import Objective

__all__ = [
    "Agreement",
    "AnyTerm",
    "Classification",
    "Contrast",
    "Covariance",
    "Critic",
    "CrossView",
    "Divergence",
    "Given",
    "Independence",
    "Invariance",
    "KLParts",
    "Masking",
    "Objective",
    "Reconstruction",
    "Separation",
    "Similarity",
    "Term",
    "Triplet",
    "agreement",
    "decomposed_kl",
]

_Ours = Annotated[
    Reconstruction
    | Divergence
    | Agreement
    | Independence
    | Invariance
    | Similarity
    | Separation
    | Contrast
    | Masking
    | CrossView
    | Covariance
    | Classification
    | Triplet
    | Given,
    Field(discriminator="term"),
]
AnyTerm = Annotated[SerializeAsAny[_Ours], WrapValidator(own_term)]
"""A term of ours, told by its ``term``, or of anybody else (``"module:Class"``)."""

# Modules of torch are imported when they are first used: a recipe is checked without them.
_HOMES = {"Critic": "critic", "Objective": "objective"}


def __getattr__(name: str) -> Any:
    """Import a public name from its home."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"disentone.objectives.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'disentone.objectives' has no attribute '{name}'")
