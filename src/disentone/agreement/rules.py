"""Rules of music for what is the same: tempi up to an octave, keys of one tonic, spelling of keys.

The rules are those of Ribecky, Abeßer and Lukashevich, "Multi-Input Architecture and Disentangled
Representation Learning for Multi-Dimensional Modeling of Music Similarity" (2021), Section 3.3
(CSN). They use nothing but operators, so they take arrays and tensors.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from disentone.errors import DataError

__all__ = [
    "KEYS",
    "TONICS",
    "are_keys",
    "key_codes",
    "key_groups",
    "normalise_key",
    "same_key",
    "same_tempo",
]

TONICS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
"""The 12 pitch classes, each with one spelling."""

KEYS = tuple(f"{tonic} {mode}" for tonic in TONICS for mode in ("major", "minor"))
"""The 24 keys, each with its one spelling; the code of a key is its place here."""

OCTAVES = 10
"""Tempi are never farther apart than this: 1 and 1024 beats per minute."""

UNKNOWN = frozenset({"", "-", "?", "n", "o", "x", "nan", "none", "null", "silence", "unknown"})

LETTERS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11, "h": 11}
SYLLABLES = {"do": 0, "ut": 0, "re": 2, "ré": 2, "mi": 4, "fa": 5, "sol": 7, "la": 9}
SYLLABLES |= {"si": 11, "ti": 11}
SHARP = ("#", "sharp", "is", "iss", "dièse", "diese", "diesis", "sostenido")
FLAT = ("b", "flat", "es", "ess", "s", "ss", "bémol", "bemol", "bemolle")
MAJOR = ("major", "maj", "dur", "majeur", "maggiore", "mayor", "M")
MINOR = ("minor", "min", "moll", "mineur", "minore", "menor", "m")

_MODE = re.compile(
    rf"(?P<tonic>.+?)[\s:_-]*"
    rf"(?:(?P<word>(?i:{'|'.join(w for w in MAJOR + MINOR if len(w) > 1)}))\.?|(?P<letter>[Mm]))"
)
_LETTER = re.compile(
    r"(?P<note>[a-h])(?:(?P<signs>#+|b+)|(?P<suffix>iss?|ess?|ss?)|[\s-]?(?P<word>sharp|flat))?"
)
_SYLLABLE = re.compile(
    rf"(?P<note>{'|'.join(SYLLABLES)})"
    r"(?:[\s-]?(?P<word>#|b|sharp|flat|dièse|diese|diesis|sostenido|bemolle|bémol|bemol))?"
)
_WHEEL = re.compile(r"(?P<hour>[1-9]|1[0-2])(?P<side>[ABdm])")


def same_tempo(first: Any, second: Any, *, within: float = 5.0) -> Any:
    """Whether two tempi are near each other, or some octaves of tempo apart.

    The slower tempo is doubled 0, 1, 2 ... times and compared with the faster one, so the
    tolerance counts at the faster tempo (the stricter reading) and the order does not matter:
    60 goes with 125, as 120 is within 5 of it, and not with 126.

    Parameters
    ----------
    first, second : ndarray or Tensor
        In beats per minute, of shapes that broadcast. NaN, 0 and less are unknown.
    within : float
        Tolerance in beats per minute; a difference of just that is within it.

    Returns
    -------
    ndarray or Tensor of bool
        False where a tempo is unknown.
    """
    reach = within + 1e-6 * (first + second)  # labels may be rounded to single precision
    same = (first == second) & False
    for octave in range(OCTAVES + 1):
        times = 2.0**octave
        same = same | ((first <= second) & (abs(first * times - second) <= reach))
        same = same | ((second <= first) & (abs(second * times - first) <= reach))
    return same & (first > 0) & (second > 0)


def same_key(
    first: Any, second: Any, *, also: Literal["parallel", "relative", "none"] = "parallel"
) -> Any:
    """Whether two keys are the same, or parallel (of one tonic: C major and C minor).

    Parameters
    ----------
    first, second : ndarray or Tensor of int
        Codes of :func:`key_codes`, of shapes that broadcast; -1 is unknown.
    also : {"parallel", "relative", "none"}
        Keys that count as the same: of the same tonic, or of the same notes (C major and A minor,
        which German calls *Paralleltonarten*), or no other.

    Returns
    -------
    ndarray or Tensor of bool
        False where a key is unknown.
    """
    same = key_groups(first, also=also) == key_groups(second, also=also)
    return same & (first >= 0) & (second >= 0)


def key_groups(codes: Any, *, also: Literal["parallel", "relative", "none"] = "parallel") -> Any:
    """Group of every known key by the rule of :func:`same_key`: the same where keys are the same.

    Parameters
    ----------
    codes : ndarray or Tensor of int
        Codes of :func:`key_codes`.
    also : {"parallel", "relative", "none"}
    """
    if also == "parallel":
        return codes // 2
    if also == "relative":  # tonics of the relative majors
        return (codes // 2 + 3 * (codes % 2)) % 12
    return codes


def are_keys(names: Sequence[str]) -> bool:
    """Whether all names are keys, in any spelling, or names of an unknown key."""
    try:
        key_codes(names)
    except DataError:
        return False
    return True


def key_codes(names: Sequence[str]) -> np.ndarray:
    """Place in ``KEYS`` of every key, in any spelling: int (names,), -1 where it is unknown.

    Raises
    ------
    DataError
        If a name is no key.
    """
    place = {key: index for index, key in enumerate(KEYS)} | {"": -1}
    return np.array([place[normalise_key(name)] for name in names], dtype=np.int64)


def normalise_key(name: str) -> str:
    """One spelling of a key, such as ``"Db minor"`` for ``"C# min"``, ``"cis-moll"`` and ``"12A"``.

    English ('C# min', 'Db:minor', 'B-flat major', 'Ebm', 'F'), German ('c-moll', 'Ces-Dur'; there
    ``H`` is B and ``B`` is B flat), the syllables of French, Italian and Spanish ('ré mineur',
    'si bemolle maggiore') and the two wheels of disc jockeys ('8A', '1m') are understood.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
        One of ``KEYS``; empty for names of no key ('', 'N', 'X', 'none', 'unknown').

    Raises
    ------
    DataError
        If the name is no key, or neither major nor minor is given.
    """
    text = " ".join(str(name).replace("♯", "#").replace("♭", "b").split())
    if text.lower() in UNKNOWN:
        return ""
    wheel = _WHEEL.fullmatch(text)
    if wheel:
        return _on_a_wheel(int(wheel["hour"]), wheel["side"])
    mode = _MODE.fullmatch(text)
    if mode:
        word = (mode["word"] or "").lower() or mode["letter"]
        tonic = _tonic(mode["tonic"].lower(), german=word in ("dur", "moll"))
        minor = word in MINOR
    else:  # a capital alone is major; a small letter may be either
        tonic, minor = _tonic(text.lower(), german=False), False
        if tonic is not None and text[0].islower():
            raise DataError(
                f"Key '{name}' is neither major nor minor: write '{text} major' or '{text} minor'."
            )
    if tonic is None:
        raise DataError(
            f"'{name}' is not a major or minor key: write it as 'C# minor' or 'Db:maj'."
        )
    return KEYS[2 * (tonic % 12) + minor]


def _tonic(text: str, *, german: bool) -> int | None:
    """Semitones above C, not yet within an octave; none for what is no note."""
    if german and text == "b":
        return 10
    found = _SYLLABLE.fullmatch(text)
    if found:
        return SYLLABLES[found["note"]] + _shift(found["word"])
    found = _LETTER.fullmatch(text)
    if not found or (found["suffix"] in ("s", "ss") and found["note"] not in "ae"):
        return None
    if found["signs"]:
        return LETTERS[found["note"]] + _shift(found["signs"][0]) * len(found["signs"])
    return LETTERS[found["note"]] + _shift(found["suffix"] or found["word"])


def _shift(accidental: str | None) -> int:
    return (accidental in SHARP) - (accidental in FLAT)


def _on_a_wheel(hour: int, side: str) -> str:
    """Key of an hour: 8B and 1d are C major, 8A and 1m its relative minor; an hour is a fifth."""
    fifths = hour - (8 if side in "AB" else 1)
    minor = side in "Am"
    return KEYS[2 * ((7 * fifths + 9 * minor) % 12) + minor]
