"""Objectives: weighted sums of small terms, each acting on named facets of any model.

A term is a thin adapter of a function on tensors, and these are public too: ``infonce(a, b)`` works
in any training loop. torch is imported when one of them is called.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, SerializeAsAny, WrapValidator

from disentone.errors import or_plugin
from disentone.objectives.agreement import Agreement, agreement
from disentone.objectives.classification import Classification, classification
from disentone.objectives.contrast import Contrast
from disentone.objectives.covariance import Covariance, correlations, covariance
from disentone.objectives.crossview import CrossView
from disentone.objectives.divergence import Divergence, KLParts, decomposed_kl, sampled_kl
from disentone.objectives.given import Given, given_triplets
from disentone.objectives.independence import Independence, independence
from disentone.objectives.invariance import Invariance, jeffreys, spectral_gate
from disentone.objectives.masking import Masking, masked
from disentone.objectives.own import own_term
from disentone.objectives.reconstruction import Reconstruction, reconstruction
from disentone.objectives.regression import Regression, regression
from disentone.objectives.similarity import (
    Separation,
    Similarity,
    cosines,
    infonce,
    separation,
    similarity,
)
from disentone.objectives.supervised import SupervisedContrast, supervised_contrast
from disentone.objectives.term import Term
from disentone.objectives.triplet import Triplet

if TYPE_CHECKING:
    from disentone.objectives.critic import Critic
    from disentone.objectives.mining import Mined, semi_hard, triplet_loss, violation
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
    "Mined",
    "Objective",
    "Reconstruction",
    "Regression",
    "Separation",
    "Similarity",
    "SupervisedContrast",
    "Term",
    "Triplet",
    "agreement",
    "classification",
    "correlations",
    "cosines",
    "covariance",
    "decomposed_kl",
    "given_triplets",
    "independence",
    "infonce",
    "jeffreys",
    "masked",
    "reconstruction",
    "regression",
    "sampled_kl",
    "semi_hard",
    "separation",
    "similarity",
    "spectral_gate",
    "supervised_contrast",
    "triplet_loss",
    "violation",
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
    | Regression
    | Triplet
    | SupervisedContrast
    | Given,
    Field(discriminator="term"),
]
AnyTerm = Annotated[
    SerializeAsAny[_Ours],
    WrapValidator(or_plugin("terms", Term, key="term")),
    WrapValidator(own_term),
]
"""A term of ours or of another package, by its ``term``, or of a file (``"module:Class"``)."""

# Modules of torch are imported when they are first used: a recipe is checked without them.
_HOMES = {
    "Critic": "critic",
    "Mined": "mining",
    "Objective": "objective",
    "semi_hard": "mining",
    "triplet_loss": "mining",
    "violation": "mining",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its home."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"disentone.objectives.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'disentone.objectives' has no attribute '{name}'")
