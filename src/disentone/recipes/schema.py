"""What a recipe may say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from disentone.agreement import Relation, Transform
from disentone.agreement.relation import RECORDING
from disentone.audit.measuring import chosen_measures, chosen_variants
from disentone.datasets.config import CollectionConfig
from disentone.datasets.syntone import SynTone
from disentone.errors import DataError
from disentone.facets import Facets
from disentone.frontends.config import FrontEndConfig, LogMelConfig
from disentone.models.config import ModelConfig
from disentone.objectives import Agreement, AnyTerm, Divergence, Given, Reconstruction, Triplet
from disentone.recipes.facet import FacetConfig

__all__ = ["AUTO", "AuditConfig", "FacetConfig", "Precision", "Recipe", "TrainingConfig"]

Precision = Literal["auto", "float32", "bfloat16"]
AUTO = "auto"

DataConfig = Annotated[SynTone | CollectionConfig, Field(discriminator="kind")]


class TrainingConfig(BaseModel):
    """How to train."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(default=100, ge=1)
    batch: int = Field(default=128, ge=2, description="anchors in a step, over all processes")
    optimiser: Literal["adam", "adamw"] = "adamw"
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    schedule: Literal["constant", "cosine", "plateau"] = Field(
        default="cosine",
        description="plateau: divided by 'reduce' after every 'plateau' epochs without a gain",
    )
    plateau: int = Field(default=10, ge=1, description="epochs; of the validation loss")
    reduce: float = Field(default=5.0, gt=1)
    least_rate: float = Field(default=1e-10, gt=0, description="below which nothing is reduced")
    warmup: int = Field(
        default=50,
        ge=0,
        description="steps in which the learning rate rises; a tenth of all at most",
    )
    clip: float | None = Field(default=50.0, gt=0, description="largest norm of the gradient")
    critic_pace: float = Field(
        default=3.0, gt=0, description="learning rate of what terms learn, relative to the model's"
    )
    precision: Precision = Field(
        default="auto", description="auto: bfloat16 where the device multiplies it, else float32"
    )
    keep: Literal["best", "last"] = Field(
        default="best", description="which epoch's model: of the least validation loss, or the last"
    )
    patience: int | None = Field(
        default=None, ge=1, description="stop after so many epochs of no gain"
    )


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
    baselines: bool = Field(
        default=False, description="probe the untrained network and the mean features as well"
    )
    measures: tuple[str, ...] = Field(
        default=("default",), description="of disentanglement, by name; default, all or none"
    )
    variants: tuple[str, ...] = Field(
        default=(), description="published variants beside them: syntone, paper ... or all"
    )
    within: Literal["train", "valid", "test"] | None = Field(
        default=None,
        description="learn and score probes on clips of this one split: for factors, such as the "
        "sensor, whose values splits do not share",
    )
    stratify: tuple[str, ...] = Field(
        default=(), description="factors with alike shares in the two parts of 'within'"
    )
    test_share: float = Field(
        default=0.375, gt=0, lt=1, description="share of the clips of 'within' to score probes on"
    )

    @model_validator(mode="after")
    def _measures_exist(self) -> AuditConfig:
        try:
            chosen_measures(self.measures)
            chosen_variants(self.variants)
        except DataError as error:
            raise ValueError(str(error)) from error
        return self

    @model_validator(mode="after")
    def _stratify_needs_within(self) -> AuditConfig:
        if self.stratify and self.within is None:
            raise ValueError("'stratify' needs 'within' beside it")
        return self


class Recipe(BaseModel):
    """A complete description of a run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    about: str = Field(default="", description="one line for people")
    data: DataConfig
    frontend: FrontEndConfig = Field(default_factory=LogMelConfig)
    facets: dict[str, FacetConfig] = Field(min_length=1)
    views: int = Field(
        default=2, ge=2, description="clips that agree in a facet, the clip included"
    )
    draws: int = Field(
        default=1, ge=1, description="how often each clip is given views in an epoch"
    )
    balanced: bool = Field(
        default=False,
        description="batches in which clips agree in each dimension of the triplet terms",
    )
    triplets: str | None = Field(
        default=None,
        description="table of given triplets, for the term 'given': anchor, positive, negative, "
        "dimension. Views are those of the triplets then",
    )
    model: ModelConfig = Field(default_factory=ModelConfig)
    copies: int = Field(
        default=4, ge=1, description="transformed copies of a clip, for facets with 'augment'"
    )
    objective: tuple[AnyTerm, ...] = Field(
        default=(), description="terms; by default those that suit the facets"
    )
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    audit: AuditConfig = Field(default_factory=AuditConfig)
    paper: dict[str, dict[str, float]] = Field(
        default_factory=dict, description="published accuracies: facet -> factor -> value"
    )
    seed: int = 0

    @model_validator(mode="after")
    def _fill_objective(self) -> Recipe:
        if not self.objective:
            object.__setattr__(self, "objective", default_objective(self.facets))
        triplets = [term for term in self.objective if isinstance(term, Triplet)]
        if self.balanced and not any(term.factors_of() for term in triplets):
            raise ValueError("'balanced' needs a term 'triplet' with a factor")
        if (self.triplets is None) == any(isinstance(term, Given) for term in self.objective):
            raise ValueError("'triplets', a table, and a term 'given' go together")
        if self.triplets is not None and (self.balanced or self.relations()):
            raise ValueError(
                "with 'triplets' there are no balanced batches and no facet has 'same'"
            )
        decoding = next((term.term for term in self.objective if term.decodes), None)
        if self.model.decoder is None and decoding is not None:
            raise ValueError(f"term '{decoding}' needs a decoder, and 'model.decoder' is null")
        return self

    @model_validator(mode="after")
    def _views_are_there(self) -> Recipe:
        """Triplets of views need views, and labels are not those of transformed copies."""
        for term in self.objective:
            dimensions = term.rules().items() if isinstance(term, Triplet) else ()
            for facet, rule in dimensions:
                for name in (facet, *rule.unlike) if rule.rule == "views" else ():
                    if name in self.facets and not self.facets[name].same:
                        raise ValueError(
                            f"facet '{name}' has no views: the rule 'views' needs its 'augment' or "
                            "'same'"
                        )
                if facet in rule.unlike:
                    raise ValueError(f"facet '{facet}' cannot be unlike itself")
                if rule.factor is not None and self.chains():
                    raise ValueError(
                        f"facet '{facet}' is ordered by '{rule.factor}', which the transforms of "
                        f"facet '{next(iter(self.chains()))}' may change without its label: use "
                        "either factors or views"
                    )
        return self

    def layout(self) -> Facets:
        """Facets of the embedding, in the recipe's order."""
        return Facets({name: facet.dim for name, facet in self.facets.items()})

    def relations(self) -> dict[str, Relation]:
        """Relation of every facet that has one."""
        return {name: facet.relation for name, facet in self.facets.items() if facet.same}

    def chains(self) -> dict[str, list[Transform]]:
        """Transforms of the views of every facet that has some."""
        return {name: facet.chain for name, facet in self.facets.items() if facet.augment}

    def owns(self) -> dict[str, tuple[str, ...]]:
        """Factors that each facet should tell."""
        return {name: facet.owned for name, facet in self.facets.items()}


def default_objective(facets: Mapping[str, FacetConfig]) -> tuple[AnyTerm, ...]:
    """Give the terms that work for any number of facets, as measured in docs/facets.md.

    Private facets pay in full for what they hold, so that they keep only what no other facet can
    tell; related ones pay little, and are made to agree over their views: less so where these are
    segments of a recording, as a recording changes in time.
    """
    private = tuple(name for name, facet in facets.items() if not facet.same)
    related = tuple(name for name, facet in facets.items() if facet.same)
    terms: list[AnyTerm] = [Reconstruction()]
    if private:
        terms.append(Divergence(facets=private, weight=1.0))
    if related:
        terms.append(Divergence(facets=related, weight=0.1))
    for name in related:
        of_recording = facets[name].relation.sames == (RECORDING,)
        # No more exact than this variance: closer agreement fits small collections by heart.
        weight, epsilon = (3.0, 0.3) if of_recording else (10.0, 0.05)
        terms.append(Agreement(facet=name, weight=weight, epsilon=epsilon))
    return tuple(terms)
