"""Pretrained audio networks of others: found, loaded and identified by their weights.

Everything here needs ``transformers`` (the extra ``codec``), which is imported on first use.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from torch import nn

from disentone.errors import ArtifactError, RecipeError

__all__ = ["Pretrained", "digest", "open_pretrained"]

_SETTINGS = ("config.json", "preprocessor_config.json", "processor_config.json")
_WEIGHTS = ("model*.safetensors", "model.safetensors.index.json")
_VOLATILE = {"_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version"}
_BROKEN = (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError)
_UNUSED = ("masked_spec_embed",)  # of training only: checkpoints may lack it


class Pretrained(NamedTuple):
    """A network as it was published, ready to use."""

    network: Any  # a transformers model, in evaluation mode, without gradients
    extractor: Any  # its feature extractor; None where there is none
    settings: dict[str, Any]  # from its configuration files


def open_pretrained(model: str) -> Pretrained:
    """Load a network from a local folder or by its name on the Hugging Face hub.

    What the hub gave once is taken from the local cache from then on, without a network. Weights
    are read from safetensors only; code that comes with a model is never run.

    Parameters
    ----------
    model : str
        Folder, or name such as ``"descript/dac_44khz"``.

    Raises
    ------
    RecipeError
        If ``transformers`` is not installed.
    ArtifactError
        If there is no such model, or it lacks weights.
    """
    try:
        import transformers
    except ImportError as error:
        raise RecipeError(
            f"The front-end '{model}' needs transformers: pip install 'disentone[codec]'."
        ) from error
    folder = _folder(model)
    with _quiet():
        try:
            network, info = _loaded(transformers, folder)
        except _BROKEN as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ArtifactError(f"The network '{model}' cannot be loaded: {reason}") from error
        extractor = None
        if any((folder / name).is_file() for name in _SETTINGS[1:]):
            extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    missing = sorted(key for key in info["missing_keys"] if not key.endswith(_UNUSED))
    if missing:
        raise ArtifactError(
            f"The network '{model}' lacks {len(missing)} of its weights, such as {missing[0]}: "
            "give a checkpoint of the whole network."
        )
    return Pretrained(network.eval().requires_grad_(False), extractor, _read_settings(folder))


def digest(network: nn.Module, settings: dict[str, Any] | None = None) -> str:
    """Give 16 hexadecimal digits that change with any weight, and with the settings if given."""
    state = hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=8)
    for name, value in sorted(network.state_dict().items()):
        state.update(f"{name} {tuple(value.shape)} {value.dtype} ".encode())
        state.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return state.hexdigest()


def _loaded(transformers: Any, folder: Path) -> tuple[Any, dict[str, Any]]:
    kind = transformers.AutoConfig.from_pretrained(folder).model_type
    # Never the audio half from a checkpoint of both: it would be drawn at random, with a warning.
    audio_half = kind == "clap_audio_model"
    loader = transformers.ClapAudioModel if audio_half else transformers.AutoModel
    network, info = loader.from_pretrained(
        folder,
        use_safetensors=True,
        output_loading_info=True,
        dtype=torch.float32,
        trust_remote_code=False,
    )
    return (network.audio_model if kind == "clap" else network), info


def _folder(model: str) -> Path:
    """Folder of a model's files, fetched from the hub where they are not here yet."""
    folder = Path(model).expanduser()
    if not folder.is_dir():
        folder = _fetched(model)
    for pattern, what in (("config.json", "config.json"), (_WEIGHTS[0], "safetensors weights")):
        if not any(folder.glob(pattern)):
            raise ArtifactError(f"There is no network in '{model}': {what} are missing.")
    return folder


def _fetched(model: str) -> Path:
    from huggingface_hub import snapshot_download

    files = [*_SETTINGS, *_WEIGHTS]
    try:
        try:
            folder = Path(snapshot_download(model, allow_patterns=files, local_files_only=True))
        except OSError:
            folder = None
        if folder is None or not any(folder.glob(_WEIGHTS[0])):
            folder = Path(snapshot_download(model, allow_patterns=files))
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"There is no folder '{model}', and the hub gave no model of this name "
            f"({type(error).__name__}): download it where there is a network, or give its folder."
        ) from error
    return folder


def _read_settings(folder: Path) -> dict[str, Any]:
    found = {}
    for name in _SETTINGS:
        if (folder / name).is_file():
            values = json.loads((folder / name).read_text(encoding="utf-8"))
            found[name] = {key: value for key, value in values.items() if key not in _VOLATILE}
    return found


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
