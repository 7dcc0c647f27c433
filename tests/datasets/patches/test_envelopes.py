import numpy as np
import pytest

from disentone.datasets.patches.envelopes import event_times, make_course
from plain_patch import PLAIN, RATE, rendered


def peaks(wave, step=32):
    """Largest amplitude in steps of 32 samples."""
    return np.abs(wave)[: len(wave) // step * step].reshape(-1, step).max(axis=1)


@pytest.mark.parametrize("attack", [0.02, 0.1, 0.4])
def test_the_attack_is_as_long_as_its_parameter(attack):
    """From 10 to 90 % of the peak a straight rise takes 80 % of its time."""
    level = peaks(rendered(note=105.0, attack=attack, start=0.2, brightness=-18.0))
    level = level / level.max()
    rise = (np.argmax(level > 0.9) - np.argmax(level > 0.1)) * 32 / RATE
    assert rise / 0.8 == pytest.approx(attack, abs=0.005)


def test_an_event_falls_to_its_level_and_is_let_go():
    level = peaks(
        rendered(note=105.0, brightness=-18.0, decay_to=0.25, fall=0.1, length=1.2, release=0.05)
    )
    level /= level.max()
    at = [level[round(time * RATE / 32)] for time in (0.102, 1.0, 1.25, 1.8)]
    expected = [0.25 + 0.75 * np.exp(-1), 0.25, 0.25 * np.exp(-1), 0]
    np.testing.assert_allclose(at, expected, atol=0.03)


@pytest.mark.parametrize("rate", [2.0, 5.5, 13.0])
def test_repetition_is_as_often_as_its_rate(rate):
    level = peaks(rendered(rate=rate, span=2.0, fall=0.05, decay_to=0.0, length=0.1))
    level = level - level.mean()
    similar = np.correlate(level, level, "full")[len(level) :]  # from a lag of one step
    after = np.argmax(similar < 0)  # past the peak at lag 0
    lag = 1 + after + np.argmax(similar[after:])
    assert RATE / 32 / lag == pytest.approx(rate, rel=0.03)


def test_there_is_silence_before_the_first_event_and_after_the_last():
    wave = rendered(start=0.5, length=0.3, release=0.01)
    assert np.abs(wave[: int(0.499 * RATE)]).max() < 1e-5
    assert np.abs(wave[int(0.51 * RATE) : int(0.8 * RATE)]).max() > 0.5
    assert np.abs(wave[int(1.0 * RATE) :]).max() < 1e-5


def test_irregular_events_are_apart():
    for seed in range(50):
        times = event_times({**PLAIN, "events": 5, "start": 0.3, "event_seed": seed}, 2.0)
        assert len(times) == 5
        assert times[0] == pytest.approx(0.3)
        assert np.diff(times).min() >= 2 / 15 - 1e-9
        assert times[-1] < 2


def test_events_differ_in_level_by_the_accent_at_most():
    patch = {**PLAIN, "rate": 4.0, "span": 1.9, "accent": 10.0, "length": 0.05, "release": 0.01}
    course = make_course(patch, 2 * RATE, RATE)
    levels = [course.amplitude[int(k * RATE / 4) :][: RATE // 4].max() for k in range(8)]
    assert levels[0] == pytest.approx(1, abs=0.02)
    assert min(levels) > 10 ** (-10 / 20) - 0.02
    assert np.std(levels) > 0.03


def test_an_event_is_over_before_the_next():
    patch = {**PLAIN, "rate": 8.0, "span": 1.9, "release": 5.0, "length": 5.0}
    amplitude = make_course(patch, 2 * RATE, RATE).amplitude
    before = np.ceil(np.arange(1, 15) / 8 * RATE).astype(int) - 1
    assert amplitude[before].max() < 2e-3


def test_tremolo_takes_its_share_of_the_amplitude():
    amplitude = make_course(
        {**PLAIN, "tremolo": 0.6, "tremolo_rate": 5.0}, 2 * RATE, RATE
    ).amplitude
    steady = amplitude[RATE // 4 :]
    assert steady.max() == pytest.approx(1, abs=0.01)
    assert steady.min() == pytest.approx(0.4, abs=0.01)


def test_a_clip_that_begins_within_an_event_is_the_rest_of_it():
    patch = {**PLAIN, "attack": 0.1, "decay_to": 0.2, "fall": 0.3, "length": 1.0, "release": 0.1}
    whole = make_course({**patch, "start": 0.0}, 2 * RATE, RATE)
    rest = make_course({**patch, "start": -0.4}, RATE, RATE)
    begun = round(0.4 * RATE)
    np.testing.assert_allclose(rest.amplitude, whole.amplitude[begun:][:RATE], atol=1e-5)
    np.testing.assert_allclose(rest.since, whole.since[begun:][:RATE], atol=1e-5)


def test_after_the_end_of_a_recording_there_is_nothing():
    wave = rendered(end=0.3, floor=-30.0, reverberation=1.0, level=-6.0)
    assert (wave[round(0.3 * RATE) :] == 0).all()
    assert np.abs(wave[: round(0.3 * RATE)]).max() == pytest.approx(10 ** (-6 / 20), rel=1e-5)


def test_a_strike_is_noise_that_dies_away():
    wave = rendered(tonal=True, strike=1.0, strike_time=0.05, colour=6000.0, bandwidth=0.5)
    plain = rendered()
    noise = wave * (np.abs(plain[RATE:]).max() / np.abs(wave[RATE:]).max()) - plain
    level = [np.sqrt(np.mean(noise[round(t * RATE) :][:441] ** 2)) for t in (0.02, 0.12, 0.8)]
    assert np.log(level[0] / level[1]) == pytest.approx(0.1 / 0.05, abs=0.5)
    assert level[2] < 0.02 * level[0]
