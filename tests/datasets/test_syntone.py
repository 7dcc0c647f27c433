import numpy as np
import pytest
import scipy.signal
from pydantic import ValidationError

from disentone.datasets.syntone import TIMBRES, SynTone, synthesise, syntone


def tone(timbre, frequency, *, phase=0.0, rate=16000, samples=16000, **options):
    return synthesise(
        np.array([TIMBRES.index(timbre)]),
        np.array([float(frequency)]),
        np.array([phase]),
        np.array([1.0]),
        samples=samples,
        sample_rate=rate,
        **options,
    )[0]


@pytest.mark.parametrize("phase", [0.0, 0.3])
@pytest.mark.parametrize("timbre", TIMBRES)
def test_naive_waves_are_scipys(timbre, phase):
    samples = np.arange(16000)
    cycles = samples / 16000 * 441.7 + phase
    turn = 2 * np.pi * cycles
    reference = {
        "sine": np.sin(turn),
        "sawtooth": scipy.signal.sawtooth(turn),
        "triangle": scipy.signal.sawtooth(turn + np.pi / 2, 0.5),
        "square": scipy.signal.square(turn),
    }[timbre]
    wave = tone(timbre, 441.7, phase=phase)
    # A jump may fall one sample to either side of where float32 rounding puts it.
    close = np.isclose(wave, reference, atol=2e-3)
    assert close.mean() > 0.9995
    assert wave.dtype == np.float32


@pytest.mark.parametrize("timbre", TIMBRES)
def test_band_limited_waves_have_the_series_of_the_wave_and_nothing_else(timbre):
    rate, frequency = 16000, 500.0  # harmonics fall on bins of a 16,000-point transform
    wave = tone(timbre, frequency, band_limited=True)
    amplitude = np.abs(np.fft.rfft(wave)) / 8000
    harmonics = np.arange(1, 16)  # 500 .. 7500 Hz, below Nyquist
    odd = harmonics % 2 == 1
    expected = {
        "sine": np.where(harmonics == 1, 1.0, 0.0),
        "sawtooth": 2 / np.pi / harmonics,
        "triangle": np.where(odd, 8 / np.pi**2 / harmonics**2, 0),
        "square": np.where(odd, 4 / np.pi / harmonics, 0),
    }[timbre]
    np.testing.assert_allclose(amplitude[harmonics * 500], expected, atol=1e-4)
    others = np.delete(amplitude, harmonics * 500)
    assert others.max() < 1e-4
    assert rate / 2 not in harmonics * frequency


def test_band_limited_and_naive_agree_in_phase():
    for timbre in TIMBRES:
        naive = tone(timbre, 440, phase=0.2)
        limited = tone(timbre, 440, phase=0.2, band_limited=True)
        assert np.corrcoef(naive, limited)[0, 1] > 0.98


def test_long_clips_keep_their_phase():
    """A minute of tone: cycles are counted in double precision."""
    wave = tone("sine", 7900.0, samples=16000 * 60)
    last = np.arange(16000 * 60 - 100, 16000 * 60)
    np.testing.assert_allclose(wave[-100:], np.sin(2 * np.pi * 7900 * last / 16000), atol=1e-4)


def test_protocol_has_every_timbre_at_every_frequency():
    table = syntone()
    assert len(table) == 32000
    frequency = table.factor("frequency").values.reshape(4, 8000)
    np.testing.assert_allclose(frequency, np.tile(np.linspace(440, 7900, 8000), (4, 1)))
    assert [int((table.split == s).sum()) for s in ("train", "valid", "test")] == [
        25600,
        3200,
        3200,
    ]
    assert table.factor("timbre").classes == TIMBRES


def test_seed_decides_everything():
    one, two, other = (syntone(SynTone(frequencies=50, seed=s)) for s in (3, 3, 4))
    np.testing.assert_array_equal(one.sounds.read(7, 16000), two.sounds.read(7, 16000))
    assert (one.split == two.split).all()
    assert not np.array_equal(one.sounds.read(7, 16000), other.sounds.read(7, 16000))


def test_level_is_a_factor_on_request():
    table = syntone(SynTone(frequencies=200, quietest_db=-20))
    level = table.factor("level").values
    assert level.min() < -15
    assert level.max() <= 0
    waves = table.sounds.read_many(np.arange(len(table)), 16000)
    squares = table.factor("timbre").values == TIMBRES.index("square")
    peak = 20 * np.log10(np.abs(waves[squares]).max(axis=1) / 0.5)
    np.testing.assert_allclose(peak, level[squares], atol=1e-3)


def test_reading_one_many_and_part_agree():
    table = syntone(SynTone(frequencies=20))
    many = table.sounds.read_many(np.array([5, 60]), 16000)
    np.testing.assert_array_equal(many[1], table.sounds.read(60, 16000))
    part = table.take([60, 5])
    np.testing.assert_array_equal(part.sounds.read(0, 16000), many[1])
    assert part.sounds.key(0) == table.sounds.key(60)
    assert table.sounds.key(60) != table.sounds.key(61)


def test_other_rates_are_resampled():
    table = syntone(SynTone(frequencies=20))
    wave = table.sounds.read(0, 8000)
    assert len(wave) == 8000
    peak = np.argmax(np.abs(np.fft.rfft(wave)))
    assert abs(peak - 440) <= 1


@pytest.mark.parametrize("values", [{"low": 500, "high": 400}, {"high": 9000}, {"frequencys": 10}])
def test_impossible_configurations_are_refused(values):
    with pytest.raises(ValidationError):
        SynTone(**values)
