"""Sounds and tables of which all is known."""

import numpy as np

from disentone.clips import ClipTable
from disentone.factors import Factor

RATE = 8000


def sine(seconds=0.5, *, frequency=440.0, level=0.5, rate=RATE):
    return level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def clip_table(split="train", recordings=None, **labels):
    """A table of clips of which only factors, splits and recordings are known."""
    count = len(next(iter(labels.values())))
    factors = {name: Factor.categorical(name, values) for name, values in labels.items()}
    splits = [split] * count if isinstance(split, str) else split
    return ClipTable(range(count), factors, splits, Nothing(), recordings)


class Nothing:
    def take(self, indices):
        return self
