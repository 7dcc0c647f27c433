"""Takes: excerpts of recordings in random spaces, as clips beside patches.

Of a recording less is known than of a patch: that excerpts of one recording, or recordings of one
instrument, have a timbre in common; perhaps a pitch; and that one excerpt in several spaces has
all in common but its space. What is not known is unknown, and no relation is made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from disentone.audio import resample
from disentone.clips import ClipTable, Sounds
from disentone.datasets.patches.config import Patches, Recordings
from disentone.datasets.patches.samplers import GROUPS, Parameters, sample_space
from disentone.errors import DataError
from disentone.factors import Factor

__all__ = ["TakeSounds", "with_takes"]

_FAINT = 0.03  # an excerpt whose peak is fainter than this share of its recording's is not taken


@dataclass(frozen=True, eq=False)
class TakeSounds:
    """The excerpts of recordings, and the space that each is in.

    Parameters
    ----------
    config : Patches
    sources : Sounds
        The recordings.
    spaces : dict of str to ndarray
        Parameters of all spaces.
    source, space : ndarray of int, shape (clips,)
        Recording and space of every clip.
    place : ndarray of float, shape (clips,)
        Where in its recording an excerpt begins, from 0, the beginning, to 1, the latest.
    numbers : ndarray of int, shape (clips,)
        Seeds of the noise floors.
    """

    config: Patches
    sources: Sounds
    spaces: Parameters
    source: np.ndarray
    space: np.ndarray
    place: np.ndarray
    numbers: np.ndarray
    _read: Callable[[int, int], np.ndarray] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # An excerpt's clips follow each other: its recording is decoded once for all of them.
        object.__setattr__(self, "_read", lru_cache(4)(self.sources.read))

    def __len__(self) -> int:
        """Count the clips."""
        return len(self.source)

    def read(self, index: int, sample_rate: int) -> np.ndarray:
        """Waveform of one clip: mono float32 (samples,), zeros where its recording is silent.

        Raises
        ------
        AudioError
            If the recording cannot be read.
        """
        from disentone.datasets.patches.rendering import through_space  # SciPy is slow to import

        rate = self.config.sample_rate
        samples = round(self.config.seconds * rate)
        wave = self._read(int(self.source[index]), rate)
        wave = _excerpt(wave, samples, float(self.place[index]))
        peak = float(np.abs(wave).max(initial=0))
        if peak > 0:
            patch = {name: values[self.space[index]].item() for name, values in self.spaces.items()}
            patch["end"] = len(wave) / rate if len(wave) < samples else 0
            whole = np.zeros(samples, dtype=np.float32)
            whole[: len(wave)] = wave / peak
            rng = np.random.default_rng([self.config.seed, int(self.numbers[index])])
            wave = through_space(patch, whole, rate, rng)
        return np.ascontiguousarray(resample(wave, rate, sample_rate))

    def take(self, indices: np.ndarray) -> TakeSounds:
        """Give the sounds of some of the clips, in that order."""
        names = ("source", "space", "place", "numbers")
        return replace(self, **{name: getattr(self, name)[indices] for name in names})

    def key(self, index: int) -> str:
        """Text that names the clip's waveform exactly."""
        config = self.config
        made = [config.sample_rate, config.seconds, config.seed, self.numbers[index]]
        space = [values[self.space[index]].item() for values in self.spaces.values()]
        source = self.sources.key(int(self.source[index]))
        return " ".join(map(str, ("take", *made, self.place[index], *space, source)))


def with_takes(
    table: ClipTable, config: Patches, sets: Sequence[tuple[Recordings, ClipTable]]
) -> ClipTable:
    """Join takes to a table of patches.

    Each take is one excerpt in ``config.repeats`` spaces, and each of these spaces is that of as
    many takes. Train and valid takes are of clips of these splits of their sets; test clips of the
    sets are not used, and the test split has patches alone.

    Parameters
    ----------
    table : ClipTable
        Of patches.
    config : Patches
    sets : sequence of (Recordings, ClipTable)
        What is taken of each set, and its clips.

    Raises
    ------
    DataError
        If a set has no train clip, or no factor of a name that is asked for.
    """
    parts = [table]
    for number, (wanted, clips) in enumerate(sets):
        parts.append(_takes(config, wanted, clips, number))
    lengths = [len(part) for part in parts]
    sounds = _Joined(
        tuple(part.sounds for part in parts),
        np.repeat(np.arange(len(parts)), lengths),
        np.concatenate([np.arange(length) for length in lengths]),
    )
    return ClipTable(
        np.concatenate([part.ids for part in parts]),
        {name: _joined(factor, parts) for name, factor in table.factors.items()},
        np.concatenate([part.split for part in parts]),
        sounds,
    )


def _joined(factor: Factor, parts: Sequence[ClipTable]) -> Factor:
    """A factor of patches over all parts: unknown where a part has none of that name."""
    found = [part.factors.get(factor.name) for part in parts]
    if factor.kind == "continuous":
        values = [np.full(len(p), np.nan) if f is None else f.values for f, p in zip(found, parts)]
        return replace(factor, values=np.concatenate(values))
    names = dict.fromkeys(name for f in found if f is not None for name in f.classes)
    code = {name: number for number, name in enumerate(names)}
    values = []
    for one in found:
        assert one is not None  # every part has the groups
        codes = np.array([*map(code.__getitem__, one.classes), -1])
        values.append(codes[one.values.astype(int)])
    return replace(factor, values=np.concatenate(values), classes=tuple(names))


def _takes(config: Patches, wanted: Recordings, clips: ClipTable, number: int) -> ClipTable:
    """Clips of one set of recordings, with what is known of their groups."""
    rng = np.random.default_rng([config.seed, 2**33, number])
    source, split = [], []
    for name, share in (("train", 0.9), ("valid", 0.1)):
        rows = clips.where(name)
        if not len(rows) and name == "train":
            raise DataError(f"'{wanted.path}' has no train clip to learn from.")
        takes = round(share * wanted.takes) if len(rows) else 0
        source.append(np.resize(rng.permutation(rows), takes))
        split += [name] * takes
    source = np.concatenate(source)
    count, repeats = len(source), config.repeats
    first = np.repeat(np.arange(count), repeats)  # the take of every clip
    turn = np.tile(np.arange(repeats), count)
    bounds = split.count("train")
    space = np.where(
        first < bounds,
        (first + turn) % max(bounds, 1),
        bounds + (first - bounds + turn) % max(count - bounds, 1),
    )
    sounds = TakeSounds(
        config,
        clips.sounds,
        sample_space(rng, count, config.seconds),
        source[first],
        space,
        rng.random(count)[first],
        2**40 + number * 2**32 + np.arange(len(first)),
    )
    name = wanted.name
    takes = np.array([f"{name} take {take}" for take in first], dtype=object)
    known = {
        "timbre": _labels(clips, wanted.timbre, name)[source][first],
        "envelope": takes,
        "space": np.array([f"{name} space {value}" for value in space], dtype=object),
        "pitch": np.full(len(first), "", dtype=object)
        if wanted.pitch is None
        else _labels(clips, wanted.pitch, "note")[source][first],
    }
    factors = {group: Factor.categorical(group, known[group]) for group in GROUPS}
    ids = np.array([f"{name}-{t:05d}-{r}" for t, r in zip(first, turn)], dtype=object)
    return ClipTable(ids, factors, np.array(split, dtype=object)[first], sounds)


def _labels(clips: ClipTable, name: str, prefix: str) -> np.ndarray:
    """A text for every clip by which it agrees with others, "" where it is unknown."""
    if name == "recording":
        return np.array([f"{prefix} {recording}" for recording in clips.recordings], dtype=object)
    factor = clips.factor(name)
    texts = [f"{prefix} {factor.classes[int(v)] if factor.classes else v:}" for v in factor.values]
    return np.where(factor.known, np.array(texts, dtype=object), "")


def _excerpt(wave: np.ndarray, samples: int, place: float) -> np.ndarray:
    """Cut an excerpt out, or where there is next to nothing the one around the loudest sample."""
    spare = max(len(wave) - samples, 0)
    start = round(place * spare)
    part = wave[start : start + samples]
    loudest = int(np.abs(wave).argmax()) if len(wave) else 0
    if len(wave) and np.abs(part).max() < _FAINT * abs(wave[loudest]):
        start = min(max(loudest - samples // 2, 0), spare)
        part = wave[start : start + samples]
    return part


@dataclass(frozen=True)
class _Joined:
    """Sounds of several tables one after another."""

    sounds: tuple[Sounds, ...]
    table: np.ndarray  # of every clip
    row: np.ndarray  # in its table

    def __len__(self) -> int:
        return len(self.table)

    def read(self, index: int, sample_rate: int) -> np.ndarray:
        return self.sounds[self.table[index]].read(int(self.row[index]), sample_rate)

    def take(self, indices: np.ndarray) -> _Joined:
        return replace(self, table=self.table[indices], row=self.row[indices])

    def key(self, index: int) -> str:
        return self.sounds[self.table[index]].key(int(self.row[index]))
