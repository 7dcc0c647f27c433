"""Datasets of the libraries mirdata and soundata, through the objects that they give."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from disentone.audio import Skipped
from disentone.datasets.config import CollectionConfig
from disentone.datasets.regions import is_place
from disentone.datasets.splits import SPLIT_NAMES
from disentone.datasets.tables import Collection, collect
from disentone.errors import DataError, closest

__all__ = ["LIBRARIES", "from_mirdata", "from_soundata", "load_from_library"]

_DEFAULTS = CollectionConfig()


def from_mirdata(
    dataset: Any,
    config: CollectionConfig = _DEFAULTS,
    *,
    factors: Sequence[str] | None = None,
    audio: str = "audio_path",
) -> Collection:
    """Make a collection of a ``mirdata`` dataset, such as ``mirdata.initialize("tinysol")``.

    Its licence and citation: ``dataset.license()``, ``dataset.cite()``. Nothing is downloaded:
    audio, metadata and the index must be there (``dataset.download()``, for the index alone
    ``dataset.download(["index"])``).

    Parameters
    ----------
    dataset : mirdata.core.Dataset
        Or any object with ``track_ids``, ``track(id)``, ``name`` and ``data_home``.
    config : CollectionConfig
        Kinds, tolerances, split, segments.
    factors : sequence of str, optional
        Attributes of tracks. By default those that are text, numbers, lists of text or tags,
        without attributes that need a file of annotations to be read for each track: name them
        here to have them.
    audio : str
        The attribute that is the path of the sound, where a track has several, such as
        ``"audio_mix_path"``.

    Returns
    -------
    Collection
        ``split`` is the dataset's own where it names train, valid and test; else it becomes the
        factor ``fold``.

    Raises
    ------
    DataError
        If the dataset has no tracks, its index or metadata are not there, no sound is, or it has
        no such attribute.

    References
    ----------
    R. M. Bittner et al., mirdata: Software for Reproducible Usage of Datasets, ISMIR, 2019.
    """
    return _from_items(dataset, ("track_ids", "track"), config, factors, audio)


def from_soundata(
    dataset: Any,
    config: CollectionConfig = _DEFAULTS,
    *,
    factors: Sequence[str] | None = None,
    audio: str = "audio_path",
) -> Collection:
    """Make a collection of a ``soundata`` dataset, such as ``soundata.initialize("esc50")``.

    As :func:`from_mirdata`, of ``clip_ids`` and ``clip(id)``; tags become multi-label factors.

    Parameters
    ----------
    dataset : soundata.core.Dataset
    config : CollectionConfig
    factors : sequence of str, optional
    audio : str

    Returns
    -------
    Collection

    Raises
    ------
    DataError
        As :func:`from_mirdata`.

    References
    ----------
    M. Fuentes et al., Soundata: Reproducible Use of Audio Datasets, Journal of Open Source
    Software, 2024.
    """
    return _from_items(dataset, ("clip_ids", "clip"), config, factors, audio)


LIBRARIES: dict[str, Callable[..., Collection]] = {
    "mirdata": from_mirdata,
    "soundata": from_soundata,
}
"""Libraries of data sets, by the word before the colon in ``mirdata:NAME``."""


def load_from_library(
    library: str, name: str, folder: Path, config: CollectionConfig = _DEFAULTS
) -> Collection:
    """Load a dataset of ``mirdata`` or ``soundata`` by name.

    Parameters
    ----------
    library : {"mirdata", "soundata"}
    name : str
    folder : Path
        Where the library put the dataset: its ``data_home``.
    config : CollectionConfig

    Returns
    -------
    Collection

    Raises
    ------
    DataError
        If the library is not installed or has no such dataset; see also :func:`from_mirdata`.
    """
    try:
        module = importlib.import_module(library)
    except ImportError as error:
        raise DataError(
            f"Dataset '{library}:{name}' needs {library}: pip install {library}."
        ) from error
    known = module.list_datasets()
    if name not in known:
        raise DataError(f"{library} has no dataset '{name}'{closest(name, known)}")
    dataset = module.initialize(name, data_home=str(folder))
    return LIBRARIES[library](dataset, config)


def _from_items(
    dataset: Any,
    names: tuple[str, str],
    config: CollectionConfig,
    factors: Sequence[str] | None,
    audio: str,
) -> Collection:
    source = f"Dataset '{getattr(dataset, 'name', type(dataset).__name__)}'"
    try:
        ids = list(getattr(dataset, names[0]))
        items = [getattr(dataset, names[1])(one) for one in ids]
    except (AttributeError, OSError) as error:
        raise DataError(f"{source} cannot be read: {error}") from error
    if not items:
        raise DataError(f"{source} is empty.")
    files = _audio(items, audio, source)
    skipped = [Skipped(str(one), "It has no audio.") for one, file in zip(ids, files) if not file]
    kept = [item for item, file in zip(items, files) if file]
    root = os.path.abspath(getattr(dataset, "data_home", None) or ".")
    paths = [Path(os.path.relpath(file, root)).as_posix() for file in files if file]
    chosen = list(_attributes(items[0])) if factors is None else list(factors)
    columns = {name: _values(kept, name, source, asked=factors is not None) for name in chosen}
    columns = {name: values for name, values in columns.items() if values is not None}
    if "split" in columns and not _is_split(columns["split"]):
        columns["fold"] = columns.pop("split")
    return collect(Path(root), paths, columns, config, source=source, skipped=skipped)


def _audio(items: Sequence[Any], audio: str, source: str) -> list[str]:
    """Path of every item's sound, "" where it has none."""
    if not hasattr(items[0], audio):
        paths = [name for name in vars(items[0]) if name.endswith("_path")]
        raise DataError(f"{source} has no '{audio}'{closest(audio, paths)}")
    return [str(getattr(item, audio, None) or "") for item in items]


def _attributes(item: Any) -> Iterator[str]:
    """Names of attributes and properties of an item that are read without a file of their own.

    The libraries' cached properties read annotations; they are neither.
    """
    kind = type(item)
    names = [*vars(item), *(n for n in dir(kind) if isinstance(getattr(kind, n), property))]
    for name in names:
        own = name in vars(item) and name.endswith(("_path", "_id"))
        # names of a part of a file would mean that a clip is one
        if not (own or name.startswith("_") or "audio" in name or is_place(name)):
            yield name


def _values(items: Sequence[Any], name: str, source: str, *, asked: bool) -> list[Any] | None:
    """An attribute of every item; None if no factor can be made of it."""
    values = []
    for item in items:
        try:
            value, simple = _simple(getattr(item, name))
        except OSError as error:
            raise DataError(f"'{name}' of {source} cannot be read: {error}") from error
        except (AttributeError, KeyError) as error:
            if asked and not hasattr(type(item), name):
                raise DataError(f"{source} has no '{name}'{closest(name, dir(item))}") from error
            value, simple = None, True  # unknown for this one
        if not simple:
            if asked:
                raise DataError(f"'{name}' of {source} is no text, number or list of text.")
            return None
        values.append(value)
    return values


def _simple(value: Any) -> tuple[Any, bool]:
    """Text, a number, a list of text or None, and whether the value is one of these."""
    value = getattr(value, "labels", value)  # tags of soundata
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, list | tuple):
        return list(value), all(isinstance(part, str) for part in value)
    return value, value is None or isinstance(value, str | int | float)


def _is_split(values: Sequence[Any]) -> bool:
    """Whether an attribute names splits as we do, and is not the number of a fold."""
    return {str(value or "").strip().lower() for value in values} <= {"", *SPLIT_NAMES}
