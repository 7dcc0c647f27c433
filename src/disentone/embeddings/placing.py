"""Placing: below which roots of an index the clips of files, folders and tables lie."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from disentone.audio import Skipped
from disentone.datasets.clip_lists import Clips, folder_of
from disentone.datasets.table_files import TABLE_SUFFIXES
from disentone.search.following import Listed, Scope
from disentone.search.roots import Root, Roots, below

__all__ = ["Placed", "common_folder", "place"]

_CLIPS = "clips.csv"


class Placed(NamedTuple):
    """Clips with their roots.

    Parameters
    ----------
    listed : list of Listed
    roots : Roots
        Those that there were, and those of the clips.
    scope : Scope
    """

    listed: list[Listed]
    roots: Roots
    scope: Scope


def place(
    paths: Sequence[str | Path], clips: Clips, skipped: Sequence[Skipped], roots: Roots, base: str
) -> Placed:
    """Find the roots of clips, or make them.

    A folder is a root unless one is above it, and the folder of a table is one; a file is below a
    root that is there, or below its folder. What a table names elsewhere is below the folder that
    all of it has in common.

    Parameters
    ----------
    paths : sequence of path
        Folders, tables and files.
    clips : Clips
        What was listed of them.
    skipped : sequence of Skipped
        What was not.
    roots : Roots
        Those of the index.
    base : str
        Folder that ids are relative to.
    """
    places: dict[int, tuple[str | None, str]] = {}
    whole, folders = set[str](), []
    for source, path in enumerate(map(str, paths)):
        rows = np.flatnonzero(clips.sources == source).tolist()
        files = [os.path.abspath(clips.paths[row]) for row in rows]
        folder, table = folder_of(path), _table_of(path)
        if table:
            roots, found = _of_table(roots, folder, table, files, base)
            whole |= {root.key for root in _roots_of(roots, folder, table)}
        elif os.path.isdir(path):
            roots, root, start = _of_folder(roots, folder, base)
            found = {file: (root.key, start + below(file, folder)) for file in files}
        else:
            roots, root, start = _of_folder(roots, folder, base)
            found = {file: (root.key, start + os.path.basename(file)) for file in files}
        if os.path.isdir(path):  # whether it has a clips.csv now, had one, or neither
            folders.append(folder)
            whole |= {root.key for root in roots.at(folder) if root.table in ("", _CLIPS)}
        places |= {row: found[file] for row, file in zip(rows, files)}
    listed = [
        Listed(roots.path(*places[row]), *places[row], float(start), float(seconds))
        for row, (start, seconds) in enumerate(zip(clips.start, clips.seconds))
    ]
    closed = [os.path.abspath(item.path) for item in skipped if os.path.isdir(item.path)]
    return Placed(listed, roots, Scope(whole, folders, closed))


def common_folder(folders: Sequence[str]) -> str:
    """Folder above all folders; "" where they are on several drives of Windows."""
    try:
        return os.path.commonpath(folders)
    except ValueError:
        return ""


def _table_of(path: str) -> str:
    """Name of the table that a path stands for, "" where it is none."""
    if os.path.isdir(path):
        return _CLIPS if os.path.isfile(os.path.join(path, _CLIPS)) else ""
    return os.path.basename(path) if Path(path).suffix.lower() in TABLE_SUFFIXES else ""


def _roots_of(roots: Roots, folder: str, table: str) -> list[Root]:
    """Roots of the files of a table, which may lie in several folders."""
    file = os.path.join(folder, table)
    return [
        root
        for root in roots.all.values()
        if root.table and os.path.normpath(os.path.join(root.folder, root.table)) == file
    ]


def _of_table(
    roots: Roots, folder: str, table: str, files: Sequence[str], base: str
) -> tuple[Roots, dict[str, tuple[str | None, str]]]:
    """Root and name of each file of a table."""
    found: dict[str, tuple[str | None, str]] = {}
    inside = [file for file in files if below(file, folder)]
    if inside:
        roots, root = roots.with_root(folder, table, _prefix(folder, base))
        found = {file: (root.key, below(file, folder)) for file in inside}
    elsewhere = [file for file in files if file not in found]
    for root in _roots_of(roots, folder, table):
        found |= {f: (root.key, below(f, root.folder)) for f in elsewhere if below(f, root.folder)}
    elsewhere = [file for file in files if file not in found]
    if elsewhere:
        above = common_folder([os.path.dirname(file) for file in elsewhere])
        if not above:
            return roots, found | {file: (None, file) for file in elsewhere}
        named = Path(os.path.relpath(os.path.join(folder, table), above)).as_posix()
        roots, root = roots.with_root(above, named, _prefix(above, base))
        found |= {file: (root.key, below(file, above)) for file in elsewhere}
    return roots, found


def _of_folder(roots: Roots, folder: str, base: str) -> tuple[Roots, Root, str]:
    """Root of a folder, one that is above it where there is one, and its name below that."""
    above = [root for root in roots.all.values() if not root.table and below(folder, root.folder)]
    if above:
        root = max(above, key=lambda root: len(root.folder))
        return roots, root, f"{below(folder, root.folder)}/"
    return *roots.with_root(folder, "", _prefix(folder, base)), ""


def _prefix(folder: str, base: str) -> str:
    """What ids of files in a folder begin with: its path below the base, or its name."""
    if folder == base:
        return ""
    name = (base and below(folder, base)) or Path(folder).name
    return f"{name}/" if name else ""
