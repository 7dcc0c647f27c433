"""The few exceptions that users meet; each message is one sentence that says what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["ArtifactError", "AudioError", "DataError", "DisentoneError", "RecipeError", "closest"]


class DisentoneError(Exception):
    """Anything a user can mend; the command line prints it and exits with 2."""


class AudioError(DisentoneError):
    """A file that is missing, empty, truncated, silent or not audio."""


class DataError(DisentoneError):
    """A clip table, factor, split or view relation that cannot be used."""


class RecipeError(DisentoneError):
    """A recipe or option that does not exist or does not fit."""


class ArtifactError(DisentoneError):
    """A run or model on disk that is missing, damaged or of another model."""


def closest(word: str, known: Iterable[str]) -> str:
    """Say which known names are near a mistyped one, as the end of an error sentence.

    Parameters
    ----------
    word : str
        What the user wrote.
    known : iterable of str
        What exists.

    Returns
    -------
    str
        ``"; did you mean 'timbre'?"`` or ``"; there are: a, b, c"``.
    """
    names = [str(name) for name in known]
    near = difflib.get_close_matches(word, names, n=1)
    if near:
        return f"; did you mean '{near[0]}'?"
    return "; there are: " + ", ".join(names) if names else "; there are none"
