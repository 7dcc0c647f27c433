"""How measures are measured with interval and chance, family by family.

A family is a function from a study to numbers, so that measures share what they have in common.
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

__all__ = ["FAMILIES", "Found", "Study", "family_of", "measured"]

REPLICATES = 100  # of a bootstrap of what was fitted once
SAMPLES = 40  # parts of the clips on which everything is measured again
PERMUTATIONS = 5
MANY = 20_000  # clips of which two permutations give the mean as well as five of fewer
MOST = 5_000  # clips of such a part
PAIRS = 1600  # for each factor
NULLS = 20  # permutations that say which dimensions are informative
STEPS = 10  # of a recorded traversal

HALVES = "half-samples"
HELD_OUT = "bootstrap of held-out clips"
BATCHES = "bootstrap of held-out batches of pairs"

Key = tuple[str, str]  # measure, part; the part "" is the measure itself
Found = tuple[Mapping[Key, Estimate], Mapping[str, Mapping[str, Any]]]  # and how, by measure


@dataclass(frozen=True)
class Study:
    """What a family measures.

    Parameters
    ----------
    codes : ndarray, shape (clips, dims)
    factors : mapping of str to Factor
    test : ndarray of bool, shape (clips,)
        Clips held out from what is fitted.
    told : ndarray of bool, shape (clips,)
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
    told: np.ndarray
    groups: np.ndarray | None
    measures: tuple[Measure, ...]
    variants: Mapping[str, str]
    beside: Mapping[str, np.ndarray]
    seed: int

    def options(self, name: str) -> dict[str, Any]:
        """Arguments that choose the variant of a measure."""
        return {"variant": self.variants[name]} if name in self.variants else {}

    def choosing(self, measures: tuple[Measure, ...], variants: Mapping[str, str]) -> Study:
        """The same for other measures, or variants of them."""
        return replace(self, measures=measures, variants=variants)

    def of(self, rows: np.ndarray) -> Study:
        """The same of some clips."""
        return replace(
            self,
            codes=self.codes[rows],
            factors=taken(self.factors, rows),
            test=self.test[rows],
            told=self.told[rows],
            groups=None if self.groups is None else self.groups[rows],
            beside={name: codes[rows] for name, codes in self.beside.items()},
        )


def family_of(measure: Measure) -> str:
    """Name of the family that a measure is in, or of the one that it is alone."""
    return measure.family or f"measure {measure.name}"


def measured(family: str, study: Study) -> Found | str:
    """Measure a family; where that cannot be done, say why in a sentence."""
    try:
        return FAMILIES.get(family, _each)(_suited(study))
    except DataError as error:
        return f"{family}: {error}"


def _suited(study: Study) -> Study:
    """The same with the factors that the measures need, and without measures that have too few."""
    factors = study.factors
    if any(one.factors == "numeric" for one in study.measures):
        factors = {n: one for n, one in factors.items() if one.kind in ("ordinal", "continuous")}
        if not factors:
            raise DataError("there is no ordinal or continuous factor.")
    several = len(columns(factors, clips=len(study.codes))) > 1
    measures = tuple(one for one in study.measures if several or one.factors != "several")
    if not measures:
        labels = ", ".join(one.label for one in study.measures)
        raise DataError(f"there is but one factor, and at least two are needed for {labels}.")
    return replace(study, factors=factors, measures=measures)


def _each(study: Study) -> Found:
    """Every measure by itself, as its function gives it."""

    def each(**given: Any) -> dict[str, Measured]:
        return {
            one.name: one.function(**given, **study.options(one.name)) for one in study.measures
        }

    return _halved(each, study, fitted=any(one.fitted for one in study.measures))


def _gaps(study: Study) -> Found:
    """Everything that reads the matrix of information, which is made once for all."""
    nulls: list[m.InformationMatrix] = []
    of_dimensions = any(one.parts == "dimensions" for one in study.measures)

    def each(*, codes: np.ndarray, factors: m.Factors) -> dict[str, Measured]:
        matrix = None
        if any(not study.options(one.name) for one in study.measures):
            matrix = _matrix(codes, factors, nulls, needed=of_dimensions)  # counts active ones
        return {
            one.name: one.function(
                codes=codes, factors=factors, matrix=matrix, **study.options(one.name)
            )
            for one in study.measures
        }

    return _halved(each, study)


def _matrix(
    codes: np.ndarray, factors: m.Factors, nulls: list[m.InformationMatrix], *, needed: bool
) -> m.InformationMatrix:
    """The matrix, whose null is that of an earlier one of as many clips of these factors.

    A null depends on how often classes and bins occur alone, which parts of one size share.
    """
    found = m.information_matrix(codes=codes, factors=factors, permutations=0)
    if not needed:
        return found
    alike = [
        one for one in nulls if one.names == found.names and abs(one.n - found.n) < 0.05 * one.n
    ]
    if alike:
        return replace(found, null=alike[0].null, spread=alike[0].spread)
    found = m.information_matrix(codes=codes, factors=factors, permutations=NULLS)
    nulls.append(found)
    return found


def _dependence(study: Study) -> Found:
    """Chance is of dimensions that are permuted apart, so that nothing is shared but by chance."""

    def each(*, codes: np.ndarray, factors: m.Factors) -> dict[str, Measured]:
        del factors
        return {
            one.name: one.function(codes=codes, **study.options(one.name)) for one in study.measures
        }

    found, how = _halved(each, study)
    rng, codes = np.random.default_rng(study.seed), study.codes[study.told]
    apart = [each(codes=rng.permuted(codes, axis=0), factors={}) for _ in range(PERMUTATIONS)]
    return {
        (name, part): replace(one, chance=_mean_of(apart, name, part))
        for (name, part), one in found.items()
    }, how


def _mean_of(found: list[dict[str, Measured]], name: str, part: str) -> float:
    """Mean of a measure or of a part of it."""
    return float(np.mean([one[name].each[part] if part else one[name].value for one in found]))


def _attributes(study: Study) -> Found:
    """Along the dimension that predicts each numeric factor best, in recorded clips."""

    def each(*, codes: np.ndarray, factors: m.Factors) -> dict[str, Measured]:
        matrix = m.information_matrix(codes=codes, factors=factors, permutations=0)
        best = matrix.value.argmax(axis=0)
        curves = [
            m.recorded_traversal(codes=codes[:, [dim]], values=_values(factors[name]), steps=STEPS)
            for name, dim in zip(matrix.names, best)
        ]
        found = {}
        for measure in study.measures:
            one = measure.function(traversals=np.concatenate(curves))
            parts = dict(zip(matrix.names, one.each.values()))
            found[measure.name] = replace(one, each=parts, n=len(codes))
        return found

    return _halved(each, study)


def _dci(study: Study) -> Found:
    """Held-out clips are drawn anew; chance is of codes that are permuted over clips."""
    options = study.options("dci_disentanglement")
    given: dict[str, Any] = {"factors": study.factors, "test": study.test, "seed": study.seed}
    given |= options
    found = m.dci(codes=study.codes, replicates=REPLICATES, groups=study.groups, **given)
    shuffled = np.random.default_rng(study.seed).permutation(study.codes)
    chance = m.dci(codes=shuffled, **given, limit=2_000)
    three = {one.name: one.name.removeprefix("dci_") for one in study.measures}
    return _drawn({n: (getattr(found, one), getattr(chance, one)) for n, one in three.items()})


def _explicitness(study: Study) -> Found:
    given: dict[str, Any] = {"factors": study.factors, "test": study.test, "seed": study.seed}
    given |= study.options("explicitness")
    found = m.explicitness(codes=study.codes, replicates=REPLICATES, groups=study.groups, **given)
    shuffled = np.random.default_rng(study.seed).permutation(study.codes)
    return _drawn({"explicitness": (found, m.explicitness(codes=shuffled, **given, limit=2_000))})


def _shared(study: Study) -> Found:
    """Scores from pairs of clips that share a factor."""
    return _paired(study, m.agreeing_pairs)


def _changed(study: Study) -> Found:
    """The score from pairs that differ in one factor alone, which many collections do not have."""
    return _paired(study, m.changed_pairs)


def _paired(study: Study, draw: Callable[..., m.Pairs]) -> Found:
    """Scores from pairs that are found among the clips; their chance is known."""
    told = study.of(np.flatnonzero(study.told))
    one, two, factor = draw(
        factors=told.factors, clips=len(told.codes), pairs=PAIRS, seed=study.seed
    )
    results = {}
    for measure in study.measures:
        found = measure.function(
            first=told.codes[one],
            second=told.codes[two],
            factor=factor,
            replicates=REPLICATES,
            seed=study.seed,
            **study.options(measure.name),
        )
        usual = float(found.how["chance"])
        results[measure.name] = (
            found,
            Measured(usual, dict.fromkeys(map(str, found.each), usual), 0),
        )
    return _drawn(results, interval=BATCHES)


def _agreement(study: Study) -> Found:
    """Of this run with the others, each named; chance is of clips that are permuted."""
    if not study.beside:
        raise DataError("agreement needs another run of the same clips (--beside).")
    told = study.of(np.flatnonzero(study.told))
    names = ["this", *told.beside]
    runs = np.concatenate([told.codes, *told.beside.values()], axis=1)
    ends = np.cumsum([told.codes.shape[1], *(c.shape[1] for c in told.beside.values())])[:-1]

    def udr(*, codes: np.ndarray, factors: m.Factors) -> dict[str, Measured]:
        del factors
        one = m.udr(runs=np.split(codes, ends, axis=1), **study.options("udr"))
        return {"udr": replace(one, each=dict(zip(names, one.each.values())))}

    found, how = _halved(udr, replace(told, codes=runs, told=np.ones(len(runs), dtype=bool)))
    rng = np.random.default_rng(study.seed)
    shuffled = [rng.permutation(part) for part in np.split(runs, ends, axis=1)]
    chance = m.udr(runs=shuffled, **study.options("udr")).value
    return {key: replace(one, chance=chance) for key, one in found.items()}, how


FAMILIES: Mapping[str, Callable[[Study], Found]] = {
    "dci": _dci,
    "explicitness": _explicitness,
    "gaps": _gaps,
    "separation": _each,
    "shared pairs": _shared,
    "changed pairs": _changed,
    "robustness": _each,
    "attributes": _attributes,
    "dependence": _dependence,
    "agreement": _agreement,
}


def _halved(measure: Several, study: Study, *, fitted: bool = False) -> Found:
    """Measure on all clips and on parts of them; the parts are drawn by recording."""
    part = study if fitted else study.of(np.flatnonzero(study.told))
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
        seed=study.seed,
        **options,
    )
    return found, {name: dict(how) | {"interval": HALVES} for name, how in kept.items()}


def _drawn(told: Mapping[str, tuple[Measured, Measured]], *, interval: str = HELD_OUT) -> Found:
    """Estimates of measures that bring their draws, each beside the one that is chance."""
    found = {}
    for name, (one, chance) in told.items():
        for part, value in {"": one.value, **one.each}.items():
            low, high = _quantiles(value, one.draws.get(part))
            by_chance = chance.each.get(part, np.nan) if part else chance.value
            found[name, part] = Estimate(value, low, high, by_chance, one.n)
    how = {name: dict(one.how) | {"interval": interval} for name, (one, _) in told.items()}
    return found, how


def _quantiles(value: float, draws: np.ndarray | None) -> tuple[float, float]:
    known = np.array([]) if draws is None else draws[np.isfinite(draws)]
    if len(known) < 2:
        return np.nan, np.nan
    low, high = value + np.quantile(known - known.mean(), [0.025, 0.975])
    return float(low), float(high)


def _values(factor: Factor | np.ndarray) -> np.ndarray:
    return np.asarray(factor.values if isinstance(factor, Factor) else factor, dtype=float)
