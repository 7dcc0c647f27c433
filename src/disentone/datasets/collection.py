"""The user's own audio as the data of a recipe."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from disentone.datasets.folder import open_collection
from disentone.datasets.tables import Collection
from disentone.errors import DataError
from disentone.factors import FactorKind

__all__ = ["CollectionConfig", "collection"]


class CollectionConfig(BaseModel):
    """A folder of audio, or a table with a path column."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["collection"] = "collection"
    path: str | None = Field(default=None, description="folder or table; --data sets it")
    pattern: str | None = Field(default=None, description="file names, as {instrument}_{pitch}.wav")
    kinds: dict[str, FactorKind] = Field(default_factory=dict, description="factor kinds to use")
    tolerances: dict[str, float] = Field(
        default_factory=dict, description="how far apart values still agree"
    )
    split: str = Field(
        default="random", description="random, or the factor that splits must not share"
    )
    lufs: float | None = Field(default=None, description="loudness that clips are brought to")
    seed: int = 0


def collection(config: CollectionConfig) -> Collection:
    """Open the collection that a recipe names.

    Raises
    ------
    DataError
        If no path was given, or nothing usable is there.
    """
    if config.path is None:
        raise DataError("This recipe needs your audio: add --data FOLDER or --data TABLE.csv.")
    return open_collection(
        config.path,
        pattern=config.pattern,
        kinds=config.kinds,
        tolerances=config.tolerances,
        split=config.split,
        seed=config.seed,
        lufs=config.lufs,
    )
