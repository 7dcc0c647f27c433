"""What one server serves: the index, its model, open queries and prepared sounds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from disentone.embeddings.collection import load_model
from disentone.embeddings.model_files import describe
from disentone.embeddings.packaged_models import UNKNOWN
from disentone.embeddings.querying import audit_of, embed_query
from disentone.errors import DataError
from disentone.search import Hit, Index, OpenQuery
from disentone.serve import schemas, sounds
from disentone.serve.describing import PLACE, factor_of, item_of, name_of, numbers_of, part_of
from disentone.serve.problems import Missing
from disentone.serve.recent import Recent
from disentone.serve.uploads import Uploads

if TYPE_CHECKING:
    from disentone.embeddings.model import Model
    from disentone.serve.keeper import Keeper

__all__ = ["Limits", "Served"]

POINTS = 30_000  # of a map
EXAMPLES = 3
SHORTEST = 0.05  # seconds of a part


@dataclass(frozen=True)
class Limits:
    """Limits of requests, and of what is kept.

    Parameters
    ----------
    upload_bytes : int
        Of one upload.
    upload_seconds : float
        Of one upload.
    query_bytes : int
        Scores of open queries in memory.
    file_bytes : int
        Uploads, and separately sounds that were converted for browsers, on disk.
    """

    upload_bytes: int = 100 * 2**20
    upload_seconds: float = 600.0
    query_bytes: int = 2**28
    file_bytes: int = 2**30


class Served:
    """An index with all that the API answers from; threads may share it.

    Parameters
    ----------
    index : Index
    folder : Path
        For temporary files; whoever made it removes it.
    name : str
        Of the collection, for people.
    model : Model or Path, optional
        The index's (:func:`disentone.embeddings.querying.model_folder`), which embeds
        uploads; loaded, and torch with it, for the first of them. Without it only items are
        queries.
    limits : Limits, optional
    keeper : Keeper, optional
        What brings the index up to date meanwhile.
    local : bool
        Whether all who ask are on this machine, and may see where files lie.
    """

    def __init__(
        self,
        index: Index,
        *,
        folder: Path,
        name: str = "index",
        model: Model | Path | None = None,
        limits: Limits | None = None,
        keeper: Keeper | None = None,
        local: bool = False,
    ) -> None:
        self.index, self.name, self.model, self.keeper = index, name, model, keeper
        self.limits = limits or Limits()
        self.folder, self.local = folder, local
        self.uploads = None if model is None else self._uploads(_sample_rate(model))
        self._files: Recent[Path] = Recent(
            self.limits.file_bytes, lambda file: file.unlink(missing_ok=True)
        )
        self._forget()
        self._embedding, self._converting = Lock(), Lock()

    def _uploads(self, sample_rate: int) -> Uploads:
        limits = self.limits
        return Uploads(
            self.folder,
            sample_rate=sample_rate,
            max_bytes=limits.upload_bytes,
            max_seconds=limits.upload_seconds,
            room=limits.file_bytes,
        )

    def _forget(self) -> None:
        """Begin anew with what was kept of the index."""
        self._queries: Recent[OpenQuery] = Recent(self.limits.query_bytes)
        self._kept: Recent[Any] = Recent(2000)
        self._rows: Recent[dict[str, Any]] = Recent(10_000)

    def refresh(self) -> None:
        """See what others have committed to the index."""
        if self.index.refresh():
            self._forget()

    def library(self) -> schemas.Library:
        """Say how far the index is with its folders."""
        known = self.index.snapshot()
        if self.keeper is not None:
            now = self.keeper.describe()
        else:
            count = len(known)
            now = schemas.Library(
                state="current",
                folders=self.index.roots,
                watching=False,
                found=count,
                counted=True,
                done=count,
                failed=0,
                failures=[],
            )
        return now.model_copy(update={"items": len(known), "version": known.version})

    # --- the collection --------------------------------------------------------------------------

    def collection(self) -> schemas.CollectionInfo:
        """Describe the collection."""
        return schemas.CollectionInfo(
            name=self.name,
            items=len(self.index),
            facets=self.index.facets.to_json(),
            predicts=self._once("predicts", self._predicts),
            factors=self._once("factors", self._factors),
            examples=self._once("examples", self._examples),
            uploads=self.uploads is not None,
            upload_bytes=self.limits.upload_bytes,
            upload_seconds=self.limits.upload_seconds,
        )

    def items(self, offset: int, limit: int, **listed: str | None) -> schemas.Items:
        """Some of the items that pass, in an order: see :meth:`disentone.search.Index.items`."""
        snapshot = self.index.snapshot()
        found = snapshot.listed(**listed)
        rows = snapshot.take(found[offset : offset + limit], snapshot.columns).to_pylist()
        return schemas.Items(total=len(found), items=[item_of(row) for row in rows])

    def folders(self, folder: str) -> schemas.Folders:
        """The folders in a folder."""
        inside = self.index.folders(folder)
        listed = [schemas.FolderInfo(**below._asdict()) for below in inside]
        return schemas.Folders(folder=folder, folders=listed)

    def duplicates(self, threshold: float, offset: int, limit: int) -> schemas.Duplicates:
        """Some of the groups of items that are nearly the same sound."""
        key = f"duplicates {threshold} {self.index.snapshot().version}"
        found = self._once(key, lambda: self.index.duplicates(threshold))
        groups = [
            schemas.Group(likeness=likeness, items=[item_of(self.row(item)) for item in ids])
            for ids, likeness in found[offset : offset + limit]
        ]
        return schemas.Duplicates(threshold=threshold, total=len(found), groups=groups)

    def row(self, item: str) -> dict[str, Any]:
        """The metadata of one item.

        Raises
        ------
        Missing
            If there is no such item.
        """
        known = self._rows.get(item)
        if known is not None:
            return known
        try:
            found = self.index.items([item]).to_pylist()[0]
        except DataError as error:
            raise Missing("There is no such item in this index.") from error
        return self._rows.put(item, found, 1)

    def remember(self, hits: Iterable[Hit]) -> None:
        """Keep the metadata of results: their sounds will be asked for next."""
        for hit in hits:
            place = {name: getattr(hit, name) for name in PLACE}
            self._rows.put(hit.id, place | hit.factors, 1)

    def _predicts(self) -> dict[str, str]:
        """What each facet predicts, in a sentence."""
        card = audit_of(self.index)
        return {name: (card and card.sentence(name)) or UNKNOWN for name in self.index.facets}

    def _factors(self) -> list[schemas.FactorInfo]:
        names = list(self.index.factors)
        table = self.index.items(columns=names) if names else pa.table({})
        return [factor_of(name, table[name]) for name in names]

    def _examples(self) -> list[schemas.Item]:
        """Items that differ: of as many values of the first factor of a few classes as can be."""
        few = [f for f in self._once("factors", self._factors) if 1 < len(f.classes) <= 50]
        table = self.index.items(columns=["id", *(factor.name for factor in few[:1])])
        ids = table["id"].to_pylist()
        spread = np.linspace(0, len(ids), EXAMPLES + 2)[1:-1].astype(int)
        chosen = [ids[place] for place in spread[: len(ids)]]
        if few:
            labels = np.array(table[few[0].name].to_pylist())
            picked = np.linspace(0, len(few[0].classes) - 1, EXAMPLES).astype(int)
            of_class = [np.flatnonzero(labels == few[0].classes[c]) for c in dict.fromkeys(picked)]
            chosen = [ids[places[len(places) // 2]] for places in of_class if len(places)]
        return [item_of(self.row(item)) for item in dict.fromkeys(chosen)]

    def points(self) -> schemas.Points:
        """The items of the maps, and their factors as numbers."""
        return self._once("points", self._points)

    def _points(self) -> schemas.Points:
        factors = self._once("factors", self._factors)
        shown = [factor for factor in factors if factor.kind != "text"]
        table = self.index.items(columns=["id", *(f.name for f in shown)])
        table = table.take(_shown(len(table)))
        ids = table["id"].to_pylist()
        return schemas.Points(
            ids=ids,
            names=[name_of(item) for item in ids],
            factors={factor.name: numbers_of(factor, table[factor.name]) for factor in shown},
        )

    def layout(self, facet: str) -> schemas.Layout:
        """One facet's map."""
        places = self._once(f"map {facet}", lambda: self.index.map(facet))
        places = places[_shown(len(places))]
        grid = np.rint((np.clip(places, -1, 1) + 1) * 5000).astype(int)
        return schemas.Layout(facet=facet, x=grid[:, 0].tolist(), y=grid[:, 1].tolist())

    def _once(self, key: str, make: Callable[[], Any]) -> Any:
        """Make something when it is first asked for."""
        key = f"{self.index.snapshot().version} {key}"  # one that is made may be of an old state
        kept = self._kept.get(key)
        return self._kept.put(key, make(), 1) if kept is None else kept

    # --- searching -------------------------------------------------------------------------------

    def open_query(self, query: schemas.Query) -> OpenQuery:
        """Open a query, or reuse an open one: sliders ask for the same one again and again."""
        key = self._key(query)
        found = self._queries.get(key)
        if found is None:
            found = self._open(query)
            self._queries.put(key, found, 4 * len(self.index) * len(self.index.facets))
        return found

    def _key(self, query: schemas.Query) -> str:
        digest = hashlib.sha256(query.model_dump_json().encode()).hexdigest()
        return f"{self.index.snapshot().version} {digest}"

    def cost(self, wanted: schemas.Search) -> Literal["weighing", "opening", "embedding"]:
        """What is the most that a search has to do: embed a sound, open a query, or weigh one."""
        if self._queries.get(self._key(wanted.query)) is None:
            examples = [*wanted.query.examples, *wanted.query.away]
            embedded = any(e.upload or e.start is not None or e.end is not None for e in examples)
            return "embedding" if embedded else "opening"
        known = self.index.snapshot().knows(wanted.where, wanted.text)
        return "weighing" if known else "opening"

    def _open(self, query: schemas.Query) -> OpenQuery:
        away = [self._embedded(example) for example in query.away]
        if not any(example.facets for example in query.examples):
            like = [self._embedded(example) for example in query.examples]
            return self.index.query(like=like, away=away)
        mix: dict[str, str | np.ndarray] = {}
        for example in query.examples:
            for facet in example.facets or ():
                if facet in mix:
                    raise DataError(f"Two examples give the facet '{facet}': let one of them.")
                mix[facet] = self._embedded(example)
        return self.index.query(mix=mix, away=away)

    def _embedded(self, example: schemas.Example) -> str | np.ndarray:
        """An example as the index takes it: an item's id, or an embedding (dim,)."""
        if (example.item is None) == (example.upload is None):
            raise DataError("An example is an item or an upload: give one of the two.")
        whole = example.start is None and example.end is None
        if example.item is not None and whole:
            return self.row(example.item)["id"]
        if self.uploads is None or self.model is None:
            raise DataError("There is no model here to embed sounds: query by items.")
        if example.upload is not None:
            sent = self.uploads.find(example.upload)
            name, path, begin, stop = sent.name, sent.file, 0.0, None
        else:
            row = self.row(example.item or "")
            name, path, (begin, stop) = row["id"], self._file(row), part_of(row)
        begin = begin or 0.0
        start = begin + (example.start or 0.0)
        end = stop if example.end is None else begin + example.end
        if end is not None and end - start < SHORTEST:
            raise DataError(f"A part must be at least {SHORTEST:g} s long.")
        with self._embedding, sounds.called(name, path):
            if isinstance(self.model, Path):
                self.model = load_model(self.model, "cpu")
            return embed_query(self.model, path, start=start, end=end)

    # --- sounds ----------------------------------------------------------------------------------

    def sound(self, item: str) -> tuple[Path, str]:
        """A file that browsers play, and its media type.

        Raises
        ------
        Missing
            If there is no such item, or its file is gone.
        AudioError
            If its file is damaged.
        """
        row = self.row(item)
        path, (start, end) = self._file(row), part_of(row)
        with sounds.called(item, path):
            played = sounds.is_played(path, start, end)
        if played:
            return path, sounds.PLAYED[path.suffix.lower()]
        key = hashlib.sha256(item.encode()).hexdigest()
        with self._converting:
            made = self._files.get(key)
            if made is None:
                made = self.folder / f"{key}.wav"
                with sounds.called(item, path):
                    sounds.write_wav(made, path, start, end)
                self._files.put(key, made, made.stat().st_size)
        return made, "audio/wav"

    def download(self, item: str) -> tuple[Path, str]:
        """A file to be saved, and its name: an item's own, or the part of a file that it is.

        Raises
        ------
        Missing, AudioError
            See :meth:`sound`.
        """
        row = self.row(item)
        path, (start, end) = self._file(row), part_of(row)
        with sounds.called(item, path):
            whole = sounds.is_whole(path, start, end)
        if whole:
            return path, path.name
        return self.sound(item)[0], f"{path.stem}@{start or 0:g}.wav"

    def peaks(self, item: str) -> schemas.Peaks:
        """An item's outline."""
        row = self.row(item)
        path, (start, end) = self._file(row), part_of(row)
        with sounds.called(item, path):
            seconds, peaks = self._once(f"peaks {item}", lambda: sounds.outline(path, start, end))
        return schemas.Peaks(seconds=seconds, peaks=peaks)

    def _file(self, row: Mapping[str, Any]) -> Path:
        path = Path(row["path"])
        if not path.is_file():
            raise Missing(f"The file of '{row['id']}' is not where it was when it was indexed.")
        return path


def _sample_rate(model: Model | Path) -> int:
    if isinstance(model, Path):
        return describe(model).sample_rate
    return model.frontend.sample_rate


def _shown(count: int) -> np.ndarray:
    """Which of so many items are on the maps: all, or some at random."""
    if count <= POINTS:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, POINTS, replace=False))
