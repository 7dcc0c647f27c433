"""List the clips that some paths name: files, folders and tables, mixed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from disentone.audio import Skipped
from disentone.datasets.config import CollectionConfig
from disentone.datasets.file_sounds import FileSounds
from disentone.datasets.opening import open_collection
from disentone.datasets.tables import TABLE_SUFFIXES, Collection
from disentone.errors import DataError
from disentone.factors import Factor

__all__ = ["Clips", "list_clips"]


@dataclass(frozen=True)
class Clips:
    """Files or parts of them, and what is known about each.

    Parameters
    ----------
    paths : ndarray of str, shape (clips,)
        As they can be opened from the working folder.
    start, seconds : ndarray of float, shape (clips,)
        Part of the file, NaN seconds for up to its end.
    factors : dict of str to ndarray of object, shape (clips,)
        Numbers or text, None where unknown.
    recordings : ndarray of str, shape (clips,)
        What each was cut from: a name of its table, below the table's folder, or its path.
    splits : ndarray of object, shape (clips,)
        Name of its split in its table, None where there is none.
    """

    paths: np.ndarray
    start: np.ndarray
    seconds: np.ndarray
    factors: dict[str, np.ndarray]
    recordings: np.ndarray
    splits: np.ndarray

    def __len__(self) -> int:
        """Count the clips."""
        return len(self.paths)

    def take(self, rows: np.ndarray) -> Clips:
        """Give some of the clips, in that order."""
        factors = {name: values[rows] for name, values in self.factors.items()}
        columns = (self.recordings[rows], self.splits[rows])
        return Clips(self.paths[rows], self.start[rows], self.seconds[rows], factors, *columns)

    def with_origin(self) -> Clips:
        """Give the same clips, with split and recording, where a table names them, as factors.

        So an audit of what is made of the clips does not judge by clips that were trained on.
        """
        known = dict(self.factors)
        if any(self.splits):
            known["split"] = self.splits
        if (self.recordings != self.paths).any():
            known["recording"] = self.recordings
        return replace(self, factors=known)


def list_clips(paths: Sequence[str | Path]) -> tuple[Clips, list[Skipped], list[str]]:
    """List the clips of files, folders and tables, each once, in order.

    Parameters
    ----------
    paths : sequence of paths
        A folder with a ``clips.csv`` in it is read as that table.

    Returns
    -------
    Clips
    skipped : list of Skipped
        Rows and files that are no clips, each with the reason.
    notes : list of str
        What the user should know of tables.

    Raises
    ------
    DataError
        If a path does not exist, or a folder or table has no usable file.
    """
    parts, skipped, notes = [], [], []
    for path in map(Path, paths):
        if not os.path.lexists(path):
            raise DataError(f"'{path}' does not exist.")
        if path.is_dir() or path.suffix.lower() in TABLE_SUFFIXES:
            # Splits do not matter here, and a table's own may have unknown names.
            opened = open_collection(CollectionConfig(path=str(path), split="random"))
            root = path if path.is_dir() else path.parent
            parts.append(_of_table(opened, root))
            skipped += [Skipped(os.path.join(root, s.path), s.reason) for s in opened.skipped]
            notes += [note for note in opened.notes if "plit" not in note]
        elif _misnamed(path):
            reason = "The name is not valid UTF-8; rename the file."
            skipped.append(Skipped(ascii(str(path)), reason))
        else:
            parts.append(_of_file(path))
    if not parts:
        first = f"; the first: {skipped[0].path}: {skipped[0].reason}" if skipped else ""
        raise DataError(f"There is nothing to embed{first}")
    return _first_of_each(_joined(parts)), skipped, notes


def _misnamed(path: Path) -> bool:
    """Whether a file's name is not valid text, so that no table can store it."""
    try:
        str(path).encode()
    except UnicodeError:
        return True
    return False


def _of_file(path: Path) -> Clips:
    name = np.array([path.as_posix()], object)
    return Clips(name, np.zeros(1), np.full(1, np.nan), {}, name, np.array([None], object))


def _of_table(opened: Collection, root: Path) -> Clips:
    table, splits = opened.table, opened.named_splits
    sounds = table.sounds
    assert isinstance(sounds, FileSounds)  # collections are made of files
    factors = {name: _values(factor) for name, factor in table.factors.items()}
    paths = np.array([Path(path).as_posix() for path in sounds.paths], object)  # without ./
    recordings = np.array([(root / str(name)).as_posix() for name in table.recordings], object)
    splits = np.full(len(table), None) if splits is None else splits
    return Clips(paths, sounds.start, sounds.seconds, factors, recordings, splits)


def _values(factor: Factor) -> np.ndarray:
    """Values of a factor as numbers or text, None where unknown."""
    values: list[Any] = (
        factor.labels() if factor.kind in ("categorical", "multilabel") else factor.values.tolist()
    )
    known = factor.known
    return np.array([v if k else None for v, k in zip(values, known)], dtype=object)


def _joined(parts: Sequence[Clips]) -> Clips:
    names = dict.fromkeys(name for part in parts for name in part.factors)
    factors = {
        name: np.concatenate([p.factors.get(name, np.full(len(p), None)) for p in parts])
        for name in names
    }
    for name, values in factors.items():
        if not is_numeric(values):
            factors[name] = np.array([None if v is None else _text(v) for v in values], object)
    return Clips(
        np.concatenate([part.paths for part in parts]),
        np.concatenate([part.start for part in parts]),
        np.concatenate([part.seconds for part in parts]),
        factors,
        np.concatenate([part.recordings for part in parts]),
        np.concatenate([part.splits for part in parts]),
    )


def is_numeric(values: np.ndarray) -> bool:
    """Whether all known values of a factor are numbers."""
    return not any(isinstance(value, str) for value in values)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _first_of_each(clips: Clips) -> Clips:
    """Leave out what was named before, by whatever path."""
    seen: dict[tuple[str, float], int] = {}
    for row, (path, start) in enumerate(zip(clips.paths, clips.start)):
        seen.setdefault((os.path.abspath(path), float(start)), row)
    return clips.take(np.fromiter(seen.values(), dtype=np.int64))
