"""Facets: the named, ordered partition of an embedding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from disentone.errors import DataError, closest

__all__ = ["Facets"]


class Facets(Mapping[str, int]):
    """A named, ordered partition of the columns of an embedding.

    Behaves as a read-only mapping from facet name to size. Works on NumPy arrays and
    torch tensors: the last axis is always the embedding's.

    Parameters
    ----------
    sizes : mapping of str to int
        Facet names in order, each with its number of dimensions (at least 1).

    Raises
    ------
    DataError
        If there is no facet, a name is empty or a size is not a positive integer.

    Examples
    --------
    >>> facets = Facets({"private": 8, "shared": 8})
    >>> facets.dim, facets.slice("shared")
    (16, slice(8, 16, None))
    >>> Facets.parse("timbre=0:4,pitch=4:12")
    Facets(timbre=4, pitch=8)
    """

    def __init__(self, sizes: Mapping[str, int]) -> None:
        if not sizes:
            raise DataError("An embedding needs at least one facet, such as {'shared': 8}.")
        for name, size in sizes.items():
            if not isinstance(name, str) or not name or any(c in name for c in "=,:+ "):
                raise DataError(
                    f"Facet name {name!r} must be a word without spaces or any of '= , : +'."
                )
            if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
                raise DataError(f"Facet '{name}' needs a positive whole size, not {size!r}.")
        self._sizes = {name: int(size) for name, size in sizes.items()}

    @classmethod
    def parse(cls, text: str) -> Facets:
        """Read ``"a=0:8,b=8:16"`` (column ranges) or ``"a=8,b=8"`` (sizes).

        Ranges must tile the embedding in order, without gap or overlap.

        Raises
        ------
        DataError
            If the text has another form or the ranges leave a gap.
        """
        sizes: dict[str, int] = {}
        start = 0
        for part in text.split(","):
            name, equals, extent = part.strip().partition("=")
            first, colon, last = extent.partition(":")
            try:
                low, high = (int(first), int(last)) if colon else (start, start + int(first))
            except ValueError:
                equals = ""
                low = high = 0
            if not equals or name in sizes:
                raise DataError(
                    f"Facets {text!r} must look like 'a=0:8,b=8:16' or 'a=8,b=8', each name once."
                )
            if low != start or high <= low:
                raise DataError(
                    f"Facet '{name}' covers columns {low}:{high}, but facets must tile the "
                    f"embedding in order and the next column is {start}."
                )
            sizes[name] = high - low
            start = high
        return cls(sizes)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Facets:
        """Rebuild facets from what :meth:`to_json` gave."""
        return cls(data)

    def to_json(self) -> dict[str, int]:
        """Give a plain ``{name: size}`` dictionary, in order."""
        return dict(self._sizes)

    @property
    def names(self) -> tuple[str, ...]:
        """Facet names, in order."""
        return tuple(self._sizes)

    def describe(self) -> str:
        """Give one line for people: ``"timbre 8 | pitch 8"``."""
        return " | ".join(f"{name} {size}" for name, size in self._sizes.items())

    @property
    def dim(self) -> int:
        """Number of columns of the whole embedding."""
        return sum(self._sizes.values())

    def columns(self, *names: str) -> list[str]:
        """Name the columns of :meth:`take`: ``["timbre_0", "timbre_1", ...]``.

        Raises
        ------
        DataError
            If there is no such facet.
        """
        for name in names:
            self.slice(name)  # refuses one that there is not
        return [f"{name}_{place}" for name in names or self for place in range(self[name])]

    def slice(self, name: str) -> slice:
        """Give the columns of one facet.

        Raises
        ------
        DataError
            If there is no such facet.
        """
        start = 0
        for other, size in self._sizes.items():
            if other == name:
                return slice(start, start + size)
            start += size
        raise DataError(f"There is no facet '{name}'{closest(name, self.names)}")

    def take(self, embedding: Any, *names: str) -> Any:
        """Columns of the named facets, in the order asked; all of them if none is named.

        Parameters
        ----------
        embedding : array or tensor, shape (..., dim)
        *names : str

        Returns
        -------
        array or tensor, shape (..., sum of the sizes)
        """
        self._check(embedding)
        if not names:
            return embedding
        parts = [embedding[..., self.slice(name)] for name in names]
        return parts[0] if len(parts) == 1 else _concatenate(parts)

    def split(self, embedding: Any) -> dict[str, Any]:
        """Views of an embedding (..., dim) by facet name; nothing is copied."""
        self._check(embedding)
        return {name: embedding[..., self.slice(name)] for name in self.names}

    def join(self, parts: Mapping[str, Any]) -> Any:
        """Concatenate parts (..., size) in facet order; the inverse of :meth:`split`.

        Raises
        ------
        DataError
            If a facet is missing, unknown, or of another size.
        """
        if set(parts) != set(self._sizes):
            wrong = sorted(set(parts) ^ set(self._sizes))
            raise DataError(f"Facets {', '.join(wrong)} are missing or unknown in this embedding.")
        for name, size in self._sizes.items():
            if parts[name].shape[-1] != size:
                raise DataError(f"Facet '{name}' has {parts[name].shape[-1]} columns, not {size}.")
        return _concatenate([parts[name] for name in self.names])

    def mask(self, *names: str) -> np.ndarray:
        """Boolean column mask, shape (dim,), true on the named facets."""
        mask = np.zeros(self.dim, dtype=bool)
        for name in names:
            mask[self.slice(name)] = True
        return mask

    def _check(self, embedding: Any) -> None:
        if embedding.shape[-1] != self.dim:
            raise DataError(
                f"The embedding has {embedding.shape[-1]} columns, "
                f"but the facets {self} need {self.dim}."
            )

    def __getitem__(self, name: str) -> int:
        """Size of a facet."""
        return self._sizes[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over names."""
        return iter(self._sizes)

    def __len__(self) -> int:
        """Count the facets."""
        return len(self._sizes)

    def __hash__(self) -> int:
        """Hash by names, order and sizes."""
        return hash(tuple(self._sizes.items()))

    def __eq__(self, other: object) -> bool:
        """Equal when names, order and sizes are."""
        if not isinstance(other, Facets):
            return NotImplemented
        return tuple(self._sizes.items()) == tuple(other._sizes.items())

    def __repr__(self) -> str:
        """Show names and sizes."""
        return f"Facets({', '.join(f'{name}={size}' for name, size in self._sizes.items())})"


def _concatenate(parts: list[Any]) -> Any:
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts, axis=-1)
    import torch  # only for tensors: arrays never pay for importing it

    return torch.cat(parts, dim=-1)
