"""The parts of an embedding file that are done, in a folder of their own until all are."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import BaseFileLock, FileLock, Timeout

from disentone.audio import Skipped
from disentone.datasets.skipped import write_skipped
from disentone.embeddings.writing import write_embeddings
from disentone.errors import ArtifactError, DataError
from disentone.files import write_bytes, write_json

__all__ = ["Parts", "Sink", "assemble", "check_same", "claimed"]


class Sink(Protocol):
    """Where embeddings go, part by part."""

    def ids(self) -> set[tuple[str, float]]:
        """Path and start of all rows that are done."""
        ...

    def add(self, table: pa.Table) -> None:
        """Take one more part, whole or not at all."""
        ...


@dataclass(frozen=True)
class Parts:
    """A folder of parts, each a Parquet file."""

    folder: Path

    def files(self) -> list[Path]:
        """Give the parts in the order in which they were made."""
        return sorted(self.folder.glob("part-*.parquet"))

    def add(self, table: pa.Table) -> None:
        """Write one more part, whole or not at all."""
        files = self.files()
        number = 1 + int(files[-1].stem.removeprefix("part-")) if files else 0
        content = pa.BufferOutputStream()
        pq.write_table(table, content)
        write_bytes(self.folder / f"part-{number:08d}.parquet", content.getvalue())

    def ids(self) -> set[tuple[str, float]]:
        """Path and start of all rows that are done."""
        done: set[tuple[str, float]] = set()
        try:
            for file in self.files():
                done.update(_ids(_opened(file).read(columns=["path", "start"])))
        except (OSError, pa.ArrowException) as error:
            raise ArtifactError(
                f"'{self.folder}' is damaged: delete it, and begin anew."
            ) from error
        return done

    def remove(self) -> None:
        """Remove what is ours."""
        for name in ("part-*.parquet", "whole.*", ".*.tmp", "settings.json"):
            for file in self.folder.glob(name):
                file.unlink()


@contextmanager
def claimed(folder: Path, settings: Mapping[str, Any], *, resume: bool) -> Iterator[Parts]:
    """Make a folder of parts, or take one up, for this process alone.

    Parameters
    ----------
    folder : Path
    settings : mapping
        What all parts must have in common; must be JSON.
    resume : bool
        Take it up where there are parts.

    Yields
    ------
    Parts
        Their folder is removed at the end if there is nothing left in it.

    Raises
    ------
    ArtifactError
        If it cannot be written, another process works on it, or it holds parts that are not to
        be taken up or have other settings.
    """
    parts, lock = Parts(folder), FileLock(folder / "lock", blocking=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise ArtifactError(f"Another command is at work on '{folder}'.") from error
    except OSError as error:
        raise ArtifactError(
            f"'{folder}' could not be made ({error.strerror}): choose another -o."
        ) from error
    try:
        if parts.files():
            _check_resumable(folder, settings, resume=resume)
        else:
            write_json(folder / "settings.json", settings)
        yield parts
    finally:
        _release(lock, parts)


def _release(lock: BaseFileLock, parts: Parts) -> None:
    """Let others at the folder, and remove it if there is nothing in it."""
    if not parts.files():
        parts.remove()
    with suppress(OSError):  # Windows removes the file of a lock when it is released, not before
        if os.listdir(parts.folder) == [Path(lock.lock_file).name]:
            os.unlink(lock.lock_file)
    lock.release()
    with suppress(OSError):  # it is not empty, or gone
        parts.folder.rmdir()


def check_same(place: Path, found: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Refuse to go on with what was begun with other settings."""
    for name, value in settings.items():
        if found.get(name) != value:
            one, other = (None if v is None else f"{v:.12}" for v in (found.get(name), value))
            what = "another model" if name == "model" else f"{name} {one} instead of {other}"
            raise ArtifactError(
                f"'{place}' was begun with {what}: resume it with the same, or choose another -o."
            )


def assemble(
    out: Path,
    parts: Parts,
    schema: pa.Schema,
    gone: set[tuple[str, float]],
    skipped: Sequence[Skipped],
) -> None:
    """Put the parts together, list what was skipped, and remove the parts.

    Parameters
    ----------
    out : Path
    parts : Parts
    schema : pyarrow.Schema
        Of the result; parts that were made before may have other factors.
    gone : set of (str, float)
        Path and start of rows to leave out.
    skipped : sequence of Skipped
        Listed in ``OUT-skipped.csv``.

    Raises
    ------
    DataError
        If there is no row.
    ArtifactError
        If the disk is full; the parts stay.
    """
    files = parts.files()
    rows = sum(pq.read_metadata(file).num_rows for file in files) - len(gone)
    if not rows:
        raise DataError(f"No clip is usable; the first: {skipped[0].path}: {skipped[0].reason}")
    notes = out.with_name(f"{out.stem}-skipped.csv")
    if skipped:
        write_skipped(notes, skipped)
    else:
        notes.unlink(missing_ok=True)  # of an earlier file of this name
    tables = (_fitted(_opened(file).read(), schema, gone) for file in files)
    write_embeddings(out, tables, schema=schema, rows=rows, workshop=parts.folder)
    parts.remove()


def _opened(file: Path) -> pq.ParquetFile:
    """Open a part alone: pyarrow's reader of many files is slow to import."""
    return pq.ParquetFile(file)


def _fitted(table: pa.Table, schema: pa.Schema, gone: set[tuple[str, float]]) -> pa.Table:
    """Rows that are not gone, with the columns of a schema."""
    if gone:
        table = table.filter(pa.array([name not in gone for name in _ids(table)]))
    columns = [
        table[field.name].cast(field.type)
        if field.name in table.column_names
        else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _ids(table: pa.Table) -> Iterator[tuple[str, float]]:
    return zip(table["path"].to_pylist(), table["start"].to_pylist())


def _check_resumable(folder: Path, settings: Mapping[str, Any], *, resume: bool) -> None:
    if not resume:
        raise ArtifactError(
            f"'{folder}' holds the work of a command that was stopped: add --resume to go on "
            "(in Python: resume=True), or delete it."
        )
    try:
        found = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"'{folder}' is damaged: delete it, and begin anew.") from error
    check_same(folder, found, settings)
