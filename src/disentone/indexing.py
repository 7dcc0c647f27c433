"""Join models and indexes: index a collection of audio, and make queries of audio."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from disentone.artifact import Model
from disentone.search import Index
from disentone.watcher import Watcher

__all__ = ["embed_query", "index_collection", "model_of"]


def index_collection(
    model: str | Path,
    paths: Sequence[str | Path],
    out: str | Path,
    *,
    segment: float | None = None,
    hop: float | None = None,
    jobs: int | None = None,
    device: str = "cpu",
    watcher: Watcher | None = None,
) -> Index:
    """Embed files, folders and tables, and put them into an index, part by part.

    What is in the index already is not embedded again, so a stopped command goes on. The model
    is copied into the index (``OUT/model``), and what was left out is listed in
    ``OUT/skipped.csv``.
    """
    raise NotImplementedError


def model_of(index: Index, model: str | Path | None = None, *, device: str = "cpu") -> Model:
    """Load the model of an index: the copy in it, or the one given, if it is the same.

    Raises
    ------
    ArtifactError
        If there is no model, or it is another one.
    """
    raise NotImplementedError


def embed_query(
    model: Model, path: str | Path, *, start: float = 0.0, end: float | None = None
) -> np.ndarray:
    """Embed an audio file or a segment of one, as a query: float32 (dim,).

    Raises
    ------
    AudioError
        If the file cannot be read, is silent, or ends before `start`.
    """
    raise NotImplementedError
