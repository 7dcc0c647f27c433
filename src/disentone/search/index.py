"""The index: items on disk, and the searches among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from disentone.facets import Facets
from disentone.search.query import OpenQuery
from disentone.search.results import Results

__all__ = ["Index"]


class Index:
    """A collection on disk that can be searched by facets; made by :meth:`build` or :meth:`open`.

    The store is a LanceDB database: a folder, ``s3://...``, or a server of the same engine. Every
    change is one atomic commit. A search sees the collection as it was when the index was opened,
    last changed through this object, or refreshed. Searches may run in several threads.

    Attributes
    ----------
    facets : Facets
    model : str
        Identity of the model that made the vectors (:func:`disentone.embeddings.model_id`).
    about : dict
        What else was stored with the index.
    """

    facets: Facets
    model: str
    about: dict[str, Any]

    # --- making and changing ---------------------------------------------------------------------

    @classmethod
    def build(
        cls,
        path: str | Path,
        *,
        vectors: np.ndarray,
        facets: Facets,
        items: pa.Table,
        model: str,
        about: Mapping[str, Any] | None = None,
    ) -> Index:
        """Make an index of vectors and what is known about them.

        Parameters
        ----------
        path : path or URI
            A new folder, or anything that LanceDB opens.
        vectors : ndarray, shape (items, dim)
            Facets need not be normalised.
        facets : Facets
        items : pyarrow.Table
            ``id`` (unique text) and ``path``; ``recording`` (by default the path), ``start`` and
            ``end`` in seconds (by default unknown); every other column is a factor, a number or
            a text, null where unknown.
        model : str
            Identity of the model; a query from another one is refused.
        about : mapping, optional
            Anything worth keeping with the index; must be JSON.

        Raises
        ------
        ArtifactError
            If there is an index already, or it cannot be written.
        DataError
            If a vector is not finite or has a facet of zeros, an id occurs twice, a column is
            missing or has a reserved name, or the numbers of rows differ.
        """
        raise NotImplementedError

    @classmethod
    def open(cls, path: str | Path, *, memory: int | None = None, **options: Any) -> Index:
        """Open an index.

        Parameters
        ----------
        path : path or URI
        memory : int, optional
            Bytes that vectors may take; half of what is free by default. Where float32 vectors
            need more, 8-bit codes of them are searched and the best are compared exactly.
        **options
            For :func:`lancedb.connect`, such as ``storage_options`` or ``api_key``.

        Raises
        ------
        ArtifactError
            If there is no index, or it is of another version.
        """
        raise NotImplementedError

    def add(self, vectors: np.ndarray, items: pa.Table) -> None:
        """Add items; all of them or none.

        Raises
        ------
        DataError
            As :meth:`build`, or if an id exists already (then :meth:`update` is meant).
        """
        raise NotImplementedError

    def update(self, vectors: np.ndarray, items: pa.Table) -> None:
        """Replace items that have these ids; all of them or none.

        Raises
        ------
        DataError
            As :meth:`build`, or if an id is not there.
        """
        raise NotImplementedError

    def delete(self, ids: Sequence[str]) -> None:
        """Delete items; all of them or none.

        Raises
        ------
        DataError
            If an id is not there.
        """
        raise NotImplementedError

    def refresh(self) -> bool:
        """See what other processes have committed since; say whether anything had changed."""
        raise NotImplementedError

    # --- looking ---------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Count the items."""
        raise NotImplementedError

    @property
    def factors(self) -> dict[str, pa.DataType]:
        """The factors by name, each with its type: a number or text."""
        raise NotImplementedError

    def items(
        self,
        ids: Sequence[str] | None = None,
        *,
        where: str | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Give what is known about items, without their vectors.

        Parameters
        ----------
        ids : sequence of str, optional
            In this order; all items by default, in the order of ``OpenQuery.scores``.
        where : str, optional
            See :meth:`OpenQuery.rank`; not together with `ids`.
        columns : sequence of str, optional
            All by default.

        Raises
        ------
        DataError
            If an id or a column is unknown, or the filter is not understood.
        """
        raise NotImplementedError

    def vectors(self, ids: Sequence[str]) -> np.ndarray:
        """Vectors of items, float32 (ids, dim), facets of unit length.

        Raises
        ------
        DataError
            If an id is unknown.
        """
        raise NotImplementedError

    def map(self, facet: str) -> np.ndarray:
        """Places of all items on a map of one facet, where neighbours in that facet lie together.

        Made when it is first asked for, and stored; items that were added since are put among
        their neighbours.

        Parameters
        ----------
        facet : str

        Returns
        -------
        ndarray of float32, shape (items, 2)
            In [-1, 1], in the order of :meth:`items`.

        Raises
        ------
        DataError
            If there is no such facet.
        """
        raise NotImplementedError

    # --- searching -------------------------------------------------------------------------------

    def query(
        self,
        vector: np.ndarray | None = None,
        *,
        like: Sequence[str | np.ndarray] = (),
        away: Sequence[str | np.ndarray] = (),
        mix: Mapping[str, str | np.ndarray] | None = None,
        model: str | None = None,
    ) -> OpenQuery:
        """Open a query, to be weighted as often as one likes.

        An example is the id of an item or an embedding (dim,).

        Parameters
        ----------
        vector : ndarray, shape (dim,), optional
            The same as one example in `like`.
        like : sequence of str or ndarray
            Examples of what is wanted: their mean in each facet. Of several, the weights are
            inferred: see :meth:`infer_weights`.
        away : sequence of str or ndarray
            Examples to stay away from (Rocchio, "Relevance feedback in information retrieval",
            1971): half of their mean is taken off.
        mix : mapping of str to (str or ndarray), optional
            The example from which each facet is taken: ``{"timbre": "a.wav", "rhythm": "b.wav"}``.
            Facets that are not named have no say.
        model : str, optional
            Identity of the model that made the embeddings of the query.

        Raises
        ------
        ArtifactError
            If `model` is not the index's.
        DataError
            If there is no example, an id or facet is unknown, or an embedding is not finite, of
            another size, or zero in every facet.
        """
        raise NotImplementedError

    def search(
        self,
        query: str | np.ndarray | OpenQuery,
        *,
        weights: Mapping[str, float] | None = None,
        where: str | None = None,
        k: int = 10,
        diversity: float = 0.0,
        one_per_recording: bool = False,
        model: str | None = None,
    ) -> Results:
        """Find the items most like an item, an embedding, or an open query.

        The same as :meth:`query` and :meth:`OpenQuery.rank`, which have the parameters.
        """
        raise NotImplementedError

    def infer_weights(self, examples: Sequence[str | np.ndarray]) -> dict[str, float]:
        """Weights of the facets that examples share.

        A facet's weight is how much more alike the examples are than the items of the whole
        collection, ``(a - m) / (1 - m)``, with ``a`` and ``m`` the mean cosine of two examples
        and of two items, and nothing where ``a < m``. The largest weight is then 1.

        Parameters
        ----------
        examples : sequence of str or ndarray
            Ids or embeddings (dim,); of a single one, or of examples that share nothing, every
            weight is 1.

        Returns
        -------
        dict of str to float
            In [0, 1].
        """
        raise NotImplementedError

    def check_model(self, model: str) -> None:
        """Refuse a query from another model.

        Raises
        ------
        ArtifactError
            If the identity is not that of the index's model.
        """
        raise NotImplementedError
