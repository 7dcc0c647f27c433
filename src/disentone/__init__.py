"""disentone learns, audits and searches the facets of sound.

A sound's embedding is a row of named facets. A facet is learnt from clips that agree in something;
every facet is audited, and every facet can be weighed in a search.

>>> import disentone
>>> disentone.train("demo", "runs/demo")                   # doctest: +SKIP
>>> model = disentone.load("runs/demo")                    # doctest: +SKIP
>>> model.embed("clip.wav")["shared"].shape                # doctest: +SKIP
(1, 8)
>>> disentone.Index("sounds.index").search("piano/c4.wav", weights={"timbre": 1})  # doctest: +SKIP

============================  ====================================================================
``train``, ``load_recipe``    learn a model, by a ``Recipe`` that comes with disentone or your own
``load``, ``Model``           a model, of yours or packaged, and the ``Embedding`` of its sounds
``FacetEmbedder``             the same as a transformer of scikit-learn
``Facets``                    the named parts of an embedding
``ClipTable``, ``Factor``     clips, and what is known about them
``Card``                      what an audit found; ``disentone.audit.audit`` makes one
``Index``                     a collection that can be searched by facets
``allow``                     code that recipes name, and downloads: not unless in its block
``DisentoneError``            what every error on purpose derives from
============================  ====================================================================

The rooms, each a module with a page of its own in the docs: ``audio``, ``datasets``, ``frontends``,
``agreement``, ``models``, ``objectives``, ``runs``, ``embeddings``, ``audit``, ``search``,
``report``, ``serve``, ``recipes``, ``reproduce``, ``packaged``, ``cli``.
"""

from __future__ import annotations

import sys

# ``python -m disentone`` looks in the working directory first, where a stray or hostile torch.py
# may lie: it is taken off before anything is imported. Of other programs the path stays as it is.
if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    _asked = sys.orig_argv[-len(sys.argv)].removeprefix("-m").partition(".")[0]
    if _asked == "disentone":
        del sys.path[0]
    del _asked

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from disentone.audit import Card
    from disentone.clips import ClipTable
    from disentone.embeddings.embedding import Embedding
    from disentone.embeddings.estimator import FacetEmbedder
    from disentone.embeddings.model import Model, load
    from disentone.errors import DisentoneError
    from disentone.facets import Facets
    from disentone.factors import Factor
    from disentone.permissions import allow
    from disentone.recipes import Recipe, load_recipe
    from disentone.runs.training import train
    from disentone.search import Index

__version__ = "0.1.0"
"""Version of this package."""
__all__ = [
    "Card",
    "ClipTable",
    "DisentoneError",
    "Embedding",
    "FacetEmbedder",
    "Facets",
    "Factor",
    "Index",
    "Model",
    "Recipe",
    "__version__",
    "allow",
    "load",
    "load_recipe",
    "train",
]

# Names are imported when they are first used: importing the package must not import torch.
_HOMES = {
    "Card": "audit",
    "ClipTable": "clips",
    "DisentoneError": "errors",
    "Embedding": "embeddings.embedding",
    "FacetEmbedder": "embeddings.estimator",
    "Facets": "facets",
    "Factor": "factors",
    "Index": "search",
    "Model": "embeddings.model",
    "Recipe": "recipes",
    "allow": "permissions",
    "load": "embeddings.model",
    "load_recipe": "recipes",
    "train": "runs.training",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its home."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"disentone.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'disentone' has no attribute '{name}'")


def __dir__() -> list[str]:
    """List the public names, used already or not, and the rooms that are imported."""
    there = (name for name in globals() if f"{__name__}.{name}" in sys.modules)
    return sorted({*__all__, *there, "__doc__", "__file__", "__name__", "__path__", "__spec__"})
