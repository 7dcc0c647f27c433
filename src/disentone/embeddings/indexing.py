"""Index a collection of audio: embed it part by part into an index, which then follows it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
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
from disentone.embeddings.embedder import DEFAULTS, Embedder, EmbedOptions, open_embedder
from disentone.embeddings.gathering import Shards, open_shards
from disentone.embeddings.layout import about_of, schema_of, table_of, values_of
from disentone.embeddings.library import ROW, Library
from disentone.embeddings.model_card import AUDIT
from disentone.embeddings.model_files import MODEL_FILES, find_model
from disentone.embeddings.parts import check_same
from disentone.embeddings.querying import check_release
from disentone.embeddings.shards import CLIP, STAMPS, START
from disentone.embeddings.watcher import Watcher
from disentone.errors import ArtifactError, DataError
from disentone.facets import Facets
from disentone.files import write_bytes
from disentone.packaged import name_of
from disentone.search import Index
from disentone.search.rows import facet_lengths, unusable
from disentone.search.store import check_free, check_library, is_local, locked

__all__ = ["IndexSink", "index_collection", "index_shards", "known_clips", "sink_of"]

_NOTED = 5  # clips that were left out, in notes


def index_collection(
    model: str | Path,
    paths: Sequence[str | Path],
    out: str | Path,
    options: EmbedOptions = DEFAULTS,
    *,
    exclude: Sequence[str] = (),
    keep_missing: bool = False,
    watcher: Watcher | None = None,
    shards: Shards | None = None,
) -> Index:
    """Embed files, folders and tables, and put them into an index, or bring it up to date.

    What is in the index already is not embedded again: a stopped command goes on, new and changed
    files are embedded, moved ones keep their items, corrected labels and new columns of tables
    are taken over. What is gone from these folders and tables is removed; items of others stay. A
    model is copied into an index on disk (``OUT/model``), which is then complete, and what was
    left out is listed in ``OUT/skipped.csv``.

    Parameters
    ----------
    model : path or str
        Run folder, any folder with a model, or the name of a packaged one.
    paths : sequence of paths
        Audio files, folders, and tables with a path column, mixed. Columns of tables, sub-folders
        and the splits of a table are factors of the items.
    out : path or URI
        New, or an index of the same model and segments.
    options : EmbedOptions
    exclude : sequence of str
        Patterns as in ``.gitignore``, of what is left out below each of the folders.
    keep_missing : bool
        Keep items whose files are gone.
    watcher : Watcher, optional
    shards : Shards, optional
        Where the embeddings are already: clips that are in no shard are noted, and left for later.

    Returns
    -------
    Index

    Raises
    ------
    ArtifactError
        If there is no model, the index is of another model or other segments, or it cannot be
        written.
    DataError
        If a path does not exist or has nothing usable, or a length is out of range.
    RecipeError
        If this machine has no such device.
    """
    watcher = watcher or Watcher()
    model = find_model(model)
    check_library()  # before anything is embedded for it
    check_free(out)
    sink = sink_of(model, out, options)
    sink.take_up()
    known = sink.index
    clips, skipped, notes = list_clips(paths, exclude)
    skipped = [Skipped(os.path.abspath(item.path), item.reason) for item in skipped]
    for note in notes:
        watcher.note(note)
    home = str(out) if is_local(out) else ""
    library = Library(paths, known_clips(clips), skipped, index=known, home=home)
    if known is not None:
        library.follow(known, keep_missing=keep_missing)
    if library.wanted.any():
        if shards is None:
            loaded = load_model(model, options.device)
            sink.about |= {"recipe": loaded.about.get("recipe"), "root": library.base}
            with open_embedder(loaded, options) as embedder:
                sink.embed(library, embedder, skipped, watcher)
        else:
            sink.take_over(library, shards, skipped, watcher)
    if sink.index is None:
        raise DataError(f"No clip is usable; the first: {skipped[0].path}: {skipped[0].reason}")
    library.settle(sink.index)
    if known is not None:
        watcher.note(library.counts())
    sink.index.tidy()
    skipped = list(dict.fromkeys(skipped))
    if is_local(out):
        write_skipped(Path(out) / "skipped.csv", skipped)
    for item in skipped[:_NOTED]:
        watcher.note(f"Left out: {item.path}: {item.reason}")
    if len(skipped) > _NOTED:
        watcher.note(f"Left out, in all: {len(skipped)}; see {out}/skipped.csv.")
    return sink.index


def index_shards(folder: str | Path, out: str | Path, *, watcher: Watcher | None = None) -> Index:
    """Gather the shards of a collection into an index, or bring one up to date with them.

    It is what :func:`index_collection` makes, and follows the same folders and tables.

    Parameters
    ----------
    folder : path
        Of :func:`disentone.embeddings.sharding.embed_shard`.
    out : path or URI
    watcher : Watcher, optional

    Returns
    -------
    Index

    Raises
    ------
    ArtifactError
        If a shard is missing or damaged, they do not belong together, the model is no longer where
        it was or is another, or the index is of another one.
    DataError
        As for :func:`index_collection`.
    """
    shards = open_shards(folder)
    about, source = shards.about, shards.about["source"]
    if model_id(source["model"]) != about["model"]:
        raise ArtifactError(
            f"The model in '{source['model']}' is not the one that the shards in '{folder}' "
            "were made with: put that back."
        )
    return index_collection(
        source["model"],
        source["paths"],
        out,
        EmbedOptions(about["segment"], about["hop"], short=about["short"]),
        exclude=source["exclude"],
        watcher=watcher,
        shards=shards,
    )


def sink_of(model: Path, out: str | Path, options: EmbedOptions = DEFAULTS) -> IndexSink:
    """Give the index of a model in some place as a sink, whether it is there or not."""
    name = name_of(model)  # a packaged model is where disentone is installed
    origin = {"packaged": name} if name else {"model_folder": os.path.abspath(model)}
    about = {**options.cut, "disentone": __version__, **origin}
    return IndexSink(out, model, model_id(model), about)


def known_clips(clips: Clips) -> Clips:
    """Clips with full paths, and with the split among their factors."""
    known = clips.with_origin().factors
    known.pop("recording", None)  # has a column of its own
    paths = np.array([os.path.abspath(path) for path in clips.paths], dtype=object)
    return replace(clips, paths=paths, factors=known)


def _from(home: str, path: str) -> str:
    """Give the full path of what a shard names."""
    return os.path.abspath(os.path.join(home, path))


def _clips_of(table: pa.Table, home: str) -> Iterator[tuple[str, float]]:
    """Path and start of the clip of each row of a shard."""
    full = {path: _from(home, path) for path in set(table["path"].to_pylist())}
    starts = table[START].to_pylist()
    return ((full[path], start) for path, start in zip(table["path"].to_pylist(), starts))


@dataclass
class IndexSink:
    """The index as a sink of embeddings; it is made when there is something to put into it."""

    out: str | Path
    model: Path
    identity: str
    about: dict[str, Any]
    index: Index | None = None
    library: Library | None = None
    skipped: list[Skipped] = field(default_factory=list)

    def take_up(self) -> None:
        """Use an index that is there, if it is of this model and these segments."""
        if Index.exists(self.out):
            self.index = Index.open(self.out)
            found = self.index.about | {"model": self.index.model}
            check_release(self.index, self.model, self.identity)
            settings = {name: self.about[name] for name in ("segment", "hop")}
            check_same(Path(self.out), found, {"model": self.identity, **settings})

    def take_over(
        self, library: Library, shards: Shards, skipped: list[Skipped], watcher: Watcher
    ) -> None:
        """Put what is wanted of a library into the index, from shards where it is embedded."""
        self.library, clips, home = library, library.clips, shards.about["source"]["folder"]
        self.about |= {"recipe": shards.about["recipe"], "root": library.base}
        skipped += [Skipped(_from(home, s.path), s.reason) for s in shards.skipped()]
        names = zip(clips.paths.tolist(), clips.start.tolist())
        wanted = {name: row for row, name in enumerate(names) if library.wanted[row]}
        schema = schema_of(Facets.from_json(shards.about["facets"]), {ROW: True}, {})
        left = set(wanted.values())
        show = watcher.stage("Indexing")
        for table in shards.tables():
            rows = [wanted.get(name, -1) for name in _clips_of(table, home)]
            keep = [place for place, row in enumerate(rows) if row >= 0]
            if keep:
                some, rows = table.take(keep), [rows[place] for place in keep]
                library.know(rows, *(some[name].to_pylist() for name in STAMPS))
                place = [some[name].to_numpy() for name in ("path", "start", "duration")]
                self.add(table_of(schema, place, values_of(some), {ROW: rows}))
                left.difference_update(rows)
            show(int(table[CLIP][-1].as_py()) + 1, shards.about["clips"])
        skipped += self.skipped
        gone = {name for s in skipped for name in (s.path, s.path.rpartition("@")[0])}
        late = [row for row in sorted(left) if clips.paths[row] not in gone]
        if late:
            watcher.note(
                f"{len(late)} clips are in no shard, such as '{clips.paths[late[0]]}': index the "
                "same folders and tables without shards, and these are added."
            )

    def embed(
        self,
        library: Library,
        embedder: Embedder,
        skipped: list[Skipped],
        watcher: Watcher,
        *,
        wanted: np.ndarray | None = None,
    ) -> None:
        """Embed clips of a library, by default all that need it, and put them into the index."""
        self.library, clips = library, library.clips
        self.skipped = []
        numeric = {name: is_numeric(values) for name, values in clips.factors.items()}
        schema = schema_of(embedder.model.facets, numeric, {})
        wanted = library.wanted if wanted is None else wanted
        embed_into(self, embedder, clips, schema, skipped, watcher, wanted=wanted)
        skipped += self.skipped

    def ids(self) -> set[tuple[str, float]]:
        """Nothing of what is to be embedded is there."""
        return set()

    def add(self, table: pa.Table) -> None:
        """Put a part of embeddings into the index; the first one makes it."""
        assert self.library is not None
        vectors, facets = values_of(table), Facets.from_json(about_of(table.schema)["facets"])
        items = self.library.items(table)
        wrong = unusable(facet_lengths(vectors, facets), facets)
        paths, starts = (table[name].to_pylist() for name in ("path", "start"))
        names = [f"{path}@{start:.10g}" if start else path for path, start in zip(paths, starts)]
        self.skipped += [Skipped(names[row], f"Its {wrong[row]}.") for row in sorted(wrong)]
        keep = [row for row in range(len(names)) if row not in wrong]
        if not keep:
            return
        vectors, items = vectors[keep], items.take(keep)
        if self.index is None and self._made(facets, vectors, items):
            return
        assert self.index is not None
        self.library.put(self.index, vectors, items)

    def _made(self, facets: Facets, vectors: np.ndarray, items: pa.Table) -> bool:
        """Make the index of its first items, or open one that another process has made."""
        assert self.library is not None
        with locked(self.out):
            if Index.exists(self.out):
                self.take_up()
                return False
            if is_local(self.out):
                for name in (*MODEL_FILES, AUDIT):
                    if name in MODEL_FILES or (self.model / name).is_file():
                        content = (self.model / name).read_bytes()
                        write_bytes(Path(self.out) / "model" / name, content)
            self.index = Index.build(
                self.out,
                vectors=vectors,
                facets=facets,
                items=self.library.first(items),
                model=self.identity,
                about=self.about,
                roots=self.library.roots,
            )
        return True
