"""The schema of recipes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from disentone.agreement import RECORDING, Relation, Transform
from disentone.audit.registry import chosen_measures, chosen_variants
from disentone.datasets.opening import DataConfig
from disentone.errors import DataError, RecipeError
from disentone.facets import Facets
from disentone.frontends.config import FrontEndConfig, LogMelConfig
from disentone.models.config import ModelConfig
from disentone.objectives import Agreement, AnyTerm, Divergence, Given, Reconstruction, Triplet
from disentone.objectives.related import RelationTerm
from disentone.recipes.facet import FacetConfig

__all__ = ["AUTO", "AuditConfig", "FacetConfig", "Precision", "Recipe", "TrainingConfig"]

Precision = Literal["auto", "float32", "bfloat16"]
AUTO = "auto"


class TrainingConfig(BaseModel):
    """How to train."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    epochs: int = Field(default=100, ge=1, le=10**7)
    batch: int = Field(
        default=128, ge=2, le=2**20, description="anchors in a step, over all processes"
    )
    optimiser: Literal["adam", "adamw"] = "adamw"
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    schedule: Literal["constant", "cosine", "plateau"] = Field(
        default="cosine",
        description="plateau: multiplied by 'lr_factor' after every 'plateau' epochs without gain",
    )
    plateau: int = Field(default=10, ge=1, le=10**7, description="epochs; of the validation loss")
    lr_factor: float = Field(default=0.2, gt=0, lt=1, description="of the schedule 'plateau'")
    min_lr: float = Field(default=1e-10, gt=0, description="below which 'plateau' never goes")
    warmup: int = Field(
        default=50,
        ge=0,
        le=10**9,
        description="steps in which the learning rate rises; a tenth of all at most",
    )
    max_grad_norm: float | None = Field(default=50.0, gt=0)
    critic_lr_scale: float = Field(
        default=3.0, gt=0, description="learning rate of what terms learn, relative to the model's"
    )
    precision: Precision = Field(
        default="auto", description="auto: bfloat16 where the device multiplies it, else float32"
    )
    keep: Literal["best", "last"] = Field(
        default="best", description="which epoch's model: of the least validation loss, or the last"
    )
    patience: int | None = Field(
        default=None, ge=1, le=10**7, description="stop after so many epochs of no gain"
    )


class AuditConfig(BaseModel):
    """How a trained model is audited."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    factors: tuple[str, ...] | None = Field(
        default=None, description="all with two classes by default"
    )
    classes: dict[str, Annotated[int, Field(ge=2, le=1000)]] = Field(
        default_factory=dict, description="equal-width classes of continuous factors"
    )
    seeds: int = Field(default=5, ge=1, le=1000, description="probes of each kind")
    train_limit: int | None = Field(
        default=None, ge=10, description="most clips a probe is trained on"
    )
    permutations: int = Field(default=200, ge=20, le=10**6)
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
        default=(), description="factors with equal shares in the two parts of 'within'"
    )
    test_share: float = Field(
        default=0.375, gt=0, lt=1, description="share of the clips of 'within' to score probes on"
    )

    @model_validator(mode="after")
    def _measures_exist(self) -> AuditConfig:
        try:
            chosen_measures(self.measures)
            chosen_variants(self.variants)
        except (DataError, RecipeError) as error:
            raise ValueError(str(error)) from error
        return self

    @model_validator(mode="after")
    def _stratify_needs_within(self) -> AuditConfig:
        if self.stratify and self.within is None:
            raise ValueError("'stratify' needs 'within' beside it")
        return self


class TripletFile(BaseModel):
    """Batches of triplets from a table."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    triplets: str = Field(
        description="table with the columns anchor, positive, negative and dimension"
    )


class Recipe(BaseModel):
    """A complete description of a run."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = Field(description="of its run folder, unless another is given")
    about: str = Field(default="", description="one line for people")
    data: Annotated[DataConfig, Field(discriminator="kind")]
    frontend: FrontEndConfig = Field(default_factory=LogMelConfig)
    facets: dict[str, FacetConfig] = Field(min_length=1, max_length=1024)
    views: int = Field(
        default=2, ge=2, le=64, description="clips that agree in a facet, the clip included"
    )
    draws: int = Field(
        default=1, ge=1, le=1000, description="how often each clip is given views in an epoch"
    )
    sampling: Literal["partners", "balanced"] | TripletFile = Field(
        default="partners",
        description="partners: every clip with others that agree with it in each facet; balanced: "
        "clips alone, so that a batch has pairs for every facet; or {triplets: FILE}, for the "
        "term 'given'",
    )
    model: ModelConfig = Field(default_factory=ModelConfig)
    copies: int = Field(
        default=4,
        ge=1,
        le=1000,
        description="transformed copies of a clip, for facets with 'augment'",
    )
    objective: tuple[AnyTerm, ...] = Field(
        default=(), description="terms; by default those that suit the facets"
    )
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    audit: AuditConfig = Field(default_factory=AuditConfig)
    paper: dict[str, dict[str, float]] = Field(
        default_factory=dict, description="published accuracies: facet -> factor -> value"
    )
    seed: int = Field(default=0, ge=0, lt=2**32)

    @field_validator("name")
    @classmethod
    def _a_name_of_a_folder(cls, name: str) -> str:
        if (
            name in ("", ".", "..")
            or Path(name).name != name
            or "\\" in name
            or not name.isprintable()
            or len(name) > 200
        ):
            raise ValueError("a name is one word or a few, and no path")
        return name

    @model_validator(mode="after")
    def _fill_objective(self) -> Recipe:
        if not self.objective:
            terms = (Triplet(),) if self.sampling == "balanced" else default_objective(self.facets)
            object.__setattr__(self, "objective", terms)
        decoding = next((term.term for term in self.objective if term.decodes), None)
        if self.model.decoder is None and decoding is not None:
            raise ValueError(f"term '{decoding}' needs a decoder, and 'model.decoder' is null")
        return self

    @model_validator(mode="after")
    def _batches_fit(self) -> Recipe:
        """Whether the objective can be computed from what is sampled."""
        relations = self.relations()
        given = isinstance(self.sampling, TripletFile)
        if given != any(isinstance(term, Given) for term in self.objective):
            raise ValueError("'sampling: {triplets: FILE}' and a term 'given' go together")
        if self.sampling == "partners":
            return self
        if not (relations or given):
            raise ValueError("'sampling: balanced' needs a facet with 'same'")
        for facet, relation in relations.items():
            if not relation.is_of_labels:
                raise ValueError(
                    f"facet '{facet}' ({relation}) needs its views, which 'sampling: partners' "
                    "alone draws"
                )
        for term in self.objective:
            if term.compares_views:
                raise ValueError(
                    f"term '{term.term}' compares views, which 'sampling: partners' alone draws"
                )
        return self

    @model_validator(mode="after")
    def _triplets_fit(self) -> Recipe:
        """Triplets of views need views, and labels are not those of transformed copies."""
        relations = self.relations()
        for term in self.objective:
            try:
                ordered = term.ordered(relations) if isinstance(term, RelationTerm) else {}
            except RecipeError as error:
                raise ValueError(str(error).rstrip(".")) from error
            for facet, relation in ordered.items():
                if relation.is_of_labels and self.chains():
                    raise ValueError(
                        f"facet '{facet}' is ordered by '{relation.factors[0]}', which the "
                        f"transforms of facet '{next(iter(self.chains()))}' may change without its "
                        "label: use either factors or views"
                    )
                if facet in relation.unlike:
                    raise ValueError(f"facet '{facet}' cannot be unlike itself")
                for name in relation.unlike:
                    if name in self.facets and name not in relations:
                        raise ValueError(
                            f"facet '{name}' has no views to be unlike: it needs its 'augment' or "
                            "'same'"
                        )
        return self

    def __repr__(self) -> str:
        """Show what is learnt from what; ``dump_recipe`` gives all of it."""
        learnt, made = self.layout().describe(), f"{self.data.kind}, {self.frontend.kind}"
        return f"Recipe('{self.name}', facets: {learnt}, {made}, {self.training.epochs} epochs)"

    def __str__(self) -> str:
        """Give the same: pydantic's would be every value."""
        return repr(self)

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
        """Factors that each facet should predict."""
        return {name: facet.owned for name, facet in self.facets.items()}


def default_objective(facets: Mapping[str, FacetConfig]) -> tuple[AnyTerm, ...]:
    """Give the terms that work for any number of facets, as measured in docs/facets.md.

    Private facets pay in full for what they encode, so that they keep only what no other facet
    encodes; related ones pay little, and are made to agree over their views: less so where these
    are segments of a recording, as a recording changes in time.
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
        # No more exact than this variance: closer agreement overfits small collections.
        weight, epsilon = (3.0, 0.3) if of_recording else (10.0, 0.05)
        terms.append(Agreement(facet=name, weight=weight, epsilon=epsilon))
    return tuple(terms)
