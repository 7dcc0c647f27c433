"""Items and factors of an index, as the API gives them."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa

from disentone import audio
from disentone.search import Hit
from disentone.serve import schemas

__all__ = ["PLACE", "factor_of", "item_of", "name_of", "numbers_of", "part_of", "result_of"]

PLACE = ("id", "path", "recording", "start", "end")
_CLASSES = 200  # of a factor that are listed


def part_of(row: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Start and end of an item in its file, None where they are unknown."""
    start, end = (_known(row.get(name)) for name in ("start", "end"))
    return start, end


def item_of(row: Mapping[str, Any]) -> schemas.Item:
    """An item as the API gives it."""
    return schemas.Item(
        id=row["id"],
        name=name_of(row["id"]),
        file=os.path.basename(row["path"]),
        recording=row["recording"],
        seconds=_seconds_of(*part_of(row)),
        factors={k: _known(v) for k, v in row.items() if k not in PLACE},
    )


def _seconds_of(start: float | None, end: float | None) -> float | None:
    """Length of a part, where it is known."""
    return None if end is None else end - (start or 0.0)


def result_of(hit: Hit) -> schemas.SearchResult:
    """A result as the API gives it."""
    start, end = _known(hit.start), _known(hit.end)
    return schemas.SearchResult(
        id=hit.id,
        name=name_of(hit.id),
        file=os.path.basename(hit.path),
        recording=hit.recording,
        seconds=_seconds_of(start, end),
        factors={name: _known(value) for name, value in hit.factors.items()},
        score=hit.score,
        contributions=hit.facets,
        cosines=hit.cosines,
        copies=list(hit.copies),
    )


@lru_cache(maxsize=20_000)
def name_of(item: str) -> str:
    """A short name of an id: the last two parts of a path, without its suffix."""
    path = PurePosixPath(item)
    path = path.with_suffix("") if path.suffix.lower() in audio.SUFFIXES else path
    return "/".join(path.parts[-2:])


def factor_of(name: str, column: pa.ChunkedArray) -> schemas.FactorInfo:
    """Describe a column: numbers by their range, texts by their classes, where they are few."""
    if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
        numbers = column.to_numpy(zero_copy_only=False).astype(float)
        known = numbers[np.isfinite(numbers)]
        ends = (float(known.min()), float(known.max())) if known.size else (None, None)
        return schemas.FactorInfo(name=name, kind="number", low=ends[0], high=ends[1])
    classes = [text for text in column.unique().to_pylist() if text]  # "" is unknown, too
    if len(classes) > _CLASSES:
        return schemas.FactorInfo(name=name, kind="text")
    return schemas.FactorInfo(name=name, kind="classes", classes=sorted(classes, key=_natural))


def _natural(text: str) -> tuple[int, float, str]:
    """Order numbers by value, and texts after them."""
    try:
        return (0, float(text), text)
    except ValueError:
        return (1, 0.0, text.casefold())


def numbers_of(factor: schemas.FactorInfo, column: pa.ChunkedArray) -> list[float | None]:
    """A factor's values as numbers: of a class its place in the list."""
    if factor.kind == "number":
        return [_known(value) for value in column.to_pylist()]
    code = {name: index for index, name in enumerate(factor.classes)}
    return [code.get(value) for value in column.to_pylist()]


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
