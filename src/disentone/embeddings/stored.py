"""What a model's folder holds, checked: nothing takes memory or is used before its sizes agree."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from disentone.embeddings.model_files import (
    MODEL_FILES,
    NETWORK,
    damaged,
    find_model,
    read_config,
    tensor_shapes,
)
from disentone.embeddings.networks import build_network, check_weights
from disentone.errors import DataError
from disentone.facets import Facets
from disentone.frontends.config import frontend_config
from disentone.models import MultiView
from disentone.models.config import ModelConfig

if TYPE_CHECKING:
    from disentone.frontends.protocol import FrontEnd

__all__ = ["Stored", "read_stored"]

_Of = TypeVar("_Of")
_WRONG_SHAPE = (KeyError, TypeError, ValueError, AttributeError)  # what JSON of another kind gives


class Stored(NamedTuple):
    """What a model is made of."""

    network: MultiView
    frontend: FrontEnd
    mean: Tensor
    std: Tensor
    lufs: float | None
    about: dict[str, Any]


def read_stored(folder: str | Path) -> Stored:
    """Read and check a model's two files.

    Raises
    ------
    ArtifactError
        If there is no model, it is damaged, it is of another version, its configuration promises
        what its weights do not hold, or these are not finite.
    """
    folder = find_model(folder)
    stored = read_config(folder)
    file = folder / MODEL_FILES[1]
    try:
        facets = Facets.from_json(stored["facets"])
        config = ModelConfig(**stored["model"])
        frontend = frontend_config(stored["frontend"]).build()
        check_weights(config, facets, frontend, _network_part(tensor_shapes(file)))
        network = build_network(config, facets, frontend)
        tensors = load_file(file)
        network.load_state_dict(_network_part(tensors))
        # Copies: Windows does not replace or delete a file of which a tensor is still a map.
        mean, std = (tensors[f"standardise.{name}"].clone() for name in ("mean", "std"))
        _check_finite(network, mean, std)
        lufs, about = _loudness(stored.get("lufs")), dict(stored["about"])
    except (*_WRONG_SHAPE, DataError, SafetensorError, RuntimeError) as error:
        raise damaged(folder, error) from error
    return Stored(network.eval(), frontend, mean, std, lufs, about)


def _network_part(tensors: Mapping[str, _Of]) -> dict[str, _Of]:
    """Those of the network, by its own names; the others are the features' statistics."""
    return {
        name.removeprefix(NETWORK): value
        for name, value in tensors.items()
        if name.startswith(NETWORK)
    }


def _check_finite(network: MultiView, mean: Tensor, std: Tensor) -> None:
    for name, value in [*network.state_dict().items(), ("the mean", mean), ("the deviation", std)]:
        if not value.isfinite().all():
            raise ValueError(f"not every number of {name} is finite: train it anew")
    if mean.ndim > 1 or mean.shape != std.shape or not (std > 0).all():
        raise ValueError("the mean and deviation of its features are none")


def _loudness(lufs: Any) -> float | None:
    if lufs is not None and not -100 <= lufs <= 0:
        raise ValueError(f"a loudness of {lufs} LUFS")
    return lufs
