"""Recipes that are checked: from a name or a file, and settings, to a complete description."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from disentone.errors import RecipeError
from disentone.objectives.own import code_refused, places_of
from disentone.recipes.automatic import fill_automatic
from disentone.recipes.facet import parse_facets
from disentone.recipes.reading import parse_yaml, read_recipe
from disentone.recipes.schema import Recipe
from disentone.recipes.upgrading import upgrade

__all__ = ["dump_recipe", "load_recipe", "parse_recipe"]


def load_recipe(
    name: str | Path,
    *,
    settings: Sequence[str] = (),
    data: str | Path | None = None,
    facets: Sequence[str] = (),
    base: str | Path | None = None,
    begun: str | Path | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> Recipe:
    """Load a recipe by name or from a YAML file, with some values set otherwise.

    Parameters
    ----------
    name : str or path
        A packaged recipe such as ``"marl-syntone"``, or a file ending in ``.yaml``.
    settings : sequence of str
        Overrides such as ``"training.epochs=10"``; ``"objective.0.weight=2"`` for list items.
    data : path, optional
        Folder or table that takes the place of the recipe's data.
    facets : sequence of str
        Facets that take the place of the recipe's, each in one line
        (see :func:`~disentone.recipes.facet.parse_facets`).
    base : str or path, optional
        A trained model on whose frozen network the facets are learnt: a run folder, the name of a
        packaged model, or one on the hub. For the recipe ``"facets"``, in whose place
        ``"facets-from"`` is read, and others with a front-end of kind ``model``.
    begun : path, optional
        ``config.yaml`` of a run that goes on: what was ``auto`` stays as it was chosen then.
    note : callable
        Takes one line on what was chosen for the data, and why.

    Returns
    -------
    Recipe

    Raises
    ------
    RecipeError
        If there is no such recipe, a key does not exist, or a value does not fit.
    DataError
        If a value is ``auto`` and the data cannot be opened.
    """
    values = read_recipe("facets-from" if base is not None and name == "facets" else name)
    if data is not None:
        place = values.setdefault("data", {"kind": "collection"})
        if not isinstance(place, dict) or not _takes_a_path(place):
            raise RecipeError(f"Recipe '{name}' makes its own data and takes no other.")
        place["path"] = str(data)
    if facets:
        values["facets"] = parse_facets(facets)
    if values.get("facets") == {}:
        raise RecipeError(
            f"Recipe '{name}' needs facets: add --facet \"timbre:8 same=instrument\" and the like "
            "(in Python: facets=[...])."
        )
    for setting in settings:
        _apply(values, setting)
    if base is not None:
        _stand_on(values, str(base), str(name))
    values = upgrade(values, name=str(name))
    stored = read_recipe(begun) if begun is not None and Path(begun).is_file() else None
    return parse_recipe(fill_automatic(values, begun=stored, note=note), name=str(name))


def parse_recipe(values: Mapping[str, Any], *, name: str) -> Recipe:
    """Check a recipe's values; every mistake becomes one sentence."""
    refused = code_refused(places_of(values))  # all of it, and not the first alone
    if refused:
        raise RecipeError(f"Recipe '{name}': {refused}.")
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise RecipeError(f"Recipe '{name}': {_explain(error, values)}") from error


def _stand_on(values: dict[str, Any], base: str, name: str) -> None:
    """Name the model whose frozen network is the front-end."""
    frontend = values.get("frontend")
    kind = frontend.get("kind", "logmel") if isinstance(frontend, dict) else "logmel"
    if not isinstance(frontend, dict) or kind != "model":
        raise RecipeError(
            f"Recipe '{name}' has a front-end of its own ({kind}), and facets on a frozen model "
            "take the model's: use the recipe facets, or leave out one of the two."
        )
    frontend["model"] = base
    facets = values.get("facets")
    for facet, keys in (facets if isinstance(facets, dict) else {}).items():
        if isinstance(keys, dict) and not {"same", "augment"} & keys.keys():
            raise RecipeError(
                f"Facet '{facet}' has neither 'same' nor 'augment', and on a frozen model such a "
                "facet learns nothing: give what clips agree in, or leave it out."
            )


def dump_recipe(recipe: Recipe) -> str:
    """Give a complete recipe as YAML, every default written out."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _takes_a_path(place: Mapping[str, Any]) -> bool:
    """Whether data is a collection, or has recordings of one beside what it makes."""
    return place.get("kind") == "collection" or bool(place.get("recordings"))


def _apply(values: dict[str, Any], setting: str) -> None:
    path, equals, text = setting.partition("=")
    if not equals:
        raise RecipeError(f"Setting '{setting}' must look like training.epochs=10.")
    *parents, last = path.strip().split(".")
    place: Any = values
    for key in parents:
        if isinstance(place, list):
            place = place[_item(place, key, setting)]
        else:
            place = place.setdefault(key, {})
        if not isinstance(place, dict | list):
            raise RecipeError(f"Setting '{setting}': '{key}' has no keys below it.")
    is_pattern = path.strip() == "data.pattern" and text.startswith("{")  # no YAML mapping
    value = text if is_pattern else parse_yaml(text, f"Setting '{setting}'")
    if isinstance(place, list):
        place[_item(place, last, setting)] = value
    else:
        place[last] = value


def _item(place: list[Any], key: str, setting: str) -> int:
    if not key.isdigit() or int(key) >= len(place):
        raise RecipeError(f"Setting '{setting}': '{key}' must be a number below {len(place)}.")
    return int(key)


def _explain(error: ValidationError, values: Mapping[str, Any]) -> str:
    """Explain the first mistake in one sentence, with the nearest known key for an unknown one."""
    first = error.errors()[0]
    where = ".".join(_written(first["loc"], values))
    if first["type"] == "extra_forbidden":
        return f"unknown key '{where}'" + _near(first["loc"][-1], _known_keys(first["loc"]))
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "literal_error":
        known = re.findall(r"'([^']*)'", message)
        return f"{where}: {message}, not '{first['input']}'" + _near(first["input"], known)
    message = message if message.endswith("?") else message.rstrip(".") + "."
    return f"{where}: {message}" if where else message


def _near(word: Any, known: Sequence[str]) -> str:
    """End a sentence, with the nearest known word if one is near."""
    near = difflib.get_close_matches(str(word), known, n=1)
    return f"; did you mean '{near[0]}'?" if near else "."


def _written(location: tuple[Any, ...], values: Any) -> list[str]:
    """Keys as the user wrote them: without the kinds that pydantic puts between them."""
    parts = []
    for part in location[:-1]:
        if isinstance(values, Mapping) and part not in values:
            continue
        parts.append(str(part))
        values = values[part] if isinstance(values, Mapping | list) else None
    return [*parts, *(str(part) for part in location[-1:])]


def _known_keys(location: tuple[Any, ...]) -> list[str]:
    """Keys anywhere in the schema: good enough to suggest one."""
    keys: set[str] = set()

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            keys.update(node.get("properties", {}))
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(Recipe.model_json_schema())
    return sorted(keys - {str(location[-1])})
