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
from disentone.datasets.ignoring import read_patterns
from disentone.datasets.opening import open_collection
from disentone.datasets.table_files import TABLE_SUFFIXES
from disentone.datasets.tables import Collection
from disentone.errors import DataError
from disentone.factors import Factor

__all__ = ["Clips", "folder_of", "list_clips"]


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
    sources : ndarray of int, shape (clips,)
        Which of the paths that were listed it comes from.
    """

    paths: np.ndarray
    start: np.ndarray
    seconds: np.ndarray
    factors: dict[str, np.ndarray]
    recordings: np.ndarray
    splits: np.ndarray
    sources: np.ndarray

    def __len__(self) -> int:
        """Count the clips."""
        return len(self.paths)

    def take(self, rows: np.ndarray) -> Clips:
        """Give some of the clips, in that order."""
        factors = {name: values[rows] for name, values in self.factors.items()}
        columns = (self.recordings[rows], self.splits[rows], self.sources[rows])
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


def list_clips(
    paths: Sequence[str | Path], exclude: Sequence[str] = ()
) -> tuple[Clips, list[Skipped], list[str]]:
    """List the clips of files, folders and tables, each once, in order.

    Parameters
    ----------
    paths : sequence of paths
        A folder with a ``clips.csv`` in it is read as that table.
    exclude : sequence of str
        Patterns as in ``.gitignore``, of what is left out below each folder, or below that of each
        table and file.

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
        If a path does not exist, a folder or table has no usable file, or all is left out.
    """
    parts, skipped, notes = [], [], []
    for source, path in enumerate(map(Path, paths)):
        if not os.path.lexists(path):
            raise DataError(f"'{path}' does not exist.")
        if path.is_dir() or path.suffix.lower() in TABLE_SUFFIXES:
            # Splits do not matter here, and a table's own may have unknown names.
            opened = open_collection(CollectionConfig(path=str(path), split="random"))
            root = path if path.is_dir() else path.parent
            parts.append(_of_table(opened, root, source))
            skipped += [Skipped((root / s.path).as_posix(), s.reason) for s in opened.skipped]
            notes += [note for note in opened.notes if "plit" not in note]
        elif _misnamed(path):
            reason = "The name is not valid UTF-8; rename the file."
            skipped.append(Skipped(str(path), reason))
        else:
            parts.append(_of_file(path, source))
    if not parts:
        first = f"; the first: {skipped[0].path}: {skipped[0].reason}" if skipped else ""
        raise DataError(f"There is nothing to embed{first}")
    clips = _first_of_each(_joined(parts))
    return _without(clips, paths, exclude) if exclude else clips, skipped, notes


def folder_of(path: str | Path) -> str:
    """Folder that the clips of a path are below: itself, or that of a table or a file."""
    return os.path.abspath(path if os.path.isdir(path) else os.path.dirname(path) or ".")


def _without(clips: Clips, paths: Sequence[str | Path], exclude: Sequence[str]) -> Clips:
    """Leave out the clips of files that some patterns name."""
    patterns = read_patterns(exclude, "What is excluded")
    folders = [folder_of(path) for path in paths]
    below = [
        Path(os.path.relpath(path, folders[source])).as_posix()
        for path, source in zip(clips.paths, clips.sources)
    ]
    keep = np.array([not patterns.match_file(name) for name in below], dtype=bool)
    if not keep.any():
        raise DataError(f"All of {len(clips)} clips are excluded, by {', '.join(exclude)}.")
    return clips.take(np.flatnonzero(keep))


def _misnamed(path: Path) -> bool:
    """Whether a file's name is not valid text, so that no table can store it."""
    try:
        str(path).encode()
    except UnicodeError:
        return True
    return False


def _of_file(path: Path, source: int) -> Clips:
    name, splits = np.array([path.as_posix()], object), np.array([None], object)
    return Clips(name, np.zeros(1), np.full(1, np.nan), {}, name, splits, np.array([source]))


def _of_table(opened: Collection, root: Path, source: int) -> Clips:
    table, splits = opened.table, opened.named_splits
    sounds = table.sounds
    assert isinstance(sounds, FileSounds)  # collections are made of files
    factors = {name: _values(factor) for name, factor in table.factors.items()}
    paths = np.array([Path(path).as_posix() for path in sounds.paths], object)  # without ./
    recordings = np.array([(root / str(name)).as_posix() for name in table.recordings], object)
    splits = np.full(len(table), None) if splits is None else splits
    sources = np.full(len(table), source)
    return Clips(paths, sounds.start, sounds.seconds, factors, recordings, splits, sources)


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
        np.concatenate([part.sources for part in parts]),
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
