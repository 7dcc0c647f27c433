"""Factors that are estimated from the audio of clips, once, and kept."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from disentone.datasets.file_sounds import FileSounds
from disentone.errors import AudioError, DataError
from disentone.factors import Factor
from disentone.files import append_line

__all__ = ["CACHE", "estimated_factor", "is_estimate"]

CACHE = Path(".cache") / "disentone" / "estimates.jsonl"
"""Estimates of files, below the working folder, as front-ends keep their features."""

SECONDS = 120.0  # of a clip that are analysed
_BATCH = 64  # clips that are written together
_VERSION = 1  # of the estimators: what others have estimated is not used
_RULE = re.compile(
    r"estimate(?:\s+(?P<what>[a-z]+))??(?:\s+by\s+(?P<by>[a-z]+))?(?:\s*>=?\s*(?P<least>0?\.\d+|0|1(?:\.0+)?))?"
)


class _Rule(NamedTuple):
    what: str
    by: str
    least: float


def is_estimate(rule: str) -> bool:
    """Whether a rule of a derived factor asks for an estimate."""
    return rule.split()[:1] == ["estimate"] or rule.strip().startswith("estimate>")


def estimated_factor(
    name: str, rule: str, sounds: FileSounds, *, cache: Path | None = None
) -> tuple[Factor, str]:
    """Estimate a factor of every clip from its first two minutes.

    Parameters
    ----------
    name : str
        Of the factor.
    rule : str
        ``"estimate"`` for a factor that is called ``tempo`` or ``key``, else ``"estimate tempo"``;
        ``"estimate by librosa"`` for another of :data:`disentone.datasets.estimators.ESTIMATORS`;
        ``"estimate >= 0.1"`` leaves unknown what is estimated with less confidence.
    sounds : FileSounds
        Clips that cannot be read are unknown.
    cache : Path, optional
        Where estimates are kept, line by line; :data:`CACHE` by default. A file that changes is
        estimated anew.

    Returns
    -------
    factor : Factor
        Tempo in beats per minute, continuous, equal within 5; key, categorical.
    note : str
        How many values are known, for the user.

    Raises
    ------
    DataError
        If the rule cannot be read, or no clip has a value.
    """
    asked = _parse(name, rule)
    found = _estimates(asked, sounds, cache or CACHE)
    known = [value is not None and sure >= asked.least for value, sure in found]
    values: list[Any] = [value if ok else None for (value, _), ok in zip(found, known)]
    if not any(known):
        raise DataError(f"Factor '{name}': the {asked.what} of no clip can be estimated.")
    if asked.what == "tempo":
        factor = Factor.continuous(name, values, tolerance=5.0, unit="bpm")
    else:
        factor = Factor.categorical(name, values)
    confidence = float(np.median([sure for (_, sure), ok in zip(found, known) if ok]))
    note = (
        f"{name} is estimated for {sum(known)} of {len(known)} clips "
        f"(median confidence {confidence:.2f}); the others are unknown."
    )
    return factor, note


def _parse(name: str, rule: str) -> _Rule:
    from disentone.datasets.estimators import ESTIMATORS  # torch is slow to import

    match = _RULE.fullmatch(rule.strip())
    what = (match and match["what"]) or name
    by = (match and match["by"]) or next(iter(ESTIMATORS.get(what, {})), "")
    if match is None or what not in ESTIMATORS or by not in ESTIMATORS[what]:
        ways = ", ".join(f"{one} by {way}" for one, ways in ESTIMATORS.items() for way in ways)
        raise DataError(
            f"Factor '{name}' cannot be made of '{rule}': write estimate WHAT, WHAT by HOW, or "
            f"estimate >= CONFIDENCE, from 0 to 1; there are: {ways}."
        )
    return _Rule(what, by, float(match["least"] or 0))


def _estimates(
    asked: _Rule, sounds: FileSounds, cache: Path
) -> list[tuple[float | str | None, float]]:
    """Value and confidence of every clip: those that are kept, and the others anew."""
    names = [_name(asked, sounds, index) for index in range(len(sounds))]
    kept = dict(_read(cache))
    todo = list(dict.fromkeys(name for name in names if name is not None and name not in kept))
    clip = {name: index for index, name in enumerate(names)}
    short = replace(sounds, limit=SECONDS)

    def estimated(name: str) -> tuple[float | str | None, float]:
        from disentone.datasets.estimators import SAMPLE_RATE, estimate

        try:
            wave = short.read(clip[name], SAMPLE_RATE)
        except AudioError:
            return None, 0.0
        if not np.isfinite(wave).all():
            return None, 0.0
        found = estimate(wave, sample_rate=SAMPLE_RATE, what=asked.what, by=asked.by)
        return found.value, found.confidence

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(todo), _BATCH):
            some = todo[start : start + _BATCH]
            fresh = dict(zip(some, pool.map(estimated, some)))
            cache.parent.mkdir(parents=True, exist_ok=True)
            append_line(cache, "\n".join(json.dumps([n, *found]) for n, found in fresh.items()))
            kept |= fresh
    return [(None, 0.0) if name is None else kept[name] for name in names]


def _name(asked: _Rule, sounds: FileSounds, index: int) -> str | None:
    """What an estimate is kept under; none for a file that is not there."""
    try:
        return f"{asked.what} {asked.by} {_VERSION} {sounds.stamp(index)}"
    except AudioError:
        return None


def _read(cache: Path) -> Iterator[tuple[str, tuple[float | str | None, float]]]:
    """Estimates that are kept; a line that a killed process left unfinished is passed over."""
    if not cache.is_file():
        return
    with cache.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                name, value, confidence = json.loads(line)
            except (ValueError, TypeError):
                continue
            yield str(name), (value, float(confidence))
