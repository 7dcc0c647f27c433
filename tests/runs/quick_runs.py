"""Quick settings, tones to run on, and a watcher that keeps its notes."""

import csv

import numpy as np
import soundfile

from disentone.embeddings.watcher import Watcher

QUICK = ("training.epochs=2", "audit.seeds=1")
RATE = 8000


class Notes(Watcher):
    """A watcher that keeps its notes."""

    def __init__(self):
        self.notes, self.stages = [], []

    def note(self, text):
        self.notes.append(text)

    def stage(self, name):
        self.stages.append(name)
        return super().stage(name)


def write_tones(folder):
    """Write 40 tones, two timbres at 20 frequencies, and their table."""
    rows = [["path", "timbre", "frequency"]]
    time = np.arange(RATE // 4) / RATE
    for i in range(20):
        frequency = 300 + 37.5 * i
        sine = 0.5 * np.sin(2 * np.pi * frequency * time)
        for timbre, wave in {"sine": sine, "square": 0.3 * np.sign(sine)}.items():
            soundfile.write(folder / f"{timbre}_{i}.wav", wave, RATE)
            rows.append([f"{timbre}_{i}.wav", timbre, frequency])
    with (folder / "clips.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
