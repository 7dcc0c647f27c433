"""What a run begins with: usable clips, their features, and a network that is not trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from disentone.agreement import with_copies
from disentone.audio import Skipped
from disentone.clips import ClipTable
from disentone.datasets.opening import open_collection
from disentone.datasets.syntone import SynTone, syntone
from disentone.embeddings.model import build_network
from disentone.embeddings.watcher import Watcher
from disentone.errors import DataError
from disentone.frontends.build import AnyFrontEnd, build_frontend
from disentone.frontends.store import compute_features
from disentone.models import MultiView
from disentone.recipes import Recipe

__all__ = ["Data", "prepare", "untrained_network"]


@dataclass(frozen=True)
class Data:
    """The usable clips of a collection, their features, and what was left out.

    Parameters
    ----------
    table : ClipTable
        Usable clips only.
    features : ndarray of float32 or float16, shape (clips, frames, features)
        In the front-end's unit, not standardised.
    skipped : list of Skipped
    views : ClipTable
        The clips, then the transformed copies of them that some facet asks for.
    view_features : ndarray, shape (clips and copies, frames, features)
    """

    table: ClipTable
    features: np.ndarray
    skipped: list[Skipped]
    views: ClipTable
    view_features: np.ndarray


def prepare(
    recipe: Recipe,
    *,
    cache: Path | None = None,
    device: str = "cpu",
    watcher: Watcher | None = None,
) -> Data:
    """Open a recipe's data and compute its features.

    Parameters
    ----------
    recipe : Recipe
    cache : Path, optional
        Feature store; by default features of files are kept for the next run in
        ``.cache/disentone`` below the working folder, and synthesised ones in memory only.
    device : str
        Where a front-end that is a network runs.
    watcher : Watcher, optional

    Raises
    ------
    DataError
        If there is no usable clip, or a split that training needs is empty.
    """
    watcher = watcher or Watcher()
    skipped: list[Skipped] = []
    if isinstance(recipe.data, SynTone):
        table = syntone(recipe.data)
    else:
        opened = open_collection(recipe.data)
        table, skipped = opened.table, list(opened.skipped)
        for note in opened.notes:
            watcher.note(note)
        cache = cache or Path(".cache") / "disentone"
    watcher.note(table.describe())
    if recipe.chains():
        table = with_copies(table, recipe.chains(), copies=recipe.copies, seed=recipe.seed)
        made = int((table.copy_for != "").sum())
        watcher.note(f"{made} transformed copies are made for {', '.join(recipe.chains())}.")
    frontend = build_frontend(recipe.frontend)
    if any(True for _ in frontend.parameters()):
        frontend.to(device)  # a network gains by it, a spectrogram does not
    stage = "Synthesising" if isinstance(recipe.data, SynTone) else "Reading audio"
    computed = compute_features(table, frontend, cache=cache, progress=watcher.stage(stage))
    skipped += computed.skipped
    if not len(computed.rows):
        raise DataError(
            f"None of the {len(table)} clips is usable; the first: {skipped[0].path}: "
            f"{skipped[0].reason}"
        )
    if computed.short:
        watcher.note(
            f"{len(computed.short)} of the clips, such as {computed.short[0]}, last less than one "
            "frame of the front-end; the rest of the frame is silence."
        )
    for item in skipped[:5]:
        watcher.note(f"Left out {item.path}: {item.reason}")
    if len(skipped) > 5:
        watcher.note(f"Left out {len(skipped) - 5} more; see skipped.csv.")
    views = table.take(computed.rows)
    clips = int((views.copy_for == "").sum())  # they come first
    table = views.take(np.arange(clips))
    for name in ("train", "valid", "test"):
        if not len(table.where(name)):
            raise DataError(f"There is no usable clip in the {name} split: give more clips.")
    return Data(table, computed.array[:clips], skipped, views, computed.array)


def untrained_network(recipe: Recipe, frontend: AnyFrontEnd) -> MultiView:
    """Give a recipe's network, untrained: the same for the same seed."""
    torch.manual_seed(recipe.seed)
    return build_network(recipe.model, recipe.layout(), frontend)
