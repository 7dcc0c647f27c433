"""Trained models as trunks: found by their names, and what a recipe on one takes from it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from disentone.datasets.config import CollectionConfig
from disentone.embeddings.model import Model
from disentone.embeddings.model_files import find_model
from disentone.embeddings.stored import read_stored
from disentone.embeddings.trunk import Trunk
from disentone.errors import ArtifactError, RecipeError
from disentone.frontends.config import TrunkConfig
from disentone.frontends.network_files import download_refused
from disentone.permissions import allowed

if TYPE_CHECKING:
    from disentone.recipes import Recipe

__all__ = ["on_trunk", "open_trunk"]

_ON_HUB = re.compile(r"[\w.-]+/[\w.-]+")  # what the name of a model there looks like


def open_trunk(config: TrunkConfig) -> Trunk:
    """Open the model that a configuration names, as a front-end.

    Parameters
    ----------
    config : TrunkConfig

    Raises
    ------
    ArtifactError
        If there is no such model, it is damaged or of another version, it stands on a trunk
        itself, or it is not the one that the configuration demands.
    """
    parts = _parts(config.model)
    if isinstance(parts["frontend"], Trunk):
        below = parts["frontend"].config.model
        raise ArtifactError(
            f"'{config.model}' stands on a frozen model itself: begin from that one, '{below}'."
        )
    return Trunk(config, **parts)


def _parts(name: str) -> dict[str, Any]:
    """Network, front-end, statistics and loudness of a model; from the hub if it is none here."""
    if _ON_HUB.fullmatch(name) and not Path(name).exists():
        refused = download_refused(name)
        if refused:
            raise ArtifactError(f"{refused}.")
        model = Model.from_pretrained(name, local_files_only=not allowed().download)
        names = ("network", "frontend", "mean", "std", "lufs")
        return {part: getattr(model, part) for part in names}
    stored = read_stored(find_model(name))._asdict()
    stored.pop("about")
    return stored


def on_trunk(recipe: Recipe) -> Recipe:
    """Fill in what a recipe takes from its frozen model: its digest, and its clips' loudness.

    Parameters
    ----------
    recipe : Recipe
        Any; one with another front-end comes back as it is.

    Raises
    ------
    ArtifactError
        As :func:`open_trunk` does.
    RecipeError
        If clips are to have another loudness than the model's.
    """
    if not isinstance(recipe.frontend, TrunkConfig):
        return recipe
    trunk = recipe.frontend.build()
    filled = trunk.config.model_copy(update={"trunk": None})  # that is the model's own matter
    changes: dict[str, Any] = {"frontend": filled}
    lufs = trunk.config.trunk["lufs"]
    if isinstance(recipe.data, CollectionConfig) and recipe.data.lufs != lufs:
        if recipe.data.lufs is not None:
            raise RecipeError(
                f"The model '{recipe.frontend.model}' takes clips at "
                f"{'their own loudness' if lufs is None else f'{lufs:g} LUFS'}, and data.lufs is "
                f"{recipe.data.lufs:g}: leave it out."
            )
        changes["data"] = recipe.data.model_copy(update={"lufs": lufs})
    return recipe.model_copy(update=changes)
