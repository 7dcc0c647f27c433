"""The text of recipes: those that come with disentone, and files, unchecked."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from disentone.errors import RecipeError, closest
from disentone.recipes.bounds import MOST_BYTES, check_bounds

__all__ = ["about_recipe", "parse_yaml", "read_recipe", "recipe_names"]


def recipe_names() -> list[str]:
    """Names of the recipes that come with the package."""
    folder = resources.files("disentone.recipes")
    return sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".yaml"))


def about_recipe(name: str) -> str:
    """Describe in one line what a packaged recipe is for."""
    return str(read_recipe(name).get("about", ""))


def read_recipe(name: str | Path) -> dict[str, Any]:
    """Read the values of a recipe, by its name or from a YAML file.

    Raises
    ------
    RecipeError
        If there is no such recipe, or it is not a YAML mapping.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise RecipeError(f"There is no recipe file {path}.")
        try:
            with path.open(encoding="utf-8") as file:
                text = file.read(MOST_BYTES + 1)  # one more is refused
        except UnicodeDecodeError as error:
            raise RecipeError(f"{name} is not valid YAML: it is not UTF-8 text.") from error
    elif str(name) in recipe_names():
        text = (resources.files("disentone.recipes") / f"{name}.yaml").read_text(encoding="utf-8")
    else:
        raise RecipeError(f"There is no recipe '{name}'{closest(str(name), recipe_names())}")
    values = parse_yaml(text, str(name))
    if not isinstance(values, dict):
        raise RecipeError(f"{name} must be a YAML mapping of recipe keys to values.")
    return values


def parse_yaml(text: str, name: str) -> Any:
    """Parse YAML; what is wrong with it is explained in one sentence."""
    try:
        check_bounds(text)
        return yaml.safe_load(text)
    except (ValueError, OverflowError) as error:  # also of dates and numbers that there are not
        raise RecipeError(f"{name} is not valid YAML: {str(error).splitlines()[0]}.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "it has characters that are not allowed"
        line = f" in line {mark.line + 1}" if mark else ""
        raise RecipeError(f"{name} is not valid YAML: {problem}{line}.") from error
