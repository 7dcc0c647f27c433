"""A model's two files as far as torch is not needed: its description, not its network."""

from __future__ import annotations

import json
import math
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open

from disentone.errors import ArtifactError, DataError, closest
from disentone.facets import Facets
from disentone.packaged import packaged_folder, packaged_models

__all__ = [
    "FORMAT",
    "MODEL_FILES",
    "damaged",
    "describe",
    "find_model",
    "not_finite",
    "read_config",
    "tensor_shapes",
]

FORMAT = 1
MOST_BYTES = 2**22  # of a configuration
MODEL_FILES = ("config.json", "model.safetensors")
NETWORK = "network."
"""How the names of the network's tensors begin; the others are the features' mean and deviation."""
TRUNK = "trunk."
"""How the names begin of all tensors of the frozen model that is the front-end, if one is."""
SIZES = ("frames", "features", "parameters", "multiply_adds")
"""Of a window that is embedded: its frames, the numbers in each, and what embeds it."""


def find_model(model: str | Path) -> Path:
    """Find a model's folder, before anything is loaded for it.

    Parameters
    ----------
    model : path or str
        A folder with a model, or the name of a model that comes with disentone, such as
        ``"sounds"``. A folder of that name goes first if there is a model in it, and only then.

    Returns
    -------
    Path

    Raises
    ------
    ArtifactError
        If there is no such folder or name, or one of the two files is missing.
    """
    folder = Path(model)
    missing = [name for name in MODEL_FILES if not (folder / name).is_file()]
    if not missing:
        return folder
    packaged = packaged_folder(str(model))
    if packaged is not None:
        return packaged
    if folder.exists() or folder.name != str(model):  # a path, and no name
        raise ArtifactError(f"There is no model in {folder}: {missing[0]} is missing.")
    raise ArtifactError(
        f"There is no model in {folder}, and none of this name is listed by disentone models"
        f"{closest(folder.name, packaged_models())}"
    )


def read_config(folder: str | Path) -> dict[str, Any]:
    """Read ``config.json`` of a model.

    Raises
    ------
    ArtifactError
        If there is no model, the file is damaged, or it is of another version.
    """
    folder = find_model(folder)
    file = folder / MODEL_FILES[0]
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ValueError(f"{file.name} has more than {MOST_BYTES:,} bytes")
        stored = json.loads(file.read_text(encoding="utf-8"))
        found = stored.get("format")
    except (ValueError, AttributeError, RecursionError) as error:
        raise damaged(folder, error) from error
    if found is None and "model_type" in stored:
        raise ArtifactError(
            f"{folder} holds a network of Hugging Face's transformers and no model of disentone: "
            "it can be a front-end (frontend.kind=encoder, or dac for a DAC), and no trunk."
        )
    if found != FORMAT:
        raise ArtifactError(
            f"{file} has format {found!r}, and this version of disentone reads format {FORMAT}: "
            "use the version that wrote it."
        )
    return stored


class Description(NamedTuple):
    """Description of a model, for ``info``."""

    about: dict[str, Any]
    facets: Facets
    frontend: str  # its kind, with its inputs or its pretrained network
    sample_rate: int
    seconds: float
    size: dict[str, int] | None  # as Model.size; older versions wrote none


def describe(folder: str | Path) -> Description:
    """Read the description of a model, and check that its two files belong together.

    Raises
    ------
    ArtifactError
        If there is no model, it is damaged, or it is of another version.
    """
    folder = find_model(folder)
    stored = read_config(folder)
    try:
        frontend, size = stored["frontend"], stored.get("size")
        if size is not None:
            _check_parameters(folder / MODEL_FILES[1], size["parameters"])
        return Description(
            dict(stored["about"]),
            Facets.from_json(stored["facets"]),
            _named(frontend),
            frontend["sample_rate"],
            float(frontend["seconds"]),
            size and {name: int(size[name]) for name in SIZES},
        )
    except (KeyError, TypeError, ValueError, AttributeError, DataError, SafetensorError) as error:
        raise damaged(folder, error) from error


def tensor_shapes(file: Path) -> dict[str, list[int]]:
    """Shape of every tensor in a file, whose numbers are not read."""
    with safe_open(file, framework="np") as stored:
        return {name: stored.get_slice(name).get_shape() for name in stored.keys()}  # noqa: SIM118  # no dict


def _check_parameters(file: Path, count: int) -> None:
    shapes = tensor_shapes(file)
    found = sum(math.prod(shape) for name, shape in shapes.items() if name.startswith(NETWORK))
    if found != count:
        raise ValueError(f"{found:,} parameters, where there should be {count:,}")


def _named(frontend: dict[str, Any]) -> str:
    if "inputs" in frontend:
        return f"{frontend['kind']} ({', '.join(n for n, on in frontend['inputs'].items() if on)})"
    if "model" in frontend:
        return f"{frontend['kind']} {frontend['model']} (weights {frontend['digest']})"
    return frontend["kind"]


def damaged(folder: str | Path, error: Exception) -> ArtifactError:
    """Explain in one sentence what is wrong with a model's files."""
    lines = [line.strip() for line in str(error).splitlines()]  # the second one has the reason
    reason = textwrap.shorten(" ".join(lines[:2]), 200)
    return ArtifactError(
        f"The model in {folder} is damaged, or its two files do not belong together: {reason}"
    )


def not_finite(name: str) -> str:
    """Explain that a model makes of a clip what is no embedding."""
    return f"The model's embedding of '{name}' is not finite: leave it out, or use another model."
