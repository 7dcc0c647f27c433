"""A split to train or validate on: its clips' windows, its views, its labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from disentone.agreement import Sampler
from disentone.audio.windows import ClipWindows

__all__ = ["Split", "Views"]


class Views(NamedTuple):
    """Rows of an epoch: which clips are views of each other, and which window of each is taken.

    Parameters
    ----------
    clips : ndarray of int, shape (rows, columns), or more columns
        As the sampler gives them.
    windows : ndarray of int, shape (rows, columns)
        Rows of the features.
    """

    clips: np.ndarray
    windows: np.ndarray


@dataclass(frozen=True)
class Split:
    """Clips to train or validate on, and their views.

    ``features`` (windows, frames, features) are standardised on the fly with ``mean`` and ``std``.
    They stay where they are: of the map of a file that is larger than memory, no more than a
    batch is ever copied. ``windows`` has which of their rows are the windows of the clips that
    the sampler counts; by default every row is a clip.
    ``labels`` are the values of factors for those clips, where the objective needs some. ``seed``
    is for drawing windows.
    """

    features: Tensor | np.ndarray
    sampler: Sampler
    mean: Tensor
    std: Tensor
    windows: ClipWindows | None = None
    labels: Mapping[str, Tensor] = field(default_factory=dict)
    seed: int = 0

    def __len__(self) -> int:
        """Count the clips."""
        return len(self.features if self.windows is None else self.windows)

    def epoch(self, number: int) -> Views:
        """Give the views of one epoch, and one window of each (:meth:`ClipWindows.draw`).

        The same number and seed give the same. Windows have a generator of their own: clips are
        drawn as they are where each has one window.
        """
        views = self.sampler.epoch(number)
        clips = views[:, : self.sampler.columns]
        if self.windows is None:
            return Views(views, clips)
        return Views(views, self.windows.draw(clips, number, self.seed))

    def batch(self, windows: np.ndarray, device: torch.device) -> Tensor:
        """Windows (rows, columns) as standardised features (rows, columns, ...)."""
        x = torch.as_tensor(self.features[windows.reshape(-1)])
        x = x.to(device).float()  # a copy, ours to change
        return x.sub_(self.mean.to(device)).div_(self.std.to(device)).unflatten(0, windows.shape)

    def known(self, views: np.ndarray, device: torch.device) -> dict[str, Tensor]:
        """Labels of views (rows, columns), each (rows, columns) or (rows, columns, labels)."""
        index = torch.from_numpy(views[:, : self.sampler.columns])
        labels = {name: values[index] for name, values in self.labels.items()}
        labels |= {k: torch.from_numpy(v) for k, v in self.sampler.known(views).items()}
        return {name: values.to(device) for name, values in labels.items()}
