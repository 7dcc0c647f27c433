"""Embeddings of some clips in memory, with facets reached by name."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from disentone.audio import Skipped
from disentone.errors import ArtifactError
from disentone.facets import Facets

if TYPE_CHECKING:
    import pandas

__all__ = ["Embedding"]


@dataclass(frozen=True)
class Embedding:
    """Embeddings of clips: a mapping from a facet's name to its array (clips, size).

    ``embedding["timbre"]``, ``"timbre" in embedding``, ``keys``, ``items``, iteration and
    ``dict(embedding)`` are those of a mapping. It stands for one array as well: ``values`` is that
    array, ``len`` counts clips, and NumPy, torch and scikit-learn take it as (clips, dim).

    Parameters
    ----------
    values : ndarray of float32, shape (clips, dim)
    facets : Facets
    ids : tuple of str
        Path of every clip; of arrays their number.
    skipped : tuple of Skipped
        Clips that have no row, each with its ``path`` (or number) and the ``reason``.
    """

    values: np.ndarray
    facets: Facets
    ids: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()

    def __getitem__(self, facet: str) -> np.ndarray:
        """Columns of one facet, shape (clips, size)."""
        return self.facets.take(self.values, facet)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the facets' names."""
        return iter(self.facets)

    def __contains__(self, facet: object) -> bool:
        """Whether there is a facet of this name."""
        return facet in self.facets

    def keys(self) -> KeysView[str]:
        """Names of the facets, in order."""
        return self.facets.keys()

    def items(self) -> ItemsView[str, np.ndarray]:
        """Name and array (clips, size) of every facet, in order."""
        return self.facets.split(self.values).items()

    def __len__(self) -> int:
        """Count the clips."""
        return len(self.values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Give all columns, shape (clips, dim)."""
        return np.array(self.values, dtype=dtype, copy=True if copy is None else copy)

    def __repr__(self) -> str:
        """Show how many clips there are, and which facets."""
        clips = f"{len(self)} clip" + "s" * (len(self) != 1)
        left_out = f", {len(self.skipped)} skipped" if self.skipped else ""
        return f"Embedding({clips}{left_out}, facets: {self.facets.describe()})"

    def to_pandas(self) -> pandas.DataFrame:
        """Give a table: a row a clip, by its id; a column a dimension, ``timbre_0`` and so on.

        Raises
        ------
        ArtifactError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ArtifactError("A DataFrame needs pandas: pip install pandas.") from error
        index = pd.Index(self.ids, name="id", dtype=object)
        return pd.DataFrame(self.values, index=index, columns=self.facets.columns())
