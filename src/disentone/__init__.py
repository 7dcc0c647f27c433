"""disentone learns, audits and searches the facets of sound.

>>> import disentone
>>> model = disentone.load("runs/demo")                    # doctest: +SKIP
>>> model.embed("clip.wav")["shared"].shape                # doctest: +SKIP
(1, 8)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from disentone.audit import Card
    from disentone.clips import ClipTable
    from disentone.embeddings.model import Embedding, Model, load
    from disentone.errors import DisentoneError
    from disentone.facets import Facets
    from disentone.factors import Factor
    from disentone.search import Index

__version__ = "0.1.0"
"""Version of this package."""
__all__ = [
    "Card",
    "ClipTable",
    "DisentoneError",
    "Embedding",
    "Facets",
    "Factor",
    "Index",
    "Model",
    "__version__",
    "load",
]

# Names are imported when they are first used: importing the package must not import torch.
_HOMES = {
    "Card": "audit",
    "ClipTable": "clips",
    "DisentoneError": "errors",
    "Embedding": "embeddings.model",
    "Facets": "facets",
    "Factor": "factors",
    "Index": "search",
    "Model": "embeddings.model",
    "load": "embeddings.model",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its home."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"disentone.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'disentone' has no attribute '{name}'")
