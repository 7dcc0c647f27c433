"""Random sounds of known causes: clips a second, beside the same partials added up one by one."""

import argparse
import time

import numpy as np

from disentone.datasets.patches import Patches, patches
from disentone.datasets.patches.rendering import partials
from timing import publish, record, side_by_side

SECONDS = 2.0


def loop(table, indices):
    """The partials alone of each clip, without glide, envelope, noise or room: a sine each."""
    config = table.sounds.config
    moments = np.arange(round(config.seconds * config.sample_rate)) / config.sample_rate
    for index in indices:
        patch = table.sounds.patch(index)
        fundamental = 440 * 2 ** ((patch["note"] - 69) / 12)
        multiples, amplitudes = partials(patch, patch["note"], config.sample_rate)
        wave = np.zeros(len(moments))
        for multiple, amplitude in zip(multiples, amplitudes[0]):
            wave += amplitude * np.sin(2 * np.pi * multiple * fundamental * moments)


def compare(clips, sample_rate):
    """Clips a second, in one process on one thread; CPU-seconds, as a crowded machine waits."""
    table = patches(Patches(clips=2000, seconds=SECONDS, sample_rate=sample_rate))
    few = range(0, clips, 10)

    def ours():
        for index in range(clips):
            table.sounds.read(index, sample_rate)

    made, added = side_by_side(ours, lambda: loop(table, few), clock=time.process_time)
    return record(
        f"patches of {SECONDS:g} s at {sample_rate:,} Hz", clips / made, "clips/s",
        "NumPy loop over the partials alone", len(few) / added,
        size=clips, size_unit="clips", threads=1,
    )  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=300)
    clips = parser.parse_args().clips
    publish("patches", [compare(clips, rate) for rate in (22050, 16000)])


if __name__ == "__main__":
    main()
