"""Channels that cancel are heard, and a constant is silence at any rate."""

import numpy as np
import pytest
import soundfile

from disentone import audio
from disentone.errors import SilenceError

RATE = 44100


def tone(frequency=300.0):
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(RATE) / RATE)


@pytest.mark.parametrize("offset", [0, 0.3])
@pytest.mark.parametrize("balance", [1, 0.98])
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_channels_that_cancel_are_heard(tmp_path, suffix, balance, offset):
    wave = np.stack([tone() + offset, offset - balance * tone()], axis=1)
    soundfile.write(tmp_path / f"a{suffix}", wave, RATE)
    for rate in (None, 16000):
        heard = audio.read(tmp_path / f"a{suffix}", sample_rate=rate)
        assert heard[1000:-1000].std() == pytest.approx(tone().std(), rel=0.05)


def test_of_channels_that_cancel_the_loudest_is_taken():
    left = tone().astype(np.float32)
    other = tone(500).astype(np.float32)
    np.testing.assert_array_equal(audio.to_mono(np.stack([left, -left])), left)
    four = np.stack([0.5 * left, -0.5 * left, other, -other])
    np.testing.assert_array_equal(audio.to_mono(four), other)


@pytest.mark.parametrize("count", [2, 3, 8, 32])
def test_other_channels_have_their_mean(rng, count):
    wave = 0.1 * rng.standard_normal((count, 5000)).astype(np.float32)
    np.testing.assert_allclose(audio.to_mono(wave), wave.mean(axis=0), atol=1e-6)
    wave[1:] = 0  # one channel that sounds
    np.testing.assert_allclose(audio.to_mono(wave), wave.mean(axis=0), atol=1e-6)
    wave[:] = wave[0]
    wave += np.float32(0.5)
    np.testing.assert_allclose(audio.to_mono(wave), wave.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("level", [0.5, -1.0, 0.001])
@pytest.mark.parametrize("lufs", [None, -20.0])
@pytest.mark.parametrize("rate", [None, 16000, 22050, 48000])
@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_a_constant_is_silence_at_any_rate(tmp_path, suffix, rate, lufs, level):
    soundfile.write(tmp_path / f"a{suffix}", np.full((RATE, 2), level), RATE)
    for part in ({}, {"start": 0.3, "seconds": 0.2}):
        wave = audio.read(tmp_path / f"a{suffix}", sample_rate=rate, lufs=lufs, **part)
        with pytest.raises(SilenceError):
            audio.check(wave, "a")


def test_a_constant_at_an_end_of_a_sound_makes_no_click(tmp_path):
    wave = np.concatenate([np.full(RATE, 0.5), 0.5 + 0.4 * tone(), np.full(RATE, 0.5)])
    soundfile.write(tmp_path / "a.wav", wave, RATE, subtype="FLOAT")
    read = audio.read(tmp_path / "a.wav", sample_rate=16000)
    for quiet in (read[:15000], read[-15000:]):
        np.testing.assert_allclose(quiet, 0.5, atol=3e-5)
