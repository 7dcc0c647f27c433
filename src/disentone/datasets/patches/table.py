"""The clip table of patches: which values of the groups meet in a clip, and what they sound like.

The idea of learning from random synthesised sounds alone is that of Cherep and Singh, "Contrastive
Learning from Synthetic Audio Doppelgängers" (ICLR 2025); here what two sounds have in common is
one group of causes, and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from disentone.audio import resample
from disentone.clips import SPLITS, ClipTable
from disentone.datasets.patches.config import Patches
from disentone.datasets.patches.samplers import GROUPS, Parameters
from disentone.factors import Factor

__all__ = ["KNOWN", "PatchSounds", "patches"]

_SYNTHESIS = 2  # to be raised when other samples come out of the same parameters


@dataclass(frozen=True)
class PatchSounds:
    """The parameters of every clip of a table of patches; nothing is stored as audio.

    Parameters
    ----------
    config : Patches
    values : mapping of str to dict of str to ndarray
        Of every group, the parameters of all its values.
    digests : mapping of str to ndarray of str
        Of every group, a hash of the parameters of each value.
    codes : ndarray of int, shape (clips, groups)
        Which value of each group a clip has.
    numbers : ndarray of int, shape (clips,)
        Numbers of the clips in the whole table: seeds of what differs between all clips.
    """

    config: Patches
    values: Mapping[str, Parameters]
    digests: Mapping[str, np.ndarray]
    codes: np.ndarray
    numbers: np.ndarray

    def __len__(self) -> int:
        """Count the clips."""
        return len(self.numbers)

    def patch(self, index: int) -> dict[str, Any]:
        """Parameters of one clip, by name: plain numbers, and lists of them."""
        return {
            name: values[code].tolist()
            for code, group in zip(self.codes[index], self.values)
            for name, values in self.values[group].items()
        }

    def read(self, index: int, sample_rate: int) -> np.ndarray:
        """Waveform of one clip: mono float32 (samples,), resampled where it was made at another."""
        from disentone.datasets.patches.rendering import render  # SciPy is slow to import

        config = self.config
        wave = render(
            self.patch(index),
            samples=round(config.seconds * config.sample_rate),
            sample_rate=config.sample_rate,
            rng=np.random.default_rng([config.seed, int(self.numbers[index])]),
        )
        return np.ascontiguousarray(resample(wave, config.sample_rate, sample_rate))

    def take(self, indices: np.ndarray) -> PatchSounds:
        """Give the sounds of some of the clips, in that order."""
        return replace(self, codes=self.codes[indices], numbers=self.numbers[indices])

    def key(self, index: int) -> str:
        """Text that names the clip's waveform exactly."""
        config = self.config
        made = [_SYNTHESIS, config.sample_rate, config.seconds, config.seed, self.numbers[index]]
        causes = [self.digests[group][c] for group, c in zip(self.values, self.codes[index])]
        return " ".join(map(str, ("patch", *made, *causes)))


def patches(config: Patches | None = None) -> ClipTable:
    """Make the clip table of random sounds whose causes are known, split 80/10/10.

    Parameters
    ----------
    config : Patches, optional
        By default 20,000 clips of 2 s at 22,050 Hz.

    Returns
    -------
    ClipTable
        A categorical factor for each group (``pitch``, ``timbre``, ``envelope``, ``space``), whose
        values are its draws: each is in ``repeats`` clips of one split, no two clips share two.
        Where there are no partials, the pitch is unknown. Then what was drawn, as continuous
        factors (see :data:`KNOWN`). Waveforms are computed when read.
    """
    config = config or Patches()
    codes, split = _cross(config)
    values, digests = {}, {}
    for number, (group, sample) in enumerate(GROUPS.items()):
        rng = np.random.default_rng([config.seed, 2**32, number])  # apart from those of clips
        values[group] = sample(rng, config.clips // config.repeats, config.seconds)
        digests[group] = _digests(values[group])
    every = {
        name: drawn[codes[:, number]]
        for number, group in enumerate(GROUPS)
        for name, drawn in values[group].items()
    }
    factors = {}
    for number, group in enumerate(GROUPS):
        names = tuple(f"{group} {value}" for value in range(config.clips // config.repeats))
        known = every["tonal"] if group == "pitch" else True
        factors[group] = Factor(group, "categorical", np.where(known, codes[:, number], -1), names)
    for name, (unit, measure) in KNOWN.items():
        factors[name] = Factor.continuous(name, measure(every), unit=unit)
    numbers = np.arange(config.clips)
    ids = np.array([f"patch-{number:05d}" for number in numbers], dtype=object)
    return ClipTable(ids, factors, split, PatchSounds(config, values, digests, codes, numbers))


def _cross(config: Patches) -> tuple[np.ndarray, np.ndarray]:
    """Which values of the groups meet: int (clips, groups), and the split of every clip.

    Within a split of V values, clip r of value v of the first group has value v + g r (modulo V) of
    group g. Two clips that share two groups would have (g - h)(r - s) = 0 modulo V, which no other
    clip than the same one has where V is large enough.
    """
    total = config.clips // config.repeats
    held_out = max(round(total / 10), config.least)
    codes, splits, first = [], [], 0
    for split, count in zip(SPLITS, (total - 2 * held_out, held_out, held_out), strict=True):
        value, repeat = np.divmod(np.arange(count * config.repeats), config.repeats)
        groups = np.arange(len(GROUPS))
        codes.append(first + (value[:, None] + groups * repeat[:, None]) % count)
        splits += [split] * len(value)
        first += count
    order = np.random.default_rng(config.seed).permutation(config.clips)
    return np.concatenate(codes)[order], np.array(splits, dtype=object)[order]


def _digests(values: Parameters) -> np.ndarray:
    columns = [np.asarray(v, dtype=float).reshape(len(v), -1) for v in values.values()]
    rows = np.concatenate(columns, axis=1)
    names = ",".join(values).encode()
    hashes = [hashlib.blake2b(names + row.tobytes(), digest_size=8).hexdigest() for row in rows]
    return np.array(hashes)


def _where(known: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.where(known, values, np.nan)


def _decades(values: np.ndarray) -> np.ndarray:
    """Logarithm to base 10; unknown where the value is 0."""
    return _where(values > 0, np.log10(np.where(values > 0, values, 1)))


def _is_whole(of: Mapping[str, np.ndarray]) -> np.ndarray:
    """Whether the clip holds an event from its beginning until it is let go."""
    over = of["start"] + of["length"]
    return (of["start"] >= 0) & ((of["end"] == 0) | (over < of["end"]))


KNOWN: Mapping[str, tuple[str, Callable[[Mapping[str, np.ndarray]], np.ndarray]]] = {
    "f0": ("MIDI", lambda of: _where(of["tonal"], of["note"])),
    "notes": (
        "",
        lambda of: _where(of["tonal"], 1.0 + (of["second"] > 0) + (of["third"] > 0)),
    ),
    "brightness": ("dB/octave", lambda of: _where(of["tonal"], of["brightness"])),
    "noise": ("", lambda of: of["noise"]),
    "attack": ("log10 s", lambda of: _where(of["start"] >= 0, _decades(of["attack"]))),
    "length": ("log10 s", lambda of: _where(_is_whole(of), _decades(of["length"]))),
    "rate": ("log10 Hz", lambda of: _decades(of["rate"])),
    "reverberation": ("log10 s", lambda of: _decades(of["reverberation"])),
    "floor": ("dB", lambda of: of["floor"]),
    "level": ("dB", lambda of: of["level"]),
}
"""Continuous factors: unit, and the values from the parameters of all clips. Times and rates, which
are drawn by their logarithms, are logarithms; what a clip does not have is unknown."""
