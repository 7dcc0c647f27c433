import librosa
import numpy as np
import pytest
import scipy.signal

from disentone.datasets.patches.rendering import partials, room_response
from plain_patch import PLAIN, RATE, rendered


def power(wave):
    """Power of every frequency in whole Hz, of the last second."""
    return np.abs(np.fft.rfft(wave[-RATE:] * np.hanning(RATE))) ** 2


def centroid(wave):
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) ** 2
    return (spectrum * np.fft.rfftfreq(len(wave), 1 / RATE)).sum() / spectrum.sum()


def loop(multiples, amplitudes, turns):
    """Sum of sines, one after the other."""
    wave = np.zeros(len(turns))
    for multiple, amplitude in zip(multiples, amplitudes):
        wave += amplitude * np.sin(2 * np.pi * multiple * turns)
    return wave


def as_loud(wave):
    """At the peak of a plain patch."""
    return wave * 10 ** (-1 / 20) / np.abs(wave).max()


@pytest.mark.parametrize("note", [24.0, 33.3, 57.0, 71.8, 90.0, 108.0])
def test_harmonics_are_those_of_a_loop_over_sines(note):
    patch = {**PLAIN, "note": note, "uneven": 6.0, "even": 10.0, "attack": 1e-9}
    multiples, amplitudes = partials(patch, note, RATE)
    frequency = 440 * 2 ** ((note - 69) / 12)
    time = np.arange(2 * RATE) / RATE
    expected = as_loud(loop(multiples, amplitudes[0], frequency * time))
    wave = rendered(**{name: patch[name] for name in ("note", "uneven", "even", "attack")})
    np.testing.assert_allclose(wave, expected, atol=3e-3)


def test_partials_out_of_tune_are_those_of_a_loop_over_sines():
    changes = {"note": 45.0, "inharmonicity": 2e-3, "scatter": 0.1, "attack": 1e-9}
    multiples, amplitudes = partials({**PLAIN, **changes}, 45.0, RATE)
    assert len(multiples) > 20
    assert np.abs(multiples - np.rint(multiples)).max() > 0.1
    expected = as_loud(loop(multiples, amplitudes[0], 110 * np.arange(2 * RATE) / RATE))
    np.testing.assert_allclose(rendered(**changes), expected, atol=1e-3)


def test_a_stiff_string_has_the_partials_of_its_formula():
    found, _ = partials({**PLAIN, "inharmonicity": 1e-3}, 45.0, RATE)
    order = np.arange(1, len(found) + 1)
    np.testing.assert_allclose(found, order * np.sqrt(1 + 1e-3 * order**2))


def test_levels_of_partials_are_slope_balance_and_formants():
    patch = {**PLAIN, "brightness": -6.0, "even": 20.0, "formant_gain": [12.0, 0.0, 0.0, 0.0]}
    _, amplitudes = partials(patch, 57.0, RATE)
    found = 20 * np.log10(np.abs(amplitudes[0]))
    order = np.arange(1, len(found) + 1)
    octaves = np.log2(220 * order / 1000)  # from the formant at 1 kHz
    expected = -6 * np.log2(order) - 20.0 * (order % 2 == 0)
    expected += 12 * np.exp(-0.5 * (octaves / 0.3) ** 2)
    np.testing.assert_allclose(found - found[0], expected - expected[0], atol=1e-9)
    assert (amplitudes[0] ** 2).sum() / 2 == pytest.approx(1)


@pytest.mark.parametrize("note", [36.0, 57.0, 84.0, 100.0])
@pytest.mark.parametrize("scatter", [0.0, 0.1])
def test_the_fundamental_is_the_note(note, scatter):
    wave = rendered(note=note, scatter=scatter, brightness=-18.0)
    found = librosa.yin(wave, fmin=30, fmax=5000, sr=RATE, frame_length=4096)
    assert np.median(librosa.hz_to_midi(found)) == pytest.approx(note, abs=0.15)


def test_a_glide_begins_off_the_note_and_ends_on_it():
    wave = rendered(note=60.0, glide=7.0, glide_time=0.3, brightness=-18.0)
    found = librosa.hz_to_midi(librosa.yin(wave, fmin=60, fmax=2000, sr=RATE, hop_length=512))
    time = librosa.times_like(found, sr=RATE, hop_length=512)
    inside = (time > 0.1) & (time < 1.8)
    expected = 60 + 7 * np.exp(-time / 0.3)
    np.testing.assert_allclose(found[inside], expected[inside], atol=0.3)


def test_vibrato_moves_the_note_to_either_side():
    wave = rendered(vibrato=0.6, vibrato_rate=2.0, brightness=-18.0)
    found = librosa.hz_to_midi(librosa.yin(wave, fmin=100, fmax=1000, sr=RATE, hop_length=256))
    # A frame of 93 ms hardly blurs half a second.
    inside = found[20:-20]
    assert inside.max() - 57 == pytest.approx(0.6, abs=0.1)
    assert 57 - inside.min() == pytest.approx(0.6, abs=0.1)
    times_through = np.count_nonzero(np.diff(np.sign(inside - 57)) > 0)
    assert times_through == pytest.approx(2 * len(inside) * 256 / RATE, abs=1.5)


def test_notes_sound_together():
    spectrum = power(rendered(note=57.0, second=7, third=16, brightness=-18.0))
    strongest = scipy.signal.find_peaks(spectrum, height=spectrum.max() / 10, distance=10)[0]
    expected = 220 * 2 ** (np.array([0, 7, 16]) / 12)
    assert strongest[: len(expected)] == pytest.approx(expected, abs=1)


@pytest.mark.parametrize("note", [84.0, 96.5, 108.0])
@pytest.mark.parametrize("more", [{}, {"scatter": 0.2}, {"glide": 4.0}, {"vibrato": 0.7}])
def test_nothing_comes_back_from_above_half_the_sample_rate(note, more):
    """What is not at a partial is far below what is: a partial too high would fold back."""
    wave = rendered(note=note, brightness=-1.0, attack=0.3, **more)
    multiples, _ = partials({**PLAIN, "note": note, "brightness": -1.0, **more}, note, RATE)
    highest = note + max(more.get("glide", 0), 0) + more.get("vibrato", 0)
    assert (multiples * 440 * 2 ** ((highest - 69) / 12)).max() < RATE / 2
    lowest = 440 * 2 ** ((note - more.get("vibrato", 0) - 69) / 12)
    spectrum = power(wave)
    below = spectrum[: int(0.9 * lowest)]
    assert 10 * np.log10(below.sum() / spectrum.sum()) < -50


def test_brighter_slopes_have_higher_centroids():
    found = [centroid(rendered(brightness=slope)) for slope in (-18, -12, -6, -3, -1)]
    assert (np.diff(found) > 10).all()


def test_noise_is_where_its_colour_is():
    found = [
        centroid(rendered(noise=1.0, tonal=False, colour=colour, bandwidth=0.5))
        for colour in (200.0, 800.0, 3200.0)
    ]
    np.testing.assert_allclose(found, [200, 800, 3200], rtol=0.1)


def test_the_share_of_noise_is_that_of_its_amplitude():
    """Between the partials there is noise alone."""
    tone, both = (rendered(noise=noise, note=81.0, brightness=-18.0) for noise in (0.0, 0.5))
    spectrum = power(both)
    of_tone = spectrum[870:890].sum() / spectrum.sum()
    assert power(tone)[870:890].sum() / power(tone).sum() > 0.98
    # Amplitudes of 0.5 and 0.7 * 0.5: a share of 1 / (1 + 0.49) of the power.
    assert of_tone == pytest.approx(1 / 1.49, abs=0.05)


def test_grains_are_as_many_as_asked_for():
    wave = rendered(noise=1.0, tonal=False, grain=40.0, bandwidth=30.0, colour=2000.0)
    loud = np.abs(wave) > np.abs(wave).max() / 30
    assert np.count_nonzero(np.diff(loud.astype(int)) > 0) == pytest.approx(80, abs=25)


def test_upper_partials_decay_faster():
    wave = rendered(decay=12.0, decay_time=0.4, brightness=-3.0)
    early, late = (centroid(wave[a : a + RATE // 4]) for a in (1000, 7 * RATE // 4))
    assert late < 0.5 * early


def test_formants_go_to_their_ends_and_back():
    changes = {"formant": [500.0] * 4, "formant_end": [3000.0] * 4, "formant_gain": [9.0] * 4}
    wave = rendered(swing=0.5, note=45.0, **changes)  # at the other end after a second
    begin, middle, end = (
        centroid(wave[round(at * RATE) :][: RATE // 8]) for at in (0.01, 0.94, 1.87)
    )
    assert begin < 800 < 2000 < middle
    assert end == pytest.approx(begin, rel=0.1)


def test_a_second_voice_beats_with_the_first():
    """Two tones of nearly one frequency: their sum dies away once a beat."""
    wave = rendered(note=81.0, detune=20.0, brightness=-18.0)
    peaks = np.abs(wave)[: len(wave) // 64 * 64].reshape(-1, 64).max(axis=1)
    beat = 880 * (2 ** (20 / 1200) - 1)  # 10.2 Hz
    spectrum = np.abs(np.fft.rfft(peaks - peaks.mean()))
    assert np.argmax(spectrum) * RATE / 64 / len(peaks) == pytest.approx(beat, abs=0.5)


def test_a_room_decays_by_60_db_in_its_time():
    """Schroeder's backward integration, fitted from -5 to -25 dB."""
    for seconds in (0.3, 1.0):
        patch = {**PLAIN, "reverberation": seconds, "wet": 1.0}
        response = room_response(patch, 2 * RATE, RATE)
        left = 10 * np.log10(np.cumsum(response[::-1].astype(float) ** 2)[::-1])
        left -= left[0]
        a, b = (np.argmax(left < level) for level in (-5, -25))
        assert 3 * (b - a) / RATE == pytest.approx(seconds, rel=0.05)


def test_a_click_in_a_room_sounds_as_its_response():
    click = {"noise": 1.0, "tonal": False, "grain": 1e-6, "bandwidth": 100.0, "length": 0.003}
    wave = rendered(release=1e-4, reverberation=0.5, wet=0.9, **click)
    left = 10 * np.log10(np.cumsum(wave[::-1].astype(float) ** 2)[::-1])
    left -= left[np.argmax(np.abs(wave))]
    a, b = (np.argmax(left < level) for level in (-5, -25))
    assert 3 * (b - a) / RATE == pytest.approx(0.5, rel=0.08)


def test_the_end_of_a_room_does_not_come_back_at_the_beginning():
    wave = rendered(reverberation=2.0, wet=0.7, start=0.4, length=1.5)
    assert np.abs(wave[: int(0.39 * RATE)]).max() < 1e-4 * np.abs(wave).max()


@pytest.mark.parametrize(
    ("changes", "lowest", "highest"),
    [({"low": 6.0}, 6, 0), ({"high": -9.0}, 0, -9), ({"middle": 5.0, "middle_at": 4000.0}, 0, 0)],
)
def test_the_equaliser_does_what_it_says(changes, lowest, highest):
    noise = {"noise": 1.0, "tonal": False, "bandwidth": 100.0}
    dry, heard = (rendered(**noise, **more) for more in ({}, changes))
    gain = 10 * np.log10(power(heard) / power(dry))
    gain -= gain[1000:1100].mean()  # the level of the clip is always the same
    shelf = changes.get("low", 0) / (1 + (1050 / 250) ** 2)
    slope = changes.get("high", 0) * (1050 / 3000) ** 2 / (1 + (1050 / 3000) ** 2)
    assert gain[30:50].mean() == pytest.approx(lowest - shelf - slope, abs=0.4)
    treble = (10000 / 3000) ** 2
    expected = highest * treble / (1 + treble) - shelf - slope
    assert gain[9900:10100].mean() == pytest.approx(expected, abs=0.4)
    if "middle" in changes:
        assert gain[3950:4050].mean() == pytest.approx(5, abs=0.3)


def test_a_low_pass_falls_by_three_db_at_its_frequency():
    noise = {"noise": 1.0, "tonal": False, "bandwidth": 100.0}
    dry, heard = (power(rendered(**noise, cutoff=cutoff)) for cutoff in (0.0, 3000.0))
    gain = 10 * np.log10(heard / dry)
    gain -= gain[200:400].mean()
    assert gain[2990:3010].mean() == pytest.approx(-3, abs=0.2)
    assert gain[5990:6010].mean() == pytest.approx(-24, abs=0.5)


@pytest.mark.parametrize("tilt", [-6.0, 0.0])
def test_the_noise_floor_is_as_far_below_the_peak_as_asked_for(tilt):
    wave = rendered(start=1.0, floor=-40.0, floor_tilt=tilt)
    silence = wave[: int(0.9 * RATE)]
    below = 20 * np.log10(np.sqrt(np.mean(silence**2)) / np.abs(wave).max())
    assert below == pytest.approx(-40, abs=1.0)


@pytest.mark.parametrize("level", [-36.0, -12.5, -1.0])
def test_the_level_is_that_of_the_peak(level):
    wave = rendered(level=level, reverberation=0.5, noise=0.3)
    assert 20 * np.log10(np.abs(wave).max()) == pytest.approx(level, abs=1e-3)


def test_a_minute_keeps_its_phase():
    for more in ({}, {"inharmonicity": 1e-12}):  # from the table, and as sines
        wave = rendered(samples=60 * RATE, note=93.0, brightness=-100.0, **more)
        last = np.arange(60 * RATE - 200, 60 * RATE) / RATE
        sign = np.sign(partials(PLAIN, 93.0, RATE)[1][0, 0])
        expected = sign * np.sin(2 * np.pi * 1760 * last) * 10 ** (-1 / 20)
        np.testing.assert_allclose(wave[-200:], expected, atol=2e-3)
