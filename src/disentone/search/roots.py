"""Roots: the folders that the audio of an index lies below, so that both can move."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pyarrow as pa

from disentone.errors import ArtifactError

__all__ = ["ROOT", "Root", "Roots", "below"]


@dataclass(frozen=True)
class Root:
    """A folder that was indexed, or the one that the files of a table lie below.

    Parameters
    ----------
    key : str
        What items name it by; it stays when the folder moves.
    folder : str
        Where it was when it was last indexed.
    beside : str
        The same, from the index's folder on; "" for an index that is no folder.
    table : str
        The table that names its files, from the folder on; "" where all of the folder counts.
    prefix : str
        What the ids of new items begin with.
    """

    key: str
    folder: str
    beside: str
    table: str
    prefix: str


ROOT = pa.schema({field.name: pa.string() for field in fields(Root)})


class Roots:
    """The roots of an index, with the folders where they are now.

    A root is looked for where it lies from the index on, as both may have moved together, and
    then where it was.

    Parameters
    ----------
    roots : sequence of Root
    home : str
        The index's folder, "" where it is none.
    """

    def __init__(self, roots: Iterable[Root] = (), home: str | Path = "") -> None:
        self.home = os.path.abspath(home) if home else ""
        self.all = {root.key: replace(root, folder=self._found(root)) for root in roots}

    def __eq__(self, other: object) -> bool:
        """Whether the same roots are in the same places."""
        return isinstance(other, Roots) and self.all == other.all

    __hash__ = None  # type: ignore[assignment]

    def _found(self, root: Root) -> str:
        if self.home and root.beside:
            near = os.path.normpath(os.path.join(self.home, root.beside))
            if os.path.isdir(near):
                return near
        return root.folder

    def to_table(self) -> pa.Table:
        """Give a row for each, as they are stored."""
        return pa.Table.from_pylist([vars(root) for root in self.all.values()], schema=ROOT)

    def with_root(self, folder: str, table: str, prefix: str) -> tuple[Roots, Root]:
        """Find the root of a folder and a table, or add it; the key follows from both."""
        there = self.at(folder)
        for root in there:
            if root.table == table:
                return self, root
        prefix = there[0].prefix if there else self._free(prefix)
        key, number = _key(folder, table), 1
        while key in self.all:  # that one has moved away
            key, number = _key(f"{folder}~{number}", table), number + 1
        return self.put(Root(key, folder, "", table, prefix))

    def at(self, folder: str) -> list[Root]:
        """Give the roots that are a folder, which several tables may have."""
        return [root for root in self.all.values() if _same(root.folder, folder)]

    def put(self, root: Root) -> tuple[Roots, Root]:
        """Give the same roots with one more, or with one that has moved."""
        root = replace(root, beside=self._beside(root.folder))
        return self._of([*(r for r in self.all.values() if r.key != root.key), root]), root

    def without(self, keys: Iterable[str]) -> Roots:
        """Give the roots but some."""
        gone = set(keys)
        return self._of(root for root in self.all.values() if root.key not in gone)

    def _of(self, roots: Iterable[Root]) -> Roots:
        made = Roots((), self.home)
        made.all = {root.key: root for root in roots}  # where they are is known
        return made

    def _beside(self, folder: str) -> str:
        try:
            return Path(os.path.relpath(folder, self.home)).as_posix() if self.home else ""
        except ValueError:  # on another drive
            return ""

    def _free(self, prefix: str) -> str:
        taken, number = {root.prefix for root in self.all.values()}, 2
        name = prefix
        while name in taken and prefix:
            name, number = f"{prefix.rstrip('/')}-{number}/", number + 1
        return name

    # --- paths -----------------------------------------------------------------------------------

    def path(self, key: str | None, name: str) -> str:
        """Path of a file; without a root, its name is the path."""
        return name if key is None else os.path.join(self.all[key].folder, "") + _native(name)

    def place(self, path: str) -> list[tuple[str | None, str]]:
        """All root and name that a path, from ``/`` on, can have in the index."""
        inside = ((key, below(path, root.folder)) for key, root in self.all.items())
        return [(None, path), *((key, name) for key, name in inside if name)]

    def paths(self, keys: pa.ChunkedArray, names: pa.ChunkedArray) -> pa.ChunkedArray:
        """Paths of many files.

        Raises
        ------
        ArtifactError
            If the root is not known, or a name would lead out of its root.
        """
        starts = {key: os.path.join(root.folder, "") for key, root in self.all.items()}
        whole = []
        for key, name in zip(keys.to_pylist(), names.to_pylist()):
            if key is not None and (key not in starts or _leaves(name)):
                raise ArtifactError(
                    f"The index is damaged: it names the file '{name}' outside of the folders that "
                    "it is of. Make it again."
                )
            whole.append(name if key is None else starts[key] + _native(name))
        return pa.chunked_array([pa.array(whole, pa.string())])


def _native(name: str) -> str:
    """Write a name as the system does."""
    return name if os.sep == "/" else name.replace("/", os.sep)


def _leaves(name: str) -> bool:
    """Whether a name would lead out of its root."""
    return ".." in name and ".." in name.replace("\\", "/").split("/")


def below(path: str, folder: str) -> str:
    """Name of a path below a folder, with ``/``; "" where it is not below it."""
    start = os.path.join(folder, "")
    return path[len(start) :].replace(os.sep, "/") if path.startswith(start) else ""


def _same(one: str, other: str) -> bool:
    """Whether two names are of one folder."""
    if one == other:
        return True
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _key(folder: str, table: str) -> str:
    """Name a root so that two processes that add the same one name it alike."""
    return hashlib.blake2b(f"{folder}\0{table}".encode(), digest_size=8).hexdigest()
