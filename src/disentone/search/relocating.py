"""Relocating: a library has moved, and its items with it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from disentone.errors import DataError
from disentone.search.roots import Roots, below
from disentone.search.rows import KEPT, PLACE

if TYPE_CHECKING:
    from disentone.search.index import Index

__all__ = ["relocate"]


def relocate(index: Index, old: str | Path, new: str | Path) -> tuple[int, int]:
    """Say that a folder of audio has moved: nothing is embedded or read again.

    Parameters
    ----------
    index : Index
    old : path
        As it was: a folder that was indexed, or one above or below it.
    new : path

    Returns
    -------
    moved, missing : int
        Items that were below `old`, and how many of their files are not below `new`.

    Raises
    ------
    DataError
        If no item is below `old`, none of the files is below `new`, or the index has files of
        `new` already.
    """
    old, new = os.path.abspath(old), os.path.abspath(new)
    if not os.path.isdir(new):
        raise DataError(f"'{new}' is no folder: name the one to which '{old}' has moved.")
    with index.changing() as changes:
        roots = changes.roots()
        entries = changes.read(["id", "path", "_root"]).to_pylist()
        paths = [roots.path(entry["_root"], entry["path"]) for entry in entries]
        names = {place: below(path, old) for place, path in enumerate(paths) if below(path, old)}
        if not names:
            known = ", ".join(f"'{root.folder}'" for root in roots.all.values()) or "none"
            raise DataError(f"The index has nothing below '{old}'; its folders: {known}.")
        there = {name: os.path.lexists(os.path.join(new, name)) for name in names.values()}
        _check_target(old, new, there, set(paths))
        roots, moved = _moved(roots, old, new)
        rest = [place for place in names if entries[place]["_root"] not in moved]
        if not rest:
            changes.put_roots(roots)
        else:  # a part of a root, or items of before there were roots
            roots, root = roots.with_root(new, "", f"{Path(new).name}/")
            changes.upgrade()
            changes.put_roots(roots)
            changes.amend(_rows([entries[p] | {"path": names[p], "_root": root.key} for p in rest]))
    return len(names), sum(not there[name] for name in names.values())


def _check_target(old: str, new: str, there: Mapping[str, bool], paths: set[str]) -> None:
    """Refuse a folder that has none of the files, or whose files are in the index already."""
    if not any(there.values()):
        raise DataError(
            f"None of the {len(there)} files of '{old}' is in '{new}', such as '{min(there)}': "
            "name the folder to which they have moved."
        )
    both = [name for name in there if os.path.join(new, name) in paths]
    if both:
        raise DataError(
            f"The index has '{min(both)}' of both '{old}' and '{new}': remove the items of one of "
            "these folders from it first."
        )


def _moved(roots: Roots, old: str, new: str) -> tuple[Roots, set[str]]:
    """Roots that are moved as a whole, and their keys."""
    moved = set()
    for root in list(roots.all.values()):
        inside = below(root.folder, old)
        if inside or root.folder == old:
            folder = os.path.join(new, inside) if inside else new
            roots, _ = roots.put(replace(root, folder=os.path.normpath(folder)))
            moved.add(root.key)
    return roots, moved


def _rows(rows: list[dict[str, Any]]) -> pa.Table:
    kinds = PLACE | KEPT
    return pa.Table.from_pylist(rows, pa.schema([(n, kinds[n]) for n in ("id", "path", "_root")]))
