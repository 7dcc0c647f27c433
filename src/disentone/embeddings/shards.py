"""Shards: a collection embedded by many processes or machines that know nothing of each other.

The clips are cut into parts as one process would embed them, and a shard is every n-th part. So
what is embedded together is the same however many shards there are, and with it every bit of the
vectors; long recordings that lie in one folder are spread over all shards; and clips that are cut
from one file mostly stay together. Each shard is one Parquet file, there whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from disentone.audio import Skipped
from disentone.datasets.clip_lists import Clips, is_numeric
from disentone.datasets.skipped import write_skipped
from disentone.embeddings.collection import (
    Listing,
    embed_into,
    list_collection,
    load_model,
    part_size,
)
from disentone.embeddings.embedder import DEFAULTS, EmbedOptions, open_embedder
from disentone.embeddings.layout import KEY, about_of, schema_of
from disentone.embeddings.model_files import find_model
from disentone.embeddings.watcher import Watcher
from disentone.errors import ArtifactError, DataError
from disentone.facets import Facets
from disentone.packaged import name_of
from disentone.search.following import Contents, file_stamp

if TYPE_CHECKING:
    from disentone.embeddings.model import Model

__all__ = [
    "CLIP",
    "STAMPS",
    "START",
    "Plan",
    "Shard",
    "Task",
    "about_shard",
    "check_fellow",
    "embed_shard",
    "make_shard",
    "plan",
]

CLIP, START = "shard:clip", "shard:start"
"""Columns of a shard: the clip that a row is of, by its number in the list, and where it starts."""
STAMPS = ("shard:stamp", "shard:content")
"""Columns by which an index follows the files: stamp, and a hash of the bytes."""
_NAME = re.compile(r"shard-(\d+)-of-(\d+)\.parquet")


class Shard(NamedTuple):
    """One of so many shards, from 1 on.

    Parameters
    ----------
    number, count : int
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``3/64``.

        Raises
        ------
        DataError
            If it is no such text, or there is no such shard.
        """
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
        if found and 1 <= int(found[1]) <= int(found[2]):
            return cls(int(found[1]), int(found[2]))
        last = found[2] if found and int(found[2]) else "64"
        raise DataError(f"There is no shard '{text}': write 1/{last} to {last}/{last}.")

    @classmethod
    def of_file(cls, file: Path) -> Shard | None:
        """Give the shard that a file has the name of."""
        found = _NAME.fullmatch(file.name)
        return None if found is None else cls(int(found[1]), int(found[2]))

    def file(self, folder: str | Path) -> Path:
        """Give the file of the shard."""
        return Path(folder) / f"shard-{self.number:05d}-of-{self.count:05d}.parquet"

    def rows(self, clips: int, part: int) -> np.ndarray:
        """Give the numbers of its clips, of so many in a list, in parts of so many."""
        numbers = np.arange(clips)
        return numbers[numbers // part % self.count == self.number - 1]

    def __str__(self) -> str:
        """Write ``3/64``."""
        return f"{self.number}/{self.count}"


@dataclass(frozen=True)
class Task:
    """All that a process has to know to make a shard: names of files, and nothing that is in them.

    Parameters
    ----------
    shard : Shard
    folder : Path
    clips : Clips
        Of this shard, numbered.
    skipped : list of Skipped
        What the shard lists as left out before anything is embedded.
    schema : pyarrow.Schema
        Of the file, without its stamps.
    """

    shard: Shard
    folder: Path
    clips: Clips
    skipped: list[Skipped]
    schema: pa.Schema

    @property
    def file(self) -> Path:
        """The file that is made."""
        return self.shard.file(self.folder)


class Plan(NamedTuple):
    """A listing that is cut into shards.

    Parameters
    ----------
    listing : Listing
    settings : dict
        What all shards have in common.
    schema : pyarrow.Schema
    part : int
        Clips in a part.
    source : dict
        From where they are: the model's name or full path, full paths of what was listed, what
        was excluded, and the working folder.
    """

    listing: Listing
    settings: dict[str, Any]
    schema: pa.Schema
    part: int
    source: dict[str, Any]

    def task(self, shard: Shard, folder: str | Path) -> Task:
        """Give the task of one shard."""
        clips = self.listing.clips
        rows = shard.rows(len(clips), self.part)
        some = clips.take(rows)
        factors = {CLIP: rows.astype(object), START: some.start.astype(object), **some.factors}
        notes = about_of(self.schema) | {"shard": list(shard)}
        schema = self.schema.with_metadata({KEY: json.dumps(notes).encode()})
        skipped = self.listing.skipped if shard.number == 1 else []
        return Task(shard, Path(folder), replace(some, factors=factors), skipped, schema)


def embed_shard(
    model: str | Path,
    paths: Sequence[str | Path],
    folder: str | Path,
    shard: Shard,
    options: EmbedOptions = DEFAULTS,
    *,
    exclude: Sequence[str] = (),
    on_error: Literal["skip", "stop"] = "skip",
    watcher: Watcher | None = None,
) -> Path:
    """Embed one shard of a collection; :func:`disentone.embeddings.gathering.gather` joins them.

    A shard that is there is not made again, one whose process was killed is. The list is that of
    :func:`disentone.embeddings.collection.embed_collection`: files of folders by name, rows of
    tables and paths in their order.

    Parameters
    ----------
    model, paths, options, on_error, watcher
        As for :func:`disentone.embeddings.collection.embed_collection`.
    folder : path
        Of all shards; what is left out is listed in ``shard-N-of-M-skipped.csv``.
    shard : Shard
    exclude : sequence of str
        Patterns as in ``.gitignore``, of what is left out below each of the folders.

    Returns
    -------
    Path
        The file of the shard.

    Raises
    ------
    ArtifactError
        If there is no model, the folder holds shards of another list, model or number of shards,
        another process makes this one, or it cannot be written.
    AudioError, DataError, RecipeError
        As :func:`disentone.embeddings.collection.embed_collection`, and if none of the shard's
        files is there.
    """
    watcher = watcher or Watcher()
    model = find_model(model)
    planned = plan(model, paths, options, exclude=exclude, on_error=on_error, watcher=watcher)
    task = planned.task(shard, folder)
    check_fellow(task.folder, planned.settings, shard.count, mine=task.file)
    if task.file.exists():
        watcher.note(f"{task.file} is finished already.")
        return task.file
    loaded = load_model(model, options.device)
    return make_shard(loaded, task, options, stop=on_error == "stop", watcher=watcher)


def plan(
    model: str | Path,
    paths: Sequence[str | Path],
    options: EmbedOptions,
    *,
    exclude: Sequence[str] = (),
    on_error: Literal["skip", "stop"] = "skip",
    watcher: Watcher,
) -> Plan:
    """List a collection, to be cut into shards; parameters are those of :func:`embed_shard`."""
    listing = list_collection(
        model, paths, options, exclude=exclude, on_error=on_error, watcher=watcher
    )
    clips, about = listing.clips, about_of(listing.schema)
    settings = {
        **listing.settings,
        "short": options.short,
        "part": part_size(options),
        "clips": len(clips),
        "list": _digest(clips),
    }
    source = {
        "model": name_of(find_model(model)) or os.path.abspath(model),
        "paths": [os.path.abspath(path) for path in paths],
        "exclude": list(exclude),
        "folder": os.getcwd(),
    }
    numeric = {name: is_numeric(values) for name, values in clips.factors.items()}
    kept = {name: about[name] for name in ("disentone", "recipe")}
    facets = Facets.from_json(about["facets"])
    schema = schema_of(
        facets, {CLIP: True, START: True, **numeric}, {**settings, **kept, "source": source}
    )
    return Plan(listing, settings, schema, settings["part"], source)


def make_shard(
    model: Model, task: Task, options: EmbedOptions, *, stop: bool, watcher: Watcher
) -> Path:
    """Embed the clips of a task into its file.

    Parameters
    ----------
    model : Model
        On its device.
    task : Task
    options : EmbedOptions
    stop : bool
        Raise AudioError at the first clip that cannot be used.
    watcher : Watcher

    Returns
    -------
    Path
        The file.

    Raises
    ------
    AudioError
    ArtifactError
        If it cannot be written, or another process makes it.
    DataError
        If none of the files is there.
    """
    clips = task.clips
    if len(clips) and not any(map(os.path.lexists, clips.paths)):
        raise DataError(
            f"None of the {len(clips)} clips of shard {task.shard} is there on "
            f"'{socket.gethostname()}', such as '{clips.paths[0]}': mount them where they were "
            "listed."
        )
    skipped = list(task.skipped)
    with _writing(task) as sink, open_embedder(model, options, stop=stop) as embedder:
        embed_into(sink, embedder, clips, task.schema, skipped, watcher)
        notes = task.file.with_name(f"{task.file.stem}-skipped.csv")
        if skipped:
            write_skipped(notes, skipped)
        else:
            notes.unlink(missing_ok=True)
    return task.file


@contextmanager
def _writing(task: Task) -> Iterator[_ShardFile]:
    """Write a file for this process alone; it gets its name when it is whole."""
    file = task.file
    lock = FileLock(file.with_name(f".{file.stem}.lock"), blocking=False)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with lock:
            with _unfinished(file) as unfinished:
                schema = task.schema
                for name in STAMPS:
                    schema = schema.append(pa.field(name, pa.string()))
                with pq.ParquetWriter(unfinished, schema) as writer:
                    yield _ShardFile(writer, task.clips.paths)
                with unfinished.open("rb+") as whole:
                    os.fsync(whole.fileno())
                os.replace(unfinished, file)
            with suppress(OSError):  # Windows removes it when it is released, not before
                os.unlink(lock.lock_file)
    except Timeout as error:
        raise ArtifactError(
            f"Another command makes shard {task.shard} in '{file.parent}'."
        ) from error
    except OSError as error:
        raise ArtifactError(
            f"{file} could not be written ({error.strerror or error}): free space or choose "
            "another folder; other shards are kept."
        ) from error


@contextmanager
def _unfinished(file: Path) -> Iterator[Path]:
    """Give a name for a file that is not whole, of this machine: some locks hold on one only.

    What a killed process left of it is written over; what fails is removed.
    """
    unfinished = file.with_name(f".{file.stem}.{socket.gethostname()}.tmp")
    try:
        yield unfinished
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


class _ShardFile:
    """The file of a shard as a sink of embeddings: each part is a row group."""

    def __init__(self, writer: pq.ParquetWriter, paths: np.ndarray) -> None:
        self._writer = writer
        self._stamps = {path: file_stamp(path) for path in set(paths)}
        self._contents = Contents()

    def ids(self) -> set[tuple[str, float]]:
        """Nothing is there when a shard is begun."""
        return set()

    def add(self, table: pa.Table) -> None:
        """Write a part, and by what its files are known again."""
        paths = table["path"].to_pylist()
        contents = {path: self._contents(path) for path in set(paths)}
        same = {path for path in contents if file_stamp(path) == self._stamps[path]}
        columns = (
            [self._stamps[path] for path in paths],
            [contents[path] if path in same else None for path in paths],
        )
        for name, column in zip(STAMPS, columns):
            table = table.append_column(name, pa.array(column, pa.string()))
        self._writer.write_table(table)


def check_fellow(
    folder: Path, settings: Mapping[str, Any], count: int, *, mine: Path | None = None
) -> None:
    """Refuse a folder whose shards are of something else, by one of them.

    Parameters
    ----------
    folder : Path
    settings : mapping
        Of :class:`Plan`.
    count : int
        Of all shards.
    mine : Path, optional
        Looked at where it is there.

    Raises
    ------
    ArtifactError
    """
    others = (file for file in sorted(folder.glob("shard-*.parquet")) if Shard.of_file(file))
    file = mine if mine is not None and mine.exists() else next(others, None)
    if file is None:
        return
    found = about_shard(file, pq.read_schema)
    of = found["shard"][1]
    if of != count:
        raise ArtifactError(f"'{folder}' holds shards of {of}, not of {count}: use another folder.")
    differ = next((name for name in settings if found.get(name) != settings[name]), None)
    if differ is not None:
        raise ArtifactError(
            f"'{file}' is of {_what(differ, found.get(differ), settings[differ])}: use another "
            "folder, or delete the shards."
        )


def about_shard(file: Path, read: Callable[[Path], pa.Schema]) -> dict[str, Any]:
    """Read what goes with a shard as a whole.

    Raises
    ------
    ArtifactError
        If it is damaged, or no shard.
    """
    try:
        found = about_of(read(file), file)
        if tuple(found["shard"]) != Shard.of_file(file):
            raise ValueError("the name is that of another shard")
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError, DataError) as error:
        raise ArtifactError(f"'{file}' is damaged: delete it, and make the shard again.") from error
    return found


def _what(name: str, found: Any, wanted: Any) -> str:
    """Say what differs between two shards."""
    if name == "model":
        return "another model"
    if name == "clips":
        return f"another list of clips ({found}, not {wanted})"
    if name == "list":
        return "another list of clips (as many, but not the same, or in another order)"
    return f"{name} {found}, not {wanted}"


def _digest(clips: Clips) -> str:
    """Hash a list of clips: names, places and all that is known of each, in order."""
    digest = hashlib.sha256(json.dumps(clips.paths.tolist()).encode())
    digest.update(clips.start.astype("<f8").tobytes() + clips.seconds.astype("<f8").tobytes())
    for name, values in clips.factors.items():
        digest.update(json.dumps([name, values.tolist()], default=str).encode())
    return digest.hexdigest()
