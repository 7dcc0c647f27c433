"""Pretrained audio networks of others: found, loaded and identified by their weights.

Everything here needs ``transformers`` (the extra ``codec``), which is imported on first use.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import safe_open
from torch import nn

from disentone.errors import ArtifactError, RecipeError
from disentone.frontends.network_files import WEIGHTS, network_folder, read_settings

__all__ = ["Pretrained", "completed", "digest", "open_pretrained"]

_VOLATILE = {"_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version"}
_HERE = {"trust_remote_code": False, "local_files_only": True}  # and asks nothing
_UNUSED = ("masked_spec_embed",)  # of training only: checkpoints may lack it


class Pretrained(NamedTuple):
    """A network as it was published, ready to use."""

    network: Any  # a transformers model, in evaluation mode, without gradients
    extractor: Any  # its feature extractor; None where there is none
    settings: dict[str, Any]  # from its configuration files


def open_pretrained(model: str) -> Pretrained:
    """Load a network from a local folder or by its name on the Hugging Face hub.

    What is not on this machine is fetched only where :func:`disentone.allow` allows downloads.
    Weights are read from safetensors only, and must be finite; code that comes with a model is
    never run.

    Parameters
    ----------
    model : str
        Folder, or name such as ``"descript/dac_44khz"``.

    Raises
    ------
    RecipeError
        If ``transformers`` is not installed.
    ArtifactError
        If there is no such model, it may not be fetched, it lacks weights, or its settings promise
        more than its weights hold.
    """
    try:
        import transformers
    except ImportError as error:
        raise RecipeError(
            f"The front-end '{model}' needs transformers: pip install 'disentone[codec]'."
        ) from error
    folder = network_folder(model)
    extractor = None
    with _quiet():
        try:
            settings = read_settings(folder)
            network, info = _loaded(transformers, folder)
            if len(settings) > 1:
                extractor = transformers.AutoFeatureExtractor.from_pretrained(folder, **_HERE)
        except Exception as error:  # transformers raises whatever a configuration runs into
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ArtifactError(f"The network '{model}' cannot be loaded: {reason}") from error
    missing = sorted(key for key in info["missing_keys"] if not key.endswith(_UNUSED))
    if missing:
        raise ArtifactError(
            f"The network '{model}' lacks {len(missing)} of its weights, such as {missing[0]}: "
            "give a checkpoint of the whole network."
        )
    known = {
        name: {key: value for key, value in values.items() if key not in _VOLATILE}
        for name, values in settings.items()
    }
    return Pretrained(network.eval().requires_grad_(False), extractor, known)


def digest(network: nn.Module, settings: dict[str, Any] | None = None) -> str:
    """Give 16 hexadecimal digits that change with any weight, and with the settings if given."""
    state = hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=8)
    for name, value in sorted(network.state_dict().items()):
        state.update(f"{name} {tuple(value.shape)} {value.dtype} ".encode())
        state.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return state.hexdigest()


_WHAT = {
    "sample_rate": "a sample rate of",
    "seconds": "windows in seconds of",
    "features": "a width of",
    "digest": "the digest",
}


def completed(config: Any, **found: Any) -> Any:
    """Fill in the properties of a network; refuse it where others are demanded."""
    for name, value in found.items():
        wanted = getattr(config, name)
        if wanted not in (None, value):
            raise ArtifactError(
                f"'{config.model}' is another network than the one asked for: it has "
                f"{_WHAT[name]} {value}, not {wanted}. Give that one, or start anew with this one."
            )
    return config.model_copy(update=found)


def _loaded(transformers: Any, folder: Path) -> tuple[Any, dict[str, Any]]:
    config = transformers.AutoConfig.from_pretrained(folder, **_HERE)
    kind = config.model_type
    # Never the audio half from a checkpoint of both: it would be drawn at random, with a warning.
    audio_half = kind == "clap_audio_model"
    loader = transformers.ClapAudioModel if audio_half else transformers.AutoModel
    _check_size(loader, config, folder)
    network, info = loader.from_pretrained(
        folder,
        use_safetensors=True,
        output_loading_info=True,
        dtype=torch.float32,
        **_HERE,
    )
    if not all(value.isfinite().all() for value in network.state_dict().values()):
        raise ValueError("it has weights that are not finite")
    return (network.audio_model if kind == "clap" else network), info


def _check_size(loader: Any, config: Any, folder: Path) -> None:
    """Refuse a network that is larger than its weights before it takes any memory."""
    with torch.device("meta"):
        network = loader.from_config(config) if hasattr(loader, "from_config") else loader(config)
    promised = sum(weight.numel() for weight in network.parameters())
    held = 0
    for file in folder.glob(WEIGHTS[0]):
        with safe_open(file, "pt") as stored:
            held += sum(math.prod(stored.get_slice(name).get_shape()) for name in stored.keys())  # noqa: SIM118  # no dict
    if promised > 1.01 * held:  # what training alone needs may be missing
        raise ValueError(f"its settings promise {promised:,} weights, and there are {held:,}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from drawing bars and printing reports; their content is checked here."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
