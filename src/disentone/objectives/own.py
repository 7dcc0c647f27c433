"""Terms that are not disentone's: named by the place of their class, ``package.module:Class``."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from pydantic import ValidatorFunctionWrapHandler

from disentone.objectives.term import Term

__all__ = ["own_term"]


def own_term(value: Any, others: ValidatorFunctionWrapHandler) -> Term:
    """Read a term of the user's own, and leave every other to disentone's list of terms.

    Parameters
    ----------
    value : Term or mapping
        With ``"term": "package.module:Class"``, the class is imported and given the mapping.
    others : callable
        Reads the terms that come with disentone.

    Raises
    ------
    ValueError
        If there is no such module or class, or it is no :class:`~disentone.objectives.Term`.
    """
    place = value.get("term") if isinstance(value, dict) else getattr(value, "term", None)
    if not isinstance(place, str) or ":" not in place:
        return others(value)
    if isinstance(value, Term):
        return value
    module, _, name = place.partition(":")
    try:
        found = getattr(import_module(module), name, None)
    except ImportError as error:
        raise ValueError(
            f"'{place}' cannot be imported ({error}): install it, or set PYTHONPATH to its folder"
        ) from error
    if not (isinstance(found, type) and issubclass(found, Term)):
        raise ValueError(f"'{module}' has no class '{name}' that is a disentone.objectives.Term")
    return found.model_validate(value)
