"""Outcomes: the result of every test clip, kept beside a card, so that cards can be paired."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from disentone.errors import ArtifactError
from disentone.files import write_bytes

__all__ = ["Outcomes"]

Key = tuple[str, str, str]  # facet, factor, metric
BETWEEN = "\t"


@dataclass(frozen=True)
class Outcomes:
    """Scores of the test clips, mean over seeds.

    Parameters
    ----------
    clips : ndarray of str, shape (clips,)
        Names of the test clips.
    groups : ndarray of int, shape (clips,)
        Recordings, as numbers.
    scores : mapping of (facet, factor, metric) to ndarray of float32, shape (clips,)
        In [0, 1]; NaN where the factor is unknown.
    """

    clips: np.ndarray
    groups: np.ndarray
    scores: Mapping[Key, np.ndarray]

    def save(self, path: str | Path) -> None:
        """Write a compressed ``.npz`` atomically."""
        target = io.BytesIO()
        arrays: dict[str, Any] = {
            BETWEEN.join(key): np.float32(x) for key, x in self.scores.items()
        }
        names = np.array([str(name) for name in self.clips])
        np.savez_compressed(target, clips=names, groups=np.int32(self.groups), **arrays)
        write_bytes(path, target.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> Outcomes:
        """Read what :meth:`save` wrote.

        Raises
        ------
        ArtifactError
            If the file is damaged.
        """
        try:
            with np.load(path) as stored:  # refuses pickles
                names = [name for name in stored.files if BETWEEN in name]
                found = {_key(name): stored[name].astype(float) for name in names}
                return cls(stored["clips"], stored["groups"], found)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ArtifactError(f"{path} is damaged: audit again, or delete it.") from error


def _key(name: str) -> Key:
    facet, factor, metric = name.split(BETWEEN)
    return facet, factor, metric
