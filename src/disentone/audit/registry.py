"""Which measures there are: every module of ``measures/`` brings the records of its own.

Other packages give theirs as entry points of the group ``disentone.measures``, each a
:class:`~disentone.audit.measures.Measure`; a package is imported when its measure is asked for.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence
from importlib import import_module

from disentone.audit import measures
from disentone.audit.measures.measured import GROUPS, Measure
from disentone.errors import DataError, RecipeError, closest, load_plugin, plugin_names

__all__ = [
    "DEFAULT",
    "MEASURES",
    "VARIANTS",
    "chosen_measures",
    "chosen_variants",
    "find_measure",
    "tabled",
]


def _ours() -> dict[str, Measure]:
    modules = [
        import_module(f"{measures.__name__}.{module.name}")
        for module in pkgutil.iter_modules(measures.__path__)
    ]
    records = [one for module in modules for one in getattr(module, "MEASURES", ())]
    return {one.name: one for one in records}


MEASURES: Mapping[str, Measure] = _ours()
"""The measures that come with disentone, by name."""

DEFAULT = tuple(name for name, one in MEASURES.items() if one.default)

VARIANTS: Mapping[tuple[str, str], str] = {
    (name, variant): what
    for name, one in MEASURES.items()
    for variant, what in one.variants.items()
}
"""How each published variant of a measure differs, by measure and variant."""


def find_measure(name: str) -> Measure:
    """Give a measure of ours, or import that of another package.

    Parameters
    ----------
    name : str

    Raises
    ------
    DataError
        If there is no such measure.
    RecipeError
        If the package that gives it cannot be imported, or gives something else.
    """
    if name in MEASURES:
        return MEASURES[name]
    others = plugin_names("measures")
    if name not in others:
        known = ["default", "all", "none", *MEASURES, *others]
        raise DataError(f"There is no measure '{name}'{closest(name, known)}")
    found = load_plugin("measures", name)
    if not isinstance(found, Measure) or found.name != name or found.group not in GROUPS:
        raise RecipeError(
            f"Entry point '{name}' of disentone.measures must be a Measure of that name, of one of "
            f"the groups {', '.join(GROUPS)}: not {found!r}."
        )
    return found


def chosen_measures(asked: Sequence[str]) -> frozenset[str]:
    """Give the measures that are asked for by name, ``"default"``, ``"all"`` or ``"none"``.

    ``"all"`` includes those of other packages, which only what is named here imports.

    Raises
    ------
    DataError, RecipeError
        As :func:`find_measure`.
    """
    names: set[str] = set()
    for name in asked:
        if name == "all":
            names |= {*MEASURES, *plugin_names("measures")}
        elif name == "default":
            names |= set(DEFAULT)
        elif name != "none":
            names.add(find_measure(name).name)
    return frozenset(names)


def chosen_variants(asked: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Give measure and variant of every published variant asked for; ``"all"`` are all.

    Raises
    ------
    DataError
        If no measure has such a variant.
    """
    known = dict.fromkeys(variant for _, variant in VARIANTS)
    for name in asked:
        if name not in known and name != "all":
            raise DataError(f"There is no variant '{name}'{closest(name, [*known, 'all'])}")
    return tuple(pair for pair in VARIANTS if pair[1] in asked or "all" in asked)


def tabled(names: Sequence[str]) -> list[Measure]:
    """Give the measures among some names in the order of a table.

    By what they are about, and of these first those that are measured by default. Names that are
    no measure, and measures of packages that are not installed or broken, are left out.
    """
    others = set(plugin_names("measures")) if set(names) - set(MEASURES) else set()
    found = []
    for name in dict.fromkeys(names):
        if name in MEASURES or name in others:
            try:
                found.append(find_measure(name))
            except RecipeError:  # a card can be read without what measured it
                continue
    place = list(MEASURES)
    return sorted(
        found,
        key=lambda one: (
            GROUPS.index(one.group),
            not one.default,
            place.index(one.name) if one.name in place else len(place),
        ),
    )
