"""Factors that a recipe names, and whether its data has them."""

from __future__ import annotations

from disentone.clips import ClipTable
from disentone.datasets.opening import open_collection
from disentone.datasets.syntone import SynTone, syntone
from disentone.recipes.schema import Recipe

__all__ = ["audited_factors", "check_factors", "open_data"]


def open_data(recipe: Recipe) -> ClipTable:
    """Open the clips that a recipe is about; no sound is read.

    Raises
    ------
    DataError
        If there is nothing there, or nothing usable.
    """
    data = recipe.data
    return syntone(data) if isinstance(data, SynTone) else open_collection(data).table


def check_factors(recipe: Recipe) -> None:
    """Refuse a recipe that names factors which its data does not have.

    It reads no sound and takes no torch, so that what is mistyped is said at once.

    Parameters
    ----------
    recipe : Recipe

    Raises
    ------
    DataError
        If the data cannot be opened, or a factor does not exist.
    """
    table = open_data(recipe)
    agreed = [name for one in recipe.relations().values() for name in one.factors]
    needed = [n for term in recipe.objective for n in term.named_factors(recipe.relations())]
    for name in (*agreed, *needed, *audited_factors(recipe)):
        table.factor(name)


def audited_factors(recipe: Recipe) -> list[str]:
    """List the factors that the audit of a recipe names."""
    owned = [name for names in recipe.owns().values() for name in names]
    audited = (*recipe.audit.classes, *(recipe.audit.factors or ()), *recipe.audit.stratify)
    return list(dict.fromkeys([*owned, *audited]))
