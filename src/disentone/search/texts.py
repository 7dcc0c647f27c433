"""Texts: items found by the words of their names, folders and factors, as one types."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["Texts", "words_of"]

_WORD = re.compile(r"[^\W_]+")
_PARTS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[^\W\d_])(?=\d)")  # of BassDrum and kick01
_LETTERS = str.maketrans(  # those that Unicode does not take apart
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"}
)


def words_of(text: str) -> list[str]:
    """Words of a text, without case and accents: ``["cafe", "01"]`` of ``"Café_01"``."""
    if text.isascii():
        return _WORD.findall(text.lower())
    apart = unicodedata.normalize("NFKD", text.casefold()).translate(_LETTERS)
    return _WORD.findall("".join(char for char in apart if not unicodedata.combining(char)))


class Texts:
    """The words of some items, to be searched for their beginnings.

    LanceDB's own full-text index gives the best matches of a prefix only, and not all of them; a
    scan gives all.

    Parameters
    ----------
    texts : iterable of (iterable of str)
        Of each item: its name, its values, whatever it is to be found by.
    """

    def __init__(self, texts: Iterable[Iterable[str]]) -> None:
        self._texts = pa.array(map(_searched, texts), pa.large_string())

    def matching(self, text: str) -> np.ndarray:
        """Items that have a word that begins with each of those of a text: bool (items,).

        A text without a word passes all.
        """
        found = np.ones(len(self._texts), dtype=bool)
        for word in words_of(text):
            begins = pc.call_function(
                "match_substring", [self._texts], pc.MatchSubstringOptions(f" {word}")
            )
            found &= begins.to_numpy(zero_copy_only=False)
        return found


def _searched(texts: Iterable[str]) -> str:
    """All words, a space before each; of what is written together its parts, too."""
    text = "\n".join(texts)
    parts = _PARTS.sub(" ", text)
    words = words_of(text) if parts == text else words_of(f"{text}\n{parts}")
    return " " + " ".join(words)
