"""Families of measures on a card: which there are, and their records.

A family is a function from a study to records, so that measures share what they have in common.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from disentone.audit import measures as m
from disentone.audit.measures.inputs import columns
from disentone.audit.measures.measured import Measured
from disentone.audit.measures.resampling import Several, estimates, taken
from disentone.audit.scores import Estimate
from disentone.errors import DataError
from disentone.factors import Factor

__all__ = ["BY_DIMENSION", "FAMILIES", "HALVES", "HELD_OUT", "Found", "Study", "measured"]

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

# Parts of these are dimensions; parts of all others are factors.
BY_DIMENSION = ("mig_sup", "modularity", "irs", "dci_disentanglement", "total_correlation")

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
    names : frozenset of str
        Measures asked for.
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
    names: frozenset[str]
    variants: Mapping[str, str]
    beside: Mapping[str, np.ndarray]
    seed: int

    def options(self, name: str) -> dict[str, Any]:
        """Arguments that choose the variant of a measure."""
        return {"variant": self.variants[name]} if name in self.variants else {}

    def choosing(self, names: frozenset[str], variants: Mapping[str, str]) -> Study:
        """The same for other measures, or variants of them."""
        return replace(self, names=names, variants=variants)

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


def measured(family: str, study: Study) -> Found | str:
    """Measure a family; where that cannot be done, say why in a sentence."""
    try:
        return FAMILIES[family][1](study)
    except DataError as error:
        return f"{family}: {error}"


def _gaps(study: Study) -> Found:
    """Everything that reads the matrix of information, which is made once for all."""
    plain = {"mig": m.mig, "dcimig": m.dcimig, "jemmig": m.jemmig}
    plain |= {"dmig": m.dmig, "xmig": m.xmig, "dlig": m.dlig}
    above = {"mig_sup": m.mig_sup, "modularity": m.modularity}  # these count active dimensions
    nulls: list[m.InformationMatrix] = []
    several = len(columns(study.factors, clips=len(study.codes))) > 1
    names = [n for n in {**plain, **above} if n in study.names]
    names = [n for n in names if several or n not in ("modularity", "dlig")]
    if not names:
        raise DataError("modularity and DLIG need at least two factors.")

    def each(*, codes: np.ndarray, factors: m.Factors) -> dict[str, Measured]:
        matrix = None
        if any(not study.options(name) for name in names):
            matrix = _matrix(codes, factors, nulls, needed=bool(set(above) & set(names)))
        functions: dict[str, Callable[..., Measured]] = {**plain, **above}
        return {
            name: functions[name](
                codes=codes, factors=factors, matrix=matrix, **study.options(name)
            )
            for name in names
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


def _separation(study: Study) -> Found:
    def sap(**given: Any) -> dict[str, Measured]:
        return {"sap": m.sap(**given, **study.options("sap"))}

    return _halved(sap, study, fitted=True)


def _robustness(study: Study) -> Found:
    def irs(**given: Any) -> dict[str, Measured]:
        return {"irs": m.irs(**given, **study.options("irs"))}

    return _halved(irs, study)


def _dependence(study: Study) -> Found:
    """Chance is of dimensions that are permuted apart, so that nothing is shared but by chance."""

    def each(*, codes: np.ndarray, factors: m.Factors) -> dict[str, Measured]:
        del factors
        found = {
            "total_correlation": m.gaussian_total_correlation(codes=codes),
            "wasserstein": m.wasserstein_dependency(codes=codes, **study.options("wasserstein")),
        }
        return {name: one for name, one in found.items() if name in study.names}

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
    """Along the dimension that tells each numeric factor best, in recorded clips."""
    numeric = {
        name: factor
        for name, factor in study.factors.items()
        if factor.kind in ("ordinal", "continuous")
    }
    if not numeric:
        raise DataError("there is no ordinal or continuous factor.")
    functions = {"smoothness": m.smoothness, "monotonicity": m.monotonicity}

    def each(*, codes: np.ndarray, factors: m.Factors) -> dict[str, Measured]:
        matrix = m.information_matrix(codes=codes, factors=factors, permutations=0)
        best = matrix.value.argmax(axis=0)
        curves = [
            m.recorded_traversal(codes=codes[:, [dim]], values=_values(factors[name]), steps=STEPS)
            for name, dim in zip(matrix.names, best)
        ]
        found = {}
        for name in sorted(study.names & set(functions)):
            one = functions[name](traversals=np.concatenate(curves))
            parts = dict(zip(matrix.names, one.each.values()))
            found[name] = replace(one, each=parts, n=len(codes))
        return found

    return _halved(each, replace(study, factors=numeric))


def _dci(study: Study) -> Found:
    """Held-out clips are drawn anew; chance is of codes that are permuted over clips."""
    options = study.options("dci_disentanglement")
    given: dict[str, Any] = {"factors": study.factors, "test": study.test, "seed": study.seed}
    given |= options
    found = m.dci(codes=study.codes, replicates=REPLICATES, groups=study.groups, **given)
    shuffled = np.random.default_rng(study.seed).permutation(study.codes)
    chance = m.dci(codes=shuffled, **given, limit=2_000)
    three = ("disentanglement", "completeness", "informativeness")
    told = {
        f"dci_{name}": (getattr(found, name), getattr(chance, name))
        for name in three
        if f"dci_{name}" in study.names
    }
    return _drawn(told)


def _explicitness(study: Study) -> Found:
    given: dict[str, Any] = {"factors": study.factors, "test": study.test, "seed": study.seed}
    given |= study.options("explicitness")
    found = m.explicitness(codes=study.codes, replicates=REPLICATES, groups=study.groups, **given)
    shuffled = np.random.default_rng(study.seed).permutation(study.codes)
    return _drawn({"explicitness": (found, m.explicitness(codes=shuffled, **given, limit=2_000))})


def _shared(study: Study) -> Found:
    """Scores from pairs of clips that share a factor."""
    return _paired(
        study, {"z_diff": m.z_diff, "z_min_variance": m.z_min_variance}, m.agreeing_pairs
    )


def _changed(study: Study) -> Found:
    """The score from pairs that differ in one factor alone, which many collections do not have."""
    return _paired(study, {"z_max_variance": m.z_max_variance}, m.changed_pairs)


def _paired(
    study: Study, functions: Mapping[str, Callable[..., Measured]], draw: Callable[..., m.Pairs]
) -> Found:
    """Scores from pairs that are found among the clips; their chance is known."""
    told = study.of(np.flatnonzero(study.told))
    one, two, factor = draw(
        factors=told.factors, clips=len(told.codes), pairs=PAIRS, seed=study.seed
    )
    results = {}
    for name in sorted(study.names & set(functions)):
        found = functions[name](
            first=told.codes[one],
            second=told.codes[two],
            factor=factor,
            replicates=REPLICATES,
            seed=study.seed,
            **study.options(name),
        )
        usual = float(found.how["chance"])
        results[name] = (found, Measured(usual, dict.fromkeys(map(str, found.each), usual), 0))
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


# Each with the measures that it gives.
FAMILIES: Mapping[str, tuple[tuple[str, ...], Callable[[Study], Found]]] = {
    "dci": (("dci_disentanglement", "dci_completeness", "dci_informativeness"), _dci),
    "explicitness": (("explicitness",), _explicitness),
    "gaps": (
        ("mig", "mig_sup", "dcimig", "jemmig", "modularity", "dmig", "xmig", "dlig"),
        _gaps,
    ),
    "separation": (("sap",), _separation),
    "shared pairs": (("z_diff", "z_min_variance"), _shared),
    "changed pairs": (("z_max_variance",), _changed),
    "robustness": (("irs",), _robustness),
    "attributes": (("smoothness", "monotonicity"), _attributes),
    "dependence": (("total_correlation", "wasserstein"), _dependence),
    "agreement": (("udr",), _agreement),
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
