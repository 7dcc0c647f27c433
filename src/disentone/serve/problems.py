"""The errors of a server that have a status of their own; the others are 400."""

from __future__ import annotations

from disentone.errors import AudioError, DisentoneError

__all__ = ["Busy", "Missing", "TooLarge"]


class Missing(DisentoneError):
    """An item, a file or an upload that is not there: 404."""


class TooLarge(AudioError):
    """An upload of too many bytes: 413."""


class Busy(DisentoneError):
    """More work than can be done soon: 503.

    Parameters
    ----------
    seconds : int
        After which to ask again.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(f"The server is busy: ask again in {seconds} s.")
        self.seconds = seconds
