"""Files of pretrained networks: where they are on this machine, and what may be fetched."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from disentone.errors import ArtifactError, what_raised
from disentone.permissions import allowed

__all__ = ["WEIGHTS", "download_refused", "network_folder", "read_settings"]

SETTINGS = ("config.json", "preprocessor_config.json", "processor_config.json")
WEIGHTS = ("model*.safetensors", "model.safetensors.index.json")
MOST_BYTES = 2**20  # of a settings file; labels of thousands of classes take a tenth
MOST_ITEMS = 4096  # of a list in them
MOST = (  # of the numbers in them, by words in their keys; published networks have a tenth
    (("layer", "depth", "codebooks", "quantizers", "feature_size", "mel_bins"), 2**10),
    (("fft",), 2**16),
    (("length", "samples", "rate"), 2**24),
    (("",), 2**31),
)
ATTENTIONS = {"eager", "sdpa", "flex_attention"}
"""Of torch. Others are compiled code, which transformers may fetch and run."""


def download_refused(model: str) -> str:
    """Say that a network would be fetched, "" where it is here or may be.

    Parameters
    ----------
    model : str
        Folder, or name such as ``"descript/dac_44khz"``.
    """
    if allowed().download or os.path.isdir(_path(model)) or _cached(model) is not None:
        return ""
    return (
        f"'{model}' is no folder and not on this machine: to fetch it from the Hugging Face Hub, "
        "add --allow-download (in Python: with disentone.allow(download=True)), or give its folder"
    )


def network_folder(model: str) -> Path:
    """Find the folder of a network, fetched from the hub where that is needed and allowed.

    What the hub gave once is taken from the local cache from then on, without a network.

    Parameters
    ----------
    model : str
        Folder, or name such as ``"descript/dac_44khz"``.

    Raises
    ------
    ArtifactError
        If there is no such model, it may not be fetched, or lacks its weights.
    """
    folder = Path(_path(model))
    if not os.path.isdir(folder):
        folder = _cached(model) or _fetched(model)
    for pattern, what in ((SETTINGS[0], SETTINGS[0]), (WEIGHTS[0], "safetensors weights")):
        if not any(folder.glob(pattern)):
            raise ArtifactError(f"There is no network in '{model}': {what} are missing.")
    return folder


def _path(model: str) -> str:
    return os.path.expanduser(model)  # pathlib's own fails where there is no such user


def _cached(model: str) -> Path | None:
    """Folder of what the hub gave before; None where it gave nothing, or no weights."""
    try:
        from huggingface_hub import snapshot_download

        folder = Path(snapshot_download(model, allow_patterns=_WANTED, local_files_only=True))
    except (ImportError, OSError, ValueError):
        return None
    return folder if any(folder.glob(WEIGHTS[0])) else None


def _fetched(model: str) -> Path:
    from huggingface_hub import snapshot_download

    refused = download_refused(model)
    if refused:
        raise ArtifactError(f"{refused}.")
    try:
        return Path(snapshot_download(model, allow_patterns=_WANTED))
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"There is no folder '{model}', and the hub gave no model of this name "
            f"({type(error).__name__}): download it where there is a network, or give its folder."
        ) from error


_WANTED = [*SETTINGS, *WEIGHTS]


def read_settings(folder: Path) -> dict[str, dict[str, Any]]:
    """Read a network's settings by the names of their files; refuse what nobody would publish.

    Raises
    ------
    ValueError
        If a file is no JSON object or too large, a number is out of all bounds, or code of others
        is asked for.
    """
    found = {}
    for name in SETTINGS:
        file = folder / name
        if not file.is_file():
            continue
        if file.stat().st_size > MOST_BYTES:
            raise ValueError(f"{name} is larger than {MOST_BYTES:,} bytes")
        try:
            found[name] = json.loads(file.read_text(encoding="utf-8"))
            settings = list(_leaves(found[name]))  # as deep as Python goes
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{name} cannot be read ({what_raised(error)})") from error
        if not isinstance(found[name], dict):
            raise ValueError(f"{name} is no JSON object")
        for key, value in settings:
            _check(name, key, value)
    return found


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that holds no others, with the nearest key above it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, name)
    elif isinstance(value, list):
        if len(value) > MOST_ITEMS:
            raise ValueError(f"'{key}' has {len(value):,} items, and {MOST_ITEMS:,} are the most")
        for inner in value:
            yield from _leaves(inner, key)
    else:
        yield key, value


def _check(file: str, key: str, value: Any) -> None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        most = next(bound for words, bound in MOST if any(word in key for word in words))
        if not math.isfinite(value) or abs(value) > most:
            raise ValueError(f"{file}: '{key}' is {value}, and {most:,} is the most")
    if key.endswith("attn_implementation") and value is not None and value not in ATTENTIONS:
        raise ValueError(f"{file}: '{key}' asks for code that would be fetched and run: {value}")
