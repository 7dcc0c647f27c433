import numpy as np
import pytest

from disentone.agreement.equaliser import Equaliser, equalised, octaves


def level(wave):
    return 20 * np.log10(np.sqrt(np.mean(np.square(wave))))


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_a_tone_at_the_centre_of_an_octave_gets_its_gain(rate, rng):
    gains = rng.uniform(-12, 12, len(octaves(rate)))
    time = np.arange(2 * rate) / rate
    inner = slice(rate // 2, -rate // 2)  # away from the ends, where the tone begins and stops
    for centre, gain in zip(octaves(rate), gains):
        tone = np.sin(2 * np.pi * centre * time)
        change = level(equalised(tone, rate, gains)[inner]) - level(tone[inner])
        assert abs(change - gain) < 0.1, centre


def test_between_two_centres_the_gain_is_between_theirs():
    rate, time = 16000, np.arange(32000) / 16000
    gains = np.zeros(len(octaves(rate)))
    gains[4] = 12.0  # at 1 kHz; half an octave below it is half of that in dB
    tone = np.sin(2 * np.pi * 1000 / np.sqrt(2) * time)
    change = level(equalised(tone, rate, gains)[8000:-8000]) - level(tone[8000:-8000])
    assert abs(change - 6.0) < 0.1


def test_equal_gains_are_a_gain(rng):
    wave = rng.normal(size=999).astype(np.float32)
    same = equalised(wave, 8000, np.full(len(octaves(8000)), -6.0))
    np.testing.assert_allclose(same, wave * 10 ** (-6 / 20), atol=1e-6)


def test_the_end_does_not_ring_into_the_beginning():
    click = np.zeros(16000)
    click[-1] = 1.0
    made = equalised(click, 16000, np.array([12.0, -12, 12, -12, 12, -12, 12]))
    assert np.abs(made[:8000]).max() < 1e-3


@pytest.mark.parametrize("rate", [100, 8000, 11025])
def test_no_gain_is_beyond_the_range_at_any_rate(rate, rng):
    wave = rng.normal(size=4 * rate)
    transform = Equaliser(p=1.0, min_gain_db=-12, max_gain_db=12)
    for _ in range(20):
        change = level(transform(wave, rate)) - level(wave)
        assert -12.1 < change < 12.1


def test_gains_that_no_sound_survives_are_refused():
    with pytest.raises(ValueError, match="-60 to 60 dB"):
        Equaliser(p=1.0, min_gain_db=-500, max_gain_db=0)
