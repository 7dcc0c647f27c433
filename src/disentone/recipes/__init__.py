"""Recipes: one short YAML for each thing that can be trained."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from disentone.recipes.reading import about_recipe, recipe_names

if TYPE_CHECKING:
    from disentone.recipes.loading import dump_recipe, load_recipe, parse_recipe
    from disentone.recipes.schema import Recipe

__all__ = [
    "Recipe",
    "about_recipe",
    "dump_recipe",
    "load_recipe",
    "parse_recipe",
    "recipe_names",
]

# Listing recipes takes their text alone: what checks them is imported when it is first used.
_HOMES = {
    "Recipe": "schema",
    "dump_recipe": "loading",
    "load_recipe": "loading",
    "parse_recipe": "loading",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its home."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"disentone.recipes.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'disentone.recipes' has no attribute '{name}'")
