"""Take items out of an index, by id, by path or by pattern."""

from __future__ import annotations

import os
from collections.abc import Sequence

from disentone.datasets.ignoring import read_patterns
from disentone.errors import DataError
from disentone.search import Index
from disentone.search.roots import below

__all__ = ["remove_items"]


def remove_items(index: Index, names: Sequence[str]) -> int:
    """Delete items; the files stay where they are.

    Parameters
    ----------
    index : Index
    names : sequence of str
        Each the id of an item, a file, a folder, or a pattern as in ``.gitignore`` of paths below
        the folders that were indexed. What is no more on disk can be named too.

    Returns
    -------
    int
        Items that were deleted.

    Raises
    ------
    DataError
        If one names no item.
    """
    with index.changing() as changes:
        roots = changes.roots()
        entries = changes.read(["id", "path", "_root"]).to_pylist()
        paths = [roots.path(entry["_root"], entry["path"]) for entry in entries]
        gone: set[str] = set()
        for name in names:
            full = os.path.abspath(name)
            found = {
                entry["id"]
                for entry, path in zip(entries, paths)
                if name == entry["id"] or path == full or below(path, full)
            }
            if not found:
                patterns = read_patterns([name], "What is to be removed")
                found = {entry["id"] for entry in entries if patterns.match_file(entry["path"])}
            if not found:
                raise DataError(
                    f"Nothing in the index is called '{name}', lies below it or matches it: name "
                    "an item, a file, a folder or a pattern such as 'drums/*.wav'."
                )
            gone |= found
        changes.delete(sorted(gone))
    return len(gone)
