"""Relations: what makes two clips views of each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from disentone.clips import ClipTable
from disentone.errors import DataError

__all__ = ["Relation"]


@dataclass(frozen=True)
class Relation:
    """Two clips are views of each other when they agree in one factor and differ in another.

    Parameters
    ----------
    same : str
        Factor in which views agree, or ``"recording"`` for clips cut from the same recording.
    differ : str, optional
        Factor in which every two views differ.
    """

    same: str
    differ: str | None = None

    def groups(self, table: ClipTable) -> np.ndarray:
        """Group of every clip: int (clips,); views share a group, -1 where it is unknown.

        Raises
        ------
        DataError
            If the factor does not exist, is not categorical, or has one class only.
        """
        if self.same == "recording":
            codes = np.unique(table.recordings.astype(str), return_inverse=True)[1]
        else:
            codes = _codes(table, self.same)
        present = np.unique(codes[codes >= 0])
        if len(present) < 2:
            found = f"only {len(present)} class" if len(present) else "no known value"
            raise DataError(
                f"Views with the same '{self.same}' need at least two classes of it, "
                f"but these {len(table)} clips have {found}."
            )
        return codes

    def variants(self, table: ClipTable) -> np.ndarray:
        """Code of the differing factor of every clip: int (clips,), -1 where it is unknown.

        Without a differing factor every clip is its own variant, so a view is another clip.
        """
        if self.differ is None:
            return np.arange(len(table))
        codes = _codes(table, self.differ)
        if len(np.unique(codes[codes >= 0])) < 2:
            raise DataError(f"Views cannot differ in '{self.differ}': it has one class only.")
        return codes

    def __str__(self) -> str:
        """Say the relation in words."""
        return f"same {self.same}" + (f", different {self.differ}" if self.differ else "")


def _codes(table: ClipTable, name: str) -> np.ndarray:
    factor = table.factor(name)
    if factor.kind == "multilabel":
        raise DataError(f"Factor '{name}' is multi-label; views need a factor with one value.")
    if factor.kind == "categorical":
        return factor.values
    codes = np.full(len(table), -1, dtype=np.int64)
    codes[factor.known] = np.unique(factor.values[factor.known], return_inverse=True)[1]
    return codes
