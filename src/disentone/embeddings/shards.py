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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from disentone.audio import Skipped
from disentone.datasets.clip_lists import Clips, is_numeric
from disentone.embeddings.collection import (
    Listing,
    list_collection,
    part_size,
)
from disentone.embeddings.embedder import EmbedOptions
from disentone.embeddings.layout import KEY, about_of, schema_of
from disentone.embeddings.model_files import find_model
from disentone.embeddings.watcher import Watcher
from disentone.errors import ArtifactError, DataError
from disentone.facets import Facets
from disentone.packaged import name_of

__all__ = [
    "CLIP",
    "STAMPS",
    "START",
    "Plan",
    "Shard",
    "Task",
    "about_shard",
    "check_fellow",
    "damaged",
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
    found = about_shard(file)
    of = found["shard"][1]
    if of != count:
        raise ArtifactError(f"'{folder}' holds shards of {of}, not of {count}: use another folder.")
    differ = next((name for name in settings if found.get(name) != settings[name]), None)
    if differ is not None:
        raise ArtifactError(
            f"'{file}' is of {_what(differ, found.get(differ), settings[differ])}: use another "
            "folder, or delete the shards."
        )


def damaged(file: Path) -> ArtifactError:
    """Make the error of a shard that is damaged."""
    return ArtifactError(f"'{file}' is damaged: delete it, and make the shard again.")


def about_shard(file: Path) -> dict[str, Any]:
    """Read what goes with a shard as a whole.

    Raises
    ------
    ArtifactError
        If it is damaged, or no shard.
    """
    try:
        found = about_of(pq.read_schema(file), file)
        if tuple(found["shard"]) != Shard.of_file(file):
            raise ValueError("the name is that of another shard")
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError, DataError) as error:
        raise damaged(file) from error
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
