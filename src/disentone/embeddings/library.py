"""A library: clips that are to be in an index, and how the index follows them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from disentone.audio import Skipped
from disentone.datasets.clip_lists import Clips, folder_of, is_numeric
from disentone.embeddings.layout import about_of
from disentone.embeddings.placing import common_folder, place
from disentone.search import Index
from disentone.search.changing import Changes
from disentone.search.following import Contents, Entry, Followed, file_stamp, follow
from disentone.search.roots import Roots, below
from disentone.search.rows import KEPT, PLACE, column_names

__all__ = ["ROW", "Library"]

ROW = "row"
"""Factor of rows of embeddings: the number of the clip that each is of."""


class Library:
    """The clips of one call.

    Parameters
    ----------
    paths : sequence of path
        Folders, tables and files.
    clips : Clips
        What was listed of them.
    skipped : sequence of Skipped
        What was not.
    index : Index, optional
        Where they may be already.
    home : str
        The index's folder, "" where it is none.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        clips: Clips,
        skipped: Sequence[Skipped],
        *,
        index: Index | None,
        home: str,
    ) -> None:
        self._folders = [folder_of(path) for path in paths]
        base = None if index is None else index.about.get("root")
        self.base = common_folder(self._folders) if base is None else base
        roots = Roots((), home) if index is None else _roots(index)
        self.listed, self.roots, self.scope = place(paths, clips, skipped, roots, self.base)
        self._clips = replace(clips, paths=np.array([c.path for c in self.listed], object))
        self._columns = column_names(clips.factors)
        self._hashed = Contents()
        self._known: dict[int, str | None] = {}  # hashes of clips that were embedded elsewhere
        self._done: set[tuple[str, float]] = set()  # path and start of clips
        self._old: dict[str, str | None] = {}  # stamps of items of changed clips, by id
        self._gone: set[tuple[str, float]] = set()
        self._missing = self._relabelled = 0
        stamps = {path: file_stamp(path) for path in set(self._clips.paths)}
        self._found = Followed(
            fates=["new"] * len(clips),
            stamps=[stamps[clip.path] + clip.length for clip in self.listed],
        )

    # --- what is there already -------------------------------------------------------------------

    def follow(
        self, index: Index, *, keep_missing: bool, lost: Sequence[Entry] | None = None
    ) -> set[str]:
        """Bring items up to date as far as nothing needs to be embedded.

        Parameters
        ----------
        index : Index
        keep_missing : bool
            Keep items whose files are gone.
        lost : sequence of dict, optional
            The items whose files are gone, where the clips are a part of the library: then no
            others are read than these and those of the clips.

        Returns
        -------
        set of str
            Ids of the items that the clips have already.
        """
        with index.changing() as changes:
            roots = self._put_ours(changes)
            entries = self._entries(changes, roots, lost)
            changes.upgrade()
            found = follow(entries, self.listed, roots, self.scope, self._hashed)
            self._found = found
            amended = {entry["id"]: entry for entry in found.amended}
            if amended:
                changes.amend(_amended(found.amended))
            relabelled = self._relabel(changes)
            self._relabelled = sum(found.fates[row] == "kept" for row in relabelled)
            if keep_missing:
                self._missing = len(set(found.gone.values()))
            elif found.gone:
                changes.delete(list(found.gone))
                self._gone = set(found.gone.values())
        now = [entry | amended.get(entry["id"], {}) for entry in entries]
        changed = {
            (clip.path, clip.start)
            for clip, fate in zip(self.listed, found.fates)
            if fate == "changed"
        }
        self._old = {e["id"]: e["stamp"] for e in now if (_path(roots, e), e["_clip"]) in changed}
        return {name for names in found.items.values() for name in names}

    def _entries(self, changes: Changes, roots: Roots, lost: Sequence[Entry] | None) -> list[Entry]:
        """Items that the clips are compared with: all, or those of their files and those lost."""
        if lost is None:
            return changes.entries().to_pylist()
        names = {name for clip in self.listed for _, name in roots.place(clip.path)}
        theirs = {entry["id"]: entry for entry in changes.entries([*names]).to_pylist()}
        return [*theirs.values(), *(entry for entry in lost if entry["id"] not in theirs)]

    def _put_ours(self, changes: Changes) -> Roots:
        """Give the roots of an index and those of the clips, which it gets where it lacks them."""
        roots = there = changes.roots()
        for root in self.roots.all.values():
            if root.key not in roots.all or root.key in self._used:
                roots, _ = roots.put(root)
        if roots != there:
            changes.put_roots(roots)
        return roots

    @property
    def _used(self) -> set[str | None]:
        return {clip.root for clip in self.listed}

    def _relabel(self, changes: Changes) -> set[int]:
        """Take over the factors of clips that are there; give the clips where these differ."""
        rows: set[int] = set()
        for source in np.unique(self._clips.sources):
            kept = [row for row in self._found.items if self._clips.sources[row] == source]
            of = {name: row for row in kept for name in self._found.items[row]}
            if not of:
                continue
            columns: dict[str, Any] = {"id": list(of), "recording": self._recordings(of.values())}
            for name, values in self._clips.factors.items():
                if any(values[row] is not None for row in kept):
                    columns[self._columns[name]] = _column(values, list(of.values()))
            rows |= {of[name] for name in changes.relabel(pa.table(columns))}
        return rows

    # --- what is embedded ------------------------------------------------------------------------

    @property
    def clips(self) -> Clips:
        """All clips, with their numbers and nothing else known about them."""
        rows = np.arange(len(self.listed)).astype(object)
        return replace(self._clips, factors={ROW: rows})

    @property
    def wanted(self) -> np.ndarray:
        """Which clips are to be embedded: bool (clips,)."""
        return np.isin(self._found.fates, ("new", "changed"))

    def know(
        self, rows: Sequence[int], stamps: Sequence[str], contents: Sequence[str | None]
    ) -> None:
        """Take over what files of clips were when these were embedded, by another process."""
        for row, stamp, content in zip(rows, stamps, contents):
            self._found.stamps[row] = stamp + self.listed[row].length
            self._known[row] = content

    def items(self, table: pa.Table) -> pa.Table:
        """What an index keeps of rows of embeddings."""
        rows = [int(row) for row in table[about_of(table.schema)["factors"][ROW]].to_pylist()]
        clips = [self.listed[row] for row in rows]
        starts, lengths = table["start"].to_pylist(), table["duration"].to_pylist()
        columns: dict[str, Any] = {
            "id": [
                self._name(clip.root, clip.name) + (f"@{start:.10g}" if start else "")
                for clip, start in zip(clips, starts)
            ],
            "path": [clip.name for clip in clips],
            "recording": self._recordings(rows),
            "start": starts,
            "end": [start + length for start, length in zip(starts, lengths)],
            "stamp": [self._found.stamps[row] for row in rows],
            "_root": pa.array([clip.root for clip in clips], pa.string()),
            "_content": pa.array([self._content(row) for row in rows], pa.string()),
            "_clip": [clip.start for clip in clips],
        }
        for name, values in self._clips.factors.items():
            columns[self._columns[name]] = _column(values, rows)
        return pa.table(columns)

    def first(self, items: pa.Table) -> pa.Table:
        """Items of a new index, each with an id of its own."""
        self._note(items)
        return _with_ids(items, _free(items["id"].to_pylist(), set()))

    def put(self, index: Index, vectors: np.ndarray, items: pa.Table) -> None:
        """Put embedded items into an index, but those that another process has put there."""
        with index.changing() as changes:
            roots = self._put_ours(changes)
            rows = items.to_pylist()
            paths = {name for row in rows for _, name in roots.place(_path(roots, row))}
            there = {_key(roots, entry): entry for entry in changes.entries([*paths]).to_pylist()}
            known = [there.get(_key(roots, row)) for row in rows]
            names = [row["id"] if entry is None else None for row, entry in zip(rows, known)]
            new = [name for name in names if name]
            clash = len(set(new)) < len(new) or changes.ids(new)  # few do
            ids = _free(names, changes.ids() if clash else set())
            ids = [name if entry is None else entry["id"] for name, entry in zip(ids, known)]
            differ = [
                place
                for place, (row, entry) in enumerate(zip(rows, known))
                if entry is None or entry["stamp"] != row["stamp"]
            ]
            if differ:
                changes.put(vectors[differ], _with_ids(items, ids).take(differ))
        self._note(items)

    def settle(self, index: Index) -> None:
        """Remove what is left of clips that have changed, and roots without items."""
        self.drop_old(index)
        with index.changing() as changes:
            roots, used = changes.roots(), set(changes.read(["_root"])["_root"].to_pylist())
            empty = set(roots.all) - used - self._used
            if empty:
                changes.put_roots(roots.without(empty))

    @property
    def touched(self) -> bool:
        """Whether items were changed without being embedded."""
        return bool(self._found.amended or self._relabelled)

    def drop_old(self, index: Index) -> None:
        """Remove what is left of clips that have changed."""
        if not self._old:
            return
        with index.changing() as changes:
            entries, roots = changes.entries(ids=[*self._old]).to_pylist(), changes.roots()
            left = [entry for entry in entries if self._old[entry["id"]] == entry["stamp"]]
            if left:
                changes.delete([entry["id"] for entry in left])
                self._gone |= {(_path(roots, entry), entry["_clip"]) for entry in left} - self._done

    def counts(self) -> str:
        """Say in one line what has become of the clips."""
        fates = self._found.fates
        done = [
            fate for clip, fate in zip(self.listed, fates) if (clip.path, clip.start) in self._done
        ]
        parts = [
            f"{done.count('new')} new",
            f"{done.count('changed')} changed",
            f"{fates.count('kept')} kept",
            f"{len(self._gone)} gone",
        ]
        more = {
            "moved": fates.count("moved"),
            "relabelled": self._relabelled,
            "missing": self._missing,
        }
        return ", ".join(parts + [f"{count} {what}" for what, count in more.items() if count])

    def _note(self, items: pa.Table) -> None:
        """Remember which clips are in the index."""
        for row in items.select(["path", "_root", "_clip"]).to_pylist():
            self._done.add((_path(self.roots, row), row["_clip"]))

    def _content(self, row: int) -> str | None:
        """Hash of a clip's file; None where it has changed since it was listed."""
        if row in self._known:
            return self._known[row]
        clip = self.listed[row]
        found = self._hashed(clip.path)
        return found if file_stamp(clip.path) + clip.length == self._found.stamps[row] else None

    def _name(self, root: str | None, name: str) -> str:
        return name if root is None else self.roots.all[root].prefix + name

    def _recordings(self, rows: Iterable[int]) -> list[str]:
        """Names of recordings: below the folder of their path, as ids are."""
        names = []
        for row in rows:
            clip, given = self.listed[row], os.path.abspath(self._clips.recordings[row])
            inside = below(given, self._folders[self._clips.sources[row]])
            if clip.root is not None:
                inside = below(given, self.roots.all[clip.root].folder) or inside
            names.append(self._name(clip.root, inside or Path(given).as_posix()))
        return names


def _roots(index: Index) -> Roots:
    with index.changing() as changes:
        return changes.roots()


def _path(roots: Roots, entry: Entry) -> str:
    return roots.path(entry["_root"], entry["path"])


def _key(roots: Roots, entry: Entry) -> tuple[str, float, float]:
    return _path(roots, entry), entry["_clip"], entry["start"]


def _free(names: Sequence[str | None], taken: set[str]) -> list[str | None]:
    """Ids that nothing else has: a file may be called what another was that has moved."""
    ids = []
    for name in names:
        free, number = name, 2
        while free in taken:
            free, number = f"{name} ({number})", number + 1
        if free is not None:
            taken.add(free)
        ids.append(free)
    return ids


def _with_ids(items: pa.Table, ids: Sequence[str | None]) -> pa.Table:
    return items.set_column(items.column_names.index("id"), "id", pa.array(ids, pa.string()))


def _column(values: np.ndarray, rows: Sequence[int]) -> pa.Array:
    """Some of a factor's values: numbers or text."""
    kind = pa.float64() if is_numeric(values) else pa.string()
    return pa.array([values[row] for row in rows], kind)


def _amended(entries: Sequence[Entry]) -> pa.Table:
    kinds = {"id": PLACE["id"], "path": PLACE["path"], **KEPT}
    return pa.Table.from_pylist(
        [{name: entry[name] for name in kinds} for entry in entries], pa.schema(list(kinds.items()))
    )
