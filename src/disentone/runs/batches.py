"""From prepared data to the clips, views and labels that a model is trained on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from disentone.agreement import Balance, TripletSampler, ViewSampler
from disentone.clips import ClipTable
from disentone.datasets.syntone import SynTone
from disentone.datasets.triplets import read_triplets
from disentone.embeddings.watcher import Watcher
from disentone.errors import DataError
from disentone.objectives import Given, Objective, Triplet
from disentone.recipes import Recipe
from disentone.runs.loop import Split
from disentone.runs.preparation import Data

__all__ = ["make_split", "of_rows", "statistics"]

LOOKED_AT = 1000
"""Clips of a split among which triplets are looked for."""


def make_split(
    recipe: Recipe,
    data: Data,
    name: str,
    moments: tuple[torch.Tensor, torch.Tensor],
    objective: Objective,
    watcher: Watcher,
) -> Split:
    """Give the clips of one split with their views and labels, and tell which are left out.

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
    sampler: ViewSampler | TripletSampler
    if recipe.triplets is not None:
        sampler = _given(recipe, data, name, objective, watcher)
    else:
        sampler = ViewSampler(
            views,
            recipe.relations(),
            views=recipe.views,
            seed=recipe.seed,
            leave_out=name != "train" or not isinstance(recipe.data, SynTone),
            draws=recipe.draws,
            balance=_balance(objective, views) if recipe.balanced else None,
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
    return Split(data.view_features, sampler, *moments, rows, labels)


def _given(
    recipe: Recipe, data: Data, name: str, objective: Objective, watcher: Watcher
) -> TripletSampler:
    """Sample the given triplets of one split, and tell how many there are."""
    assert recipe.triplets is not None
    given = [term for term in objective.terms if isinstance(term, Given)]
    asked = dict.fromkeys(one for term in given for one in term.dimensions.values())
    triplets = read_triplets(recipe.triplets)
    sampler = TripletSampler(data.views, name, triplets, dimensions=asked, seed=recipe.seed)
    watcher.note(f"{len(sampler)} of the {len(triplets)} given triplets are of {name} clips.")
    return sampler


def _balance(objective: Objective, views: ClipTable) -> Balance:
    """Balance over the dimensions of all triplet terms; the recipe made sure that there is one."""
    terms = [term for term in objective.terms if isinstance(term, Triplet)]
    alike = [one for term in terms for one in term.alike(views.factors).values()]
    return Balance(alike, views.recordings)


def _check_triplets(
    recipe: Recipe, objective: Objective, views: ClipTable, name: str, watcher: Watcher
) -> None:
    """Tell what a split has no triplets of, and refuse a valid split that judges nothing."""
    without = _without_triplets(objective, views)
    for facet, factor in without:
        watcher.note(
            f"There is no triplet of facet '{facet}' in the {name} split: of its clips no three "
            f"are such that '{factor}' agrees in two and differs in the third."
        )
    triplets = [term for term in objective.terms if isinstance(term, Triplet)]
    judges = recipe.training.keep == "best" and triplets == list(objective.terms)
    ordered = {facet for term in triplets for facet in term.rules()}
    if name == "valid" and judges and ordered == {facet for facet, _ in without}:
        raise DataError(
            "There is no triplet in the valid split, so nothing tells which epoch is the best: "
            "give more valid clips, or keep the last epoch (--set training.keep=last)."
        )


def _without_triplets(objective: Objective, views: ClipTable) -> list[tuple[str, str]]:
    """Facets and factors of which no clip has both a positive and a negative in the split.

    Of many clips some are looked at, evenly spread.
    """
    found = []
    triplets = [term for term in objective.terms if isinstance(term, Triplet)]
    for term in triplets:
        for facet, alike in term.alike(views.factors).items():
            rows = np.flatnonzero(~np.isnan(alike.value))
            rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), LOOKED_AT)).astype(int)]
            one, other = (grid.ravel() for grid in np.meshgrid(rows, rows, indexing="ij"))
            same = alike.test(one, other).reshape(len(rows), len(rows))
            has_positive = (same & ~np.eye(len(rows), dtype=bool)).any(axis=1)
            if not (has_positive & ~same.all(axis=1)).any():
                found.append((facet, term.factors_of()[facet]))
    return found


def statistics(
    features: np.ndarray, rows: np.ndarray, *, per_feature: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation over the training clips: of each feature, or one number each."""
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


def of_rows(
    function: Callable[[np.ndarray], np.ndarray], features: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """Apply a function to some clips, of which no more than a part is ever in memory."""
    step = step_of(features)
    parts = range(0, len(rows), step)
    return np.concatenate([function(features[rows[start : start + step]]) for start in parts])


def step_of(features: np.ndarray) -> int:
    """Clips to look at together: 64 MiB of float64 at most."""
    return int(np.clip(2**23 // features[0].size, 1, 1024))
