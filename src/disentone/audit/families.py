"""How measures are measured with interval and chance, family by family.

A family is a function from its inputs to numbers, so that measures share what they have in common.
A measure without a family is measured by itself, as :func:`_each` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from disentone.audit import measures as m
from disentone.audit.measures.inputs import columns
from disentone.audit.measures.measured import Measure, Measured
from disentone.audit.measures.resampling import Several, estimates, taken
from disentone.audit.scores import Estimate
from disentone.errors import DataError
from disentone.factors import Factor

__all__ = ["FAMILIES", "FamilyEstimates", "FamilyInputs", "family_of", "measured"]

REPLICATES = 100  # of a bootstrap of what was fitted once
SAMPLES = 40  # parts of the clips on which everything is measured again
PERMUTATIONS = 5
MANY = 20_000  # clips of which two permutations give the mean as well as five of fewer
MOST = 5_000  # clips of such a part
PAIRS = 1600  # for each factor
NULLS = 20  # permutations that decide which dimensions are informative
STEPS = 10  # of a recorded traversal

HALVES = "half-samples"
HELD_OUT = "bootstrap of held-out clips"
BATCHES = "bootstrap of held-out batches of pairs"

Key = tuple[str, str]  # measure, part; the part "" is the measure itself
How = Mapping[str, Mapping[str, Any]]  # the settings of each measure
FamilyEstimates = tuple[Mapping[Key, Estimate], How]


@dataclass(frozen=True)
class FamilyInputs:
    """What a family of measures is computed from.

    Parameters
    ----------
    codes : ndarray, shape (clips, dims)
    factors : mapping of str to Factor
    test : ndarray of bool, shape (clips,)
        Clips held out from what is fitted.
    measured : ndarray of bool, shape (clips,)
        Clips to measure on where nothing is fitted.
    groups : ndarray or None, shape (clips,)
        The recording of every clip.
    measures : tuple of Measure
        Those to measure, all of one family.
    variants : mapping of str to str
        Published variant, by measure; "" for the measures as they should be.
    beside : mapping of str to ndarray, shape (clips, dims of it)
        Other runs' embeddings of the same clips.
    seed : int
    """

    codes: np.ndarray
    factors: Mapping[str, Factor]
    test: np.ndarray
    measured: np.ndarray
    groups: np.ndarray | None
    measures: tuple[Measure, ...]
    variants: Mapping[str, str]
    beside: Mapping[str, np.ndarray]
    seed: int

    def options(self, name: str) -> dict[str, Any]:
        """Arguments that choose the variant of a measure."""
        return {"variant": self.variants[name]} if name in self.variants else {}

    def choosing(self, measures: tuple[Measure, ...], variants: Mapping[str, str]) -> FamilyInputs:
        """The same for other measures, or variants of them."""
        return replace(self, measures=measures, variants=variants)

    def of(self, rows: np.ndarray) -> FamilyInputs:
        """The same of some clips."""
        return replace(
            self,
            codes=self.codes[rows],
            factors=taken(self.factors, rows),
            test=self.test[rows],
            measured=self.measured[rows],
            groups=None if self.groups is None else self.groups[rows],
            beside={name: codes[rows] for name, codes in self.beside.items()},
        )


def family_of(measure: Measure) -> str:
    """Name of the family that a measure is in, or of the one that it is alone."""
    return measure.family or f"measure {measure.name}"


def measured(family: str, inputs: FamilyInputs) -> FamilyEstimates | str:
    """Measure a family; where that cannot be done, give the reason in a sentence."""
    try:
        return FAMILIES.get(family, _each)(_suited(inputs))
    except DataError as error:
        return f"{family}: {error}"


def _suited(inputs: FamilyInputs) -> FamilyInputs:
    """The same with the factors that the measures need, and without measures that have too few."""
    factors = inputs.factors
    if any(one.factors == "numeric" for one in inputs.measures):
        factors = {n: one for n, one in factors.items() if one.kind in ("ordinal", "continuous")}
        if not factors:
            raise DataError("there is no ordinal or continuous factor.")
    several = len(columns(factors, clips=len(inputs.codes))) > 1
    measures = tuple(one for one in inputs.measures if several or one.factors != "several")
    if not measures:
        labels = ", ".join(one.label for one in inputs.measures)
        raise DataError(f"there is but one factor, and at least two are needed for {labels}.")
    return replace(inputs, factors=factors, measures=measures)


def _each(inputs: FamilyInputs) -> FamilyEstimates:
    """Every measure by itself, as its function gives it."""

    def each(**given: Any) -> dict[str, Measured]:
        return {
            one.name: one.function(**given, **inputs.options(one.name)) for one in inputs.measures
        }

    return _halved(each, inputs, fitted=any(one.fitted for one in inputs.measures))


def _gaps(inputs: FamilyInputs) -> FamilyEstimates:
    """Everything that reads the matrix of information, which is made once for all."""
    nulls: list[m.InformationMatrix] = []
    of_dimensions = any(one.parts == "dimensions" for one in inputs.measures)

    def each(*, codes: np.ndarray, factors: m.Factors) -> dict[str, Measured]:
        matrix = None
        if any(not inputs.options(one.name) for one in inputs.measures):
            matrix = _matrix(codes, factors, nulls, needed=of_dimensions)  # counts active ones
        return {
            one.name: one.function(
                codes=codes, factors=factors, matrix=matrix, **inputs.options(one.name)
            )
            for one in inputs.measures
        }

    return _halved(each, inputs)


def _matrix(
    codes: np.ndarray, factors: m.Factors, nulls: list[m.InformationMatrix], *, needed: bool
) -> m.InformationMatrix:
    """The matrix, whose null is that of an earlier one of as many clips of these factors.

    A null depends on how often classes and bins occur alone, which parts of one size share.
    """
    found = m.information_matrix(codes=codes, factors=factors, permutations=0)
    if not needed:
        return found
    same_size = [
        one for one in nulls if one.names == found.names and abs(one.n - found.n) < 0.05 * one.n
    ]
    if same_size:
        return replace(found, null=same_size[0].null, spread=same_size[0].spread)
    found = m.information_matrix(codes=codes, factors=factors, permutations=NULLS)
    nulls.append(found)
    return found


def _dependence(inputs: FamilyInputs) -> FamilyEstimates:
    """Chance is of dimensions that are permuted apart, so that nothing is shared but by chance."""

    def each(*, codes: np.ndarray, factors: m.Factors) -> dict[str, Measured]:
        del factors
        return {
            one.name: one.function(codes=codes, **inputs.options(one.name))
            for one in inputs.measures
        }

    found, how = _halved(each, inputs)
    rng, codes = np.random.default_rng(inputs.seed), inputs.codes[inputs.measured]
    apart = [each(codes=rng.permuted(codes, axis=0), factors={}) for _ in range(PERMUTATIONS)]
    return {
        (name, part): replace(one, chance=_mean_of(apart, name, part))
        for (name, part), one in found.items()
    }, how


def _mean_of(found: list[dict[str, Measured]], name: str, part: str) -> float:
    """Mean of a measure or of a part of it."""
    return float(np.mean([one[name].each[part] if part else one[name].value for one in found]))


def _attributes(inputs: FamilyInputs) -> FamilyEstimates:
    """Along the dimension that predicts each numeric factor best, in recorded clips."""

    def each(*, codes: np.ndarray, factors: m.Factors) -> dict[str, Measured]:
        matrix = m.information_matrix(codes=codes, factors=factors, permutations=0)
        best = matrix.value.argmax(axis=0)
        curves = [
            m.recorded_traversal(codes=codes[:, [dim]], values=_values(factors[name]), steps=STEPS)
            for name, dim in zip(matrix.names, best)
        ]
        found = {}
        for measure in inputs.measures:
            one = measure.function(traversals=np.concatenate(curves))
            parts = dict(zip(matrix.names, one.each.values()))
            found[measure.name] = replace(one, each=parts, n=len(codes))
        return found

    return _halved(each, inputs)


def _dci(inputs: FamilyInputs) -> FamilyEstimates:
    """Held-out clips are drawn anew; chance is of codes that are permuted over clips."""
    options = inputs.options("dci_disentanglement")
    given: dict[str, Any] = {"factors": inputs.factors, "test": inputs.test, "seed": inputs.seed}
    given |= options
    found = m.dci(codes=inputs.codes, replicates=REPLICATES, groups=inputs.groups, **given)
    shuffled = np.random.default_rng(inputs.seed).permutation(inputs.codes)
    chance = m.dci(codes=shuffled, **given, limit=2_000)
    three = {one.name: one.name.removeprefix("dci_") for one in inputs.measures}
    return _drawn({n: (getattr(found, one), getattr(chance, one)) for n, one in three.items()})


def _explicitness(inputs: FamilyInputs) -> FamilyEstimates:
    given: dict[str, Any] = {"factors": inputs.factors, "test": inputs.test, "seed": inputs.seed}
    given |= inputs.options("explicitness")
    found = m.explicitness(codes=inputs.codes, replicates=REPLICATES, groups=inputs.groups, **given)
    shuffled = np.random.default_rng(inputs.seed).permutation(inputs.codes)
    return _drawn({"explicitness": (found, m.explicitness(codes=shuffled, **given, limit=2_000))})


def _shared(inputs: FamilyInputs) -> FamilyEstimates:
    """Scores from pairs of clips that share a factor."""
    return _paired(inputs, m.agreeing_pairs)


def _changed(inputs: FamilyInputs) -> FamilyEstimates:
    """The score from pairs that differ in one factor alone, which many collections do not have."""
    return _paired(inputs, m.changed_pairs)


def _paired(inputs: FamilyInputs, draw: Callable[..., m.Pairs]) -> FamilyEstimates:
    """Scores from pairs that are found among the clips; their chance is known."""
    part = inputs.of(np.flatnonzero(inputs.measured))
    one, two, factor = draw(
        factors=part.factors, clips=len(part.codes), pairs=PAIRS, seed=inputs.seed
    )
    results = {}
    for measure in inputs.measures:
        found = measure.function(
            first=part.codes[one],
            second=part.codes[two],
            factor=factor,
            replicates=REPLICATES,
            seed=inputs.seed,
            **inputs.options(measure.name),
        )
        usual = float(found.how["chance"])
        results[measure.name] = (
            found,
            Measured(usual, dict.fromkeys(map(str, found.each), usual), 0),
        )
    return _drawn(results, interval=BATCHES)


def _udr(inputs: FamilyInputs) -> FamilyEstimates:
    """Of this run with the others, each named; chance is of clips that are permuted."""
    if not inputs.beside:
        raise DataError("UDR needs another run of the same clips beside this one.")
    part = inputs.of(np.flatnonzero(inputs.measured))
    names = ["this", *part.beside]
    runs = np.concatenate([part.codes, *part.beside.values()], axis=1)
    ends = np.cumsum([part.codes.shape[1], *(c.shape[1] for c in part.beside.values())])[:-1]

    def udr(*, codes: np.ndarray, factors: m.Factors) -> dict[str, Measured]:
        del factors
        one = m.udr(runs=np.split(codes, ends, axis=1), **inputs.options("udr"))
        return {"udr": replace(one, each=dict(zip(names, one.each.values())))}

    found, how = _halved(udr, replace(part, codes=runs, measured=np.ones(len(runs), dtype=bool)))
    rng = np.random.default_rng(inputs.seed)
    shuffled = [rng.permutation(codes) for codes in np.split(runs, ends, axis=1)]
    chance = m.udr(runs=shuffled, **inputs.options("udr")).value
    return {key: replace(one, chance=chance) for key, one in found.items()}, how


FAMILIES: Mapping[str, Callable[[FamilyInputs], FamilyEstimates]] = {
    "dci": _dci,
    "explicitness": _explicitness,
    "gaps": _gaps,
    "separation": _each,
    "shared pairs": _shared,
    "changed pairs": _changed,
    "robustness": _each,
    "attributes": _attributes,
    "dependence": _dependence,
    "udr": _udr,
}


def _halved(measure: Several, inputs: FamilyInputs, *, fitted: bool = False) -> FamilyEstimates:
    """Measure on all clips and on parts of them; the parts are drawn by recording."""
    part = inputs if fitted else inputs.of(np.flatnonzero(inputs.measured))
    options = {"test": part.test} if fitted else {}
    kept: dict[str, Mapping[str, Any]] = {}

    def keeping(**given: Any) -> Mapping[str, Measured]:
        found = measure(**given)
        if not kept:  # the first call is of all clips
            kept.update({name: one.how for name, one in found.items()})
        return found

    found = estimates(
        keeping,
        codes=part.codes,
        factors=part.factors,
        groups=part.groups,
        replicates=SAMPLES,
        permutations=PERMUTATIONS if len(part.codes) < MANY else 2,
        most=MOST,
        seed=inputs.seed,
        **options,
    )
    return found, {name: dict(how) | {"interval": HALVES} for name, how in kept.items()}


def _drawn(
    with_draws: Mapping[str, tuple[Measured, Measured]], *, interval: str = HELD_OUT
) -> FamilyEstimates:
    """Estimates of measures that bring their draws, each beside the one that is chance."""
    found = {}
    for name, (one, chance) in with_draws.items():
        for part, value in {"": one.value, **one.each}.items():
            low, high = _quantiles(value, one.draws.get(part))
            by_chance = chance.each.get(part, np.nan) if part else chance.value
            found[name, part] = Estimate(value, low, high, by_chance, one.n)
    how = {name: dict(one.how) | {"interval": interval} for name, (one, _) in with_draws.items()}
    return found, how


def _quantiles(value: float, draws: np.ndarray | None) -> tuple[float, float]:
    known = np.array([]) if draws is None else draws[np.isfinite(draws)]
    if len(known) < 2:
        return np.nan, np.nan
    low, high = value + np.quantile(known - known.mean(), [0.025, 0.975])
    return float(low), float(high)


def _values(factor: Factor | np.ndarray) -> np.ndarray:
    return np.asarray(factor.values if isinstance(factor, Factor) else factor, dtype=float)
