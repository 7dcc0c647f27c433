"""Terms that are not disentone's: named by the place of their class, ``package.module:Class``."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

from pydantic import ValidationError, ValidatorFunctionWrapHandler

from disentone.errors import FOREIGN, what_raised
from disentone.objectives.term import Term
from disentone.permissions import allowed

__all__ = ["code_refused", "own_term", "place_of", "places_of"]


def place_of(value: Any) -> str | None:
    """Give the ``module:Class`` of a term of the user's own; None for every other."""
    place = value.get("term") if isinstance(value, dict) else getattr(value, "term", None)
    return place if isinstance(place, str) and ":" in place else None


def places_of(recipe: Mapping[str, Any]) -> list[str]:
    """Give the ``module:Class`` of all terms of the user's own in a recipe's values."""
    terms = recipe.get("objective")
    places = map(place_of, terms) if isinstance(terms, list | tuple) else ()
    return [place for place in places if place is not None]


def code_refused(places: Sequence[str]) -> str:
    """Say that code would run, "" where none would that does not run already.

    A class that this process has is used: that runs nothing new.

    Parameters
    ----------
    places : sequence of str
        ``module:Class`` of terms.
    """
    new = sorted({place for place in places if place.partition(":")[0] not in sys.modules})
    if not new or allowed().code:
        return ""
    which = ", ".join(f"'{place}'" for place in new)
    return (
        f"{which} would run code that is not disentone's: look at it, then add --allow-code (in "
        "Python: with disentone.allow(code=True))"
    )


def own_term(value: Any, others: ValidatorFunctionWrapHandler) -> Term:
    """Read a term of the user's own, and leave every other to disentone's list of terms.

    Parameters
    ----------
    value : Term or mapping
        With ``"term": "package.module:Class"``, the class is imported, where
        :func:`~disentone.permissions.allow` allows it, and given the mapping.
    others : callable
        Reads the terms that come with disentone.

    Raises
    ------
    ValueError
        If code would run that is not allowed, there is no such module or class, it ends or breaks
        off, or it is no :class:`~disentone.objectives.Term`.
    """
    place = place_of(value)
    if place is None:
        return others(value)
    if isinstance(value, Term):
        return value
    refused = code_refused([place])
    if refused:
        raise ValueError(refused)
    name, _, attribute = place.partition(":")
    found = vars(_imported(name, place)).get(attribute)
    if not (isinstance(found, type) and issubclass(found, Term)):
        raise ValueError(f"'{name}' has no class '{attribute}' that is a disentone.objectives.Term")
    try:
        return found.model_validate(value)
    except ValidationError:
        raise
    except FOREIGN as error:
        raise ValueError(
            f"'{place}' cannot be made of these options ({what_raised(error)})"
        ) from error


def _imported(name: str, place: str) -> ModuleType:
    try:
        return sys.modules.get(name) or import_module(name)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"'{place}' cannot be imported ({error}): install it, or set PYTHONPATH to its folder"
        ) from error
    except FOREIGN as error:
        raise ValueError(f"'{place}' cannot be imported ({what_raised(error)}): mend it") from error
