"""When there is sound in a patch: where its events begin, and the amplitude of each."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from disentone.datasets.patches.samplers import shortest

__all__ = ["Course", "event_times", "make_course"]

_SETTLED = 7.0  # time constants after which an event is over: a thousandth is left


class Course(NamedTuple):
    """The course of a clip.

    Attributes
    ----------
    time : ndarray of float32, shape (samples,)
        Seconds from the beginning.
    since : ndarray of float32, shape (samples,)
        Seconds since the last event began; negative before the first.
    amplitude : ndarray of float32, shape (samples,)
        In [0, 1].
    """

    time: np.ndarray
    since: np.ndarray
    amplitude: np.ndarray


def event_times(patch: Mapping[str, Any], seconds: float) -> np.ndarray:
    """Beginnings of a patch's events, in seconds: float (events,), increasing, below `seconds`.

    A single one may have begun before the clip, at a time below 0.
    """
    start, rate = patch["start"], patch["rate"]
    if rate > 0:
        times = start + np.arange(int(patch["span"] * rate) + 1) / rate
    else:
        # Free time is cut in random parts, so that no two events are closer than the shortest gap.
        rng = np.random.default_rng(patch["event_seed"])
        count, least = patch["events"], shortest(seconds)
        free = 0.9 * (seconds - start) - (count - 1) * least
        cuts = np.sort(rng.uniform(0, max(free, 0), count))
        times = start + cuts - cuts[0] + least * np.arange(count)
    return times[times < 0.95 * seconds] if len(times) > 1 else times


def make_course(patch: Mapping[str, Any], samples: int, sample_rate: int) -> Course:
    """Compute the amplitude of a patch, event by event.

    An event that has not died away is cut short before the next: there is one at a time.
    """
    time = np.arange(samples) / sample_rate
    times = event_times(patch, samples / sample_rate)
    first = np.clip(np.ceil(times * sample_rate).astype(int), 0, samples)
    bounds = [*first.tolist(), samples]
    since = np.full(samples, -1.0, dtype=np.float32)
    amplitude = np.zeros(samples, dtype=np.float32)
    rng = np.random.default_rng([patch["event_seed"], 1])
    levels = 10 ** (-patch["accent"] * rng.random(len(times)) / 20)
    levels[0] = 1  # so that a clip's loudest event is one that is not changed
    for number, (begin, end) in enumerate(pairwise(bounds)):
        passed = (time[begin:end] - times[number]).astype(np.float32)
        gap = (end - begin) / sample_rate if number + 1 < len(times) else np.inf
        since[begin:end] = passed
        amplitude[begin:end] = levels[number] * _event(patch, passed, gap)
    if patch["tremolo"] > 0:
        turn = np.sin(2 * np.pi * patch["tremolo_rate"] * time.astype(np.float32))
        amplitude *= 1 - patch["tremolo"] * (0.5 + 0.5 * turn)
    return Course(time.astype(np.float32), since, amplitude)


def _event(patch: Mapping[str, Any], passed: np.ndarray, gap: float) -> np.ndarray:
    """Amplitude of one event, `passed` seconds after its beginning, `gap` before the next."""
    attack, level = patch["attack"], patch["decay_to"]
    length = min(patch["length"], 0.8 * gap)
    release = min(patch["release"], (gap - length) / _SETTLED)
    held = np.exp(-np.maximum(passed - attack, 0) / patch["fall"])
    held = np.minimum(passed / attack, level + (1 - level) * held)
    return held * np.exp(-np.maximum(passed - length, 0) / release)
