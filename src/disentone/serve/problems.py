"""The errors of a server that have a status of their own; the others are 400."""

from __future__ import annotations

from disentone.errors import AudioError, DisentoneError

__all__ = ["Missing", "TooLarge"]


class Missing(DisentoneError):
    """An item, a file or an upload that is not there: 404."""


class TooLarge(AudioError):
    """An upload of too many bytes: 413."""
