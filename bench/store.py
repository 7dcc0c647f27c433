"""The feature store: clips put in, and mapped again, beside a plain numpy.memmap of the same bytes.

The front-end copies what it gets, so that the store alone is timed: names, locks, and every block
on the disk before it counts. The peer writes the bytes and flushes once, without names. The limit
is one write of them, brought to the disk, or one read, out of the system's cache.
"""

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from disentone.clips import ClipTable
from disentone.frontends.feature_store import compute_features
from timing import publish, record, side_by_side

FRAMES, FEATURES = 32, 64
CLIP = 4 * FRAMES * FEATURES  # bytes


class Arrays:
    """Sounds that are there already."""

    def __init__(self, waves):
        self.waves = waves

    def read(self, index, sample_rate):
        return self.waves[index]

    def take(self, indices):
        return Arrays(self.waves[indices])

    def key(self, index):
        return f"{index:08d}"


class Copy:
    """A front-end whose features are the samples."""

    config = SimpleNamespace(model_dump=lambda **_: {"kind": "copy"})
    sample_rate, samples, frames, features = 16000, FRAMES * FEATURES, FRAMES, FEATURES

    def __call__(self, wave):
        return wave.view(-1, FRAMES, FEATURES)


def write_mapped(path, waves):
    mapped = np.memmap(path, np.float32, "w+", shape=waves.shape)
    mapped[:] = waves
    mapped.flush()


def write_once(path, waves):
    with path.open("wb") as file:
        file.write(waves.data)
        file.flush()
        os.fsync(file.fileno())


def measure(clips, work, repeats):
    rng = np.random.default_rng(0)
    waves = rng.standard_normal((clips, FRAMES * FEATURES), np.float32)
    names = np.array([str(row) for row in range(clips)], object)
    table = ClipTable(names, {}, np.full(clips, "train", object), Arrays(waves))
    cache, mapped, plain = work / "store", work / "mapped", work / "plain"

    def fill():
        shutil.rmtree(cache, ignore_errors=True)
        compute_features(table, Copy(), cache=cache, jobs=1)

    def read():
        return compute_features(table, Copy(), cache=cache, jobs=1).array.sum()

    size = {"size": clips, "size_unit": "clips"}
    ours, peer, limit = side_by_side(
        fill, lambda: write_mapped(mapped, waves), lambda: write_once(plain, waves), repeats=repeats
    )
    yield record(
        "into the store", ours, "s", "numpy.memmap", peer,
        limit="one write to the disk", limit_value=limit, **size,
    )  # fmt: skip
    ours, peer, limit = side_by_side(
        read,
        lambda: np.memmap(mapped, np.float32, "r").sum(),
        lambda: np.fromfile(plain, np.float32),
        repeats=repeats,
    )
    yield record(
        "names looked up, features mapped and summed", ours, "s", "numpy.memmap", peer,
        limit="one read from the cache", limit_value=limit, **size,
    )  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    sizes = [1000, 4000, 16000]
    parser.add_argument("--clips", type=int, nargs="+", default=sizes, help="of 8 KiB each")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = []
    with tempfile.TemporaryDirectory() as work:
        for clips in options.clips:
            lines += measure(clips, Path(work), options.repeats)
    publish("store", lines)


if __name__ == "__main__":
    main()
