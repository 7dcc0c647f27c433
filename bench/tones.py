"""SynTone into log-mel features: ours, against a loop over clips with SciPy and librosa."""

import argparse

import librosa
import numpy as np
import scipy.signal

from disentone.datasets.syntone import SynTone, syntone
from disentone.frontends.config import LogMelConfig
from disentone.frontends.feature_store import compute_features
from disentone.frontends.logmel import LogMel
from timing import publish, record, side_by_side


def peer(frequencies):
    """One clip after the other, as tutorials do it."""
    time = np.arange(16000) / 16000
    for frequency in frequencies:
        wave = 0.5 * scipy.signal.sawtooth(2 * np.pi * frequency * time)
        mel = librosa.feature.melspectrogram(
            y=wave, sr=16000, n_fft=1024, hop_length=512, n_mels=64, power=2.0
        )
        librosa.power_to_db(mel, ref=1.0, top_db=None)


def compare(clips):
    """Clips a second, from nothing to features in memory."""
    table = syntone(SynTone(frequencies=clips // 4))
    frontend = LogMel(LogMelConfig())
    ours, theirs = side_by_side(
        lambda: compute_features(table, frontend),
        lambda: peer(np.linspace(440, 7900, clips // 10)),  # a tenth: every clip costs the same
        repeats=3,
    )
    return record(
        "synthesis and log-mel", clips / ours, "clips/s",
        "SciPy + librosa loop", clips / (10 * theirs), size=clips, size_unit="clips",
    )  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, nargs="+", default=[500, 2000])
    lines = []
    for clips in parser.parse_args().clips:
        lines.append(compare(clips))
    publish("tones", lines)


if __name__ == "__main__":
    main()
