"""A linear probe whose regularisation is chosen by folds, for factors with few clips a class."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from disentone.errors import DataError

__all__ = ["STRENGTHS", "Tuned", "tuned_probe"]

STRENGTHS = tuple(10.0**power for power in range(-4, 3))
"""Inverse strengths of regularisation (C of scikit-learn) that are tried."""
FOLDS = 5


class Tuned(NamedTuple):
    """What a tuned probe predicts, and the regularisation that was chosen for it."""

    predicted: np.ndarray
    strength: float


def tuned_probe(
    *,
    embedding: np.ndarray,
    labels: np.ndarray,
    fitted: np.ndarray,
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> Tuned:
    """Predict classes by logistic regression on z-scored dimensions.

    Its regularisation is the one of :data:`STRENGTHS` that is right most often over five folds of
    the fitted clips (fewer where a class has fewer recordings); with it the regression is fitted to
    all of these. The other clips take no part in either.

    Parameters
    ----------
    embedding : ndarray, shape (clips, dims)
    labels : ndarray of int, shape (clips,)
        Classes; those of clips that are not fitted are not looked at.
    fitted : ndarray of bool, shape (clips,)
    groups : ndarray, shape (clips,), optional
        The recording of every clip: no two folds share one.
    seed : int
        Of the folds.

    Returns
    -------
    Tuned
        Classes (clips that are not fitted,) in their order, and the chosen C.

    Raises
    ------
    DataError
        If the fitted clips have one class only, or one of their classes has a single recording.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known = labels[fitted]
    of = np.arange(len(labels)) if groups is None else np.asarray(groups)
    recordings = [len(np.unique(of[fitted][known == label])) for label in np.unique(known)]
    if len(recordings) < 2 or min(recordings) < 2:
        raise DataError("A tuned probe needs two classes, and two recordings of each, to fit on.")
    folds = StratifiedGroupKFold(min(FOLDS, *recordings), shuffle=True, random_state=seed)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        {"logisticregression__C": STRENGTHS},
        cv=folds,
    )
    search.fit(embedding[fitted], known, groups=of[fitted])
    return Tuned(search.predict(embedding[~fitted]), search.best_params_["logisticregression__C"])
