"""Queries of audio: examples for an index, from names of its items or from audio files.

Items of the index need no model. The embedder, and torch with it, is imported for the first file.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from disentone import __version__
from disentone.audit import Card
from disentone.embeddings import model_id
from disentone.embeddings.embedder import EmbedOptions, open_embedder
from disentone.embeddings.model_card import AUDIT
from disentone.embeddings.model_files import MODEL_FILES, find_model
from disentone.errors import ArtifactError, AudioError
from disentone.packaged import name_of, packaged_folder
from disentone.search import Index

if TYPE_CHECKING:
    from disentone.embeddings.model import Model

__all__ = ["AudioQueries", "audit_of", "check_release", "embed_query", "model_folder", "model_of"]

_log = logging.getLogger(__name__)


def model_folder(index: Index, model: str | Path | None = None) -> Path:
    """Find the model of an index: the copy in it, or the one given, if it is the same.

    Raises
    ------
    ArtifactError
        If there is no model, it is another one, or it is a packaged one and this version of
        disentone has other weights of that name.
    """
    folder = find_model(model or _kept(index))
    identity = model_id(folder)
    check_release(index, folder, identity)
    index.check_model(identity)
    return folder


def _places(index: Index) -> list[Path]:
    """Folders where the model of an index may be."""
    made_from = index.about.get("model_folder")
    packaged = packaged_folder(index.about.get("packaged", ""))
    places = [Path(index.uri) / "model"]
    places += [Path(made_from)] if made_from else []
    return [*places, packaged] if packaged else places


def _kept(index: Index) -> Path:
    """Folder of the model that an index was made with."""
    places = _places(index)
    found = [place for place in places if (place / MODEL_FILES[0]).is_file()]
    if not found:
        raise ArtifactError(
            f"There is no model at '{places[-1]}': give that of the index, or "
            "search by items of the index."
        )
    return found[0]


def audit_of(index: Index) -> Card | None:
    """Find the audit of the model that an index was made with; None where there is none to trust.

    It lies beside the copy of the model in the index, or where the model is from, if the same one
    is still there.
    """
    for folder in _places(index):
        file = folder / AUDIT
        try:
            if file.is_file() and model_id(folder) == index.model:
                return Card.load(file)
        except ArtifactError as error:
            _log.warning("The audit of the model is not used: %s", error)
    return None


def check_release(index: Index, folder: Path, identity: str) -> None:
    """Refuse a packaged model whose weights are others than when an index was made with it.

    Parameters
    ----------
    index : Index
    folder : Path
        Of the model.
    identity : str
        Of the model: :func:`~disentone.embeddings.layout.model_id`.

    Raises
    ------
    ArtifactError
        If it is a packaged model, the index was made with one of its name, and they differ.
    """
    name = name_of(folder)
    if name is None or name != index.about.get("packaged") or identity == index.model:
        return
    version, own = index.about["disentone"], Path(index.uri) / "model"
    instead = f"use its own copy, '{own}'" if own.is_dir() else f"install disentone=={version}"
    raise ArtifactError(
        f"'{index.uri}' was made with other weights of '{name}' (disentone {version}) than this "
        f"version has ({__version__}): make it anew, or {instead}."
    )


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
    model : path or str, optional
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
