"""From the parameters of a patch to its waveform.

Partials of a harmonic sound are read from a table of one period, made by an inverse Fourier
transform; where partials are out of tune, each is a sine. Noise, equaliser and room are filters in
the frequency domain. All is vectorised over the samples and the partials of a clip: a clip is
rendered by itself, so it is the same whatever is rendered beside it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.fft

from disentone.datasets.patches.envelopes import Course, make_course

__all__ = ["partials", "render", "room_response", "spectrum", "through_space"]

Patch = Mapping[str, Any]
_fft: Any = scipy.fft  # whose types know of no arrays

_EDGE = 0.95  # of half the sample rate, above which there are no partials
_HARMONICS = 256  # of the lowest notes
_SINES = 32  # partials where they are out of tune, each of which costs a sine a sample
_FAINT = 1e-4  # amplitude of partials, relative to the strongest, that are left out
_OVERSAMPLED = 64  # entries of a table for a period of its highest partial
_NODES = 5  # spectra between the first and the last of a sound that changes
_BLOCK = 1024  # samples whose sines are computed together
_NOISY = 0.7  # RMS of noise beside tones, whose peaks are lower for the same


def render(patch: Patch, *, samples: int, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Render a patch.

    Parameters
    ----------
    patch : mapping
        One value of every parameter of :mod:`disentone.datasets.patches.samplers`: plain numbers,
        and lists of them.
    samples : int
        Length of the clip.
    sample_rate : int
        Hz, at least 16,000.
    rng : Generator
        Of what differs between clips with the same parameters: noise.

    Returns
    -------
    ndarray of float32, shape (samples,)
        With the peak at the patch's level, within [-1, 1].
    """
    course = make_course(patch, samples, sample_rate)
    change = _change(patch, course)
    share = patch["noise"]
    wave = np.zeros(samples, dtype=np.float32)
    if share > 0 or patch["strike"] > 0:
        strike = patch["strike"] * np.exp(-np.maximum(course.since, 0) / patch["strike_time"])
        wave += _NOISY * (share + strike) * _noise(patch, course, change, sample_rate, rng)
    if share < 1:
        wave += (1 - share) * _tones(patch, course, change, sample_rate)
    if patch["roughness"] > 0:
        turn = np.sin(2 * np.pi * patch["roughness_rate"] * course.time)
        wave *= 1 - patch["roughness"] * (0.5 + 0.5 * turn)
    wave *= course.amplitude
    return through_space(patch, wave, sample_rate, rng)


def partials(patch: Patch, note: float, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Partials of one note: which multiples of the fundamental, and how strong.

    Parameters
    ----------
    patch : mapping
    note : float
        MIDI number.
    sample_rate : int
        Hz; no partial comes near half of it while the note glides and vibrates.

    Returns
    -------
    multiples : ndarray, shape (partials,)
        1, 2, 3 ... where they are in tune.
    amplitudes : ndarray, shape (spectra, partials)
        Signed. One spectrum, or five from the first to the last where it changes; of an RMS of 1,
        but where upper partials decay from it.
    """
    rng = np.random.default_rng(patch["timbre_seed"])
    deviations, shifts, signs = rng.standard_normal((3, _HARMONICS))
    in_tune = _in_tune(patch)
    order = np.arange(1.0, 1 + (_HARMONICS if in_tune else _SINES))
    if not in_tune:
        stretched = order * np.sqrt(1 + patch["inharmonicity"] * order**2)
        shifts[0] = 0  # the fundamental stays where it is
        order = stretched * 2 ** (patch["scatter"] * shifts[: len(order)])
    highest = _hertz(note + max(patch["glide"], 0) + patch["vibrato"])
    audible = np.flatnonzero(order * highest < _EDGE * sample_rate / 2)
    multiples = order[audible]
    level = patch["uneven"] * deviations[audible] - patch["even"] * (audible % 2)
    nodes = np.linspace(0, 1, _NODES if _is_changing(patch) else 1)
    hertz = multiples * _hertz(note)
    decibels = level + np.stack([spectrum(patch, hertz, node, _hertz(note)) for node in nodes])
    amplitudes = 10 ** (decibels / 20)
    power = np.sqrt((amplitudes**2).sum(axis=1, keepdims=True) / 2)
    amplitudes /= power if patch["swing"] > 0 else power[:1]
    strong = amplitudes.max(axis=0) > _FAINT * amplitudes.max()
    return multiples[strong], (amplitudes * np.sign(signs[audible]))[:, strong]


def spectrum(patch: Patch, hertz: np.ndarray, node: float, fundamental: float) -> np.ndarray:
    """Level of a patch's tones at some frequencies, in dB: its slope and its formants.

    Parameters
    ----------
    patch : mapping
    hertz : ndarray
    node : float
        Where between the first (0) and the last spectrum (1) of a sound that changes.
    fundamental : float
        Hz, where the slope begins.
    """
    slope = patch["brightness"] - node * patch["decay"]
    octaves = np.log2(hertz)
    return slope * (octaves - math.log2(fundamental)) + _formants(patch, octaves, node)


def _formants(patch: Patch, octaves: np.ndarray, node: float) -> np.ndarray:
    """Level in dB at frequencies of which the logarithms to base 2 are given."""
    level = np.zeros_like(octaves)
    each = (patch[f"formant{part}"] for part in ("", "_end", "_gain", "_width"))
    for begin, end, gain, width in zip(*each, strict=True):
        middle = math.log2(begin) + node * math.log2(end / begin) * (patch["swing"] > 0)
        level += gain * np.exp(-0.5 * ((octaves - middle) / width) ** 2)
    return level


def _hertz(note: float) -> float:
    return 440 * 2 ** ((note - 69) / 12)


def _in_tune(patch: Patch) -> bool:
    return not (patch["inharmonicity"] > 0 or patch["scatter"] > 0)


def _is_changing(patch: Patch) -> bool:
    return bool(patch["decay"] > 0 or patch["swing"] > 0)


def _change(patch: Patch, course: Course) -> np.ndarray:
    """Where between its first and its last spectrum a sound is: float32 (samples,) in [0, 1]."""
    if patch["decay"] > 0:
        return -np.expm1(-np.maximum(course.since, 0) / patch["decay_time"])
    if patch["swing"] > 0:
        return 0.5 - 0.5 * np.cos(2 * np.pi * patch["swing"] * course.time)
    return np.zeros_like(course.time)


# --- tones --------------------------------------------------------------------------------------


def _tones(patch: Patch, course: Course, change: np.ndarray, sample_rate: int) -> np.ndarray:
    """All notes of a patch, each with its second voice; of an RMS of about 1."""
    periods = np.arange(len(course.time)) / sample_rate  # of 1 Hz
    if patch["vibrato"] > 0 or patch["glide"] != 0:
        bend = patch["vibrato"] * np.sin(2 * np.pi * patch["vibrato_rate"] * course.time)
        bend += patch["glide"] * np.exp(-np.maximum(course.since, 0) / patch["glide_time"])
        periods = np.cumsum(np.exp2(bend / 12), dtype=np.float64) / sample_rate
    intervals = [0, *(patch[name] for name in ("second", "third") if patch[name] > 0)]
    voices = [1] if patch["detune"] == 0 else [1, 2 ** (patch["detune"] / 1200)]
    wave = np.zeros_like(course.time)
    for interval in intervals:
        note = patch["note"] + interval
        multiples, amplitudes = partials(patch, note, sample_rate)
        for voice in voices:
            turns = periods * (_hertz(note) * voice)
            sound = _from_table if _in_tune(patch) else _from_sines
            wave += sound(multiples, amplitudes.astype(np.float32), turns, change)
    return wave / math.sqrt(len(intervals) * len(voices))


def _from_table(
    multiples: np.ndarray, amplitudes: np.ndarray, turns: np.ndarray, change: np.ndarray
) -> np.ndarray:
    """Add up harmonics: one period of each spectrum is a table that is interpolated linearly."""
    size = 1 << int(np.ceil(np.log2(_OVERSAMPLED * multiples[-1])))
    lines = np.zeros((len(amplitudes), size // 2 + 1), dtype=np.complex64)
    lines[:, multiples.astype(int)] = -0.5j * size * amplitudes
    table = _fft.irfft(lines, size)
    rise = np.diff(table, append=table[:, :1])
    place = turns - np.floor(turns)
    place *= size
    index = place.astype(np.int32)
    fraction = (place - index).astype(np.float32)
    index &= size - 1
    if len(table) == 1:
        return table[0].take(index) + fraction * rise[0].take(index)
    node, weight = _between(change, len(table))
    index += node * size
    table, rise = table.reshape(-1), rise.reshape(-1)
    lower = table.take(index) + fraction * rise.take(index)
    index += size
    upper = table.take(index) + fraction * rise.take(index)
    return lower + weight * (upper - lower)


def _from_sines(
    multiples: np.ndarray, amplitudes: np.ndarray, turns: np.ndarray, change: np.ndarray
) -> np.ndarray:
    """Add up partials of any frequencies, block by block."""
    first = turns[::_BLOCK]  # what passed before a block is exact, so long clips keep their phase
    passed = (turns - np.repeat(first, _BLOCK)[: len(turns)]).astype(np.float32)
    before = multiples[:, None] * first
    before = (2 * np.pi * (before - np.rint(before))).astype(np.float32)  # (partials, blocks)
    steps = (2 * np.pi * multiples).astype(np.float32)[:, None]
    spectra = np.empty((len(amplitudes), len(turns)), dtype=np.float32)
    for number, start in enumerate(range(0, len(turns), _BLOCK)):
        block = slice(start, start + _BLOCK)
        phase = steps * passed[block]
        phase += before[:, number : number + 1]
        np.matmul(amplitudes, np.sin(phase, out=phase), out=spectra[:, block])
    if len(spectra) == 1:
        return spectra[0]
    node, weight = _between(change, len(spectra))
    place = node * np.int64(len(turns)) + np.arange(len(turns))
    lower, upper = spectra.take(place), spectra.take(place + len(turns))
    return lower + weight * (upper - lower)


def _between(change: np.ndarray, spectra: int) -> tuple[np.ndarray, np.ndarray]:
    """Spectrum below and the weight of the one above it, for every sample."""
    place = change * (spectra - 1)
    node = np.minimum(place.astype(np.int32), max(spectra - 2, 0))
    return node, place - node


# --- noise --------------------------------------------------------------------------------------


def _noise(
    patch: Patch,
    course: Course,
    change: np.ndarray,
    sample_rate: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Coloured noise or grains with the formants of the patch, of an RMS of 1."""
    samples = len(course.time)
    size = _fft.next_fast_len(samples, real=True)
    if patch["grain"] > 0:
        heard = rng.random(samples, dtype=np.float32) < patch["grain"] / sample_rate
        heard[np.argmax(course.amplitude)] = True  # a clip of one grain is no silence
        bins = _fft.rfft(_white(rng, samples) * heard, size)
    else:
        bins = _white_bins(rng, size)
    octaves = _octaves(size, sample_rate)
    band = -3 * ((octaves - math.log2(patch["colour"])) / (patch["bandwidth"] / 2)) ** 2  # dB
    ends = (0, 1) if patch["swing"] > 0 else (0,)
    waves = [_filtered(bins, band + _formants(patch, octaves, end) / 2, size) for end in ends]
    first, last = waves[0][:samples], waves[-1][:samples]
    return first + change * (last - first) if len(ends) > 1 else first


def _filtered(bins: np.ndarray, decibels: np.ndarray, size: int) -> np.ndarray:
    wave = _fft.irfft(bins * _gain(decibels), size)
    return wave / np.sqrt(np.mean(wave**2)).astype(np.float32)


def _gain(decibels: np.ndarray) -> np.ndarray:
    return np.exp(decibels * (math.log(10) / 20))


def _white(rng: np.random.Generator, count: int) -> np.ndarray:
    """White noise of variance 1: float32 (count,); uniform, for what is filtered is normal."""
    return (rng.random(count, dtype=np.float32) - 0.5) * math.sqrt(12)


def _white_bins(rng: np.random.Generator, size: int) -> np.ndarray:
    """Fourier transform of white noise of variance 1: complex64 (bins,)."""
    return (_white(rng, 2 * (size // 2 + 1)) * math.sqrt(size / 2)).view(np.complex64)


@functools.lru_cache(maxsize=8)
def _octaves(size: int, sample_rate: int) -> np.ndarray:
    """Frequencies of a transform's bins, log2 of Hz, the lowest as if 10 Hz: float32 (bins,)."""
    hertz = np.maximum(_fft.rfftfreq(size, 1 / sample_rate), 10)
    return np.log2(hertz).astype(np.float32)


# --- space --------------------------------------------------------------------------------------


def through_space(
    patch: Patch, wave: np.ndarray, sample_rate: int, rng: np.random.Generator
) -> np.ndarray:
    """Put a sound into a patch's space: equaliser, room, noise floor, end and level.

    Parameters
    ----------
    patch : mapping
        Of which the parameters of the group *space* count, and ``end``.
    wave : ndarray of float32, shape (samples,)
        Any sound, not silent.
    sample_rate : int
        Hz.
    rng : Generator
        Of the noise floor.

    Returns
    -------
    ndarray of float32, shape (samples,)
        With the peak at the patch's level.
    """
    samples = len(wave)
    tail = sample_rate // 8  # what a transform is too short for comes back at its beginning
    if patch["reverberation"] > 0:  # in quarters of a clip, as sizes of a few kinds are known
        quarter = samples // 4 + 1
        tail = quarter * min(4, math.ceil(patch["reverberation"] * sample_rate / quarter))
    size = _fft.next_fast_len(samples + tail, real=True)
    response = _gain(_equaliser(patch, _octaves(size, sample_rate)))
    if patch["reverberation"] > 0:
        response = response * _fft.rfft(room_response(patch, tail, sample_rate), size)
    bins = _fft.rfft(wave, size)
    heard = _fft.irfft(bins * response, size)[:samples]
    heard += _floor(patch, samples, sample_rate, rng) * np.abs(wave).max()
    if patch["end"] > 0:
        heard[round(patch["end"] * sample_rate) :] = 0
    return heard * (10 ** (patch["level"] / 20) / float(np.abs(heard).max()))


def _equaliser(patch: Patch, octaves: np.ndarray) -> np.ndarray:
    """Response in dB at frequencies of which the logarithms to base 2 are given."""
    hertz = np.exp2(octaves)
    treble = (hertz / 3000) ** 2
    level = patch["low"] / (1 + (hertz / 250) ** 2) + patch["high"] * treble / (1 + treble)
    level += patch["middle"] * np.exp(-2 * (octaves - math.log2(patch["middle_at"])) ** 2)
    if patch["cutoff"] > 0:  # as a Butterworth filter of order 4
        level -= 10 * np.log10(1 + ((hertz / patch["cutoff"]) ** 4) ** 2)
    return level


def room_response(patch: Patch, samples: int, sample_rate: int) -> np.ndarray:
    """Impulse response of a patch's room: the sound itself and noise that decays evenly.

    Returns
    -------
    ndarray of float32, shape (samples,)
        The part that decays falls by 60 dB in ``reverberation`` seconds.
    """
    rng = np.random.default_rng(patch["space_seed"])
    time = np.arange(samples, dtype=np.float32) / sample_rate
    tail = _white(rng, samples)
    tail *= np.exp((-3 * math.log(10) / patch["reverberation"]) * time)
    response = tail * (patch["wet"] / math.sqrt(np.sum(tail**2)))
    response[0] += 1 - patch["wet"]
    return response


def _floor(patch: Patch, samples: int, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of the patch's slope and level, for a sound whose peak is 1: float32 (samples,)."""
    size = _fft.next_fast_len(samples, real=True)
    shape = _gain(patch["floor_tilt"] * (_octaves(size, sample_rate) - math.log2(1000)))
    shape *= 10 ** (patch["floor"] / 20) / math.sqrt(np.mean(shape**2))
    return _fft.irfft(_white_bins(rng, size) * shape, size)[:samples]
