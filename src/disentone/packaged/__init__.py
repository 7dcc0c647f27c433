"""Models that come with disentone, each a folder with its card: data, and where it is.

A model is taken by its name wherever a model's folder is: see :func:`find_model` of
:mod:`disentone.embeddings.model_files`.
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "CARD",
    "HERE",
    "SOURCES",
    "name_of",
    "or_packaged",
    "packaged_folder",
    "packaged_models",
]

CARD = "MODEL_CARD.md"
HERE = Path(__file__).parent
"""Where they are."""
SOURCES = HERE / "sources.yaml"
"""Data sets that they may be trained on."""


def packaged_models() -> list[str]:
    """Names of the models that come with this version."""
    return sorted(folder.parent.name for folder in HERE.glob("*/config.json"))


def packaged_folder(name: str) -> Path | None:
    """Folder of a model by its name; None where there is none of this name."""
    return HERE / name if name in packaged_models() else None


def or_packaged(path: str | Path) -> Path:
    """Give a path, or where nothing is there the folder of the packaged model of that name."""
    folder = None if Path(path).exists() else packaged_folder(str(path))
    return folder or Path(path)


def name_of(folder: Path) -> str | None:
    """Name of the packaged model in a folder; None for any other folder."""
    return folder.name if folder.parent == HERE else None
