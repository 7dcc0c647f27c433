"""Queries of audio: examples for an index, from names of its items or from audio files.

Items of the index need no model. The embedder, and torch with it, is imported for the first file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from disentone.embeddings import model_id
from disentone.embeddings.embedder import EmbedOptions, open_embedder
from disentone.embeddings.model_files import MODEL_FILES, check_model
from disentone.errors import ArtifactError, AudioError
from disentone.search import Index

if TYPE_CHECKING:
    from disentone.embeddings.model import Model

__all__ = ["AudioQueries", "embed_query", "model_folder", "model_of"]


def model_folder(index: Index, model: str | Path | None = None) -> Path:
    """Find the model of an index: the copy in it, or the one given, if it is the same.

    Raises
    ------
    ArtifactError
        If there is no model, or it is another one.
    """
    made_from = index.about.get("model_folder")
    places = [model] if model else [Path(index.uri) / "model", *([made_from] if made_from else [])]
    found = [Path(place) for place in places if (Path(place) / MODEL_FILES[0]).is_file()]
    if not found:
        raise ArtifactError(
            f"There is no model at '{places[-1]}': give that of the index, or "
            "search by items of the index."
        )
    check_model(found[0])
    index.check_model(model_id(found[0]))
    return found[0]


def model_of(index: Index, model: str | Path | None = None, *, device: str = "cpu") -> Model:
    """Load the model of an index; see :func:`model_folder`."""
    from disentone.embeddings.collection import load_model

    return load_model(model_folder(index, model), device)


def embed_query(
    model: Model, path: str | Path, *, start: float = 0.0, end: float | None = None
) -> np.ndarray:
    """Embed an audio file or a segment of one, exactly as the items of an index are.

    Parameters
    ----------
    model : Model
    path : path
    start, end : float
        Seconds; to the end of the file by default.

    Returns
    -------
    ndarray of float32, shape (dim,)

    Raises
    ------
    AudioError
        If the file cannot be read, is silent or not finite, or ends before `start`.
    """
    if end is not None and not end > start:
        raise AudioError(f"A segment from {start:g} s cannot end at {end:g} s: it must end later.")
    seconds = np.nan if end is None else end - start
    with open_embedder(model, EmbedOptions(jobs=1), stop=True) as embedder:
        paths = np.array([str(path)], dtype=object)
        rows, _, _ = embedder.rows(paths, np.array([start]), np.array([seconds]))
        return embedder.embed(rows)[0][0]


class AudioQueries:
    """Examples for an index, from names that may be ids of its items or audio files.

    The model is loaded for the first file that is not in the index.

    Parameters
    ----------
    index : Index
    model : path, optional
        Of the index, where it is not in it.
    device : str
    """

    def __init__(
        self, index: Index, model: str | Path | None = None, *, device: str = "cpu"
    ) -> None:
        self._index, self._model, self._device = index, model, device
        self._loaded: Model | None = None

    def check(self, names: Iterable[str]) -> None:
        """Refuse what is neither an item nor a file, before a model is loaded for the others.

        Raises
        ------
        DataError
            See :meth:`example`.
        """
        for name in names:
            if not Path(name).is_file() and self._item(name) is None:
                raise self._index.unknown(name, "no audio file, and ")

    def example(
        self, name: str, *, start: float = 0.0, end: float | None = None
    ) -> str | np.ndarray:
        """Give the id of an item, or the embedding of a file or of a part of it.

        Raises
        ------
        DataError
            If there is neither an item nor a file of this name.
        AudioError
            See :func:`embed_query`.
        ArtifactError
            See :func:`model_of`.
        """
        whole = not start and end is None
        stored = self._item(name) if whole else None
        if stored is not None:
            return stored
        if not Path(name).is_file():
            raise self._index.unknown(name, "no audio file, and ")  # or a part of an item
        if self._loaded is None:
            self._loaded = model_of(self._index, self._model, device=self._device)
        return embed_query(self._loaded, name, start=start, end=end)

    def _item(self, name: str) -> str | None:
        """Id of the item that has this name, or is the only one of this file."""
        if name in self._index:
            return name
        there = self._index.ids_of(os.path.abspath(name))
        return there[0] if len(there) == 1 else None
