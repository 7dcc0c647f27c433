"""Progress of long work, for whatever shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Progress", "Watcher"]


@dataclass(frozen=True)
class Progress:
    """What a progress display gets after every step and every epoch."""

    epoch: int
    epochs: int
    step: int
    steps: int
    logs: dict[str, float]


class Watcher:
    """Receives notes, stages and training steps, and shows nothing; the command line draws them."""

    def note(self, text: str) -> None:
        """Take one line for the user."""

    def stage(self, name: str) -> Callable[[int, int], None]:
        """Begin a stage, and give the function that takes (done, total) for it."""
        return lambda done, total: None

    def training(self, progress: Progress) -> None:
        """Take the state of training after a step."""
