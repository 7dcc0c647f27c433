import itertools
import os
import tracemalloc

import numpy as np
import pytest
import soundfile
from synthetic_sounds import RATE, sine

from disentone.datasets.config import CollectionConfig
from disentone.datasets.inspection import file_figures, inspect, text
from disentone.datasets.inspection.file_figures import measure
from disentone.errors import AudioError


def test_level_peak_and_offset_are_those_of_numpy(put):
    wave = np.random.default_rng(0).uniform([-0.4, -0.4, -0.7], [0.6, 0.6, 0.3], (5000, 3))
    found = measure(put("a.wav", wave, subtype="DOUBLE"))
    assert (found.sample_rate, found.channels, found.seconds) == (RATE, 3, 5000 / RATE)
    assert found.peak == pytest.approx(np.abs(wave).max())
    assert found.rms == pytest.approx(np.sqrt((wave**2).mean()))
    means = wave.mean(axis=0)
    assert found.offset == pytest.approx(means[np.abs(means).argmax()])
    assert (found.clipped, found.not_finite, found.silent) == (0, 0, False)


@pytest.mark.parametrize("block", [1, 2, 3, 5, 64, 10**6])
def test_clipping_is_counted_as_a_naive_loop_does_whatever_the_blocks(put, monkeypatch, block):
    rng = np.random.default_rng(1)
    wave = rng.choice([0.3, -1.0, 32767 / 32768], p=[0.4, 0.3, 0.3], size=(500, 2))
    path = put("a.wav", wave, subtype="FLOAT")
    runs = [
        len(list(run))
        for channel in wave.T
        for loud, run in itertools.groupby(np.abs(channel) > 0.9)
        if loud
    ]
    monkeypatch.setattr(file_figures, "_BLOCK", 2 * block)
    assert measure(path).clipped == pytest.approx(sum(n for n in runs if n >= 3) / wave.size)


def test_a_full_scale_tone_is_not_clipped_and_an_overdriven_one_is(put):
    tone = sine(1.0, frequency=441, level=1.0)
    assert measure(put("whole.wav", tone)).clipped == 0
    overdriven = np.clip(2 * tone, -1, 1)
    share = (np.abs(2 * tone) >= 1).mean()
    assert measure(put("over.wav", overdriven)).clipped == pytest.approx(share, abs=0.01)
    assert measure(put("over.flac", overdriven)).clipped == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("block", [100, 10**6])
@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_figures_do_not_depend_on_the_blocks(put, monkeypatch, suffix, block):
    path = put(f"a.{suffix}", np.stack([sine(), 0.2 * sine(frequency=300)], axis=1))
    whole, _ = soundfile.read(path, always_2d=True)
    monkeypatch.setattr(file_figures, "_BLOCK", block)
    found = measure(path)
    assert found.seconds == len(whole) / RATE
    assert found.rms == pytest.approx(np.sqrt((whole**2).mean()), rel=1e-5)


def write_m4a(path, wave, rate):
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("alac", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            np.round(wave * 32768).astype(np.int16)[None], format="s16p", layout="mono"
        )
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("block", [1000, 10**6])
def test_what_only_ffmpeg_reads_is_measured_in_parts_too(tmp_path, monkeypatch, block):
    wave = sine(2.0, rate=44100)
    write_m4a(tmp_path / "a.m4a", wave, 44100)
    monkeypatch.setattr(file_figures, "_BLOCK", block * 10)
    found = measure(str(tmp_path / "a.m4a"))
    assert found.seconds == pytest.approx(2.0, abs=0.1)
    assert found.rms == pytest.approx(np.sqrt((wave**2).mean()), rel=1e-2)


def test_a_long_file_is_never_in_memory_as_a_whole(put, monkeypatch):
    path = put("long.wav", np.tile(sine(1.0), 120))  # 7.7 MB as doubles
    monkeypatch.setattr(file_figures, "_BLOCK", 2**12)
    tracemalloc.start()
    measure(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_silence_is_what_training_takes_for_it(put):
    assert measure(put("zero.wav", np.zeros(100))).silent
    assert measure(put("constant.wav", np.full(100, 0.25))).silent
    assert not measure(put("opposite.wav", np.stack([sine(), -sine()], axis=1))).silent
    assert not measure(put("soft.wav", sine(level=1e-3))).silent


def test_samples_that_are_not_finite_are_counted_and_leave_the_rest_alone(put):
    wave = sine()
    wave[[3, 10, 11]] = [np.nan, np.inf, -np.inf]
    found = measure(put("a.wav", wave, subtype="FLOAT"))
    assert found.not_finite == 3
    assert found.rms == pytest.approx(
        np.sqrt((np.nan_to_num(wave, posinf=0, neginf=0) ** 2).mean())
    )
    assert not found.usable


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "aiff"])
def test_a_truncated_file_is_an_error(put, suffix):
    path = put(f"a.{suffix}", np.random.default_rng(0).uniform(-0.5, 0.5, 40_000))
    os.truncate(path, os.path.getsize(path) // 2)
    with pytest.raises(AudioError, match="truncated"):
        measure(path)


def test_reading_mp3_in_blocks_gives_the_samples_of_the_whole_and_no_words_of_the_decoder(
    put, monkeypatch, capfd
):
    path = put("a.mp3", np.random.default_rng(0).uniform(-0.9, 0.9, 80_000))
    whole = measure(path)
    monkeypatch.setattr(file_figures, "_BLOCK", 5000)
    assert measure(path).digest == whole.digest
    assert capfd.readouterr() == ("", "")


def test_duplicates_are_found_by_bytes_and_by_sound(put, tmp_path, look):
    wave = np.round(sine() * 32768) / 32768
    put("a.wav", wave, subtype="PCM_16")
    (tmp_path / "copy of a.wav").write_bytes((tmp_path / "a.wav").read_bytes())
    put("b.wav", other := np.round(sine(frequency=300) * 32768) / 32768, subtype="PCM_16")
    put("b.flac", other, subtype="PCM_24")
    put("b stereo.wav", np.stack([other, other], axis=1), subtype="FLOAT")
    put("b at another rate.wav", other, rate=RATE * 2)
    put("b a bit softer.wav", other * 0.999, subtype="FLOAT")
    put("silence 1.wav", np.zeros(100))
    put("silence 2.wav", np.zeros(100))
    found = {group.paths: group.same_bytes for group in look().duplicates}
    assert found == {
        ("a.wav", "copy of a.wav"): True,
        ("b stereo.wav", "b.flac", "b.wav"): False,
    }


def test_duplicates_in_two_splits_are_a_leak(put, tmp_path):
    for name in ("a.wav", "b.wav", "c.wav", "d.wav"):
        put(name, sine() if name < "c" else None)
    (tmp_path / "clips.csv").write_text(
        "path,split\na.wav,train\nb.wav,test\nc.wav,train\nd.wav,valid\n"
    )
    found = inspect(CollectionConfig(path=str(tmp_path)))
    assert [group.splits for group in found.duplicates] == [("train", "test")]
    assert "Leak: the same audio in several splits, 1 case: a.wav (train, test)" in text(found)
