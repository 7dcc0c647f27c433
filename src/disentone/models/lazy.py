"""torch, imported when something of it is first used.

Recipes name the terms of an objective, and a recipe is listed, read and checked without torch,
which takes ten times as long to import as all the rest. So the files of terms import it from here.
Classes that derive from torch's own cannot wait: they stand in files that import torch itself.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__all__ = ["torch"]

if TYPE_CHECKING:
    import torch
else:

    class _Torch:
        def __getattr__(self, name: str) -> Any:
            return getattr(importlib.import_module("torch"), name)

    torch = _Torch()
