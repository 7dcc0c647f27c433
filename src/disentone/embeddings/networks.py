"""The network of a recipe or of a model's configuration, and tensors on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save
from torch import Tensor

from disentone.facets import Facets
from disentone.files import write_bytes
from disentone.models import MultiView
from disentone.models.config import ModelConfig
from disentone.recipes import Recipe

if TYPE_CHECKING:
    from disentone.frontends.protocol import FrontEnd

__all__ = ["build_network", "untrained_network", "write_tensors"]


def build_network(config: ModelConfig, facets: Facets, frontend: FrontEnd) -> MultiView:
    """Build an untrained network for the features of a front-end."""
    shape = {"frames": frontend.frames, "features": frontend.features}
    return MultiView(config, facets, **shape, parts=getattr(frontend, "parts", None))


def untrained_network(recipe: Recipe, frontend: FrontEnd) -> MultiView:
    """Give a recipe's network, untrained: the same for the same seed."""
    torch.manual_seed(recipe.seed)
    return build_network(recipe.model, recipe.layout(), frontend)


def write_tensors(
    file: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors atomically as safetensors."""
    ready = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    write_bytes(file, save(ready, metadata=dict(metadata) if metadata else None))
