"""The data of a recipe: sounds that are made, or a collection of any kind."""

from __future__ import annotations

from pathlib import Path

from disentone.clips import file_of
from disentone.datasets.config import CollectionConfig
from disentone.datasets.folder import find_audio, read_folder
from disentone.datasets.named import load_dataset
from disentone.datasets.patches import Patches, patches, with_takes
from disentone.datasets.syntone import SynTone, syntone
from disentone.datasets.table_files import TABLE_SUFFIXES
from disentone.datasets.tables import Collection, read_table
from disentone.errors import DataError, printable

__all__ = ["DataConfig", "open_collection", "open_data"]

DataConfig = SynTone | Patches | CollectionConfig
"""What a recipe may name as its data."""


def open_data(config: DataConfig) -> Collection:
    """Open the clips that a recipe is about, made or collected; no sound is read.

    Raises
    ------
    DataError
        If there is nothing there, or nothing usable.
    """
    if isinstance(config, SynTone):
        return Collection(syntone(config), [], [])
    if isinstance(config, Patches):
        return _with_recordings(config)
    return open_collection(config)


def _with_recordings(config: Patches) -> Collection:
    """Patches, and takes of the recordings that are to be beside them."""
    if not config.recordings:
        return Collection(patches(config), [], [])
    if config.path is None:
        raise DataError(
            "This recipe takes recordings beside its patches: add --data FOLDER, the folder in "
            "which they are, or leave them out with --set data.recordings=[] (in Python: data=...)."
        )
    opened = [
        open_collection(CollectionConfig(path=str(Path(config.path) / one.path)))
        for one in config.recordings
    ]
    sets = [(one, found.table) for one, found in zip(config.recordings, opened, strict=True)]
    table = with_takes(patches(config), config, sets)
    return Collection(
        table,
        [item for found in opened for item in found.skipped],
        [note for found in opened for note in found.notes],
    )


def open_collection(config: CollectionConfig) -> Collection:
    """Open a named dataset, a table, a folder with a ``clips.csv``, or a folder of audio files.

    Parameters
    ----------
    config : CollectionConfig
        With a dataset's name, :mod:`disentone.datasets.named` reads the folder. With
        a pattern, a ``clips.csv`` is not looked at.

    Returns
    -------
    Collection

    Raises
    ------
    DataError
        If no path was given, there is nothing there, or nothing usable.
    """
    if config.path is None:
        raise DataError(
            "This recipe needs your audio: add --data FOLDER or --data TABLE.csv "
            "(in Python: data=...)."
        )
    path = Path(config.path)
    if config.dataset is not None:
        return load_dataset(config.dataset, path, config)
    if path.suffix.lower() in TABLE_SUFFIXES and not path.is_dir():
        if config.pattern is not None:
            raise DataError(f"A pattern is for a folder of files, but '{path}' is a table.")
        return read_table(path, config)
    table = path / "clips.csv"
    if config.pattern is not None or not table.is_file():
        return read_folder(path, config)
    collection = read_table(table, config)
    named = {*collection.table.ids, *(item.path for item in collection.skipped)}
    named |= {file_of(str(name)) for name in named}
    without_row = [file for file in map(printable, find_audio(path)[0]) if file not in named]
    if without_row:
        collection.notes.append(
            f"{len(without_row)} audio files have no row in {table}, such as '{without_row[0]}'."
        )
    return collection
