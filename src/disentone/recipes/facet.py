"""One facet of a recipe, in YAML or in one line of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from disentone.agreement import CLIP, RECORDING, Relation, Transform, parse_transform
from disentone.agreement.criterion import Also, Rule
from disentone.errors import RecipeError, closest

__all__ = ["FacetConfig", "parse_facets"]

Names = str | tuple[str, ...]


class FacetConfig(BaseModel):
    """One facet: its size, and what makes clips agree in it; without that it is private."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    dim: int = Field(default=8, ge=1, le=2**16)
    same: Names | None = Field(
        default=None,
        description="factor or factors in which views agree; 'recording' for clips cut from one "
        "recording, 'clip' for transformed copies of the clip itself",
    )
    differ: Names | None = Field(default=None, description="factors in which views differ")
    within: float | None = Field(
        default=None, ge=0, description="how far apart ordinal or continuous values still agree"
    )
    rule: Rule = Field(
        default="same",
        description="how views agree in the first factor of 'same': tempo within 5 bpm at any "
        "octave, or the same or parallel key",
    )
    also: Also = Field(
        default="parallel", description="keys that count as the same, for the rule 'key'"
    )
    augment: tuple[str, ...] = Field(
        default=(), description="transforms of the views, such as pitch_shift(-4, 4)"
    )
    unlike: tuple[str, ...] = Field(
        default=(),
        description="facets whose copies of a clip are its only negatives here: what was changed "
        "for them is what this facet encodes; other clips differ in more",
    )
    owns: tuple[str, ...] = Field(
        default=(), description="factors it should predict, beside those of 'same'"
    )

    @field_validator("augment")
    @classmethod
    def _known_transforms(cls, augment: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(str(parse_transform(text)) for text in augment)
        except RecipeError as error:
            raise ValueError(str(error).rstrip(".")) from error

    @model_validator(mode="before")
    @classmethod
    def _copies_are_of_the_clip(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("augment") and not values.get("same"):
            return values | {"same": CLIP}
        return values

    @model_validator(mode="after")
    def _fits(self) -> FacetConfig:
        for name in ("differ", "within"):
            if getattr(self, name) is not None and not self.same:
                raise ValueError(f"'{name}' needs 'same' beside it")
        if self.rule != "same" and not self.same:
            raise ValueError("'rule' needs 'same' beside it")
        if self.also != "parallel" and self.rule != "key":
            raise ValueError("'also' is for the rule 'key'")
        if self.unlike and self.relation.is_of_labels:
            raise ValueError("'unlike' is for facets whose views are copies or of one recording")
        for name in self.owns:
            if name in self.relation.differs:
                raise ValueError(f"it cannot own '{name}', in which its views differ")
        if self.same and CLIP in self.relation.sames and not self.augment:
            raise ValueError("views of the same clip need 'augment' beside it")
        return self

    @property
    def relation(self) -> Relation:
        """What makes clips views of each other in this facet, which must have 'same'."""
        return Relation(
            self.same or (), self.differ, self.within, self.rule, self.also, self.unlike
        )

    @property
    def chain(self) -> list[Transform]:
        """Transforms that views of this facet go through."""
        return [parse_transform(text) for text in self.augment]

    @property
    def owned(self) -> tuple[str, ...]:
        """Factors that it should predict: those that its views agree in, and `owns`."""
        agreed = (name for name in self.relation.sames if name not in (RECORDING, CLIP))
        return tuple(dict.fromkeys((*agreed, *self.owns)))


def parse_facets(texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Read facets as they are written on the command line.

    Parameters
    ----------
    texts : sequence of str
        Such as ``"timbre:8 same=instrument differ=pitch"``, ``"pitch:4 same=pitch within=1"``,
        ``"key same=key rule=key"``, ``"room same=recording"``,
        ``"voice augment=pitch_shift(-4,4)+gain"`` or ``"rest:8"``.

    Returns
    -------
    dict of str to dict
        Values of :class:`FacetConfig` by name, not checked yet.

    Raises
    ------
    RecipeError
        If a text cannot be read.
    """
    facets: dict[str, dict[str, Any]] = {}
    for text in texts:
        name, values = _parse(text)
        if name in facets:
            raise RecipeError(f"Facet '{name}' is given twice.")
        facets[name] = values
    return facets


def _parse(text: str) -> tuple[str, dict[str, Any]]:
    head, *words = text.split()[:1] + _words(text)
    name, colon, size = head.partition(":")
    if not name.isidentifier() or (colon and not size.isdigit()):
        raise RecipeError(f"Facet '{text}' must begin with NAME:SIZE, such as timbre:8.")
    values: dict[str, Any] = {"dim": int(size)} if colon else {}
    for word in words:
        key, equals, value = word.partition("=")
        if key not in FacetConfig.model_fields or not equals or not value:
            raise RecipeError(
                f"Facet '{text}': '{word}' is not one of its keys with a value, such as "
                "same=instrument"
                f"{closest(key, FacetConfig.model_fields)}"
            )
        if key in ("same", "differ", "owns", "unlike"):
            names = tuple(value.split(","))
            is_one = len(names) == 1 and key in ("same", "differ")
            values[key] = names[0] if is_one else names
        elif key == "augment":
            values[key] = tuple(value.split("+"))
        else:
            values[key] = value
    return name, values


def _words(text: str) -> list[str]:
    """Words after the first; a space within parentheses belongs to its word."""
    words, depth = [""], 0
    for letter in text.strip():
        depth += (letter == "(") - (letter == ")")
        if letter.isspace() and not depth:
            words.append("")
        else:
            words[-1] += letter
    return [word for word in words[1:] if word]
