"""Measures of disentanglement as records of a card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from disentone.audit.card import ALL
from disentone.audit.families import FAMILIES, FamilyEstimates, FamilyInputs, family_of
from disentone.audit.measures.measured import FACETS, Measure
from disentone.audit.plan import Plan
from disentone.audit.records import Record, record_of
from disentone.audit.registry import MEASURES, find_measure
from disentone.audit.scores import Estimate
from disentone.errors import DataError, RecipeError

__all__ = ["family_inputs", "family_records"]


def family_inputs(
    plan: Plan,
    *,
    names: frozenset[str],
    variants: Sequence[tuple[str, str]],
    beside: Mapping[str, np.ndarray],
    seed: int,
) -> tuple[list[tuple[str, FamilyInputs]], list[str]]:
    """Give every family with what it measures, and what must be left out, as sentences.

    Clips of the validation split are left out, and so are factors that do not change among the
    clips measured.
    """
    rows = np.flatnonzero(plan.train | plan.test | plan.measured)
    factors, notes = {}, []
    for name, target in plan.targets.items():
        known = plan.measured & target.known
        if len(np.unique(target.codes[known], axis=0)) > 1:
            factors[name] = target.factor.take(rows)
        else:
            notes.append(f"Factor '{name}' has one value among the clips measured: no measure.")
    if not factors:
        return [], notes
    embedding = plan.blocks[ALL]
    for name, codes in beside.items():
        if len(codes) != len(embedding):
            raise DataError(f"'{name}' has {len(codes)} rows for {len(embedding)} clips.")
    measures, missing = _found(names)
    if not beside:
        measures = [one for one in measures if one.parts != "runs"]
    plain = FamilyInputs(
        codes=embedding[rows],
        factors=factors,
        test=plan.test[rows],
        measured=plan.measured[rows],
        groups=None if plan.groups is None else plan.groups[rows],
        measures=(),
        variants={},
        beside={name: codes[rows] for name, codes in beside.items()},
        seed=seed,
    )
    wanted: list[tuple[list[Measure], dict[str, str]]] = [(measures, {})]
    wanted += [([MEASURES[name]], {name: variant}) for name, variant in variants]
    if not beside:
        wanted = [([one for one in some if one.parts != "runs"], how) for some, how in wanted]
    found = [
        (family, plain.choosing(tuple(members), which))
        for family in dict.fromkeys([*FAMILIES, *map(family_of, measures)])
        for some, which in wanted
        if (members := [one for one in some if family_of(one) == family])
    ]
    return found, notes + missing


def _found(names: frozenset[str]) -> tuple[list[Measure], list[str]]:
    """Measures of codes by name, and notes on those that cannot be imported."""
    ours = [one for name, one in MEASURES.items() if name in names]
    others, notes = [], []
    for name in sorted(names - set(MEASURES)):
        try:
            others.append(find_measure(name))
        except RecipeError as error:
            notes.append(f"Not measured, {name}: {error}")
    return [one for one in (*ours, *others) if one.family != FACETS], notes


def family_records(found: FamilyEstimates, *, plan: Plan, inputs: FamilyInputs) -> Iterator[Record]:
    """Yield what a family found: the measure itself, then its parts."""
    estimates, how = found
    measures = {one.name: one for one in inputs.measures}
    dimensions = [f"{name}[{i}]" for name, size in plan.facets.items() for i in range(size)]
    for (name, part), estimate in estimates.items():
        facet, factor, more = ALL, ALL, {}
        measure = measures[name]
        if measure.parts == "runs":
            more = {"with": part} if part else {}
        elif measure.parts == "dimensions":
            facet = dimensions[int(part)] if part else ALL
        elif measure.parts == "facets":
            facet = part or ALL
        else:
            factor = part or ALL
        variant = inputs.variants.get(name, "")
        unit = "nats" if variant == "nats" else measure.unit
        top = np.inf if unit == "nats" else 1.0
        estimate = _within(estimate, signed=measure.signed, top=top)
        record = record_of(name, facet, factor, unit, estimate)
        record["split"] = "test" if measure.fitted else plan.split
        yield record | _how(how[name], variant, measure) | more


def _within(found: Estimate, *, signed: bool, top: float) -> Estimate:
    """Cut an interval to the range of its measure."""
    low = found.low if signed else max(found.low, min(0.0, found.value))
    return replace(found, low=low, high=min(found.high, max(top, found.value)))


def _how(how: Mapping[str, Any], variant: str, measure: Measure) -> Record:
    """The settings of a number, flat: lists become their length."""
    flat = {
        name: len(value) if isinstance(value, Mapping | list | tuple) else value
        for name, value in how.items()
        if name not in ("variant", "chance", "own", "factor", "test", "informative")
    }
    if variant:
        flat |= {"variant": variant, "note": measure.variants[variant]}
    return flat
