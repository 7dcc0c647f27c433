"""Augmentation: copies of clips after a transform, as views for facets without labels.

Copies are drawn once and are clips like any other: their features are computed once and kept, so
training costs no more than without them and a resumed run repeats itself exactly. All transforms
but the equaliser are audiomentations' (I. Jordal and others,
https://github.com/iver56/audiomentations, MIT).
"""

from __future__ import annotations

import math
import random
import re
import threading
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from disentone.agreement.equaliser import Equaliser
from disentone.clips import ClipTable, Sounds
from disentone.errors import AudioError, DataError, RecipeError, closest

__all__ = ["TRANSFORMS", "Transform", "parse_transform", "with_copies"]

_lock = threading.Lock()  # the transforms draw from the interpreter's own random state


@dataclass(frozen=True)
class _Kind:
    """A transform: its class, what its arguments are, and their defaults."""

    made_by: str | type  # a class of audiomentations by its name, or ours
    arguments: tuple[str, ...]
    defaults: tuple[float, ...]
    path: str | None = None  # argument that is a file or folder, written first


TRANSFORMS = {
    "pitch_shift": _Kind("PitchShift", ("min_semitones", "max_semitones"), (-4, 4)),
    "time_stretch": _Kind("TimeStretch", ("min_rate", "max_rate"), (0.8, 1.25)),
    "gain": _Kind("Gain", ("min_gain_db", "max_gain_db"), (-12, 12)),
    "equaliser": _Kind(Equaliser, ("min_gain_db", "max_gain_db"), (-12, 12)),
    "reverb": _Kind("ApplyImpulseResponse", (), (), path="ir_path"),
    "noise": _Kind("AddGaussianSNR", ("min_snr_db", "max_snr_db"), (5, 40)),
    "background": _Kind(
        "AddBackgroundNoise", ("min_snr_db", "max_snr_db"), (3, 30), path="sounds_path"
    ),
    "band_pass": _Kind("BandPassFilter", ("min_center_freq", "max_center_freq"), (200, 4000)),
}
"""Transforms by name: semitones, rates, dB, an impulse response or a folder of them, SNR in dB of
white noise, a folder of noises with SNR in dB, and centre frequencies in Hz."""


@dataclass(frozen=True)
class Transform:
    """One transform with its range, such as ``pitch_shift(-4, 4)``.

    Parameters
    ----------
    name : str
        One of :data:`TRANSFORMS`.
    path : str, optional
        For ``reverb`` and ``background``: a file or folder of audio.
    low, high : float, optional
        Range of the attribute that it changes, from which each copy draws.
    """

    name: str
    path: str | None = None
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        """As it is written in a recipe."""
        parts = [self.path, *(f"{v:g}" for v in (self.low, self.high) if v is not None)]
        return f"{self.name}({', '.join(part for part in parts if part is not None)})"

    def build(self) -> Any:
        """Give the transform as the library calls it, always applied.

        Raises
        ------
        DataError
            If audiomentations is not installed, or a file of impulse responses is missing.
        RecipeError
            If the range does not suit the transform.
        """
        try:
            import audiomentations
        except ImportError as error:
            raise DataError(
                "Augmented views need audiomentations: pip install 'disentone[augment]'."
            ) from error
        kind = TRANSFORMS[self.name]
        options: dict[str, Any] = dict(zip(kind.arguments, (self.low, self.high)))
        if kind.path is not None:
            if not Path(str(self.path)).exists():
                raise DataError(f"'{self.path}' of {self} does not exist: give a file or folder.")
            options[kind.path] = self.path
        try:
            made_by = kind.made_by
            make = getattr(audiomentations, made_by) if isinstance(made_by, str) else made_by
            return make(p=1.0, **options)
        except (ValueError, AssertionError) as error:
            raise RecipeError(f"Transform {self} is not possible: {error}") from error


def parse_transform(text: str) -> Transform:
    """Read a transform as it is written: ``gain``, ``pitch_shift(-2, 2)``, ``reverb(rooms/)``.

    Raises
    ------
    RecipeError
        If the transform is unknown or its arguments do not fit.
    """
    match = re.fullmatch(r"\s*(\w+)\s*(?:\((.*)\))?\s*", text)
    name = match[1] if match else text
    if not match or name not in TRANSFORMS:
        raise RecipeError(f"There is no transform '{name}'{closest(name, TRANSFORMS)}")
    kind = TRANSFORMS[name]
    words = [word.strip() for word in (match[2] or "").split(",") if word.strip()]
    path = words.pop(0) if kind.path is not None and words else None
    try:
        numbers = [float(word) for word in words] or list(kind.defaults)
    except ValueError:
        numbers = []
    fits = len(numbers) == len(kind.arguments) and numbers == sorted(numbers)
    fits = fits and all(map(math.isfinite, numbers))
    if not fits or (kind.path is not None and path is None):
        wanted = [*(["FOLDER"] if kind.path else []), *(["LOW", "HIGH"] if kind.arguments else [])]
        raise RecipeError(f"Transform '{text.strip()}' must look like {name}({', '.join(wanted)}).")
    low, high = numbers or (None, None)
    return Transform(name, path, low, high)


@dataclass(frozen=True)
class AugmentedSounds:
    """Sounds of clips and of their transformed copies.

    Parameters
    ----------
    base : Sounds
    source : ndarray of int, shape (clips,)
        Which of the base's sounds each clip is made of.
    copy_for : ndarray of str, shape (clips,)
        Facet whose chain each copy goes through; ``""`` for the sound itself.
    number : ndarray of int, shape (clips,)
        Which copy it is.
    chains : dict of str to sequence of Transform
    seed : int
    """

    base: Sounds
    source: np.ndarray
    copy_for: np.ndarray
    number: np.ndarray
    chains: dict[str, Sequence[Transform]]
    seed: int

    def read(self, index: int, sample_rate: int) -> np.ndarray:
        """Waveform of one clip or copy: mono float32 (samples,) at the rate asked for.

        Raises
        ------
        AudioError
            If the clip cannot be read or transformed.
        """
        wave = self.base.read(int(self.source[index]), sample_rate)
        facet = self.copy_for[index]
        if not facet:
            return wave
        draw = np.random.SeedSequence((self.seed, zlib.crc32(self.key(index).encode())))
        try:
            return _transformed(wave, sample_rate, self._built[facet], draw)
        except (ValueError, RuntimeError, AssertionError) as error:  # such as too short for it
            chain = ", ".join(map(str, self.chains[facet]))
            raise AudioError(f"A clip of {len(wave)} samples cannot go through {chain}.") from error

    def take(self, indices: np.ndarray) -> AugmentedSounds:
        """Give the sounds of some of the clips, in that order."""
        return replace(
            self,
            source=self.source[indices],
            copy_for=self.copy_for[indices],
            number=self.number[indices],
        )

    def cropped(self, seconds: float) -> AugmentedSounds:
        """Give the same clips, of which no more than the first seconds are decoded."""
        crop = getattr(self.base, "cropped", None)
        return replace(self, base=crop(seconds)) if crop else self

    def key(self, index: int) -> str:
        """Text that depends on the sound of the clip, the transforms and the copy's number."""
        return self.base.key(int(self.source[index])) + self._chain(index)

    def stamp(self, index: int) -> str:
        """Text that changes whenever :meth:`key` may have changed."""
        stamp = getattr(self.base, "stamp", self.base.key)
        return stamp(int(self.source[index])) + self._chain(index)

    def _chain(self, index: int) -> str:
        facet = self.copy_for[index]
        if not facet:
            return ""
        chain = " ".join(map(str, self.chains[facet]))
        return f" {chain} {self.seed}.{self.number[index]}"

    @cached_property
    def _built(self) -> dict[str, list[Any]]:
        return {facet: [one.build() for one in chain] for facet, chain in self.chains.items()}


def _transformed(
    wave: np.ndarray, sample_rate: int, chain: Sequence[Any], draw: np.random.SeedSequence
) -> np.ndarray:
    """Apply transforms to a waveform, drawing from `draw`; global random states are restored."""
    one, two = (int(number) for number in draw.generate_state(2))
    with _lock:
        before, before_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  the library draws from it
        random.seed(one)
        np.random.seed(two)  # noqa: NPY002  as above
        try:
            for transform in chain:
                wave = transform(np.ascontiguousarray(wave), sample_rate)
        finally:
            random.setstate(before)
            np.random.set_state(before_numpy)  # noqa: NPY002  as above
    return np.asarray(wave, dtype=np.float32)


def with_copies(
    table: ClipTable,
    chains: Mapping[str, Sequence[Transform]],
    *,
    copies: int = 4,
    seed: int = 0,
) -> ClipTable:
    """Add transformed copies of the clips that a model is trained and validated on.

    Parameters
    ----------
    table : ClipTable
    chains : mapping of str to sequence of Transform
        For each facet, what its copies go through, in order.
    copies : int
        Of each clip, for each facet; each draws its own parameters.
    seed : int

    Returns
    -------
    ClipTable
        The table's clips in their order, then the copies, with the factors of their originals.

    Raises
    ------
    DataError, RecipeError
        See :meth:`Transform.build`.
    """
    for transform in (each for chain in chains.values() for each in chain):
        transform.build()  # what cannot be is refused now, and not when the sounds are read
    rows = np.flatnonzero(table.split != "test")
    source = [np.arange(len(table))]
    names = [np.full(len(table), "", dtype=object)]
    numbers = [np.zeros(len(table), dtype=np.int64)]
    for facet in chains:
        source.append(np.tile(rows, copies))
        names.append(np.full(len(rows) * copies, facet, dtype=object))
        numbers.append(np.repeat(np.arange(copies), len(rows)))
    origin, copy_for, number = (np.concatenate(part) for part in (source, names, numbers))
    ids = [
        f"{name} ({facet} copy {n + 1})" if facet else name
        for name, facet, n in zip(table.ids[origin], copy_for, number)
    ]
    sounds = AugmentedSounds(table.sounds, origin, copy_for, number, dict(chains), seed)
    return ClipTable(
        np.array(ids, dtype=object),
        {name: factor.take(origin) for name, factor in table.factors.items()},
        table.split[origin],
        sounds,
        table.recordings[origin],
        table.ids[origin],
        copy_for,
    )
