"""Encoders, decoders, the fusion of views, and the multi-view model."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from disentone.models.config import ModelConfig

if TYPE_CHECKING:
    from disentone.models.multiview import Groups, MultiView, Outputs

__all__ = ["Groups", "ModelConfig", "MultiView", "Outputs"]


def __getattr__(name: str) -> Any:
    """Import the networks, and torch with them, when one is first used."""
    if name in __all__:
        return getattr(importlib.import_module("disentone.models.multiview"), name)
    raise AttributeError(f"module 'disentone.models' has no attribute '{name}'")
