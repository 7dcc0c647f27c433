"""Gathering: the shards of a collection become one embedding file or an index."""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from disentone.audio import Skipped
from disentone.datasets.skipped import write_skipped
from disentone.embeddings.layout import SUFFIXES, about_of, check_suffix, schema_of
from disentone.embeddings.shards import CLIP, START, Shard, about_shard, check_fellow, damaged
from disentone.embeddings.watcher import Watcher
from disentone.embeddings.writing import write_embeddings
from disentone.errors import ArtifactError, DataError
from disentone.facets import Facets

__all__ = ["Shards", "gather", "is_file", "open_shards"]

_COMMON = ("model", "segment", "hop", "short", "part", "clips", "list")
_OPEN = 64  # files at once
_NAMED = 5  # missing shards that are named


class Shards(NamedTuple):
    """All shards of a collection.

    Parameters
    ----------
    folder : Path
    files : list of Path
        In order of their numbers.
    about : dict
        What goes with each of them.
    schema : pyarrow.Schema
        Of one.
    groups : list of (int, int, int)
        Row groups in the order of the list: first clip, number of the file, row group.
    rows : int
    """

    folder: Path
    files: list[Path]
    about: dict[str, Any]
    schema: pa.Schema
    groups: list[tuple[int, int, int]]
    rows: int

    def tables(self) -> Iterator[pa.Table]:
        """Read the rows part by part, in the order in which one process would have made them.

        Raises
        ------
        ArtifactError
            If a file is damaged, or a row is there twice.
        """
        opened = lru_cache(_OPEN)(lambda number: pq.ParquetFile(self.files[number]))
        last = (-1.0, -1.0)
        for _, number, group in self.groups:
            try:
                table = opened(number).read_row_group(group)
            except (OSError, pa.ArrowException) as error:
                raise damaged(self.files[number]) from error
            last = self._checked(table, number, last)
            yield table

    def _checked(
        self, table: pa.Table, number: int, last: tuple[float, float]
    ) -> tuple[float, float]:
        """Check that rows are of this shard, and follow what was read before; give the last one."""
        clips, starts = (table[name].to_numpy() for name in (CLIP, "start"))
        of = clips.astype(np.int64) // self.about["part"] % len(self.files)
        ordered = (np.diff(clips) > 0) | ((np.diff(clips) == 0) & (np.diff(starts) > 0))
        if (of != number).any() or not ordered.all() or (clips[0], starts[0]) <= last:
            raise damaged(self.files[number])
        return float(clips[-1]), float(starts[-1])

    def skipped(self) -> list[Skipped]:
        """Read what was left out of the shards."""
        found: list[Skipped] = []
        for file in self.files:
            notes = file.with_name(f"{file.stem}-skipped.csv")
            if notes.exists():
                with notes.open(encoding="utf-8", newline="") as lines:
                    found += [Skipped(row["path"], row["reason"]) for row in csv.DictReader(lines)]
        return found


def open_shards(folder: str | Path) -> Shards:
    """Check that all shards are there, of one list and model; the rows are not read.

    Parameters
    ----------
    folder : path

    Raises
    ------
    ArtifactError
        If there is none, one is missing or damaged, or they do not belong together.
    """
    folder = Path(folder)
    named = {file: Shard.of_file(file) for file in sorted(folder.glob("shard-*.parquet"))}
    there = {shard: file for file, shard in named.items() if shard is not None}
    if not there:
        raise ArtifactError(
            f"There are no shards in '{folder}': make them with disentone embed or index and "
            "--shard 1/8, 2/8 and so on (in Python: embed_shard)."
        )
    counts = sorted({shard.count for shard in there})
    if len(counts) > 1:
        raise ArtifactError(
            f"'{folder}' holds shards of {counts[0]} and of {counts[1]}: delete one kind."
        )
    missing = [n for n in range(1, counts[0] + 1) if Shard(n, counts[0]) not in there]
    if missing:
        names = ", ".join(f"{n}/{counts[0]}" for n in missing[:_NAMED])
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise ArtifactError(f"'{folder}' lacks shards, which are to be made yet: {names}{more}.")
    files = [there[shard] for shard in sorted(there)]
    about: dict[str, Any] = {}
    groups: list[tuple[int, int, int]] = []
    rows = 0
    for number, file in enumerate(files):
        about = about_shard(file)
        settings = {name: about.get(name) for name in _COMMON}
        check_fellow(folder, settings, counts[0], mine=files[0])
        try:
            found = pq.read_metadata(file)
        except (OSError, pa.ArrowException) as error:
            raise damaged(file) from error
        rows += found.num_rows
        groups += _groups(found, number)
    return Shards(folder, files, about, pq.read_schema(files[0]), sorted(groups), rows)


def _groups(found: pq.FileMetaData, number: int) -> list[tuple[int, int, int]]:
    """Row groups of a file, each with its first clip, as the file's own statistics say."""
    column = found.schema.names.index(CLIP)
    firsts = [found.row_group(g).column(column).statistics.min for g in range(found.num_row_groups)]
    return [(int(first), number, group) for group, first in enumerate(firsts)]


def gather(folder: str | Path, out: str | Path, *, watcher: Watcher | None = None) -> Path:
    """Join the shards of a collection into one embedding file, that of a single process.

    No more than a part is in memory at a time. The shards stay.

    Parameters
    ----------
    folder : path
        Of :func:`disentone.embeddings.sharding.embed_shard`.
    out : path
        ``.parquet``, ``.npz`` or ``.npy``. What was left out is listed in ``OUT-skipped.csv``.
    watcher : Watcher, optional

    Returns
    -------
    Path
        ``out``.

    Raises
    ------
    ArtifactError
        If a shard is missing or damaged, they do not belong together, or `out` exists or cannot
        be written.
    DataError
        If no clip was usable.
    """
    out, watcher = check_suffix(out), watcher or Watcher()
    if out.exists():
        raise ArtifactError(f"'{out}' exists: choose another -o, or delete it.")
    shards = open_shards(folder)
    skipped = shards.skipped()
    if not shards.rows:
        first = f"; the first: {skipped[0].path}: {skipped[0].reason}" if skipped else ""
        raise DataError(f"No clip of the shards in '{folder}' is usable{first}")
    about = about_of(shards.schema)
    columns = {name: col for name, col in about["factors"].items() if name not in (CLIP, START)}
    numeric = {
        name: pa.types.is_floating(shards.schema.field(column).type)
        for name, column in columns.items()
    }
    kept = {name: about[name] for name in ("model", "segment", "hop", "disentone", "recipe")}
    schema = schema_of(Facets.from_json(about["facets"]), numeric, kept)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        workshop = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise ArtifactError(
            f"'{out}' could not be written ({error.strerror}): choose another -o."
        ) from error
    notes = out.with_name(f"{out.stem}-skipped.csv")
    notes.unlink(missing_ok=True)  # of an earlier file of this name
    try:
        if skipped:
            write_skipped(notes, skipped)
        tables = _shown(shards, schema, watcher)
        write_embeddings(out, tables, schema=schema, rows=shards.rows, workshop=workshop)
    except BaseException:
        notes.unlink(missing_ok=True)
        raise
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return out


def is_file(out: str | Path) -> bool:
    """Whether a name is that of an embedding file, not of an index."""
    return Path(out).suffix.lower() in SUFFIXES


def _shown(shards: Shards, schema: pa.Schema, watcher: Watcher) -> Iterator[pa.Table]:
    """Give the rows as one process would have written them."""
    show, done = watcher.stage("Gathering"), 0
    for table in shards.tables():
        yield table.select(schema.names).replace_schema_metadata(schema.metadata)
        done += len(table)
        show(done, shards.rows)
