"""What is drawn for a patch: one sampler for each group of causes.

A sampler draws many values of its group at once: a dict of arrays, one entry a value. To extend a
group, add a line to its sampler and use the parameter by its name in
:mod:`disentone.datasets.patches.rendering`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

__all__ = [
    "FORMANTS",
    "GROUPS",
    "Parameters",
    "sample_envelope",
    "sample_pitch",
    "sample_space",
    "sample_timbre",
]

Parameters = dict[str, np.ndarray]
"""Parameters of some values of a group, by name: (values,) or (values, several)."""

FORMANTS = 4
_LOWEST, _HIGHEST = 24.0, 108.0  # C1 to C8, 33 Hz to 4.2 kHz
_REACH = 112.0  # what a glide may begin at: 5.3 kHz, below half of any sample rate allowed


def sample_pitch(rng: np.random.Generator, count: int, seconds: float) -> Parameters:
    """Draw how the fundamental moves, and which notes sound at once.

    Parameters
    ----------
    rng : Generator
    count : int
        Values.
    seconds : float
        Length of a clip.

    Returns
    -------
    dict of str to ndarray
        ``note``, the lowest fundamental (MIDI number, 69 is 440 Hz, in [24, 108]);
        ``second`` and ``third``, semitones above it of further notes (0 where there is none);
        ``vibrato`` (semitones to either side) at ``vibrato_rate`` (Hz); ``glide``, semitones off
        the note at which an event begins, which fall by a factor of e in ``glide_time`` (s).
    """
    note = rng.uniform(_LOWEST, _HIGHEST, count)
    second = _sometimes(rng, 0.3, rng.integers(1, 20, count))
    third = np.where(second > 0, _sometimes(rng, 0.4, rng.integers(1, 25, count)), 0)
    second = np.where(note + second <= _HIGHEST, second, 0)
    third = np.where((note + third <= _HIGHEST) & (third != second), third, 0)
    glide = _sometimes(rng, 0.25, rng.uniform(-12, 12, count))
    return {
        "note": note,
        "second": second,
        "third": third,
        "vibrato": _sometimes(rng, 0.3, rng.uniform(0.05, 0.7, count)),
        "vibrato_rate": rng.uniform(4, 8, count),
        "glide": np.minimum(glide, _REACH - np.maximum(note + second, note + third)),
        "glide_time": _log_uniform(rng, 0.02, 0.6, count),
    }


def sample_timbre(rng: np.random.Generator, count: int, seconds: float) -> Parameters:
    """Draw what a sound is made of: partials, formants and noise, and how they change.

    Parameters are those of :func:`sample_pitch`.

    Returns
    -------
    dict of str to ndarray
        ``tonal``, whether there are partials at all (else noise alone);
        ``brightness``, slope of the partials (dB an octave, in [-18, -1]); ``even``, what even
        partials are weaker by (dB); ``uneven``, random deviation of every partial (dB);
        ``inharmonicity``, B of a stiff string, partial k at k sqrt(1 + B k^2); ``scatter``, random
        deviation of every partial's frequency (octaves), as of bells and drums.
        ``formant`` and ``formant_end`` (Hz), ``formant_gain`` (dB), ``formant_width`` (octaves),
        each (values, 4). ``decay``, by how much the slope falls as an event goes on (dB an octave),
        in ``decay_time`` (s); ``swing`` (Hz), how often formants go to their ends and back.
        ``noise``, its share of the amplitude; ``colour``, its centre (Hz); ``bandwidth`` (octaves);
        ``grain``, impulses a second that it is made of (0: continuous noise). ``strike``, amplitude
        of more such noise where an event begins, which dies away in ``strike_time`` (s).
        ``detune`` of a second voice (cents); ``roughness``, depth of modulation at
        ``roughness_rate`` (Hz). ``timbre_seed`` decides deviations and phases of partials.
    """
    tonal = rng.random(count) < 0.85
    moves = rng.random(count)  # decay of the upper partials, moving formants, or neither
    formant = np.sort(_log_uniform(rng, 200, 7000, (count, FORMANTS)), axis=1)
    noise = _sometimes(rng, 0.5, 0.8 * rng.random(count) ** 2)
    return {
        "tonal": tonal,
        "brightness": rng.uniform(-18, -1, count),
        "even": _sometimes(rng, 0.35, rng.uniform(6, 40, count)),
        "uneven": _sometimes(rng, 0.5, rng.uniform(1, 10, count)),
        "inharmonicity": _sometimes(rng, 0.2, _log_uniform(rng, 1e-5, 5e-3, count)),
        "scatter": _sometimes(rng, 0.15, rng.uniform(0.02, 0.3, count)),
        "formant": formant,
        "formant_end": formant * 2 ** rng.uniform(-1.2, 1.2, (count, FORMANTS)),
        "formant_gain": rng.uniform(-6, 24, (count, FORMANTS)),
        "formant_width": rng.uniform(0.12, 0.6, (count, FORMANTS)),
        "decay": np.where(moves < 0.35, rng.uniform(3, 15, count), 0),
        "decay_time": _log_uniform(rng, 0.05, 1.5, count),
        "swing": np.where(moves > 0.7, _log_uniform(rng, 0.3, 6, count), 0),
        "noise": np.where(tonal, noise, 1),
        "colour": _log_uniform(rng, 150, 8000, count),
        "bandwidth": rng.uniform(0.3, 4, count),
        "grain": _sometimes(rng, 0.25, _log_uniform(rng, 10, 2000, count)),
        "strike": _sometimes(rng, 0.3, tonal * rng.uniform(0.1, 1, count)),
        "strike_time": _log_uniform(rng, 0.005, 0.15, count),
        "detune": _sometimes(rng, 0.3, rng.uniform(3, 35, count)),
        "roughness": _sometimes(rng, 0.2, rng.uniform(0.2, 1, count)),
        "roughness_rate": _log_uniform(rng, 25, 120, count),
        "timbre_seed": _seeds(rng, count),
    }


def sample_envelope(rng: np.random.Generator, count: int, seconds: float) -> Parameters:
    """Draw when there is sound: the events of a clip, and the shape of each.

    Parameters are those of :func:`sample_pitch`.

    Returns
    -------
    dict of str to ndarray
        ``start``, silence before the first event (s, up to a quarter of the clip), below 0 where
        the clip begins within its only event; ``attack``, rise from nothing to the peak (s,
        linear); ``decay_to``, level that an event falls to, with time constant ``fall`` (s);
        ``length`` until it is let go (s, at least the attack), and ``release``, its time constant
        then (s).
        ``rate`` of regular repetition (Hz, 0: none) for ``span`` (s), three times at least;
        ``events``, how many there are where they are irregular; ``accent``, by how much they
        differ in level (dB).
        ``end`` of the recording, after which there is nothing at all (s, 0: that of the clip).
        ``tremolo``, depth of modulation, at ``tremolo_rate`` (Hz). ``event_seed`` decides where
        irregular events are, and which are loud.
    """
    attack = _log_uniform(rng, 0.002, 0.5, count)
    rate = _sometimes(rng, 0.3, _log_uniform(rng, max(1.2, 4 / seconds), 16, count))
    several = _sometimes(rng, 0.3, rng.integers(2, 6, count))
    events = np.where((rate > 0) | (several == 0), 1, several)
    # An attack is over before the next event, and at the end of the shortest clip.
    gap = np.where(rate > 0, 1 / np.maximum(rate, 1), np.where(events > 1, shortest(seconds), 1e9))
    attack = np.minimum(attack, np.minimum(0.4 * gap, 0.3 * seconds))
    length = np.maximum(_log_uniform(rng, 0.05, max(0.1, 1.2 * seconds), count), attack)
    start = _sometimes(rng, 0.7, rng.uniform(0, seconds / 4, count))
    missed = _sometimes(rng, 0.2, rng.uniform(0.1, 0.7, count)) * length
    start = np.where((missed > 0) & (rate == 0) & (events == 1), -missed, start)
    # What any recording holds: the rise of its first event, and three where they are repeated.
    heard = np.maximum(start, 0) + np.maximum(attack, 2.1 * (rate > 0) * gap)
    end = _sometimes(rng, 0.25, _log_uniform(rng, 0.08, seconds, count))
    return {
        "start": start,
        "end": np.where(end > 0, np.maximum(end, heard + 0.02), 0),
        "attack": attack,
        "decay_to": _sometimes(rng, 0.6, rng.uniform(0.1, 1, count)),
        "fall": _log_uniform(rng, 0.03, 3, count),
        "length": length,
        "release": _log_uniform(rng, 0.01, 0.4, count),
        "rate": rate,
        "span": np.maximum(rng.uniform(0.4, 1, count) * seconds, 2.2 * (rate > 0) * gap),
        "events": events,
        "accent": _sometimes(rng, 0.5, rng.uniform(1, 12, count)),
        "tremolo": _sometimes(rng, 0.25, rng.uniform(0.2, 0.9, count)),
        "tremolo_rate": rng.uniform(2, 10, count),
        "event_seed": _seeds(rng, count),
    }


def shortest(seconds: float) -> float:
    """Give the least time between irregular events in a clip of so many seconds."""
    return seconds / 15


def sample_space(rng: np.random.Generator, count: int, seconds: float) -> Parameters:
    """Draw what a sound goes through: microphone, room, noise floor and level.

    Parameters are those of :func:`sample_pitch`.

    Returns
    -------
    dict of str to ndarray
        Equaliser: ``low``, ``high`` and ``middle`` (dB) below 250 Hz, above 3 kHz and an octave
        wide at ``middle_at`` (Hz); ``cutoff`` of a low-pass (Hz, 0: none).
        ``reverberation``, time in which it falls by 60 dB (s, 0: none), and its share ``wet``.
        ``floor``, noise under the sound before the equaliser (dB from peak to RMS), and its slope
        ``floor_tilt`` (dB an octave); ``level``, peak of the clip (dB of full scale).
        ``space_seed`` decides the room's reflections.
    """
    return {
        "low": rng.uniform(-12, 8, count),
        "high": rng.uniform(-14, 8, count),
        "middle": rng.uniform(-8, 8, count),
        "middle_at": _log_uniform(rng, 300, 4000, count),
        "cutoff": _sometimes(rng, 0.2, _log_uniform(rng, 2000, 9000, count)),
        "reverberation": _sometimes(rng, 0.5, _log_uniform(rng, 0.1, 2, count)),
        "wet": rng.uniform(0.1, 0.7, count),
        "floor": rng.uniform(-80, -30, count),
        "floor_tilt": rng.uniform(-6, 2, count),
        "level": rng.uniform(-36, -1, count),
        "space_seed": _seeds(rng, count),
    }


GROUPS: Mapping[str, Callable[[np.random.Generator, int, float], Parameters]] = {
    "pitch": sample_pitch,
    "timbre": sample_timbre,
    "envelope": sample_envelope,
    "space": sample_space,
}
"""The sampler of every group."""


def _log_uniform(
    rng: np.random.Generator, low: float, high: float, shape: int | tuple[int, ...]
) -> np.ndarray:
    return np.exp(rng.uniform(np.log(low), np.log(high), shape))


def _sometimes(rng: np.random.Generator, share: float, values: np.ndarray) -> np.ndarray:
    """Keep a share of the values, and set the others to 0."""
    return np.where(rng.random(len(values)) < share, values, 0)


def _seeds(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(0, 2**32, count)
