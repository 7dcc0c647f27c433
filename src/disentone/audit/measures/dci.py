"""DCI: disentanglement, completeness and informativeness from the importance of dimensions.

A predictor of each factor is fitted on some clips; everything is measured on others.

References
----------
C. Eastwood, C. K. I. Williams, "A framework for the quantitative evaluation of disentangled
representations", 2018.
L. Breiman, "Random forests", 2001 (importance by permutation).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from disentone.audit.measures.inputs import (
    Column,
    Factors,
    chosen,
    columns,
    held_out,
    known_rows,
    table,
    z_scored,
)
from disentone.audit.measures.measured import Measure, Measured
from disentone.audit.redrawing import redrawn

__all__ = ["DCI", "completeness_of", "dci", "disentanglement_of"]

PREDICTORS = ("forest", "linear")
REPEATS = 5  # permutations of a dimension
ENOUGH = 2000  # held-out clips for which one permutation is as good, and more are not needed
NUMBERS = 2**20  # of permuted codes that are predicted from at once: 8 MiB
ERRORS = 3  # standard errors above 0 that an importance needs to count


@dataclass(frozen=True)
class DCI:
    """The three measures and the matrix that two of them are made of.

    Parameters
    ----------
    disentanglement : Measured
        ``each``: by dimension.
    completeness, informativeness : Measured
        ``each``: by factor.
    importance : ndarray, shape (dims, factors)
        What the predictor loses without the dimension; 0 where that is within chance.
    """

    disentanglement: Measured
    completeness: Measured
    informativeness: Measured
    importance: np.ndarray


def dci(
    *,
    codes: np.ndarray,
    factors: Factors,
    test: np.ndarray | None = None,
    predictor: str = "forest",
    variant: str = "corrected",
    limit: int | None = 5_000,
    replicates: int = 0,
    groups: np.ndarray | None = None,
    jobs: int = 1,
    seed: int = 0,
) -> DCI:
    """Disentanglement, completeness and informativeness of a code.

    With R (dims, factors) the importance of a dimension to the prediction of a factor:

    - disentanglement = sum_i w_i (1 - H(R_i. / sum R_i.) / log factors), w_i = sum R_i. / sum R;
    - completeness = sum_k w_k (1 - H(R_.k / sum R_.k) / log dims), w_k = sum R_.k / sum R;
    - informativeness = mean over factors of the held-out score above chance: R^2 of an ordinal or
      continuous factor, (accuracy - a) / (1 - a) of a categorical one, where a is the share of
      the training clips' most frequent class among the held-out ones.

    All in [0, 1] (a score below chance counts as 0), no unit. A perfect code scores 1, 1, 1, and
    dead or noise dimensions change nothing. A factor encoded equally in d of D dimensions costs
    completeness log d / log D and no disentanglement; two factors mixed equally in every dimension
    cost disentanglement log 2 / log factors. A code of noise has no importance: 0, 0, 0. With one
    factor (dimension) alone, disentanglement (completeness) is 1 wherever there is importance.
    Multi-label factors count label by label; nothing is binned.

    Parameters
    ----------
    codes : ndarray, shape (clips, dims)
    factors : mapping of str to Factor or ndarray
    test : ndarray of bool, shape (clips,), optional
        The held-out clips; a random third where it is not given.
    predictor : {"forest", "linear"}
        50 trees, or ridge and logistic regression, on z-scored dimensions.
    variant : {"corrected", "impurity"}
        "corrected": the importance of a dimension is the rise of the held-out loss, in units of the
        best constant answer's, when its values are permuted over clips (5 times; once where
        there are 2,000), set to 0 where it is not three standard errors above 0. "impurity": the
        forest's own importances, from the clips it was fitted on, as in most public code: they
        credit noise dimensions too.
    limit : int, optional
        At most so many clips to fit on, and as many but no more than 2,000 to measure on, drawn
        by the seed; all where it is None.
    replicates : int
        Bootstrap samples of the held-out clips, for ``draws``; of "corrected" only.
    groups : ndarray, shape (clips,), optional
        The recording of every clip: held-out clips of one are drawn together.
    jobs : int
        Processes, each for a factor at a time; -1 for all cores.
    seed : int

    Returns
    -------
    DCI
    """
    chosen(predictor, PREDICTORS)
    chosen(variant, ("corrected", "impurity") if predictor == "forest" else ("corrected",))
    codes = table(codes)
    found = columns(factors, clips=len(codes))
    train, rest = held_out(clips=len(codes), test=test, limit=limit, seed=seed)
    if limit and len(rest) > ENOUGH:
        rest = np.sort(np.random.default_rng(seed).choice(rest, ENOUGH, replace=False))
    codes = z_scored(codes, fit=codes[train])
    per_factor = _each(found, jobs, codes, train, rest, predictor, variant, seed)
    how = {"variant": variant, "predictor": predictor, "train": len(train), "test": len(rest)}
    names, n = [column.name for column in found], len(rest)
    ones = np.ones((1, n))
    found_dci = _summary(per_factor, rest, ones, variant, names, how)[0]
    if not replicates or variant != "corrected":
        return found_dci
    kept = None if groups is None else np.asarray(groups)[rest]
    weights = redrawn(n, groups=kept, replicates=replicates, seed=seed)
    return _with_draws(found_dci, _summary(per_factor, rest, weights, variant, names, how))


def disentanglement_of(importance: np.ndarray, *, n: int, how: dict[str, Any]) -> Measured:
    """Disentanglement of a matrix of importances (dims, factors): 1 - entropy of every row."""
    parts = _concentration(importance)
    each = {str(index): part for index, part in enumerate(parts.tolist())}
    return Measured(_weighted(parts, importance.sum(axis=1)), each, n, how)


def completeness_of(
    importance: np.ndarray, *, names: list[str], n: int, how: dict[str, Any]
) -> Measured:
    """Completeness of a matrix of importances (dims, factors): 1 - entropy of every column."""
    parts = _concentration(importance.T)
    each = dict(zip(names, parts.tolist()))
    return Measured(_weighted(parts, importance.sum(axis=0)), each, n, how)


def _concentration(importance: np.ndarray) -> np.ndarray:
    """1 - entropy of every row in units of the log of its length; 0 for a row of zeros."""
    total = importance.sum(axis=1)
    shares = importance / np.where(total > 0, total, 1.0)[:, None]
    logs = np.log(np.where(shares > 0, shares, 1.0))
    entropies = -(shares * logs).sum(axis=1) / np.log(max(2, importance.shape[1]))
    return np.where(total > 0, 1 - entropies, 0.0)


def _weighted(parts: np.ndarray, weights: np.ndarray) -> float:
    return float(parts @ weights / weights.sum()) if weights.sum() > 0 else 0.0


@dataclass(frozen=True)
class _FactorLosses:
    """One factor: the clips measured, their losses, and how much every dimension matters.

    ``rises`` is the rise of every clip's loss when a dimension is permuted, (clips, dims); for
    "impurity" the forest's own importances, (1, dims).
    """

    rows: np.ndarray
    losses: np.ndarray
    rises: np.ndarray


def _each(found: list[Column], jobs: int, *arguments: Any) -> list[_FactorLosses]:
    """One factor after the other, or several at once."""
    if jobs == 1:
        return [_factor_losses(column, *arguments) for column in found]
    from joblib import Parallel, delayed

    per_factor: Any = Parallel(n_jobs=jobs)(
        delayed(_factor_losses)(column, *arguments) for column in found
    )
    return list(per_factor)


def _summary(
    per_factor: list[_FactorLosses],
    rest: np.ndarray,
    weights: np.ndarray,
    variant: str,
    names: list[str],
    how: dict[str, Any],
) -> list[DCI]:
    """The measures, for every row of weights of the held-out clips (rows, clips)."""
    importance, informed = [], []
    for one in per_factor:
        mine = weights[:, np.searchsorted(rest, one.rows)]
        share = mine / np.maximum(mine.sum(axis=1, keepdims=True), 1.0)
        informed.append(np.maximum(0.0, 1 - share @ one.losses))
        if variant == "impurity":
            importance.append(np.repeat(one.rises, len(weights), axis=0))
            continue
        mean = share @ one.rises
        spread = np.sqrt(np.maximum(share @ one.rises**2 - mean**2, 0.0))
        importance.append(np.where(mean > ERRORS * spread / len(one.rows) ** 0.5, mean, 0.0))
    n = len(rest)
    summaries = []
    for row in range(len(weights)):
        matrix = np.array([values[row] for values in importance]).T
        scores = {name: float(values[row]) for name, values in zip(names, informed)}
        summaries.append(
            DCI(
                disentanglement_of(matrix, n=n, how=how),
                completeness_of(matrix, names=names, n=n, how=how),
                Measured(float(np.mean(list(scores.values()))), scores, n, how),
                matrix,
            )
        )
    return summaries


def _with_draws(found: DCI, drawn: list[DCI]) -> DCI:
    """The measures with what they are for clips drawn anew."""

    def one(name: str) -> Measured:
        again: list[Measured] = [getattr(dci, name) for dci in drawn]
        mine: Measured = getattr(found, name)
        draws = {part: np.array([a.each[part] for a in again]) for part in mine.each}
        return replace(mine, draws=draws | {"": np.array([a.value for a in again])})

    three = ("disentanglement", "completeness", "informativeness")
    return replace(found, **{name: one(name) for name in three})


def _factor_losses(
    column: Column,
    codes: np.ndarray,
    train: np.ndarray,
    rest: np.ndarray,
    predictor: str,
    variant: str,
    seed: int,
) -> _FactorLosses:
    """Losses of the held-out clips, and what the loss gains by every dimension."""
    train, rest = known_rows(column, train=train, rest=rest)
    model = _model(column, predictor, seed).fit(codes[train], column.values[train])
    loss = _losses(column, train, rest)
    losses = loss(model.predict(codes[rest]))
    if variant == "impurity":
        return _FactorLosses(rest, losses, model.feature_importances_[None])
    rng = np.random.default_rng(seed)
    return _FactorLosses(rest, losses, _rises(model, codes[rest], losses, loss, rng))


def _model(column: Column, predictor: str, seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    from sklearn.linear_model import LogisticRegression, Ridge

    if predictor == "linear":
        return Ridge() if column.numeric else LogisticRegression(max_iter=1000)
    forest = RandomForestRegressor if column.numeric else RandomForestClassifier
    options: dict[str, Any] = {"max_features": "sqrt", "min_samples_leaf": 2}
    return forest(50, random_state=seed % 2**32, **options)


def _losses(
    column: Column, train: np.ndarray, rest: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """Loss of every held-out clip (*, clips), in units of the best constant answer's mean loss."""
    values = column.values[rest]
    if column.numeric:
        constant = ((values - column.values[train].mean()) ** 2).mean()
        return lambda predicted: (predicted - values) ** 2 / constant
    classes, counts = np.unique(column.values[train], return_counts=True)
    constant = (values != classes[counts.argmax()]).mean()
    return lambda predicted: (predicted != values) / max(constant, 1 / len(values))


def _rises(
    model: Any,
    codes: np.ndarray,
    losses: np.ndarray,
    loss: Callable[[np.ndarray], np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:
    """Rise of every clip's loss when a dimension is permuted, (clips, dims).

    A forest is asked once for many permutations: each question costs as much as hundreds of rows.
    """
    rises = np.zeros(codes.T.shape)
    repeats = REPEATS if len(codes) < ENOUGH else 1
    moving = np.flatnonzero((codes != codes[0]).any(axis=0))
    many = max(1, NUMBERS // (repeats * codes.size))
    for dims in (moving[start : start + many] for start in range(0, len(moving), many)):
        moved = np.tile(codes, (len(dims), repeats, 1, 1))
        for dim, copies in zip(dims, moved):
            for one in copies:
                one[:, dim] = rng.permutation(codes[:, dim])
        predicted = model.predict(moved.reshape(-1, codes.shape[1])).reshape(moved.shape[:3])
        rises[dims] = ((loss(predicted) - losses) / repeats).sum(axis=1)
    return rises.T


MEASURES = (
    Measure(
        "dci_disentanglement",
        "DCI disentanglement",
        "is each dimension for one factor?",
        dci,
        group="modularity",
        family="dci",
        fitted=True,
        parts="dimensions",
        variants={
            "impurity": "Most public code takes the forest's own importances, from the clips that "
            "it was fitted on, which credit noise dimensions too; here importance is what "
            "held-out clips lose without the dimension."
        },
    ),
    Measure(
        "dci_completeness",
        "DCI completeness",
        "is each factor in few dimensions?",
        dci,
        family="dci",
        fitted=True,
    ),
    Measure(
        "dci_informativeness",
        "DCI informativeness",
        "is every factor predicted at all?",
        dci,
        group="explicitness",
        family="dci",
        fitted=True,
    ),
)
