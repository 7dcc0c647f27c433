"""Keep an index like its folders: pass after pass, part by part, for libraries of any size.

What is committed stays: the index can be searched while it grows, and whoever stops this loses the
part in flight. Memory does not grow with the library, but for eight bytes a file.
"""

from __future__ import annotations

import os
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from disentone.audio import Skipped
from disentone.clips import file_of
from disentone.datasets.clip_lists import folder_of
from disentone.datasets.clip_parts import ClipPart, clip_parts
from disentone.datasets.skipped import SkippedList
from disentone.embeddings.collection import load_model
from disentone.embeddings.embedder import Embedder, EmbedOptions, open_embedder
from disentone.embeddings.indexing import known_clips, sink_of
from disentone.embeddings.library import Library
from disentone.embeddings.model_files import MODEL_FILES, describe, find_model
from disentone.embeddings.placing import common_folder
from disentone.embeddings.watcher import Watcher
from disentone.files import write_bytes
from disentone.search import Index
from disentone.search.following import Entry, Scope, file_stamp, is_absent, is_gone
from disentone.search.store import locked

__all__ = ["Keeping", "begin_index", "keeping"]

_FIRST, _MOST = 16, 2048  # clips that are embedded before they are committed
_SECONDS = 8.0  # that this should take
_REMOVED = 5000  # items in one commit

Tell = Callable[[str, dict[str, Any]], None]
"""Takes what happens: its kind, and what is to be known of it."""


def begin_index(model: str | Path, paths: Sequence[str | Path], out: str | Path) -> None:
    """Make an index without items, with its model, where there is none.

    Raises
    ------
    ArtifactError
        If there is no model, the index is of another one, or it cannot be written.
    """
    model = find_model(model)
    with locked(out):
        sink = sink_of(model, out)
        sink.take_up()
        if sink.index is not None:
            return
        for name in MODEL_FILES:
            write_bytes(Path(out) / "model" / name, (model / name).read_bytes())
        about = describe(model)
        Index.build(
            out,
            vectors=np.empty((0, about.facets.dim), np.float32),
            facets=about.facets,
            items=pa.table({name: pa.array([], pa.string()) for name in ("id", "path")}),
            model=sink.identity,
            about={
                **sink.about,
                "recipe": about.about.get("recipe"),
                "root": common_folder([folder_of(path) for path in paths]),
            },
        )


@contextmanager
def keeping(
    model: str | Path,
    paths: Sequence[str | Path],
    out: str | Path,
    options: EmbedOptions,
    tell: Tell,
    *,
    again: bool = False,
) -> Iterator[Keeping]:
    """Give what keeps an index of :func:`begin_index` like some folders and tables.

    Parameters
    ----------
    model : path
    paths : sequence of path
    out : path
    options : EmbedOptions
        Without segments.
    tell : callable
        Is told ``"progress"`` (clips that are ``done`` in this pass, ``failed`` among them),
        ``"commit"`` (the index has changed) and ``"skipped"`` (``path`` and ``reason``).
    again : bool
        Whether there will be several passes: what cannot be used is remembered, and not tried
        again until it changes.
    """
    with open_embedder(load_model(model, options.device), options) as embedder:
        yield Keeping(Path(model), paths, out, embedder, tell, again=again)


class Keeping:
    """See :func:`keeping`."""

    def __init__(
        self,
        model: Path,
        paths: Sequence[str | Path],
        out: str | Path,
        embedder: Embedder,
        tell: Tell,
        *,
        again: bool,
    ) -> None:
        self._paths, self._out, self._embedder, self._tell = paths, out, embedder, tell
        self._sink = sink_of(model, out)
        self._sink.take_up()
        assert self._sink.index is not None  # begun before
        self._index = self._sink.index
        self._size = _FIRST
        self._refused: dict[int, list[Skipped]] | None = {} if again else None  # by files' marks
        self._done = self._failed = 0

    def run(self) -> int:
        """Look at everything once, and embed what is new or changed.

        Returns
        -------
        int
            State of what was looked at: see :func:`disentone.datasets.clip_parts.state_of`.

        Raises
        ------
        DataError
            If a folder or table is gone, or a table is not understood.
        ArtifactError
            If the index cannot be written.
        """
        self._done = self._failed = 0
        state, changed = 0, False
        seen = array("q")
        whole, folders, closed = set[str](), set[str](), list[str]()
        lost = list(self._lost())
        with SkippedList(Path(self._out) / "skipped.csv") as skipped:
            for part in clip_parts(self._paths):
                state += part.state
                self._skip(skipped, part.skipped)
                self._progress(part.found - len(part.clips))
                closed += [item.path for item in part.skipped if os.path.isdir(item.path)]
                if len(part.clips):
                    library = self._library(part)
                    known = library.follow(self._index, keep_missing=True, lost=lost)
                    lost = [entry for entry in lost if entry["id"] not in known]
                    seen.extend(hash(clip.path) for clip in library.listed)
                    whole |= set(library.scope.whole)
                    folders |= {*library.scope.folders}
                    changed |= self._embed(library, skipped)
        scope = Scope(whole, [*folders], closed)
        changed |= self._remove(np.sort(np.frombuffer(seen, np.int64)), scope)
        if changed:
            self._index.tidy()
            self._tell("commit", {})
        return state

    def _library(self, part: ClipPart) -> Library:
        clips = known_clips(part.clips)
        return Library([part.path], clips, part.skipped, index=self._index, home=str(self._out))

    def _entries(self) -> Iterator[tuple[Entry, str]]:
        """All items, each with the path of its file."""
        with self._index.changing() as changes:
            roots = changes.roots()
            batches = changes.scan()
        for batch in batches:
            for entry in batch.to_pylist():
                yield entry, roots.path(entry["_root"], entry["path"])

    def _lost(self) -> Iterator[Entry]:
        """Items whose files are gone: they may have moved."""
        return (entry for entry, path in self._entries() if is_absent(path))

    def _remove(self, seen: np.ndarray, scope: Scope) -> bool:
        """Remove the items whose clips are no more; those of a folder that is empty now stay."""
        gone = []
        for entry, path in self._entries():
            place = np.searchsorted(seen, hash(path))
            listed = place < len(seen) and seen[place] == hash(path)
            if not listed and is_gone(path, entry["_root"], scope):
                gone.append(entry["id"])
        for first in range(0, len(gone), _REMOVED):
            self._index.delete(gone[first : first + _REMOVED])
        return bool(gone)

    # --- embedding -------------------------------------------------------------------------------

    def _embed(self, library: Library, skipped: SkippedList) -> bool:
        """Embed what is new or changed, and commit it every few seconds; whether there was any."""
        rows = np.flatnonzero(library.wanted)
        if self._refused:
            known = {row: self._refused.get(_mark(library.listed[row].path), []) for row in rows}
            self._skip(skipped, [item for items in known.values() for item in items])
            rows = np.array([row for row, items in known.items() if not items], int)
        self._progress(len(library.listed) - len(rows))
        first = 0
        while first < len(rows):
            some = rows[first : first + self._size]
            self._embed_some(library, some, skipped)
            first += len(some)
        library.drop_old(self._index)
        return bool(len(rows)) or library.touched

    def _embed_some(self, library: Library, rows: np.ndarray, skipped: SkippedList) -> None:
        left_out: list[Skipped] = []
        wanted = np.isin(np.arange(len(library.listed)), rows)
        shown, began = _Shown(self._progress, len(rows)), time.monotonic()
        self._sink.embed(library, self._embedder, left_out, shown, wanted=wanted)
        shown.show(len(rows))
        if self._refused is not None:
            for item in left_out:
                self._refused.setdefault(_mark(file_of(item.path)), []).append(item)
        self._skip(skipped, left_out)
        self._tell("commit", {})
        better = round(len(rows) * _SECONDS / max(time.monotonic() - began, 0.1))
        self._size = max(1, min(better, 4 * self._size, _MOST))

    def _progress(self, more: int) -> None:
        self._done += more
        self._tell("progress", {"done": self._done, "failed": self._failed})

    def _skip(self, skipped: SkippedList, items: Sequence[Skipped]) -> None:
        skipped.add(items)
        self._failed += len(items)
        for item in items:
            self._tell("skipped", {"path": item.path, "reason": item.reason})
        self._progress(0)


class _Shown(Watcher):
    """Passes on how many more of some clips are embedded."""

    def __init__(self, more: Callable[[int], None], count: int) -> None:
        self._more, self._count, self._shown = more, count, 0

    def stage(self, name: str) -> Callable[[int, int], None]:
        """Give what takes (done, total), the total being that of clips of which these are some."""
        return lambda done, total: self.show(done)

    def show(self, done: int) -> None:
        """Take how many are done."""
        done = min(done, self._count)
        if done > self._shown:
            self._more(done - self._shown)
            self._shown = done


def _mark(path: str) -> int:
    """Number of a file as it is."""
    return hash((path, file_stamp(path)))
