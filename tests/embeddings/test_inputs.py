"""Whatever way a sound is given, it is the same sound; what is no sound is one sentence."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from near_embeddings import RATE, WINDOW

from disentone.embeddings.model import load
from disentone.errors import AudioError, DataError, DisentoneError, SilenceError

SIZE = round(WINDOW * RATE)


@pytest.fixture(scope="module")
def trained(model):
    return load(model)


@pytest.fixture
def waves(rng):
    """Three clips, 16 bits deep, so that files, floats and whole numbers are the same."""
    return np.round(rng.uniform(-0.5, 0.5, (3, SIZE)) * 2**15) / 2**15


@pytest.fixture
def paths(waves):
    for name, wave in zip("abc", waves):
        soundfile.write(f"{name}.wav", wave, RATE)
    return [f"{name}.wav" for name in "abc"]


OF_PATHS = {
    "a list": list,
    "a tuple": tuple,
    "Path": lambda paths: [Path(path) for path in paths],
    "an array of text": np.array,
    "an array of objects": lambda paths: np.array([Path(path) for path in paths], dtype=object),
    "one column": lambda paths: np.array(paths)[:, None],
    "pandas": lambda paths: pd.Series(paths, index=[7, 8, 9]),
    "a generator": lambda paths: (path for path in paths),
}


@pytest.mark.parametrize("how", OF_PATHS)
def test_paths_in_whatever_list(trained, paths, waves, how):
    embedding = trained.embed(OF_PATHS[how](paths))
    assert embedding.ids == ("a.wav", "b.wav", "c.wav")
    expected = trained.embed(waves, sample_rate=RATE).values
    assert np.ptp(expected, axis=0).min() > 1e-4, "clips differ"
    np.testing.assert_array_equal(embedding.values, expected)


OF_WAVES = {
    "list": list,
    "tensor": torch.from_numpy,
    "tensor with a gradient": lambda waves: torch.from_numpy(waves).requires_grad_(),
    "list of tensors": lambda waves: [torch.from_numpy(wave) for wave in waves],
    "list of (1, samples)": lambda waves: [wave[None] for wave in waves],
    "16 bits": lambda waves: (waves * 2**15).astype(np.int16),
    "32 bits": lambda waves: (waves * 2**31).astype(np.int32),
    "float32": lambda waves: waves.astype(np.float32),
}


@pytest.mark.parametrize("how", OF_WAVES)
def test_waveforms_of_whatever_kind(trained, waves, how):
    embedding = trained.embed(OF_WAVES[how](waves), sample_rate=RATE)
    assert embedding.ids == ("0", "1", "2")
    np.testing.assert_array_equal(embedding.values, trained.embed(waves, sample_rate=RATE).values)


def test_eight_bits_have_their_middle_at_128(trained, rng):
    eight = rng.integers(0, 256, SIZE, dtype=np.uint8)
    np.testing.assert_array_equal(
        trained.embed(eight, sample_rate=RATE).values,
        trained.embed((eight - 128.0) / 128, sample_rate=RATE).values,
    )


def test_a_waveform_may_carry_its_rate(trained, paths, waves):
    alone = trained.embed(soundfile.read("b.wav"))
    np.testing.assert_array_equal(alone.values, trained.embed("b.wav").values)
    half = waves[1, ::2]
    mixed = trained.embed(
        ["a.wav", (half, RATE // 2), (waves[2], RATE), waves[0]], sample_rate=RATE
    )
    assert mixed.ids == ("a.wav", "1", "2", "3")
    np.testing.assert_array_equal(mixed.values[[0, 2]], trained.embed(["a.wav", "c.wav"]).values)
    np.testing.assert_array_equal(mixed.values[3], mixed.values[0])
    np.testing.assert_array_equal(
        mixed.values[1], trained.embed(half, sample_rate=RATE // 2).values[0]
    )


def test_lengths_in_a_list_may_differ(trained, rng):
    waves = [rng.standard_normal(n) for n in (SIZE // 2, SIZE, 3 * SIZE)]
    embedding = trained.embed(waves, sample_rate=RATE)
    for wave, row in zip(waves, embedding.values):
        np.testing.assert_array_equal(trained.embed(wave, sample_rate=RATE).values[0], row)


def test_a_folder_stands_for_its_files(trained, folder):
    Path(folder, "notes.txt").write_text("no audio")
    embedding = trained.embed(folder)
    assert [Path(name).as_posix() for name in embedding.ids] == [
        "sounds/high/c.ogg",
        "sounds/high/d.wav",
        "sounds/low/a.wav",
        "sounds/low/b.flac",
    ]
    np.testing.assert_array_equal(embedding.values, trained.embed(embedding.ids).values)


FLAT = np.zeros(SIZE)
REFUSED = {
    "frames": (np.zeros((SIZE, 2)), rf"shape \({SIZE}, 2\).*2 channels.*array\.mean\(axis=1\)"),
    "always_2d": (np.zeros((SIZE, 1)), r"1 channels.*array\.mean\(axis=1\)"),
    "channels": (np.zeros((2, SIZE)), r"2 channels.*array\.mean\(axis=0\).*list\(array\)"),
    "tensor": (torch.zeros(2, SIZE), r"2 channels.*mean\(axis=0\)"),
    "frames of 16 bits": (np.zeros((SIZE, 2), np.int16), r"\(array / full_scale\)\.mean\(axis=1\)"),
    "frames and rate": ((np.zeros((SIZE, 2)), RATE), "2 channels"),
    "frames in a list": ([np.zeros((SIZE, 2))], "2 channels"),
    "clips in a list": ([FLAT, np.zeros((4, SIZE))], "Number 1 .* shape .* one waveform"),
    "rate first": ((RATE, FLAT), r"\(array, rate\), the array first"),
    "rate first in a list": ([(RATE, FLAT)], r"\(array, rate\), the array first"),
    "64 bits": (np.zeros(SIZE, np.int64), "int64 has no full scale"),
    "complex": (np.zeros(SIZE, complex), "complex128 has no full scale"),
    "truth": (np.zeros(SIZE, bool), "bool has no full scale"),
    "numbers": ([0.0, 0.1], "Number 0 of the list is of type float"),
    "a number": (3, "Nothing of type int is a sound: give a path"),
    "nothing": (None, "type NoneType"),
    "bytes": (b"RIFF", "type bytes"),
    "table": (pd.DataFrame({"path": ["a.wav"]}), "give the column that holds the paths"),
    "a dictionary": ({"a": "a.wav"}, "type dict"),
    "a set": ({"a.wav"}, "type set"),
    "paths in a square": (np.full((2, 2), "a.wav"), r"not an array of shape \(2, 2\)"),
    "csv": ("clips.csv", "'clips.csv' is a table.*disentone embed"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_sound_is_one_sentence(trained, what):
    sounds, words = REFUSED[what]
    with pytest.raises(DataError, match=words) as caught:
        trained.embed(sounds, sample_rate=RATE)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "rate", [0, -8000, 44100.5, True, "44100", float("inf"), float("nan"), 1, 10**9]
)
def test_a_rate_is_a_whole_number(trained, rate):
    with pytest.raises(DataError, match="A sample rate is a whole number of Hz, 100 to 6000000"):
        trained.embed(np.ones(SIZE), sample_rate=rate)


def test_folders_without_audio_are_named(trained):
    Path("empty").mkdir()
    with pytest.raises(DataError, match="no audio in the folder 'empty'"):
        trained.embed("empty")
    with pytest.raises(AudioError, match="empty"):
        trained.embed(["empty"])


@pytest.mark.parametrize("kind", [np.float32, np.int16])
def test_silence_is_refused_as_on_the_command_line(trained, kind):
    silence = np.zeros(SIZE, kind)
    soundfile.write("silence.wav", silence, RATE)
    for sound, name in (("silence.wav", "silence.wav"), ((silence, RATE), "waveform 0")):
        with pytest.raises(SilenceError, match=f"'{name}' is silent: it stays within -90 dBFS"):
            trained.embed(sound)


def test_what_cannot_be_used_is_left_out_where_that_is_asked_for(trained, paths, caplog):
    Path("bad.wav").write_bytes(b"no audio")
    wrong = [np.array([0.0, np.nan]), np.zeros(SIZE)]
    sounds = ["a.wav", "bad.wav", "gone.wav", *((wave, RATE) for wave in wrong), "c.wav"]
    with pytest.raises(AudioError, match=r"bad\.wav"):
        trained.embed(sounds)
    with caplog.at_level(logging.WARNING, "disentone"):
        embedding = trained.embed(sounds, on_error="skip")
    assert embedding.ids == ("a.wav", "c.wav")
    np.testing.assert_array_equal(embedding.values, trained.embed(["a.wav", "c.wav"]).values)
    assert [item.path for item in embedding.skipped] == ["bad.wav", "gone.wav", "3", "4"]
    assert all(item.reason for item in embedding.skipped)
    assert "silent" in embedding.skipped[-1].reason
    for name in ("bad.wav", "gone.wav", "waveform 3 ", "waveform 4 "):
        assert sum(name in record.getMessage() for record in caplog.records) == 1
    assert repr(embedding) == "Embedding(2 clips, 4 skipped, facets: private 3 | shared 2)"
    assert trained.embed(["bad.wav"], on_error="skip").values.shape == (0, 5)


def test_a_mistake_of_the_caller_is_never_skipped(trained):
    with pytest.raises(DataError, match="2 channels"):
        trained.embed(np.zeros((SIZE, 2)), sample_rate=RATE, on_error="skip")
    with pytest.raises(DisentoneError, match="'stop' or 'skip', not 'ignore'"):
        trained.embed([], on_error="ignore")
