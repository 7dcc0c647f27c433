"""Whatever is sent to be decoded, the worst of it ends in one sentence."""

import numpy as np
import pytest
import soundfile

from disentone.errors import AudioError
from disentone.serve import quarantine

RATE = 8000


@pytest.fixture
def decode(tmp_path):
    def run(content, seconds=2.0):
        file = tmp_path / "sent"
        file.write_bytes(content)
        quarantine.decode(
            file, tmp_path / "out.wav", name="sent.mp3", sample_rate=RATE, seconds=seconds
        )
        return soundfile.read(tmp_path / "out.wav", dtype="float32")

    return run


def encoded(path, wave, rate=RATE, **options):
    soundfile.write(path, wave, rate, **options)
    return path.read_bytes()


def tone(seconds):
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)).astype("f4")


def lying_flac(path):
    """A small FLAC file whose header promises 2**35 samples of 8 channels."""
    content = bytearray(encoded(path, np.zeros((2000, 8)), 192_000, format="FLAC"))
    content[21] = content[21] & 0xF0 | 0x8  # STREAMINFO: 36 bits of the number of samples
    return bytes(content)


def test_what_is_decoded_has_no_loss(decode, tmp_path):
    wave = tone(0.5) / 300  # quieter than 16 bits hold well
    out, rate = decode(encoded(tmp_path / "a.wav", wave, subtype="FLOAT"))
    assert rate == RATE
    np.testing.assert_array_equal(out, wave)


def test_stereo_at_another_rate_becomes_mono_at_the_models(decode, tmp_path):
    wave = np.stack([np.ones(16000), np.zeros(16000)], axis=1) * np.linspace(-1, 1, 16000)[:, None]
    out, rate = decode(encoded(tmp_path / "a.flac", wave, 16000))
    assert (out.shape, rate) == ((RATE,), RATE)
    np.testing.assert_allclose(out[100:-100], np.linspace(-0.5, 0.5, RATE)[100:-100], atol=1e-3)


BAD = {
    "empty": (lambda path: b"", "is empty"),
    "text": (lambda path: b"#!/bin/sh\nrm -rf /\n" * 50, "is not audio"),
    "picture": (lambda path: b"\x89PNG\r\n\x1a\n" + bytes(500), "no audio"),
    "archive": (lambda path: b"PK\x03\x04" + bytes(500), "is not audio"),
    "cut": (lambda path: encoded(path / "a.wav", tone(1))[:9000], "is truncated"),
    "silent": (lambda path: encoded(path / "a.wav", np.zeros(RATE)), "is silent"),
    "nan": (
        lambda path: encoded(path / "a.wav", np.full(RATE, np.nan), subtype="FLOAT"),
        "not finite",
    ),
    "long": (lambda path: encoded(path / "a.ogg", tone(60)), "is longer than 2 s"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_sound_is_refused_by_name(kind, decode, tmp_path):
    make, words = BAD[kind]
    content = make(tmp_path)
    with pytest.raises(AudioError, match=r"^'sent.mp3' .*\.$") as caught:
        decode(content)
    assert words in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert not (tmp_path / "out.wav").exists()


def test_a_file_that_wants_all_memory_gets_none(decode, tmp_path):
    with pytest.raises(AudioError, match=r"^'sent.mp3' takes too much memory"):
        decode(lying_flac(tmp_path / "a.flac"), seconds=600.0)  # 3.7 GB


def test_a_decoder_that_does_not_end_is_ended(decode, tmp_path, monkeypatch):
    monkeypatch.setattr(quarantine, "_PATIENCE", 0.01)
    with pytest.raises(AudioError, match=r"'sent.mp3' takes too long to decode: convert it"):
        decode(encoded(tmp_path / "a.wav", tone(1)))
