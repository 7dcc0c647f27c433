"""A tiny collection of chords and clicks, and a recipe of CSN's kind for it."""

import csv

import numpy as np
import soundfile

RATE = 8000
KEYS = {"C major": 262.0, "c-moll": 262.0, "F# major": 370.0}

VALUES = {
    "name": "songs",
    "data": {"kind": "collection", "segment": 0.5, "kinds": {"tempo": "continuous"}},
    "frontend": {
        "kind": "musical", "sample_rate": RATE, "seconds": 0.5, "n_fft": 256, "hop": 128,
        "n_mels": 20, "lags": 24, "smoothing": 3,
    },
    "facets": {
        "genre": {"dim": 3, "same": "genre"},
        "tempo": {"dim": 3, "same": "tempo", "rule": "tempo"},
        "key": {"dim": 3, "same": "key", "rule": "key"},
    },
    "sampling": "balanced",
    "model": {
        "encoder": {"kind": "inception", "width": 0.0625}, "decoder": None, "fusion": "mean",
        "stochastic": False, "unit_length": True,
    },
    "objective": [{"term": "triplet"}],
    "training": {"epochs": 2, "batch": 8, "schedule": "plateau", "warmup": 0},
    "audit": {"factors": ["genre", "key"], "seeds": 1, "permutations": 20},
}  # fmt: skip


def write_songs(folder, *, genres=("folk", "jazz"), count=24):
    """Write songs of a second, each of a genre, tempo and key, and their table; give its path."""
    rng, time = np.random.default_rng(0), np.arange(RATE) / RATE
    rows = [["path", "genre", "tempo", "key", "split"]]
    for number in range(count):
        genre, (key, pitch) = genres[number % len(genres)], list(KEYS.items())[number % 3]
        tempo = [60.0, 95.0, 120.0][number // 2 % 3]
        shape = np.sign if genre == "folk" else (lambda x: x)
        wave = 0.2 * shape(np.sin(2 * np.pi * pitch * time)) * (1 - time * tempo / 60 % 1)
        name = f"song{number:02}.wav"
        soundfile.write(folder / name, wave + 0.01 * rng.standard_normal(RATE), RATE)
        split = "test" if number >= count - 6 else "valid" if number >= count - 12 else "train"
        rows.append([name, genre, tempo, key, split])
    with (folder / "clips.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return folder / "clips.csv"
