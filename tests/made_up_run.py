"""A run made up: four timbres by frequency, with numbers as a good run gives them."""

import numpy as np

from disentone.audit import Card
from disentone.facets import Facets
from disentone.factors import Factor
from disentone.report import MelAxes, ReportInputs, Sound

RATE, FRAMES, MELS = 16_000, 32, 64
TIMBRES = ("sawtooth", "sine", "square", "triangle")
FACETS = Facets({"private": 8, "shared": 8})
PAPER = {
    ("private", "timbre"): 0.7431,
    ("private", "frequency"): 0.7663,
    ("shared", "timbre"): 0.9741,
    ("shared", "frequency"): 0.2978,
    ("both", "timbre"): 0.9809,
    ("both", "frequency"): 0.8772,
}
OURS = {
    ("private", "timbre"): 0.412,
    ("private", "frequency"): 0.957,
    ("shared", "timbre"): 0.993,
    ("shared", "frequency"): 0.138,
    ("all", "timbre"): 0.995,
    ("all", "frequency"): 0.961,
}


def wave(timbre, frequency, seconds=1.0):
    phase = (frequency * np.arange(round(RATE * seconds)) / RATE) % 1
    shapes = {
        "sine": np.sin(2 * np.pi * phase),
        "sawtooth": 2 * phase - 1,
        "square": np.sign(np.sin(2 * np.pi * phase)),
        "triangle": 4 * np.abs(phase - 0.5) - 1,
    }
    return (0.5 * shapes[timbre]).astype(np.float32)


def mel(timbre, frequency, *, noise=0.0, seed=0):
    """Harmonics on 64 bands, in dB."""
    bands = np.linspace(0, 45, MELS)
    level = np.full(MELS, -60.0)
    slope = {"sine": 80, "triangle": 14, "square": 7, "sawtooth": 6}[timbre]
    for harmonic in range(1, 20, 1 if timbre == "sawtooth" else 2):
        at = 15 + 27 * np.log(max(frequency * harmonic, 1000) / 1000) / np.log(6.4)
        peak = -slope * np.log2(harmonic) - 6 * (bands - at) ** 2
        level = np.maximum(level, np.where(frequency * harmonic < 8000, peak, -60))
    jitter = np.random.default_rng(seed).normal(0, 0.3 + noise, (FRAMES, MELS))
    return (level + jitter).astype(np.float32)


def records():
    rng = np.random.default_rng(1)
    found = [
        {
            "measure": "probe",
            "facet": facet,
            "factor": factor,
            "metric": "accuracy",
            "value": value,
            "low": value - 0.012,
            "high": min(value + 0.01, 1.0),
            "chance": 0.25 if factor == "timbre" else 0.05,
            "n": 3200,
            "split": "test",
        }
        for (facet, factor), value in OURS.items()
    ]
    found += [
        probe | {"measure": "leak", "value": probe["value"] - probe["chance"], "low": 0.02}
        for probe in found
        if (probe["facet"], probe["factor"]) in (("private", "timbre"), ("shared", "frequency"))
    ]
    for facet, factor, top in (
        ("private", "timbre", 0.14),
        ("private", "frequency", 1.9),
        ("shared", "timbre", 1.2),
        ("shared", "frequency", 0.09),
    ):
        found.append(
            {
                "measure": "information",
                "facet": facet,
                "factor": factor,
                "metric": "nats",
                "value": 1.3 * top,
            }
        )
        for dimension in range(8):
            value = max(top * float(rng.beta(0.5, 1.2)), 0.002)
            found.append(
                {
                    "measure": "information",
                    "facet": f"{facet}[{dimension}]",
                    "factor": factor,
                    "metric": "nats",
                    "value": value,
                    "chance": 0.004,
                    "dimension": dimension,
                    "null": 0.006,
                }
            )
    return found


def history(epochs=30):
    lines = []
    for epoch in range(1, epochs + 1):
        fall = np.exp(-epoch / 5)
        line = {"epoch": epoch, "seconds": 22.0, "lr": 1e-3}
        for split, lift in (("train", 1.0), ("valid", 1.06)):
            line |= {
                f"{split}/total": lift * (90 + 4000 * fall),
                f"{split}/reconstruction": lift * (82 + 3990 * fall),
                f"{split}/private.kl": lift * (6 + 4 * (1 - fall)),
                f"{split}/shared.kl": lift * (2.2 - 1.1 * fall),
                f"{split}/shared.cosine": lift * (0.03 + 0.5 * fall) - 0.05,
            }
        lines.append(line)
    return lines


def embedding(clips=1600, seed=0):
    rng = np.random.default_rng(seed)
    timbre = rng.integers(0, 4, clips)
    frequency = rng.uniform(440, 7900, clips)
    turn = 5 * (frequency - 440) / 7460
    private = rng.normal(0, 0.12, (clips, 8))
    private[:, :3] += np.stack([2 * np.cos(turn), 2 * np.sin(turn), turn - 2.5], axis=1)
    centres = rng.normal(0, 1.6, (4, 8))
    shared = centres[timbre] + rng.normal(0, 0.25, (clips, 8))
    factors = {
        "timbre": Factor.categorical("timbre", [TIMBRES[t] for t in timbre]),
        "frequency": Factor.continuous("frequency", frequency, unit="Hz"),
    }
    return np.hstack([private, shared]).astype(np.float32), factors


def card():
    return {
        "schema": 1,
        "run": "example",
        "facets": FACETS.to_json(),
        "factors": {
            "timbre": {"kind": "categorical", "classes": list(TIMBRES)},
            "frequency": {"kind": "categorical", "classes": 21},
        },
        "records": records(),
    }


def sounds():
    rng = np.random.default_rng(3)
    rows = []
    for (a, f), (b, g) in (
        (("sine", 440), ("sawtooth", 1320)),
        (("square", 700), ("triangle", 2500)),
        (("sawtooth", 523), ("square", 3900)),
    ):
        made = [
            (f"A: {a}, {f} Hz", wave(a, f)),
            ("A, reconstructed", wave(a, f) * 0.9 + rng.normal(0, 0.01, RATE)),
            (f"B: {b}, {g} Hz", wave(b, g)),
            ("swap: private of A, shared of B", wave(b, f) + rng.normal(0, 0.02, RATE)),
            ("swap: private of B, shared of A", wave(a, g) + rng.normal(0, 0.02, RATE)),
        ]
        row = [Sound(caption, w.astype(np.float32), RATE) for caption, w in made]
        rows.append((f"{a} at {f} Hz and {b} at {g} Hz", row))
    return rows


def traversals():
    strips = {}
    for facet in FACETS:
        for dimension in range(8):
            steps = []
            for step in range(7):
                frequency = 2000 + (step - 3) * (500 if (facet, dimension) == ("private", 0) else 4)
                timbre = TIMBRES[step % 4] if (facet, dimension) == ("shared", 2) else "sawtooth"
                steps.append(mel(timbre, frequency, seed=dimension))
            strips[f"{facet}[{dimension}]"] = np.stack(steps)
    return strips


def band_hz():
    mels = np.linspace(0, 15 + 27 * np.log(8) / np.log(6.4), MELS + 2)[1:-1]
    above = 1000 * 6.4 ** ((np.maximum(mels, 15) - 15) / 27)
    return np.where(mels < 15, mels * 200 / 3, above)


def example(**changes):
    points, factors = embedding()
    pairs = [("sine", 440), ("sawtooth", 1320), ("square", 700), ("triangle", 2500)]
    full = {
        "title": "marl-syntone-best: four timbres, any frequency",
        "facets": FACETS,
        "factors": factors,
        "card": Card.from_json(card()),
        "embedding": points,
        "own": {"shared": ["timbre"], "private": ["frequency"]},
        "config": "recipe: marl-syntone-best\nseed: 0\nepochs: 30\n",
        "history": history(),
        "reconstructions": (
            np.stack([mel(t, f) for t, f in pairs]),
            np.stack([mel(t, f * 1.01, noise=0.8, seed=5) for t, f in pairs]),
            [f"{t}, {f} Hz" for t, f in pairs],
        ),
        "traversals": traversals(),
        "mel_axes": MelAxes(frame_seconds=512 / RATE, band_hz=band_hz(), unit="dB"),
        "sounds": sounds(),
        "paper": [
            {"table": "Table 1", "row": row, "column": column, "value": value}
            for (row, column), value in PAPER.items()
        ],
        "skipped": [("silence/empty.wav", "silent"), ("broken.flac", "truncated after 0.2 s")],
    }
    return ReportInputs(**(full | changes))
