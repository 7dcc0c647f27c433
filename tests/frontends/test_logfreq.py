import numpy as np
import pytest
import torch
from pydantic import ValidationError

from disentone.frontends.config import LogFrequencyConfig
from disentone.frontends.logfreq import (
    LogFrequency,
    band_frequencies,
    bin_frequencies,
    bin_windows,
    log_filters,
)

BANDS = LogFrequencyConfig().bands

CONFIG = LogFrequencyConfig(seconds=1.0, hop=1024)


@pytest.fixture(scope="module")
def frontend():
    return LogFrequency(CONFIG)


def tone(hertz, *, amplitude=1.0, seconds=1.0):
    time = np.arange(round(seconds * CONFIG.sample_rate)) / CONFIG.sample_rate
    return torch.from_numpy(amplitude * np.sin(2 * np.pi * hertz * time)).float()


def test_power_is_a_naive_sum_over_transforms(frontend, rng):
    wave = rng.standard_normal(frontend.samples).astype(np.float32)
    ours = frontend.power(torch.from_numpy(wave)[None])[0].numpy()
    lengths = [*bin_windows(CONFIG), *BANDS * [CONFIG.shortest]]
    frequencies = [*bin_frequencies(CONFIG), *band_frequencies(CONFIG)]
    frame = 9
    for number in (0, 60, 90, 120, CONFIG.bins - 1, CONFIG.bins, CONFIG.bins + BANDS - 1):
        size = lengths[number]
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
        padded = np.pad(wave, size // 2)[frame * CONFIG.hop :][:size]
        power = np.abs(np.fft.rfft(padded * window) / (window.sum() / 2)) ** 2
        step = 2 ** (1 / (CONFIG.bins_per_octave if number < CONFIG.bins else 1))
        width, middle = CONFIG.sample_rate / size, frequencies[number]
        below, above = min(middle / step, middle - width), max(middle * step, middle + width)
        expected = 0.0
        for place, value in enumerate(power):
            hertz = place * width
            if below < hertz <= middle:
                expected += value * (hertz - below) / (middle - below)
            elif middle < hertz < above:
                expected += value * (above - hertz) / (above - middle)
        np.testing.assert_allclose(ours[frame, number], expected, rtol=1e-4)


@pytest.mark.parametrize("number", [48, 72, 96, 130, 160])
def test_a_full_sine_has_its_peak_at_its_bin_and_level_0(frontend, number):
    features = frontend(tone(bin_frequencies(CONFIG)[number])[None])[0].numpy()
    frame = features[len(features) // 2]
    assert abs(int(frame[: CONFIG.bins].argmax()) - number) <= 1
    assert frame[-1] == pytest.approx(0, abs=1.6)  # between two bins of the transform


@pytest.mark.parametrize("semitones", [1, 5, 12])
def test_transposition_is_a_shift(frontend, semitones):
    harmonics = sum(tone(110 * k) / k for k in range(1, 9))
    ratio = 2 ** (semitones / 12)
    higher = sum(tone(110 * ratio * k) / k for k in range(1, 9))
    low, high = (frontend(wave[None] / 4)[0, 10, :-1].numpy() for wave in (harmonics, higher))
    steps = [np.corrcoef(low[: 180 - shift], high[shift:180])[0, 1] for shift in range(30)]
    assert int(np.argmax(steps)) == 2 * semitones  # at 24 bins an octave


def test_neighbouring_semitones_are_apart(frontend):
    both = tone(220, amplitude=0.4) + tone(220 * 2 ** (2 / 12), amplitude=0.4)
    frame = frontend(both[None])[0, 10, :-1].numpy()
    first = int(np.argmin(abs(bin_frequencies(CONFIG) - 220)))
    assert frame[first] > frame[first + 2] + 3
    assert frame[first + 4] > frame[first + 2] + 3


def test_level_is_apart_and_bins_do_not_know_it(frontend, rng):
    wave = torch.from_numpy(0.3 * rng.standard_normal(frontend.samples)).float()
    loud, faint = frontend(torch.stack([wave, wave / 10]))
    torch.testing.assert_close(loud[:, :-1], faint[:, :-1], atol=2e-3, rtol=0)
    torch.testing.assert_close(loud[:, -1], faint[:, -1] + 20, atol=1e-3, rtol=0)
    assert (loud[:, -1] == loud[0, -1]).all()


def test_what_is_far_below_the_loudest_is_cut(frontend):
    wave = tone(440)
    wave[: len(wave) // 2] = 0
    features = frontend(wave[None])[0, :, : CONFIG.bins]
    assert features.max() == 0
    assert features.min() == -CONFIG.range_db
    assert (features[:4] == -CONFIG.range_db).all()


def test_silence_has_the_least_level(frontend):
    features = frontend(torch.zeros(1, frontend.samples))
    assert (features[..., : CONFIG.bins] == 0).all()
    torch.testing.assert_close(features[..., -1], torch.full_like(features[..., -1], -100.0))


def test_a_clip_is_the_same_in_any_batch(frontend, rng):
    waves = torch.from_numpy(rng.standard_normal((7, frontend.samples))).float()
    torch.testing.assert_close(frontend(waves)[3], frontend(waves[3:4])[0], atol=1e-4, rtol=0)


def test_shape_is_announced(frontend):
    features = frontend(torch.zeros(2, frontend.samples))
    assert features.shape == (2, frontend.frames, frontend.features)
    assert frontend.parts["level"] == slice(frontend.features - 1, frontend.features)


def test_no_filter_is_empty():
    lengths = bin_windows(CONFIG)
    for size in np.unique(lengths):
        filters = log_filters(
            bin_frequencies(CONFIG)[lengths == size],
            per_octave=CONFIG.bins_per_octave,
            n_fft=int(size),
            sample_rate=CONFIG.sample_rate,
        )
        assert (filters.sum(axis=1) > 0.5).all()


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"bins": 240}, "fewer bins"),
        ({"longest": 3000}, "powers of 2"),
        ({"shortest": 8192}, "shortest"),
        ({"seconds": 700.0}, "samples"),
        ({"hop": 1, "seconds": 60.0}, "larger hop"),
    ],
)
def test_settings_that_cannot_be_are_refused(values, word):
    with pytest.raises(ValidationError, match=word):
        LogFrequencyConfig(**values)


def test_bands_find_when_a_low_note_begins():
    """To half of the shortest window, where the bins of its octave see it long before."""
    frontend = LogFrequency(LogFrequencyConfig(seconds=1.0, hop=64))
    wave = tone(70)
    begins = len(wave) // 2
    wave[:begins] = 0
    features = frontend(wave[None])[0]
    found = [64 * int((features[:, c] > -30).nonzero()[0]) for c in (26, CONFIG.bins)]
    assert found[0] < begins - 1000
    assert begins - CONFIG.shortest // 2 <= found[1] <= begins + 64
