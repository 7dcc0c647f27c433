"""How the user's own audio becomes a collection."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from disentone.factors import FactorKind

__all__ = ["CollectionConfig"]


class CollectionConfig(BaseModel):
    """A folder of audio, or a table with a path column, and how to read it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: Literal["collection"] = "collection"
    path: str | None = Field(default=None, description="folder or table; --data sets it")
    pattern: str | None = Field(default=None, description="file names, as {instrument}_{pitch}.wav")
    kinds: dict[str, FactorKind] = Field(default_factory=dict, description="factor kinds to use")
    tolerances: dict[str, float] = Field(
        default_factory=dict, description="how far apart values still agree"
    )
    derive: dict[str, str] = Field(
        default_factory=dict,
        description="further factors, such as pitch_class: pitch % 12, or tempo: estimate",
    )
    dataset: str | None = Field(
        default=None, description="a named dataset in `path`: esc50, nsynth ..."
    )
    split: str = Field(
        default="given",
        description="given: as in the table or dataset, at random where it has none. "
        "Others override it: random; stratified:FACTOR for equal shares of its values; "
        "the factor whose values splits must not share; or FACTOR:39/5/12, its values in each",
    )
    segment: float | None = Field(
        default=None, gt=0, description="cut files into clips of so many seconds"
    )
    hop: float | None = Field(
        default=None, gt=0, description="seconds from one segment to the next; without overlap"
    )
    short: Literal["pad", "skip"] = Field(
        default="pad",
        description="what is done with a file that is shorter than a segment: padded with silence "
        "by the front-end, or left out",
    )
    lufs: float | None = Field(
        default=None, ge=-100, le=0, description="loudness that clips are brought to"
    )
    seed: int = Field(default=0, ge=0, lt=2**32, description="of the split")

    @model_validator(mode="after")
    def _segment_is_given(self) -> CollectionConfig:
        for name, given in (("hop", self.hop is not None), ("short", self.short != "pad")):
            if given and self.segment is None:
                raise ValueError(f"'{name}' needs 'segment' beside it")
        return self
