"""Recipes of older versions: keys that have another name or place now."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from disentone.errors import RecipeError

__all__ = ["upgrade"]

_log = logging.getLogger("disentone")

_TRAINING = {
    "clip": "max_grad_norm",
    "least_rate": "min_lr",
    "reduce": "lr_factor",
    "critic_pace": "critic_lr_scale",
}


def upgrade(values: Mapping[str, Any], *, name: str) -> dict[str, Any]:
    """Give a recipe's values with today's keys; what was changed is logged in one line.

    Parameters
    ----------
    values : mapping
        As in a YAML file, unchecked.
    name : str
        Of the recipe, for the log.

    Raises
    ------
    RecipeError
        If old keys contradict a facet's own keys.
    """
    values = dict(values)
    changed = _rename(values, "training", _TRAINING)
    _drop_null_owns(values)
    changed += _move_relations_to_facets(values)
    changed += _merge_sampling(values)
    if changed:
        _log.warning("Recipe '%s' is of an older version; read as: %s.", name, ", ".join(changed))
    return values


def _rename(values: dict[str, Any], section: str, names: Mapping[str, str]) -> list[str]:
    part = values.get(section)
    if not isinstance(part, Mapping):
        return []
    found = {old: new for old, new in names.items() if old in part}
    for old, new in found.items():
        if new in part:
            raise RecipeError(f"'{section}.{old}' is called '{new}' now, and both are given.")
    if found:
        values[section] = {found.get(key, key): value for key, value in part.items()}
    if "reduce" in found and part["reduce"]:
        values[section]["lr_factor"] = 1 / part["reduce"]  # it was divided by
    return [f"{section}.{old} → {new}" for old, new in found.items()]


def _drop_null_owns(values: dict[str, Any]) -> None:
    """Leave out 'owns: null', which once meant that a facet owns what its relation is of."""
    facets = values.get("facets")
    if isinstance(facets, Mapping):
        values["facets"] = {
            name: {k: v for k, v in facet.items() if (k, v) != ("owns", None)}
            if isinstance(facet, Mapping)
            else facet
            for name, facet in facets.items()
        }


def _move_relations_to_facets(values: dict[str, Any]) -> list[str]:
    """Move the relations that the term 'triplet' once had for every facet into the facets."""
    terms, facets = values.get("objective"), values.get("facets")
    if not isinstance(terms, list | tuple) or not isinstance(facets, Mapping):
        return []
    if not any(_is_old(term) for term in terms):
        return []
    facets = {name: dict(facet or {}) for name, facet in facets.items()}
    alone = not any(facet.get("same") or facet.get("augment") for facet in facets.values())
    ordered: list[str] = []
    upgraded = []
    for term in terms:
        if _is_old(term):
            term = dict(term)
            for facet, old in term.pop("dimensions").items():
                ordered.append(facet)
                if facet in facets:
                    _set_relation(facet, facets[facet], old)
        upgraded.append(term)
    related = [name for name, facet in facets.items() if facet.get("same") or facet.get("augment")]
    for term in upgraded:
        if isinstance(term, dict) and term.get("term") == "triplet" and ordered != related:
            term.setdefault("facets", ordered)
    values["facets"], values["objective"] = facets, upgraded
    if alone and any(facet.get("same") for facet in facets.values()):
        values["balanced"] = True  # clips stood alone, as they do now in balanced batches only
    return ["objective.dimensions → facets.same"]


def _is_old(term: Any) -> bool:
    if not isinstance(term, Mapping) or term.get("term") != "triplet":
        return False
    return isinstance(term.get("dimensions"), Mapping)


def _set_relation(name: str, facet: dict[str, Any], old: Any) -> None:
    """Set what makes clips agree in a facet, as one of the old dimensions had it."""
    old = {"factor": old} if isinstance(old, str) else dict(old or {})
    factor, unlike = old.get("factor"), old.get("unlike")
    if factor is None:  # views of a clip, which the facet's own 'same' or 'augment' makes
        facet |= {"unlike": unlike} if unlike else {}
        return
    if facet.get("same") not in (None, factor):
        raise RecipeError(
            f"Facet '{name}' has same: {facet['same']}, and the term 'triplet' orders it by "
            f"'{factor}': give one of them."
        )
    facet["same"] = factor
    for key, default in (("rule", "same"), ("within", None), ("also", "parallel")):
        if old.get(key, default) != default:
            facet[key] = old[key]


def _merge_sampling(values: dict[str, Any]) -> list[str]:
    """Put 'balanced' and 'triplets' into one key."""
    old = [key for key in ("balanced", "triplets") if key in values]
    if not old:
        return []
    balanced, triplets = values.pop("balanced", False), values.pop("triplets", None)
    if "sampling" not in values:
        made = {"triplets": triplets} if triplets else "balanced" if balanced else "partners"
        values["sampling"] = made
    return [f"{key} → sampling" for key in old]
