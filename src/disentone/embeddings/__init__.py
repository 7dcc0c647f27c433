"""Embeddings of a collection on disk: Parquet, .npz, or .npy with a .csv beside it.

In Parquet every facet is a column of its own. What belongs to no row goes with the file, as JSON:
the facets, which model made them (see :func:`model_id`), and how the clips were cut.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from disentone.embeddings.layout import model_id
    from disentone.embeddings.reading import StoredEmbeddings, read_about, read_embeddings

__all__ = ["StoredEmbeddings", "model_id", "read_about", "read_embeddings"]

# What reads these files imports pyarrow, which other modules of the room have no use for.
_HOMES = {
    "StoredEmbeddings": "reading",
    "model_id": "layout",
    "read_about": "reading",
    "read_embeddings": "reading",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its home."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"disentone.embeddings.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'disentone.embeddings' has no attribute '{name}'")
