import numpy as np
import pytest
from scipy import stats

from disentone.datasets.patches.samplers import GROUPS

COUNT = 20_000
DRAWN = {group: sample(np.random.default_rng(0), COUNT, 2.0) for group, sample in GROUPS.items()}
# Ends of ranges that docs/patches.md states; of what is there sometimes, where it is there.
UNIFORM = {
    "note": (24, 108), "vibrato": (0.05, 0.7), "vibrato_rate": (4, 8), "brightness": (-18, -1),
    "even": (6, 40), "uneven": (1, 10), "scatter": (0.02, 0.3), "decay": (3, 15),
    "bandwidth": (0.3, 4), "detune": (3, 35), "roughness": (0.2, 1), "decay_to": (0.1, 1),
    "accent": (1, 12), "strike": (0.1, 1), "tremolo": (0.2, 0.9), "tremolo_rate": (2, 10),
    "low": (-12, 8), "high": (-14, 8), "middle": (-8, 8), "wet": (0.1, 0.7), "floor": (-80, -30),
    "floor_tilt": (-6, 2), "level": (-36, -1),
}  # fmt: skip
LOGARITHMIC = {
    "glide_time": (0.02, 0.6), "inharmonicity": (1e-5, 5e-3), "decay_time": (0.05, 1.5),
    "swing": (0.3, 6), "colour": (150, 8000), "grain": (10, 2000), "roughness_rate": (25, 120),
    "fall": (0.03, 3), "release": (0.01, 0.4), "rate": (2, 16), "middle_at": (300, 4000),
    "cutoff": (2000, 9000), "reverberation": (0.1, 2), "strike_time": (0.005, 0.15),
}  # fmt: skip
SHARES = {
    "vibrato": 0.3, "even": 0.35, "uneven": 0.5, "inharmonicity": 0.2, "scatter": 0.15,
    "decay": 0.35, "swing": 0.3, "grain": 0.25, "detune": 0.3, "roughness": 0.2, "end": 0.25,
    "decay_to": 0.6, "rate": 0.3, "accent": 0.5, "tremolo": 0.25, "cutoff": 0.2,
    "reverberation": 0.5, "tonal": 0.85, "strike": 0.3 * 0.85, "second": 0.3 * 0.87, "glide": 0.25,
}  # fmt: skip


def drawn(name):
    return next(values[name] for values in DRAWN.values() if name in values)


@pytest.mark.parametrize("name", [*UNIFORM, *LOGARITHMIC])
def test_parameters_cover_their_ranges_evenly(name):
    values = drawn(name).astype(float)
    values = values[values != 0]
    low, high = {**UNIFORM, **LOGARITHMIC}[name]
    if name in LOGARITHMIC:
        values, low, high = np.log(values), np.log(low), np.log(high)
    assert low <= values.min() < low + 0.02 * (high - low)
    assert high - 0.02 * (high - low) < values.max() <= high
    assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 1e-4


@pytest.mark.parametrize("name", SHARES)
def test_what_is_there_sometimes_is_there_as_often_as_it_should(name):
    assert (drawn(name) != 0).mean() == pytest.approx(SHARES[name], abs=0.02)


def test_parameters_of_a_group_have_a_row_for_each_value_and_names_of_their_own():
    names = [name for values in DRAWN.values() for name in values]
    assert len(set(names)) == len(names)
    for values in DRAWN.values():
        for name, value in values.items():
            assert len(value) == COUNT, name
            assert np.isfinite(value).all(), name


def test_no_note_is_above_the_highest():
    for interval in ("second", "third"):
        assert (drawn("note") + drawn(interval)).max() <= 108
    top = drawn("note") + np.maximum(drawn("second"), drawn("third"))
    assert (top + drawn("glide")).max() <= 112
    assert not ((drawn("second") == drawn("third")) & (drawn("second") > 0)).any()


@pytest.mark.parametrize("seconds", [0.5, 2.0, 30.0])
def test_an_attack_is_over_before_the_next_event_and_its_own_end(seconds):
    drawn = GROUPS["envelope"](np.random.default_rng(1), COUNT, seconds)
    assert (drawn["attack"] <= drawn["length"]).all()
    assert (drawn["start"] + drawn["attack"]).max() < 0.6 * seconds
    assert drawn["start"].max() <= seconds / 4
    again = drawn["rate"] > 0
    assert (drawn["attack"] * drawn["rate"])[again].max() <= 0.4 + 1e-9
    # Three events or more, or it would be no rate.
    last = (drawn["start"] + 2 / np.maximum(drawn["rate"], 1e-9))[again]
    assert last.max() < 0.95 * seconds
    assert (drawn["span"] * drawn["rate"])[again].min() > 2
    assert (drawn["events"][again] == 1).all()


def test_noise_alone_has_no_tones():
    tonal = drawn("tonal")
    assert (drawn("noise")[~tonal] == 1).all()
    assert drawn("noise")[tonal].max() < 1


@pytest.mark.parametrize("seconds", [0.5, 2.0, 30.0])
def test_a_recording_that_ends_holds_what_its_factors_say(seconds):
    drawn = GROUPS["envelope"](np.random.default_rng(1), COUNT, seconds)
    ends = drawn["end"] > 0
    over = np.maximum(drawn["start"], 0) + drawn["attack"]
    assert (drawn["end"] > over)[ends].all()
    again = ends & (drawn["rate"] > 0)
    third = drawn["start"] + 2 / np.maximum(drawn["rate"], 1e-9)
    assert (drawn["end"] > third)[again].all()
    assert (drawn["end"][ends] < 0.5 * seconds).mean() > 0.3


def test_a_clip_that_begins_within_its_event_holds_some_of_it():
    drawn = GROUPS["envelope"](np.random.default_rng(1), COUNT, 2.0)
    within = drawn["start"] < 0
    assert 0.05 < within.mean() < 0.2
    assert (-drawn["start"] <= 0.7 * drawn["length"])[within].all()
    assert (drawn["rate"][within] == 0).all()
    assert (drawn["events"][within] == 1).all()
