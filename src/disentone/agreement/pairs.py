"""Which clips of a table agree: the values of one factor, or a whole relation, bound to clips."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from disentone.agreement.criterion import ROUNDING, Also, Criterion, Rule, criterion
from disentone.agreement.relation import CLIP, RECORDING, Relation
from disentone.clips import ClipTable
from disentone.errors import DataError
from disentone.factors import Factor

__all__ = ["BoundRelation", "PairTest", "pair_test"]

_OCTAVES = 10  # of tempo, up and down


@dataclass(frozen=True, eq=False)
class PairTest:
    """Test of pairs of clips for agreeing in one factor; usually made by :func:`pair_test`.

    Parameters
    ----------
    values : ndarray, shape (clips,), or (clips, labels)
        As the criterion compares them.
    criterion : Criterion
    """

    values: np.ndarray
    criterion: Criterion

    @cached_property
    def known(self) -> np.ndarray:
        """Whether the factor is known, bool (clips,)."""
        return np.asarray(self.criterion.known(self.values))

    def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Whether clips agree: indices of shapes that broadcast to bool; False where unknown."""
        return self.criterion.agree(self.values[first], self.values[second])

    def both_known(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Whether the factor is known of both clips of every pair."""
        return self.known[first] & self.known[second]

    def intervals(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Centres (clips,) and half-widths (clips,) of intervals that hold all that may agree.

        Of numbers that agree up to a tolerance. Tempi have one for each octave; the tolerance
        counts at the faster tempo.
        """
        reach = self.criterion.within + 3 * ROUNDING * np.abs(self.values)
        if self.criterion.how != "tempo":
            return [(self.values, reach)]
        values = np.where(self.known, self.values, np.nan)
        octaves = 2.0 ** np.arange(-_OCTAVES, _OCTAVES + 1)
        found = [(values * times, reach * min(1.0, times)) for times in octaves]
        return [(centre, width + 1e-5 * centre) for centre, width in found]


def pair_test(
    factor: Factor,
    *,
    rule: Rule = "same",
    within: float | None = None,
    also: Also = "parallel",
) -> PairTest:
    """Bind a factor's :func:`~disentone.agreement.criterion.criterion` to its clips."""
    by = criterion(factor, rule=rule, within=within, also=also)
    return PairTest(by.comparable(factor.values), by)


class BoundRelation:
    """A relation among the clips of one table.

    Parameters
    ----------
    relation : Relation
    table : ClipTable

    Raises
    ------
    DataError
        If a factor does not exist, or a rule or tolerance suits none.
    """

    def __init__(self, relation: Relation, table: ClipTable) -> None:
        if relation.rule != "same" and relation.sames[0] in (RECORDING, CLIP):
            raise DataError(f"The rule '{relation.rule}' needs its factor first, not '{relation}'.")
        self._relation, self._clips = relation, len(table)
        self._groups: dict[str, np.ndarray] = {}  # of recordings and copies
        self._tests: dict[str, PairTest] = {}  # of factors
        for name in relation.sames:
            if name in (RECORDING, CLIP):
                values = table.recordings if name == RECORDING else table.origins
                self._groups[name] = _codes(values.astype(str))
            else:
                self._tests[name] = self._test(table.factor(name))
        if relation.within is not None and not any(map(_is_of_numbers, self._tests.values())):
            raise DataError(
                f"'within' is for ordinal and continuous factors: not for '{relation}'."
            )
        self._differ = {name: _codes_or_test(table, name) for name in relation.differs}

    def _test(self, factor: Factor) -> PairTest:
        relation = self._relation
        numbers = factor.kind in ("ordinal", "continuous")
        within = relation.within if numbers else None
        rule = relation.rule_of(factor.name)
        return pair_test(factor, rule=rule, within=within, also=relation.also)

    def agree(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Whether clips agree in all of `same`: indices of shapes that broadcast, to bool."""
        found = [test(first, second) for test in self._tests.values()]
        found += [codes[first] == codes[second] for codes in self._groups.values()]
        return np.logical_and.reduce(found)

    def differ(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Whether clips differ in all of `differ`."""
        found = _all_true(first, second)
        for by in self._differ.values():
            if isinstance(by, PairTest):
                found &= by.both_known(first, second) & ~by(first, second)
            else:
                found &= by[first] != by[second]
        return found

    def comparable(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Whether all of `same` is known of both clips, so that they can be found to disagree."""
        found = _all_true(first, second)
        for test in self._tests.values():
            found &= test.both_known(first, second)
        return found

    def codes(self) -> np.ndarray:
        """Group of every clip by all that must be equal: int (clips,), -1 if unknown."""
        equal = {n: t for n, t in self._tests.items() if t.criterion.how in ("equal", "key")}
        parts = self._groups | {name: _exact(test) for name, test in equal.items()}
        codes = np.zeros(self._clips, dtype=np.int64)
        for more in (parts[name] for name in self._relation.sames if name in parts):
            known = (codes >= 0) & (more >= 0)
            pairs = np.stack([codes, more])[:, known]
            codes = np.full(self._clips, -1, dtype=np.int64)
            codes[known] = np.unique(pairs, axis=1, return_inverse=True)[1].ravel()
        return codes

    def near(self) -> list[PairTest]:
        """Tests of the factors agreed in up to a tolerance."""
        return [t for t in self._tests.values() if t.criterion.how in ("near", "tempo")]

    def labels(self) -> list[np.ndarray]:
        """Which labels each clip has, bool (clips, classes), for the multi-label factors."""
        tests = [test for test in self._tests.values() if test.criterion.how == "labels"]
        return [(test.values == 1) & test.known[:, None] for test in tests]

    def order(self) -> np.ndarray:
        """Numbers (clips,) by which clips that agree are sorted together; NaN where unknown."""
        tests = sorted(self._tests.values(), key=lambda t: t.criterion.how in ("near", "tempo"))
        orders = [codes.astype(float) for codes in self._groups.values()]
        orders += [test.criterion.order(test.values) for test in tests]
        if len(orders) == 1:
            return orders[0]
        known = ~np.isnan(orders).any(axis=0)
        ranks = [_codes(order[known]) for order in orders]
        found = np.full(self._clips, np.nan)
        place = np.zeros(int(known.sum()))
        for rank in ranks:
            place = place * (rank.max(initial=0) + 1) + rank
        found[known] = place
        return found

    def check(self) -> None:
        """Refuse a relation by which all clips are views of each other, or none are.

        Raises
        ------
        DataError
            If there is one class only of what views agree or differ in.
        """
        groups = self._groups | {name: _exact(test) for name, test in self._tests.items()}
        for name, codes in groups.items():
            present = len(np.unique(codes[codes >= 0]))
            if name in self._tests and self._tests[name].criterion.how == "labels":
                present = self._tests[name].values.shape[1]
            if present < 2:
                raise DataError(_one_class(name, present, self._clips))
        for name, by in self._differ.items():
            if isinstance(by, PairTest):
                if by.criterion.how != "labels" and _exact(by).max(initial=-1) < 1:
                    raise DataError(f"Views cannot differ in '{name}': it has one class only.")
            elif by.max(initial=0) == 0 and len(by):
                raise DataError(
                    "Views cannot differ in their recording: all clips are of the same one."
                )


def _all_true(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.ones(np.broadcast_shapes(np.shape(first), np.shape(second)), dtype=bool)


def _is_of_numbers(test: PairTest) -> bool:
    return test.criterion.is_number and test.criterion.how != "labels"


def _codes(values: np.ndarray) -> np.ndarray:
    return np.unique(values, return_inverse=True)[1]


def _exact(test: PairTest) -> np.ndarray:
    """Code of every clip's value by what counts as equal, -1 where it is unknown."""
    if test.criterion.how == "labels":
        return np.full(len(test.values), -1)
    order = test.values.astype(float)
    if test.criterion.how == "key":
        order = test.criterion.order(test.values)
    codes = np.full(len(order), -1, dtype=np.int64)
    codes[test.known] = _codes(order[test.known])
    return codes


def _codes_or_test(table: ClipTable, name: str) -> np.ndarray | PairTest:
    """Code of each clip's recording, or the test of a factor."""
    if name == RECORDING:
        return _codes(table.recordings.astype(str))
    return pair_test(table.factor(name))


def _one_class(name: str, present: int, clips: int) -> str:
    found = f"only {present} class" if present else "no known value"
    return (
        f"Views with the same '{name}' need at least two classes of it, "
        f"but these {clips} clips have {found}."
    )
