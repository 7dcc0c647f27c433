"""SynTone into log-mel features: ours, against a loop over clips with SciPy and librosa."""

import librosa
import numpy as np
import scipy.signal

from disentone.datasets.syntone import SynTone, syntone
from disentone.frontends.logmel import LogMel, LogMelConfig
from disentone.frontends.store import compute_features
from timing import publish, record, seconds

CLIPS = 2000


def peer(frequencies):
    """One clip after the other, as tutorials do it."""
    time = np.arange(16000) / 16000
    for frequency in frequencies:
        wave = 0.5 * scipy.signal.sawtooth(2 * np.pi * frequency * time)
        mel = librosa.feature.melspectrogram(
            y=wave, sr=16000, n_fft=1024, hop_length=512, n_mels=64, power=2.0
        )
        librosa.power_to_db(mel, ref=1.0, top_db=None)


def main():
    table = syntone(SynTone(frequencies=CLIPS // 4))
    frontend = LogMel(LogMelConfig())
    ours = seconds(lambda: compute_features(table, frontend), repeats=3)
    theirs = seconds(lambda: peer(np.linspace(440, 7900, CLIPS // 10)), repeats=3) * 10
    name = "SciPy + librosa loop"
    rate = record("synthesis and log-mel", CLIPS / ours, "clips/s", name, CLIPS / theirs)
    whole = record("the protocol's 32,000 clips", 16 * ours, "s", name, 16 * theirs)
    publish("tones", [rate, whole])


if __name__ == "__main__":
    main()
