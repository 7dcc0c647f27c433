"""Factors that a recipe names, and whether its data has them."""

from __future__ import annotations

import numpy as np

from disentone.agreement import ViewSampler
from disentone.clips import ClipTable
from disentone.datasets.opening import open_data
from disentone.recipes.schema import Recipe

__all__ = ["audited_factors", "check_factors", "private_note"]

UNNAMED = ("rest", "private", "residual", "remainder", "other", "others")  # promise nothing


def check_factors(recipe: Recipe) -> None:
    """Refuse a recipe that names factors which its data does not have, or in which none agree.

    It reads no sound and takes no torch, so that what is mistyped is refused at once.

    Parameters
    ----------
    recipe : Recipe

    Raises
    ------
    DataError
        If the data cannot be opened, a factor does not exist, or a facet is of clips that agree
        and no clip agrees with another in it.
    """
    table = open_data(recipe.data).table
    agreed = [name for one in recipe.relations().values() for name in one.factors]
    needed = [n for term in recipe.objective for n in term.named_factors(recipe.relations())]
    for name in (*agreed, *needed, *audited_factors(recipe)):
        table.factor(name)
    related = {f: r for f, r in recipe.relations().items() if f not in recipe.chains()}
    if recipe.sampling == "partners" and related:
        # Whatever the splits are: how many clips of each lack a partner is told when it trains.
        split = np.full(len(table), "train", dtype=object)
        whole = ClipTable(table.ids, table.factors, split, table.sounds, table.recordings)
        ViewSampler(whole, related, views=recipe.views, leave_out=True)


def private_note(recipe: Recipe) -> str | None:
    """Note the private facets whose names promise more; None where there are none.

    Parameters
    ----------
    recipe : Recipe
    """
    related = recipe.relations()
    labelled = {
        facet
        for term in recipe.objective
        if term.named_factors(related)
        for facet in term.named_facets()
    }
    named = [
        facet
        for facet, owned in recipe.owns().items()
        if facet not in {*related, *labelled} and not owned and facet not in UNNAMED
    ]
    if not named or recipe.sampling != "partners":
        return None
    names = ", ".join(f"'{name}'" for name in named)
    one = len(named) == 1
    return (
        f"Facet{'' if one else 's'} {names} {'has' if one else 'have'} no 'same': private, and "
        "learning only what the other facets leave, whatever the name promises."
    )


def audited_factors(recipe: Recipe) -> list[str]:
    """List the factors that the audit of a recipe names."""
    owned = [name for names in recipe.owns().values() for name in names]
    audited = (*recipe.audit.classes, *(recipe.audit.factors or ()), *recipe.audit.stratify)
    return list(dict.fromkeys([*owned, *audited]))
