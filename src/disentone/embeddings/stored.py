"""What a model's folder holds, checked: nothing takes memory or is used before its sizes agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from disentone.embeddings.model_files import (
    MODEL_FILES,
    NETWORK,
    TRUNK,
    damaged,
    find_model,
    read_config,
    tensor_shapes,
)
from disentone.embeddings.networks import build_network, check_weights
from disentone.embeddings.trunk import Trunk
from disentone.errors import DataError
from disentone.facets import Facets
from disentone.frontends.config import FrontEndKind, TrunkConfig, frontend_config
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
        about = dict(stored["about"])
        made = _assembled(stored, tensor_shapes(file), cache(lambda: load_file(file)))
    except (*_WRONG_SHAPE, DataError, SafetensorError, RuntimeError) as error:
        raise damaged(folder, error) from error
    return made._replace(about=about)


def _assembled(
    stored: Mapping[str, Any],
    shapes: Mapping[str, Sequence[int]],
    read: Callable[[], Mapping[str, Tensor]],
) -> Stored:
    """Make a model from its configuration and tensors, which are not read before they agree."""
    facets = Facets.from_json(stored["facets"])
    config = ModelConfig(**stored["model"])
    frontend = _frontend(frontend_config(stored["frontend"]), shapes, read)
    check_weights(config, facets, frontend, _named(shapes, NETWORK))
    network = build_network(config, facets, frontend)
    tensors = read()
    network.load_state_dict(_named(tensors, NETWORK))
    # Copies: Windows does not replace or delete a file of which a tensor is still a map.
    mean, std = (tensors[f"standardise.{name}"].clone() for name in ("mean", "std"))
    _check_finite(network, mean, std)
    return Stored(network.eval(), frontend, mean, std, _loudness(stored.get("lufs")), {})


def _frontend(
    config: FrontEndKind,
    shapes: Mapping[str, Sequence[int]],
    read: Callable[[], Mapping[str, Tensor]],
) -> FrontEnd:
    """Build a front-end; a frozen model from the tensors beside those of the model on it."""
    if not isinstance(config, TrunkConfig):
        return config.build()
    trunk = config.trunk
    if trunk is None or trunk["frontend"].get("kind") == config.kind:
        raise ValueError("the frozen model that it stands on is none")
    below = _assembled(trunk, _named(shapes, TRUNK), lambda: _named(read(), TRUNK))
    parts = below._asdict()
    parts.pop("about")
    return Trunk(config, **parts)


def _named(tensors: Mapping[str, _Of], prefix: str) -> dict[str, _Of]:
    """Those whose names begin so, without that beginning."""
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
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
