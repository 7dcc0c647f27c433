import sys

import numpy as np
import pytest
from scipy import signal

from disentone.agreement.rules import KEYS, same_tempo
from disentone.datasets.estimators import ESTIMATORS, SAMPLE_RATE, estimate
from disentone.errors import DataError

WAYS = [(what, by) for what, ways in ESTIMATORS.items() for by in ways]


def clicks(bpm, seconds=8.0, rate=SAMPLE_RATE):
    """Short noises on every beat."""
    rng = np.random.default_rng(0)
    wave = np.zeros(round(seconds * rate), dtype=np.float32)
    for beat in np.arange(0.1, seconds - 0.1, 60 / bpm):
        start = round(beat * rate)
        wave[start : start + 800] = rng.normal(size=800) * np.exp(-np.arange(800) / 150)
    return 0.3 * wave


def cadence(tonic, minor, rate=SAMPLE_RATE):
    """Tonic, subdominant, dominant and tonic as chords of a few partials."""
    third = 3 if minor else 4
    chords = [(0, third, 7, 12), (5, 5 + third, 12), (7, 11, 14), (0, third, 7, 12)]
    time = np.arange(rate) / rate
    parts = []
    for chord in chords:
        notes = [261.63 * 2 ** ((tonic + note) / 12) for note in chord]
        tone = sum(np.sin(2 * np.pi * h * k * time) / k for h in notes for k in (1, 2, 3, 4))
        parts.append(tone * np.exp(-2 * time))
    return (0.1 * np.concatenate(parts)).astype(np.float32)


@pytest.mark.parametrize("by", ["autocorrelation", "librosa"])
@pytest.mark.parametrize("bpm", [70.0, 100.0, 128.0, 150.0])
def test_the_tempo_of_clicks_is_found_up_to_an_octave(by, bpm):
    value, confidence = estimate(clicks(bpm), sample_rate=SAMPLE_RATE, what="tempo", by=by)
    assert bool(same_tempo(np.array(value), np.array(bpm)))
    assert 0.3 < confidence <= 1


def test_all_24_keys_are_found_and_transposition_moves_them():
    for tonic in range(12):
        for minor in (False, True):
            found = estimate(cadence(tonic, minor), sample_rate=SAMPLE_RATE, what="key")
            assert found.value == KEYS[2 * tonic + minor]
            assert found.confidence > 0.05


def test_another_sample_rate_changes_nothing_that_matters():
    wave = signal.resample_poly(cadence(2, False), 2, 1).astype(np.float32)
    found = estimate(wave, sample_rate=2 * SAMPLE_RATE, what="key")
    assert found.value == "D major"


@pytest.mark.parametrize(("what", "by"), WAYS)
@pytest.mark.parametrize(
    "wave",
    [
        np.zeros(5 * SAMPLE_RATE, np.float32),
        np.full(5 * SAMPLE_RATE, 0.5, np.float32),
        1e-6 * np.random.default_rng(0).normal(size=5 * SAMPLE_RATE),
        np.zeros(0, np.float32),
    ],
    ids=["silence", "a constant", "a whisper below -80 dBFS", "nothing"],
)
def test_silence_has_neither_tempo_nor_key(what, by, wave):
    assert estimate(wave, sample_rate=SAMPLE_RATE, what=what, by=by) == (None, 0.0)


def test_noise_has_no_key_and_a_steady_tone_no_tempo():
    noise = np.random.default_rng(0).normal(size=5 * SAMPLE_RATE) * 0.1
    assert estimate(noise, sample_rate=SAMPLE_RATE, what="key").value is None
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(5 * SAMPLE_RATE) / SAMPLE_RATE)
    assert estimate(tone, sample_rate=SAMPLE_RATE, what="tempo").value is None
    assert estimate(clicks(100, seconds=0.5), sample_rate=SAMPLE_RATE, what="tempo").value is None
    unsure = estimate(noise, sample_rate=SAMPLE_RATE, what="tempo").confidence
    assert unsure < 0.2 < estimate(clicks(100), sample_rate=SAMPLE_RATE, what="tempo").confidence


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"what": "mood"}, "no estimator of 'mood'"),
        ({"what": "tempo", "by": "libros"}, "did you mean 'librosa'"),
        ({"what": "key", "wave": np.array([np.nan])}, "mono and finite"),
        ({"what": "key", "wave": np.zeros((2, 9))}, "mono and finite"),
    ],
)
def test_mistakes_are_named(options, message):
    with pytest.raises(DataError, match=message):
        estimate(**{"wave": np.ones(9), "sample_rate": 8000} | options)


def test_without_librosa_its_estimator_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "librosa", None)
    with pytest.raises(DataError, match=r"pip install 'disentone\[mir\]'"):
        estimate(clicks(100), sample_rate=SAMPLE_RATE, what="tempo", by="librosa")
