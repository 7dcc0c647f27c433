"""What a recipe may say."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from disentone.datasets.config import CollectionConfig
from disentone.datasets.syntone import SynTone
from disentone.facets import Facets
from disentone.frontends.logmel import LogMelConfig
from disentone.models import ModelConfig
from disentone.objectives import AnyTerm
from disentone.training import TrainingConfig
from disentone.views import Relation

__all__ = ["AuditConfig", "FacetConfig", "Recipe"]

DataConfig = Annotated[SynTone | CollectionConfig, Field(discriminator="kind")]


class FacetConfig(BaseModel):
    """One facet: its size, and what makes clips agree in it; without that it is private."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dim: int = Field(default=8, ge=1)
    same: str | None = Field(
        default=None, description="factor in which views agree, or 'recording'"
    )
    differ: str | None = Field(default=None, description="factor in which views differ")
    owns: tuple[str, ...] | None = Field(
        default=None, description="factors it should tell; by default the one of 'same'"
    )

    @model_validator(mode="after")
    def _differ_needs_same(self) -> FacetConfig:
        if self.differ and not self.same:
            raise ValueError("'differ' needs 'same' beside it")
        return self


class AuditConfig(BaseModel):
    """How a trained model is audited."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    factors: tuple[str, ...] | None = Field(
        default=None, description="all with two classes by default"
    )
    classes: dict[str, int] = Field(
        default_factory=dict, description="equal-width classes of continuous factors"
    )
    seeds: int = Field(default=5, ge=1, description="probes of each kind")
    train_limit: int | None = Field(
        default=None, ge=10, description="most clips a probe is trained on"
    )
    permutations: int = Field(default=200, ge=20)


class Recipe(BaseModel):
    """A complete description of a run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    about: str = Field(default="", description="one line for people")
    data: DataConfig
    frontend: LogMelConfig = Field(default_factory=LogMelConfig)
    facets: dict[str, FacetConfig]
    views: int = Field(
        default=2, ge=2, description="clips that agree in a facet, the clip included"
    )
    model: ModelConfig = Field(default_factory=ModelConfig)
    objective: tuple[AnyTerm, ...] = Field(min_length=1)
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    audit: AuditConfig = Field(default_factory=AuditConfig)
    paper: dict[str, dict[str, float]] = Field(
        default_factory=dict, description="published accuracies: facet -> factor -> value"
    )
    seed: int = 0

    def layout(self) -> Facets:
        """Facets of the embedding, in the recipe's order."""
        return Facets({name: facet.dim for name, facet in self.facets.items()})

    def relations(self) -> dict[str, Relation]:
        """Relation of every facet that has one."""
        return {n: Relation(f.same, f.differ) for n, f in self.facets.items() if f.same}

    def owns(self) -> dict[str, tuple[str, ...]]:
        """Factors that each facet should tell."""
        owned = {}
        for name, facet in self.facets.items():
            default = (facet.same,) if facet.same and facet.same != "recording" else ()
            owned[name] = default if facet.owns is None else facet.owns
        return owned
