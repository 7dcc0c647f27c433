"""Write embedding files of any format, part by part."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from disentone.embeddings.layout import PLACE, about_of, check_suffix, columns_of, values_of
from disentone.errors import ArtifactError
from disentone.facets import Facets

__all__ = ["write_embeddings"]


def write_embeddings(
    out: str | Path, parts: Iterable[pa.Table], *, schema: pa.Schema, rows: int, workshop: Path
) -> None:
    """Write an embedding file, whole or not at all, of parts of which one is in memory at a time.

    Parameters
    ----------
    out : path
        Its suffix gives the format.
    parts : iterable of pyarrow.Table
        Of :func:`table_of`.
    schema : pyarrow.Schema
    rows : int
        Of all parts together.
    workshop : Path
        Folder for unfinished files, on the same disk.

    Raises
    ------
    ArtifactError
        If the disk is full, or the folder cannot be written.
    """
    out = check_suffix(out)
    write = {".parquet": _write_parquet, ".npz": _write_npz, ".npy": _write_npy}
    try:
        made = write[out.suffix.lower()](workshop, parts, schema, rows)
        for file in made:
            with file.open("rb+") as whole:  # Windows flushes only what may be written
                os.fsync(whole.fileno())
        for file in made:  # the one that was asked for is the last
            os.replace(file, out.with_suffix(file.suffix))
    except OSError as error:
        raise ArtifactError(
            f"{out} could not be written ({error.strerror or error}): free space or choose another "
            "file; what was embedded is kept, and resuming takes it up."
        ) from error


def _write_parquet(
    workshop: Path, parts: Iterable[pa.Table], schema: pa.Schema, rows: int
) -> list[Path]:
    file = workshop / "whole.parquet"
    with pq.ParquetWriter(file, schema) as writer:
        for part in parts:
            writer.write_table(part)
    return [file]


def _write_npy(
    workshop: Path, parts: Iterable[pa.Table], schema: pa.Schema, rows: int
) -> list[Path]:
    about = _about_with_numbers(schema)
    names = dict(zip(PLACE, PLACE)) | about["factors"]
    table = workshop / "whole.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(names.values())
        array = _write_values(workshop / "whole.npy", _telling(parts, lines), schema, rows)
    notes = workshop / "whole.json"
    notes.write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return [table, notes, array]


def _telling(parts: Iterable[pa.Table], lines: Any) -> Iterator[pa.Table]:
    """Pass parts on, and write the rows of their table."""
    for part in parts:
        columns = columns_of(part).values()
        texts = [["" if v != v else v for v in column.tolist()] for column in columns]  # NaN
        lines.writerows(zip(*texts))
        yield part


def _write_npz(
    workshop: Path, parts: Iterable[pa.Table], schema: pa.Schema, rows: int
) -> list[Path]:
    about = about_of(schema)
    kept: list[dict[str, np.ndarray]] = []

    def keeping() -> Iterator[pa.Table]:
        for part in parts:
            kept.append(columns_of(part))
            yield part

    values = _write_values(workshop / "whole.npy", keeping(), schema, rows)
    facets = Facets.from_json(about["facets"])
    slices = [facets.slice(name) for name in facets]
    names = dict(zip(PLACE, PLACE)) | about["factors"]
    arrays: dict[str, Any] = {
        "facets": np.array(facets.names),
        "slices": np.array([(one.start, one.stop) for one in slices]),
        "about": np.array(json.dumps(about)),
    } | {column: np.concatenate([part[name] for part in kept]) for name, column in names.items()}
    file = workshop / "whole.npz"
    np.savez(file, embedding=np.load(values, mmap_mode="r"), **arrays)
    values.unlink()
    return [file]


def _write_values(file: Path, parts: Iterable[pa.Table], schema: pa.Schema, rows: int) -> Path:
    """Fill an .npy file part by part."""
    shape = (rows, Facets.from_json(about_of(schema)["facets"]).dim)
    with file.open("wb") as stream:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        for part in parts:
            stream.write(values_of(part).astype("<f4").tobytes())
    return file


def _about_with_numbers(schema: pa.Schema) -> dict[str, Any]:
    """JSON of a schema that also has which factors are numbers, which a .csv has not."""
    about = about_of(schema)
    factors = about["factors"].items()
    return about | {
        "numbers": [n for n, column in factors if pa.types.is_floating(schema.field(column).type)]
    }
