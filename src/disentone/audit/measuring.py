"""Measures of disentanglement as records of a card: which are asked for, and how they are told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from disentone.audit.card import ALL
from disentone.audit.facet_information import BLOCKS
from disentone.audit.families import BY_DIMENSION, FAMILIES, Found, Study
from disentone.audit.plan import Plan
from disentone.audit.records import Record, record_of
from disentone.audit.scores import Estimate
from disentone.errors import DataError, closest

__all__ = ["DEFAULT", "MEASURES", "VARIANTS", "chosen_measures", "chosen_variants", "studies",
           "study_records"]  # fmt: skip

MEASURES = (*(name for names, _ in FAMILIES.values() for name in names), *BLOCKS)
"""Names of all measures."""

# What is cheap, needs no pairs and no other run, and says different things.
DEFAULT = (
    *("mig", "mig_sup", "dcimig", "jemmig", "modularity", "sap"),
    *("total_correlation", "wasserstein", *BLOCKS),
)

VARIANTS: Mapping[tuple[str, str], str] = {
    ("mig", "syntone"): "The code published with SynTone exchanges codes and factors: the gap is "
    "between factors and divided by the entropy of the binned dimension, so that even a perfect "
    "code scores below 1 where a dimension has more bins than its factor has classes.",
    ("mig", "equal-width"): "Most public code cuts dimensions in bins of equal width, so that one "
    "outlier moves the score; here bins are quantiles.",
    ("mig_sup", "paper"): "The paper's mean is over all dimensions, so that every dead or noise "
    "dimension lowers it; here it is over those that tell some factor above chance.",
    ("jemmig", "nats"): "The paper's sum is in nats, where less is better and the scale depends "
    "on the factors; here it is scaled to 1 for a perfect code.",
    ("modularity", "paper"): "The paper counts plug-in information and every dimension that "
    "varies, so that noise dimensions lower a perfect code; here what chance gives is taken off "
    "and only informative dimensions count.",
    ("sap", "paper"): "The paper does not scale balanced accuracy by chance, so that a perfect "
    "code scores 1 - 1/classes for a categorical factor.",
    ("explicitness", "raw"): "The paper's number is the mean area under the ROC curve, where "
    "chance is 1/2; here chance is 0.",
    ("irs", "weighted"): "Public code weighs dimensions by how far they move, noise included, so "
    "that the score depends on their scale.",
    ("dci_disentanglement", "impurity"): "Most public code takes the forest's own importances, "
    "from the clips that it was fitted on, which credit noise dimensions too; here importance is "
    "what held-out clips lose without the dimension.",
    ("wasserstein", "published"): "The published distance is of the code as it is, so that it "
    "depends on the scale of the dimensions.",
    ("z_diff", "paper"): "The paper's number is the accuracy itself, where chance is 1/factors; "
    "here chance is 0.",
    ("z_min_variance", "paper"): "The paper's number is the accuracy itself, where chance is "
    "1/factors; here chance is 0.",
    ("z_max_variance", "paper"): "The paper's number is the accuracy itself, where chance is "
    "1/factors; here chance is 0.",
    ("udr", "lasso"): "The paper's other likeness: weights of a lasso, which the penalty makes "
    "smaller, so that runs that agree score 0.9.",
}
"""What each published variant of a measure does otherwise, by measure and variant."""


# Measures that may be below 0, where a code is worse than chance.
SIGNED = ("dmig", "xmig", "dlig", "explicitness", "z_diff", "z_min_variance", "z_max_variance")


def chosen_measures(asked: Sequence[str]) -> frozenset[str]:
    """Give the measures that are asked for by name, ``"default"``, ``"all"`` or ``"none"``.

    Raises
    ------
    DataError
        If there is no such measure.
    """
    groups = {"default": DEFAULT, "all": MEASURES, "none": ()}
    names: set[str] = set()
    for name in asked:
        if name not in groups and name not in MEASURES:
            raise DataError(f"There is no measure '{name}'{closest(name, [*groups, *MEASURES])}")
        names |= set(groups.get(name, (name,)))
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


def studies(
    plan: Plan,
    *,
    names: frozenset[str],
    variants: Sequence[tuple[str, str]],
    beside: Mapping[str, np.ndarray],
    seed: int,
) -> tuple[list[tuple[str, Study]], list[str]]:
    """Give every family with what it measures, and what must be left out, as sentences.

    Clips of the validation split are left out, and so are factors that do not change among the
    clips measured.
    """
    rows = np.flatnonzero(plan.train | plan.test | plan.told)
    factors, notes = {}, []
    for name, target in plan.targets.items():
        known = plan.told & target.known
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
    plain = Study(
        codes=embedding[rows],
        factors=factors,
        test=plan.test[rows],
        told=plan.told[rows],
        groups=None if plan.groups is None else plan.groups[rows],
        names=names,
        variants={},
        beside={name: codes[rows] for name, codes in beside.items()},
        seed=seed,
    )
    wanted: list[tuple[frozenset[str], dict[str, str]]] = [(names, {})]
    wanted += [(frozenset([name]), {name: variant}) for name, variant in variants]
    if not beside:
        wanted = [(some - {"udr"}, which) for some, which in wanted]
    found = [
        (family, plain.choosing(some & set(members), which))
        for family, (members, _) in FAMILIES.items()
        for some, which in wanted
        if some & set(members)
    ]
    return found, notes


def study_records(found: Found, *, plan: Plan, study: Study, fitted: bool) -> Iterator[Record]:
    """Yield what a family found: the measure itself, then its parts."""
    estimates, how = found
    dimensions = [f"{name}[{i}]" for name, size in plan.facets.items() for i in range(size)]
    for (measure, part), estimate in estimates.items():
        facet, factor, more = ALL, ALL, {}
        if measure == "udr":
            more = {"with": part} if part else {}
        elif measure in BY_DIMENSION:
            facet = dimensions[int(part)] if part else ALL
        else:
            factor = part or ALL
        variant = study.variants.get(measure, "")
        in_nats = measure == "total_correlation" or variant == "nats"
        top = np.inf if in_nats else 1.0
        estimate = _within(estimate, signed=measure in SIGNED, top=top)
        record = record_of(measure, facet, factor, "nats" if in_nats else "score", estimate)
        record["split"] = "test" if fitted else plan.split
        yield record | _how(how[measure], variant, measure) | more


def _within(found: Estimate, *, signed: bool, top: float) -> Estimate:
    """Cut an interval to the range of its measure."""
    low = found.low if signed else max(found.low, min(0.0, found.value))
    return replace(found, low=low, high=min(found.high, max(top, found.value)))


def _how(how: Mapping[str, Any], variant: str, measure: str) -> Record:
    """What decides a number, flat: lists become their length."""
    flat = {
        name: len(value) if isinstance(value, Mapping | list | tuple) else value
        for name, value in how.items()
        if name not in ("variant", "chance", "own", "factor", "test", "informative")
    }
    if variant:
        flat |= {"variant": variant, "note": VARIANTS[measure, variant]}
    return flat
