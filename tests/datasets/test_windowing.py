from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from disentone import audio
from disentone.datasets.file_sounds import FileSounds
from disentone.datasets.windowing import WindowSounds, model_windows
from disentone.errors import AudioError, SilenceError

RATE, SAMPLES = 16000, 3200


@given(st.lists(st.integers(1, 5 * SAMPLES), max_size=8), st.integers(0, 10))
def test_windows_are_those_of_a_model(lengths, start):
    """Against a loop that says it in words."""
    duration = np.array(lengths) / RATE
    given_seconds = np.where(np.arange(len(lengths)) % 2, np.nan, duration)
    windows = model_windows(
        np.full(len(lengths), float(start)), duration, given_seconds, samples=SAMPLES, rate=RATE
    )
    expected = []
    for row, length in enumerate(lengths):
        whole, rest = divmod(length, SAMPLES)
        count = max(1, whole + (rest >= SAMPLES / 2))
        for number in range(count):
            begin = number * SAMPLES
            seconds = min(SAMPLES, length - begin) / RATE
            seconds = given_seconds[row] if count == 1 else seconds
            expected.append((row, start + begin / RATE, seconds))
    np.testing.assert_allclose(np.stack(windows, axis=1), np.reshape(expected, (-1, 3)), atol=1e-9)


@pytest.fixture
def long(tmp_path, rng):
    """100 s of noise at another rate."""
    path = tmp_path / "long.flac"
    soundfile.write(path, 0.3 * rng.standard_normal(100 * 22050), 22050)
    return str(path)


def sounds_of(pool, paths, start, seconds=0.2, ahead=2):
    paths = np.array(paths, dtype=object)
    files = FileSounds(paths, np.array(start, float), np.broadcast_to(seconds, len(paths)))
    return WindowSounds(files, samples=SAMPLES, rate=RATE, pool=pool, ahead=ahead)


def test_windows_equal_those_read_alone_and_a_file_is_opened_seldom(long, monkeypatch):
    opened = []
    read = audio.read

    def counted(path, **options):
        opened.append((options["start"], options["seconds"]))
        return read(path, **options)

    monkeypatch.setattr(audio, "read", counted)
    start = np.arange(499) * 0.2
    with ThreadPoolExecutor(2) as pool:
        sounds = sounds_of(pool, [long] * len(start), start)
        with ThreadPoolExecutor(4) as readers:
            waves = list(readers.map(lambda i: sounds.read(i, RATE), range(len(start))))
    assert len(opened) == 4, "stretches of 30 s"
    assert max(seconds for _, seconds in opened) <= 30.001
    for wave, begin in list(zip(waves, start))[::23]:
        alone = read(long, sample_rate=RATE, start=begin, seconds=0.2)
        np.testing.assert_allclose(wave, alone, atol=1e-5)
        assert wave.shape == (SAMPLES,)


def test_windows_far_apart_are_read_alone(long, monkeypatch):
    spans = []
    read = audio.read
    monkeypatch.setattr(audio, "read", lambda p, **o: (spans.append(o["seconds"]), read(p, **o))[1])
    with ThreadPoolExecutor(1) as pool:
        sounds = sounds_of(pool, [long] * 3, [0, 5, 2])
        waves = [sounds.read(i, RATE) for i in range(3)]
    np.testing.assert_allclose(spans, 0.2)
    for wave, begin in zip(waves, (0, 5, 2)):
        alone = read(long, sample_rate=RATE, start=begin, seconds=0.2)
        np.testing.assert_allclose(wave, alone, atol=1e-5)


def test_a_window_of_any_order_is_the_same(long):
    start = np.arange(400) * 0.2
    with ThreadPoolExecutor(2) as pool:
        sounds = sounds_of(pool, [long] * len(start), start)
        last, first = sounds.read(399, RATE), sounds.read(0, RATE)
        again = sounds.take(np.array([399])).read(0, RATE)
    np.testing.assert_allclose(again, last, atol=1e-5)
    np.testing.assert_allclose(
        first, audio.read(long, sample_rate=RATE, start=0, seconds=0.2), atol=1e-5
    )


def test_what_is_silent_and_what_is_broken_is_told_apart(tmp_path, rng):
    wave = 0.3 * rng.standard_normal(2 * SAMPLES)
    wave[SAMPLES:] = 0
    soundfile.write(tmp_path / "half.wav", wave, RATE)
    soundfile.write(tmp_path / "nan.wav", np.full(SAMPLES, np.nan), RATE, subtype="FLOAT")
    names = ["half.wav", "half.wav", "half.wav", "nan.wav", "none.wav"]
    with ThreadPoolExecutor(1) as pool:
        sounds = sounds_of(pool, [str(tmp_path / n) for n in names], [0, 0.2, 0.4, 0, 0])
        assert len(sounds.read(0, RATE)) == SAMPLES
        for index, match in enumerate(["silent", "no samples", "not finite", "not exist"], 1):
            with pytest.raises(AudioError, match=match) as refused:
                sounds.read(index, RATE)
            assert isinstance(refused.value, SilenceError) == (index == 1)
