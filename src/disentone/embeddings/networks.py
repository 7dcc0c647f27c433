"""The network of a recipe or of a model's configuration, and tensors on disk."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn

from disentone.errors import ArtifactError, RecipeError
from disentone.facets import Facets
from disentone.files import write_bytes
from disentone.models import MultiView
from disentone.models.config import ModelConfig
from disentone.models.sizes import largest_layer
from disentone.recipes import Recipe

if TYPE_CHECKING:
    from disentone.frontends.protocol import FrontEnd

__all__ = [
    "build_network",
    "check_weights",
    "clips_at_once",
    "halved",
    "untrained_network",
    "write_tensors",
]

BATCH = 256  # windows at once, fewer where they are large
_BATCH_NUMBERS = 2**24
MOST_WEIGHTS = 2**30
MOST_NUMBERS = 2**30  # in the output of a layer, for all windows that go through it at once: 4 GiB


def build_network(config: ModelConfig, facets: Facets, frontend: FrontEnd) -> MultiView:
    """Build an untrained network for the features of a front-end."""
    shape = {"frames": frontend.frames, "features": frontend.features}
    return MultiView(config, facets, **shape, parts=getattr(frontend, "parts", None))


def check_weights(
    config: ModelConfig, facets: Facets, frontend: FrontEnd, weights: Mapping[str, Sequence[int]]
) -> None:
    """Refuse a network that its weights are not of, before it takes any memory.

    Parameters
    ----------
    weights : mapping of str to sequence of int
        Shape of each tensor of the network, as its file has them.

    Raises
    ------
    ValueError
        If a tensor is missing, too many or of another shape, or a layer's output is too large.
    """
    network = _outlined(config, facets, frontend)
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    for name in sorted(wanted.keys() | weights.keys()):
        there = tuple(weights[name]) if name in weights else "nothing"
        should = wanted.get(name, "nothing")
        if there != should:
            raise ValueError(f"the weights have {there} as '{name}', the settings {should}")


def _outlined(config: ModelConfig, facets: Facets, frontend: FrontEnd) -> MultiView:
    """Give the shapes of a network and no numbers, if it is of a size that can be meant."""
    shape = {"frames": frontend.frames, "features": frontend.features}
    numbers = clips_at_once(shape.values()) * largest_layer(config, **shape)
    if numbers > MOST_NUMBERS:
        raise ValueError(f"a layer with {numbers:,} numbers, where {MOST_NUMBERS:,} are the most")
    with torch.device("meta"):
        network = build_network(config, facets, frontend)
    weights = sum(weight.numel() for weight in network.parameters())
    if weights > MOST_WEIGHTS:
        raise ValueError(f"{weights:,} weights, where {MOST_WEIGHTS:,} are the most")
    return network


def clips_at_once(shape: Iterable[int]) -> int:
    """How many windows of a shape go through a network at once."""
    return int(np.clip(_BATCH_NUMBERS // max(1, math.prod(shape)), 1, BATCH))


def untrained_network(recipe: Recipe, frontend: FrontEnd) -> MultiView:
    """Give a recipe's network, untrained: the same for the same seed.

    Raises
    ------
    RecipeError
        If it is larger than any that can be meant.
    """
    try:
        _outlined(recipe.model, recipe.layout(), frontend)
    except ValueError as error:
        raise RecipeError(f"Recipe '{recipe.name}' asks for {error}.") from error
    torch.manual_seed(recipe.seed)
    return build_network(recipe.model, recipe.layout(), frontend)


def halved(network: nn.Module, prefix: str = "") -> dict[str, Tensor]:
    """Give a network's parameters in float16, and not its buffers, such as running means.

    Raises
    ------
    ArtifactError
        If a parameter is too large for float16.
    """
    found = {}
    for name, parameter in network.named_parameters():
        half = parameter.detach().half()
        if not half.isfinite().all():
            largest = float(parameter.detach().abs().max())
            raise ArtifactError(
                f"The network's '{name}' has a value of {largest:.3g}, and float16 ends at 65504: "
                "store the model as float32."
            )
        found[f"{prefix}{name}"] = half
    return found


def write_tensors(
    file: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors atomically as safetensors."""
    ready = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    write_bytes(file, save(ready, metadata=dict(metadata) if metadata else None))
