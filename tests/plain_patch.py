"""A patch with everything off but one steady harmonic tone, to change one thing at a time."""

import numpy as np

from disentone.datasets.patches.rendering import render
from disentone.datasets.patches.samplers import FORMANTS

RATE = 22050
PLAIN = {
    "note": 57.0, "second": 0, "third": 0, "vibrato": 0.0, "vibrato_rate": 5.0,
    "glide": 0.0, "glide_time": 0.1,
    "tonal": True, "brightness": -6.0, "even": 0.0, "uneven": 0.0, "inharmonicity": 0.0,
    "scatter": 0.0, "formant": [1000.0] * FORMANTS, "formant_end": [1000.0] * FORMANTS,
    "formant_gain": [0.0] * FORMANTS, "formant_width": [0.3] * FORMANTS, "decay": 0.0,
    "decay_time": 0.3, "swing": 0.0, "noise": 0.0, "colour": 1000.0, "bandwidth": 2.0,
    "grain": 0.0, "strike": 0.0, "strike_time": 0.05, "detune": 0.0, "roughness": 0.0,
    "roughness_rate": 50.0, "timbre_seed": 1, "start": 0.0, "end": 0.0,
    "attack": 0.002, "decay_to": 1.0, "fall": 1.0, "length": 99.0, "release": 0.05,
    "rate": 0.0, "span": 0.0, "events": 1, "accent": 0.0, "tremolo": 0.0, "tremolo_rate": 5.0,
    "event_seed": 2,
    "low": 0.0, "high": 0.0, "middle": 0.0, "middle_at": 1000.0, "cutoff": 0.0,
    "reverberation": 0.0, "wet": 0.5, "floor": -200.0, "floor_tilt": 0.0, "level": -1.0,
    "space_seed": 3,
}  # fmt: skip


def rendered(*, samples=2 * RATE, sample_rate=RATE, seed=0, **changes):
    """The waveform of the plain patch with some parameters changed."""
    unknown = set(changes) - set(PLAIN)
    assert not unknown, unknown
    rng = np.random.default_rng(seed)
    return render({**PLAIN, **changes}, samples=samples, sample_rate=sample_rate, rng=rng)
