"""From prepared data to the clips, views and labels that a model is trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from disentone.agreement import (
    BalancedSampler,
    BoundRelation,
    Sampler,
    TripletSampler,
    ViewSampler,
)
from disentone.clips import ClipTable
from disentone.datasets.syntone import SynTone
from disentone.datasets.triplets import read_triplets
from disentone.embeddings.watcher import Watcher
from disentone.errors import DataError
from disentone.objectives import Given, Objective, Triplet
from disentone.recipes import Recipe
from disentone.recipes.schema import TripletFile
from disentone.runs.preparation import Data, step_of
from disentone.runs.split import Split

__all__ = ["make_objective", "make_split", "statistics"]

LOOKED_AT = 1000
"""Clips of a split among which triplets are looked for."""


def make_objective(recipe: Recipe, table: ClipTable) -> Objective:
    """Build a recipe's objective, with what is known of the training clips.

    Parameters
    ----------
    recipe : Recipe
    table : ClipTable
        Clips of all splits.
    """
    factors = table.take(table.where("train")).factors
    return Objective(recipe.objective, recipe.layout(), factors, recipe.relations())


def make_split(
    recipe: Recipe,
    data: Data,
    name: str,
    moments: tuple[torch.Tensor, torch.Tensor],
    objective: Objective,
    watcher: Watcher,
) -> Split:
    """Give the clips of one split with their views and labels, and note which are left out.

    Parameters
    ----------
    recipe : Recipe
    data : Data
    name : {"train", "valid"}
    moments : (Tensor, Tensor)
        Mean and deviation of the features; see :func:`statistics`.
    objective : Objective
        Names the factors whose labels it needs.
    watcher : Watcher
    """
    rows = data.views.where(name)
    views = data.views.take(rows)
    sampler: Sampler
    if isinstance(recipe.sampling, TripletFile):
        sampler = _given(recipe, recipe.sampling.triplets, data, name, objective, watcher)
    elif recipe.sampling == "balanced":
        sampler = BalancedSampler(views, recipe.relations(), seed=recipe.seed, draws=recipe.draws)
    else:
        sampler = ViewSampler(
            views,
            recipe.relations(),
            views=recipe.views,
            seed=recipe.seed,
            leave_out=name != "train" or not isinstance(recipe.data, SynTone),
            draws=recipe.draws,
        )
    clips = len(data.table.where(name))
    for facet, count in sampler.left_out.items():
        relation = recipe.facets[facet].relation
        watcher.note(
            f"{count} of {clips} {name} clips have no partner for facet '{facet}' ({relation})."
        )
    _check_triplets(recipe, objective, views, name, watcher)
    labels = {
        factor: torch.as_tensor(views.factor(factor).values, dtype=torch.float32)
        for factor in objective.factors
    }
    # The features are not copied: they may be a map.
    windows = data.windows.take(rows)
    return Split(data.features, sampler, *moments, windows, labels, recipe.seed)


def _given(
    recipe: Recipe, file: str, data: Data, name: str, objective: Objective, watcher: Watcher
) -> TripletSampler:
    """Sample the given triplets of one split, and note how many there are."""
    given = [term for term in objective.terms if isinstance(term, Given)]
    asked = dict.fromkeys(one for term in given for one in term.dimensions.values())
    triplets = read_triplets(file)
    sampler = TripletSampler(data.views, name, triplets, dimensions=asked, seed=recipe.seed)
    watcher.note(f"{len(sampler)} of the {len(triplets)} given triplets are of {name} clips.")
    return sampler


def _check_triplets(
    recipe: Recipe, objective: Objective, views: ClipTable, name: str, watcher: Watcher
) -> None:
    """Note which facets a split has no triplets of, and refuse a valid split without any."""
    triplets = [term for term in objective.terms if isinstance(term, Triplet)]
    ordered = {f: r for term in triplets for f, r in term.ordered(recipe.relations()).items()}
    without = [
        facet
        for facet, relation in ordered.items()
        if relation.is_of_labels and not _has_triplet(BoundRelation(relation, views))
    ]
    for facet in without:
        watcher.note(
            f"There is no triplet of facet '{facet}' in the {name} split: of its clips no three "
            f"are such that two agree ({ordered[facet]}) and the third does not."
        )
    judges = recipe.training.keep == "best" and triplets == list(objective.terms)
    if name == "valid" and judges and set(ordered) == set(without):
        raise DataError(
            "There is no triplet in the valid split, so no epoch can be chosen as the best: "
            "give more valid clips, or keep the last epoch (training.keep=last)."
        )


def _has_triplet(relation: BoundRelation) -> bool:
    """Whether some clip has both a positive and a negative; of many clips some are tested."""
    rows = np.flatnonzero(~np.isnan(relation.order()))
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), LOOKED_AT)).astype(int)]
    one, other = rows[:, None], rows[None]
    same, apart = relation.agree(one, other), one != other
    positive = (same & relation.differ(one, other) & apart).any(axis=1)
    negative = (~same & relation.comparable(one, other) & apart).any(axis=1)
    return bool((positive & negative).any())


def statistics(
    features: np.ndarray, rows: np.ndarray, *, per_feature: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation over some windows: of each feature, or one number each."""
    axes = (0, 1) if per_feature else None
    total: Any = 0.0
    squares: Any = 0.0
    step = step_of(features)
    for start in range(0, len(rows), step):
        part = features[rows[start : start + step]].astype(np.float64)
        total += part.sum(axis=axes)
        squares += np.square(part).sum(axis=axes)
    count = len(rows) * features[0].size / np.size(total)
    mean = total / count
    deviation = np.sqrt(np.maximum(0.0, squares / count - np.square(mean)))
    # What hardly moves in training must not be blown up where it does move, as lag 0 of a
    # tempogram in silence: it is divided by the deviation of what moves most.
    most = np.maximum(np.max(deviation), 1e-3)
    deviation = np.where(deviation < 1e-3 * most, most, deviation)
    return (
        torch.tensor(mean, dtype=torch.float32),
        torch.tensor(deviation, dtype=torch.float32),
    )
