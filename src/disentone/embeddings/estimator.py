"""A trained model as a transformer of scikit-learn: sounds in, facets out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from disentone.embeddings.model import Model, load

__all__ = ["FacetEmbedder"]


class FacetEmbedder(TransformerMixin, BaseEstimator):
    """Embed sounds in a pipeline of scikit-learn.

    The model is trained already: fitting loads it and learns nothing from the sounds, so
    cross-validation of what comes after it is fair wherever the model was not trained on them.

    Parameters
    ----------
    model : path or Model
        A run folder, or what :func:`load` gave. A path is lighter to copy and to send to other
        processes.
    facet : str, optional
        The facet to give; all of them by default.
    sample_rate : int, optional
        Of waveforms, in Hz; files know their own.

    Attributes
    ----------
    model_ : Model

    Examples
    --------
    >>> embedder = FacetEmbedder("runs/demo", facet="shared")               # doctest: +SKIP
    >>> pipeline = make_pipeline(embedder, LogisticRegression())            # doctest: +SKIP
    >>> cross_val_score(pipeline, paths, instruments)                       # doctest: +SKIP
    """

    def __init__(
        self, model: str | Path | Model, *, facet: str | None = None, sample_rate: int | None = None
    ) -> None:
        self.model = model
        self.facet = facet
        self.sample_rate = sample_rate

    def fit(self, X: Any, y: Any = None) -> FacetEmbedder:
        """Load the model.

        Parameters
        ----------
        X : list or array of paths, or array (clips, samples)
            Looked at, and not embedded.
        y : ignored

        Returns
        -------
        FacetEmbedder
            Itself.

        Raises
        ------
        ArtifactError
            If there is no model, or it is damaged.
        DataError
            If it has no such facet.
        """
        self._sounds(X, reset=True)
        model = self.model if isinstance(self.model, Model) else load(self.model)
        model.facets.columns(*self._named())  # refuses a facet that there is not
        self.model_ = model
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Embed.

        Parameters
        ----------
        X : list or array of paths, or array (clips, samples)
            Waveforms need ``sample_rate``.

        Returns
        -------
        ndarray of float32, shape (clips, size of the facet), or (clips, dim)

        Raises
        ------
        AudioError, DataError
            As :meth:`Model.embed`.
        """
        check_is_fitted(self)
        sounds = self._sounds(X, reset=False)
        embedding = self.model_.embed(sounds, sample_rate=self.sample_rate)
        return self.model_.facets.take(embedding.values, *self._named())

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the columns: ``timbre_0``, ``timbre_1`` and so on.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of object, shape (columns,)
        """
        check_is_fitted(self)
        return np.array(self.model_.facets.columns(*self._named()), dtype=object)

    def _named(self) -> tuple[str, ...]:
        return () if self.facet is None else (self.facet,)

    def _sounds(self, X: Any, *, reset: bool) -> list[Any] | np.ndarray:
        """Give paths as they are, and the rows of waveforms (clips, samples) as a list."""
        paths = X if isinstance(X, np.ndarray) else np.asarray(X, dtype=object)
        if paths.size and isinstance(paths.flat[0], str | Path):
            return paths
        return list(validate_data(self, X, reset=reset))  # type: ignore[arg-type]  # its default is text

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []  # float32 comes out, whatever goes in
        return tags
