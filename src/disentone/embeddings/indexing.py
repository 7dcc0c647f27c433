"""Index a collection of audio: embed it part by part into an index."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from disentone import __version__
from disentone.audio import Skipped
from disentone.datasets.clip_lists import Clips, is_numeric, list_clips
from disentone.datasets.skipped import write_skipped
from disentone.embeddings import model_id
from disentone.embeddings.collection import embed_into, load_model
from disentone.embeddings.embedder import DEFAULTS, EmbedOptions, open_embedder
from disentone.embeddings.layout import about_of, schema_of, values_of
from disentone.embeddings.model_files import MODEL_FILES, check_model
from disentone.embeddings.parts import check_same
from disentone.embeddings.watcher import Watcher
from disentone.errors import DataError
from disentone.facets import Facets
from disentone.files import write_bytes
from disentone.search import Index
from disentone.search.store import column_name, facet_lengths, is_local, unusable

__all__ = ["index_collection"]

_NOTED = 5  # clips that were left out, in notes


def index_collection(
    model: str | Path,
    paths: Sequence[str | Path],
    out: str | Path,
    options: EmbedOptions = DEFAULTS,
    *,
    watcher: Watcher | None = None,
) -> Index:
    """Embed files, folders and tables, and put them into an index, part by part.

    What is in the index already is not embedded again: a stopped command goes on, and files that
    were added to a folder, or changed, are brought up to date. A model is copied into an index on
    disk (``OUT/model``), which is then complete, and what was left out is listed in
    ``OUT/skipped.csv``.

    Parameters
    ----------
    model : path
        Run folder, or any folder with a model.
    paths : sequence of paths
        Audio files, folders, and tables with a path column, mixed. Columns of tables, sub-folders
        and the splits of a table are factors of the items.
    out : path or URI
        New, or an index of the same model and segments.
    options : EmbedOptions
    watcher : Watcher, optional

    Returns
    -------
    Index

    Raises
    ------
    ArtifactError
        If there is no model, the index is of another model or other segments, or it cannot be
        written.
    DataError
        If a path does not exist, nothing is usable, or a length is out of range.
    RecipeError
        If this machine has no such device.
    """
    watcher = watcher or Watcher()
    check_model(model)
    clips, skipped, notes = list_clips(paths)
    loaded = load_model(model, options.device)
    about = {**options.cut, "disentone": __version__}
    about |= {"recipe": loaded.about.get("recipe"), "model_folder": os.path.abspath(model)}
    sink = _Sink(out, Path(model), model_id(model), about)
    for note in notes:
        watcher.note(note)
    clips = _for_items(clips)
    sink.open(clips)
    numeric = {name: is_numeric(values) for name, values in clips.factors.items()}
    schema = schema_of(loaded.facets, numeric, {})
    with open_embedder(loaded, options) as embedder:
        embed_into(sink, embedder, clips, schema, skipped, watcher)
    skipped += sink.skipped
    if sink.index is None:
        raise DataError(f"No clip is usable; the first: {skipped[0].path}: {skipped[0].reason}")
    sink.index.tidy()
    if is_local(out):
        write_skipped(Path(out) / "skipped.csv", skipped)
    for item in skipped[:_NOTED]:
        watcher.note(f"Left out: {item.path}: {item.reason}")
    if len(skipped) > _NOTED:
        watcher.note(f"Left out, in all: {len(skipped)}; see {out}/skipped.csv.")
    return sink.index


def _for_items(clips: Clips) -> Clips:
    """Clips with full paths, and with recording and split among their factors."""
    known = clips.with_origin().factors | {"recording": clips.recordings}
    paths = np.array([os.path.abspath(path) for path in clips.paths], dtype=object)
    return replace(clips, paths=paths, factors=known)


@dataclass
class _Sink:
    """The index as a sink of embeddings; it is made when there is something to put into it."""

    out: str | Path
    model: Path
    identity: str
    about: dict[str, Any]
    index: Index | None = None
    skipped: list[Skipped] = field(default_factory=list)
    stamps: dict[str, str] = field(default_factory=dict)

    def open(self, clips: Clips) -> None:
        """Take up an index that is there, or choose what the ids of a new one are relative to."""
        self.stamps = {path: _stamp(path) for path in set(clips.paths)}
        if Index.exists(self.out):
            self.index = Index.open(self.out)
            found = self.index.about | {"model": self.index.model}
            settings = {name: self.about[name] for name in ("segment", "hop")}
            check_same(Path(self.out), found, {"model": self.identity, **settings})
            self.about = self.index.about
        else:
            self.about["root"] = _root(clips.paths)

    def ids(self) -> set[tuple[str, float]]:
        """Path and start of what is in the index; items of files that changed are no more."""
        if self.index is None:
            return set()
        there = self.index.stamps().to_pylist()
        changed = [i for i in there if self.stamps.get(i["path"], i["stamp"]) != i["stamp"]]
        self.index.delete([item["id"] for item in changed])
        return {(i["path"], i["start"]) for i in there if i not in changed}

    def add(self, table: pa.Table) -> None:
        """Add a part of embeddings, in one commit."""
        vectors, facets = values_of(table), Facets.from_json(about_of(table.schema)["facets"])
        items = self._items(table)
        wrong = unusable(facet_lengths(vectors, facets), facets)
        ids = items["id"].to_pylist()
        self.skipped += [Skipped(ids[row], f"Its {wrong[row]}.") for row in sorted(wrong)]
        keep = [row for row in range(len(ids)) if row not in wrong]
        if not keep:
            return
        vectors, items = vectors[keep], items.take(keep)
        if self.index is None:
            self._keep_model()
            self.index = Index.build(
                self.out,
                vectors=vectors,
                facets=facets,
                items=items,
                model=self.identity,
                about=self.about,
            )
        else:
            self.index.add(vectors, items)

    def _items(self, table: pa.Table) -> pa.Table:
        """What an index keeps of rows of embeddings."""
        root = self.about["root"]
        paths, starts, lengths = (table[name].to_pylist() for name in table.column_names[:3])
        columns: dict[str, Any] = {
            "id": [_name(path, root, start) for path, start in zip(paths, starts)],
            "path": paths,
            "start": starts,
            "end": [start + length for start, length in zip(starts, lengths)],
            "stamp": [self.stamps[path] for path in paths],
        }
        for name, column in about_of(table.schema)["factors"].items():
            if name == "recording":
                columns[name] = [_name(text, root) for text in table[column].to_pylist()]
            else:
                columns[column_name(name)] = table[column]
        return pa.table(columns)

    def _keep_model(self) -> None:
        if is_local(self.out):
            for name in MODEL_FILES:
                write_bytes(Path(self.out) / "model" / name, (self.model / name).read_bytes())


def _stamp(path: str) -> str:
    """Text that changes when a file may have changed; a file that is gone has none."""
    try:
        status = os.stat(path)
    except OSError:
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"


def _root(paths: Iterable[str]) -> str:
    """Folder that all files are below; "" where they are on several drives of Windows."""
    try:
        return os.path.commonpath([os.path.dirname(path) for path in paths])
    except ValueError:
        return ""


def _name(path: str, root: str, start: float = 0.0) -> str:
    """Name an item as briefly as can be: its path below the root, and where it starts."""
    name = Path(path).as_posix()
    with suppress(ValueError):  # there is no root, or it is on another drive
        below = Path(os.path.relpath(path, root)).as_posix() if root else "../"
        name = name if below.startswith("../") else below
    return f"{name}@{start:.10g}" if start else name
