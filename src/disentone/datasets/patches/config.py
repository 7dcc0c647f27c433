"""How many patches, how long, and how often each value of a group occurs."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Patches", "Recordings"]


class Recordings(BaseModel):
    """What is taken of a set of recordings, beside the patches: see :func:`with_takes`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    path: str = Field(description="folder or table, below the path of the data")
    takes: int = Field(
        default=1000, ge=20, le=10**6, description="excerpts, in several spaces each"
    )
    timbre: str = Field(
        default="recording", description="factor whose equal values are one timbre, or recording"
    )
    pitch: str | None = Field(
        default=None, description="factor whose equal values are one pitch; else it is unknown"
    )

    @property
    def name(self) -> str:
        """The set's name among the classes of its factors."""
        return self.path.replace("/", " ")


class Patches(BaseModel):
    """What to synthesise: random sounds whose causes come in groups.

    Each value of a group occurs in ``repeats`` clips, with everything else drawn anew.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: Literal["patches"] = "patches"
    clips: int = Field(default=20_000, le=10**7, description="a multiple of 'repeats'")
    repeats: int = Field(default=4, ge=2, le=100, description="clips with each value of a group")
    sample_rate: int = Field(default=22050, ge=16_000, le=192_000, description="Hz")
    seconds: float = Field(default=2.0, ge=0.5, le=60, description="length of a clip")
    recordings: tuple[Recordings, ...] = Field(
        default=(), description="sets from which excerpts in random spaces are taken as well"
    )
    path: str | None = Field(
        default=None, description="folder that these sets are in; --data sets it"
    )
    seed: int = Field(default=0, ge=0, lt=2**32)

    @property
    def least(self) -> int:
        """Fewest values of a group in a split: with fewer, clips that share one would share two."""
        return 3 * (self.repeats - 1) + 1

    @model_validator(mode="after")
    def _every_split_has_values(self) -> Patches:
        if self.clips % self.repeats:
            raise ValueError(
                f"{self.clips} clips are no multiple of the {self.repeats} repeats of a value"
            )
        if self.clips < 3 * self.least * self.repeats:
            raise ValueError(
                f"with {self.repeats} repeats of a value there must be "
                f"{3 * self.least * self.repeats} clips or more"
            )
        return self
