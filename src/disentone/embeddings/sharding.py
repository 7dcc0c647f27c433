"""One shard of a collection, embedded into its file, which is there whole or not at all."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from disentone.datasets.skipped import write_skipped
from disentone.embeddings.collection import embed_into, load_model
from disentone.embeddings.embedder import DEFAULTS, EmbedOptions, open_embedder
from disentone.embeddings.model_files import find_model
from disentone.embeddings.shards import STAMPS, Shard, Task, check_fellow, plan
from disentone.embeddings.watcher import Watcher
from disentone.errors import ArtifactError, DataError
from disentone.search.following import Contents, file_stamp

if TYPE_CHECKING:
    from disentone.embeddings.model import Model

__all__ = ["embed_shard", "make_shard"]


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
