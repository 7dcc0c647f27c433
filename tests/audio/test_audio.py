"""Decoding, resampling, loudness and writing, on files made here."""

import os
import subprocess
import sys
import tracemalloc

import av
import numpy as np
import pyloudnorm
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from disentone import audio
from disentone.errors import AudioError


def sine(seconds=1.0, rate=44100, frequency=1000.0, level=0.5):
    return (level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(
        np.float32
    )


def chirp(seconds, rate):
    time = np.arange(round(seconds * rate)) / rate
    return (0.4 * np.sin(2 * np.pi * (200 * time + 150 * time**2))).astype(np.float32)


def write_container(path, wave, rate, codec):
    """Encode mono audio as m4a or webm, which libsndfile cannot read."""
    frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
    frame.sample_rate, frame.pts = rate, 0
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        form = stream.codec_context.format.name if stream.codec_context.format else "fltp"
        for part in av.AudioResampler(format=form).resample(frame):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("suffix", "tolerance"),
    [(".wav", 2**-15), (".flac", 2**-15), (".aiff", 2**-15), (".ogg", 0.05), (".mp3", 0.05)],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_written_is_read(tmp_path, suffix, tolerance, channels):
    wave = np.stack([sine(frequency=400.0 * (1 + c)) for c in range(channels)])
    path = tmp_path / f"a{suffix}"
    audio.write(path, wave, 44100)
    assert audio.info(path) == audio.AudioInfo(44100, channels, 44100, 1.0)
    got = audio.read(path, mono=False)
    assert got.dtype == np.float32
    assert got.shape == wave.shape
    assert np.abs(got - wave).max() < tolerance
    assert np.abs(audio.read(path) - wave.mean(axis=0)).max() < tolerance
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".opus", ".OGG", ".aif", ".wave"])
def test_other_suffixes_can_be_written(tmp_path, suffix):
    audio.write(tmp_path / f"a{suffix}", sine(rate=48000), 48000)
    assert audio.info(tmp_path / f"a{suffix}").seconds == pytest.approx(1.0)


WRITE_A_MINUTE = """
import sys
import numpy as np
from disentone import audio
wave = np.tile(np.sin(2 * np.pi * 440 * np.arange(44100) / 44100), (2, 90)).astype("float32")
audio.write(sys.argv[1], 0.5 * wave, 44100)
"""


def test_a_long_ogg_is_written(tmp_path):
    path = tmp_path / "long.ogg"
    command = [sys.executable, "-c", WRITE_A_MINUTE, str(path)]
    assert subprocess.run(command, check=False).returncode == 0  # written at once, it crashes
    assert audio.info(path).seconds == pytest.approx(90, abs=0.1)
    part = audio.read(path, start=80, seconds=1, mono=False)
    assert part.shape == (2, 44100)
    np.testing.assert_allclose(np.sqrt((part**2).mean(axis=1)), 0.5 / np.sqrt(2), rtol=0.02)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_every_sample_format_gives_the_same_wave(tmp_path, subtype):
    soundfile.write(tmp_path / "a.wav", sine(), 44100, subtype=subtype)
    error = np.abs(audio.read(tmp_path / "a.wav") - sine()).max()
    assert error < (1 / 127 if subtype == "PCM_U8" else 2**-15)


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000, 192000])
@pytest.mark.parametrize("wanted", [16000, 22050])
def test_resampling_keeps_frequency_and_level(tmp_path, rate, wanted):
    soundfile.write(tmp_path / "a.wav", sine(rate=rate, seconds=2), rate, subtype="FLOAT")
    wave = audio.read(tmp_path / "a.wav", sample_rate=wanted)
    assert len(wave) == 2 * wanted
    middle = wave[wanted // 2 : wanted // 2 + wanted]  # one second: a bin is one hertz
    spectrum = np.abs(np.fft.rfft(middle)) * 2 / wanted
    assert spectrum.argmax() == 1000
    assert spectrum[1000] == pytest.approx(0.5, rel=1e-3)
    rest = np.delete(spectrum, 1000)
    assert rest.max() < 1e-3


def test_resampling_removes_what_would_alias(tmp_path):
    soundfile.write(tmp_path / "a.wav", sine(frequency=15000, seconds=1), 44100, subtype="FLOAT")
    wave = audio.read(tmp_path / "a.wav", sample_rate=16000)
    assert np.abs(wave[2000:-2000]).max() < 1e-3


@settings(max_examples=40, deadline=None)
@given(start=st.floats(0, 2.9), seconds=st.floats(0.001, 1.0))
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_a_part_is_a_slice_of_the_whole(tmp_path_factory, suffix, start, seconds):
    path = tmp_path_factory.getbasetemp() / f"parts{suffix}"
    if not path.exists():
        noise = np.random.default_rng(3).standard_normal(3 * 22050).astype(np.float32)
        audio.write(path, chirp(3, 22050) + 0.05 * noise, 22050)
    whole, part = audio.read(path), audio.read(path, start=start, seconds=seconds)
    first = round(start * 22050)
    length = max(1, round(seconds * 22050))
    np.testing.assert_allclose(part, whole[first : first + length], atol=1e-6)


@pytest.mark.parametrize("wanted", [16000, 48000, 8000])
@pytest.mark.parametrize("start", [0.0, 0.05, 0.7123, 2.5])
def test_a_resampled_part_is_a_slice_of_the_resampled_whole(tmp_path, wanted, start):
    soundfile.write(tmp_path / "a.wav", chirp(3, 44100), 44100, subtype="FLOAT")
    whole = audio.read(tmp_path / "a.wav", sample_rate=wanted)
    part = audio.read(tmp_path / "a.wav", sample_rate=wanted, start=start, seconds=0.4)
    first = round(start * wanted)
    assert len(part) == round(0.4 * wanted)
    np.testing.assert_allclose(part, whole[first : first + len(part)], atol=1e-4)


def test_a_part_of_a_long_file_decodes_little(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.flac", np.tile(sine(), 60), 44100)
    decoded = []
    original = soundfile.SoundFile.read

    def counting(self, *args, **options):
        decoded.append(original(self, *args, **options))
        return decoded[-1]

    monkeypatch.setattr(soundfile.SoundFile, "read", counting)
    audio.read(tmp_path / "a.flac", sample_rate=16000, start=50, seconds=1)
    assert sum(map(len, decoded)) < 1.5 * 44100


def test_ten_hours_are_never_in_memory(tmp_path):
    path, size = tmp_path / "long.wav", 2 * 8000 * 36000
    soundfile.write(path, sine(rate=8000), 8000, subtype="PCM_16")
    with path.open("rb+") as file:  # a hole in the file: it takes no room on the disk
        header = bytearray(file.read(44))
        header[4:8], header[40:44] = (number.to_bytes(4, "little") for number in (size + 36, size))
        file.seek(0)
        file.write(header)
        file.truncate(size + 44)
        file.seek(44 + 2 * 8000 * 35999)
        file.write((2**15 * sine(rate=8000)).astype("<i2").tobytes())
    tracemalloc.start()
    try:
        assert audio.info(path).seconds == 36000
        wave = audio.read(path, start=35999, sample_rate=16000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(wave) == 16000
    assert np.abs(wave).max() == pytest.approx(0.5, rel=0.02)
    assert peak < 5e6  # bytes


@pytest.mark.parametrize("suffix", [".m4a", ".mp4"])
def test_m4a_is_read_whole_and_in_parts(tmp_path, suffix):
    wave = chirp(4, 48000)
    write_container(tmp_path / f"a{suffix}", wave, 48000, "aac")
    assert audio.info(tmp_path / f"a{suffix}").frames == len(wave)
    whole = audio.read(tmp_path / f"a{suffix}")
    assert len(whole) == len(wave)
    assert np.quantile(np.abs(whole - wave), 0.9) < 0.03  # a lag of one sample: 0.054
    part = audio.read(tmp_path / f"a{suffix}", start=2.5, seconds=1)
    np.testing.assert_allclose(part, whole[120000:168000], atol=1e-4)


def test_webm_is_read_in_parts_to_a_millisecond(tmp_path):
    write_container(tmp_path / "a.webm", chirp(4, 48000), 48000, "libopus")
    whole = audio.read(tmp_path / "a.webm")
    part = audio.read(tmp_path / "a.webm", start=2.5, seconds=0.5)
    around = whole[120000 - 480 : 144000 + 480]
    lag = int(np.argmax(np.correlate(around, part, "valid"))) - 480
    assert len(part) == 24000
    assert abs(lag) <= 48


def test_truncated_containers_are_refused(tmp_path):
    for name, codec in (("a.m4a", "aac"), ("a.webm", "libopus")):
        write_container(tmp_path / name, chirp(4, 48000), 48000, codec)
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 2])
        with pytest.raises(AudioError, match=name):
            audio.read(tmp_path / name)


@pytest.mark.parametrize("level", [0.02, 0.5])
@pytest.mark.parametrize("seconds", [0.1, 3.0])
def test_loudness_is_reached(tmp_path, rng, level, seconds):
    noise = level * rng.standard_normal(round(seconds * 48000)).clip(-2, 2) / 2
    soundfile.write(tmp_path / "a.wav", noise, 48000, subtype="FLOAT")
    wave = audio.read(tmp_path / "a.wav", lufs=-23.0)
    measured = pyloudnorm.Meter(48000).integrated_loudness(np.tile(wave.astype(float), 10))
    assert measured == pytest.approx(-23.0, abs=0.1)


def test_the_loudness_of_a_known_sine(tmp_path):
    # ITU-R BS.1770-4: a 997 Hz sine of full scale in one channel is -3.01 LKFS
    soundfile.write(tmp_path / "a.wav", sine(3, 48000, 997, 0.1), 48000, subtype="FLOAT")
    wave = audio.read(tmp_path / "a.wav", lufs=-13.01)
    assert np.abs(wave).max() == pytest.approx(10 ** (-10 / 20), rel=0.01)


def test_loudness_leaves_silence_and_takes_eight_channels(tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(48000), 48000)
    assert not audio.read(tmp_path / "silent.wav", lufs=-20).any()
    eight = np.repeat(sine(rate=48000)[:, None], 8, axis=1)
    soundfile.write(tmp_path / "eight.wav", eight, 48000)
    assert audio.read(tmp_path / "eight.wav", mono=False, lufs=-20).shape == (8, 48000)
    assert audio.read(tmp_path / "eight.wav").shape == (48000,)


def cut_in_half(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".aiff", ".w64", ".au"])
def test_a_truncated_file_is_refused(tmp_path, suffix):
    noise = 0.1 * np.random.default_rng(0).standard_normal(3 * 22050)
    soundfile.write(tmp_path / f"a{suffix}", chirp(3, 22050) + noise, 22050)
    cut_in_half(tmp_path / f"a{suffix}")
    with pytest.raises(AudioError, match=f"a{suffix}' is (damaged or )?truncated"):
        audio.read(tmp_path / f"a{suffix}")


def test_a_wav_from_a_pipe_is_not_truncated(tmp_path):
    audio.write(tmp_path / "a.wav", sine(), 44100)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"  # sizes that ffmpeg writes to a pipe
    (tmp_path / "a.wav").write_bytes(content)
    assert len(audio.read(tmp_path / "a.wav")) == 44100


def bad_files(folder):
    (folder / "empty.wav").touch()
    (folder / "text.mp3").write_text("this is not audio at all " * 300)
    (folder / "noise.flac").write_bytes(np.random.default_rng(0).bytes(100_000))
    soundfile.write(folder / "none.wav", np.zeros(0), 44100)
    (folder / "folder.wav").mkdir()
    (folder / "link.wav").symlink_to(folder / "nowhere.wav")
    os.mkfifo(folder / "pipe.wav")
    return [
        ("missing.wav", "does not exist"),
        ("link.wav", "does not exist"),
        ("folder.wav", "is a folder"),
        ("pipe.wav", "is a pipe"),
        ("empty.wav", "is empty"),
        ("text.mp3", "is not audio"),
        ("noise.flac", "is not audio"),
        ("none.wav", "has no samples"),
        ("x" * 300 + ".wav", "cannot be opened: File name too long"),
        ("nul\0.wav", "cannot be opened"),
    ]


def test_bad_files_give_one_clear_sentence(tmp_path):
    for name, words in bad_files(tmp_path):
        for look in (audio.info, audio.read):
            with pytest.raises(AudioError, match=words) as caught:
                look(tmp_path / name)
            assert str(caught.value).count("\n") == 0
            assert str(caught.value).endswith(".")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_named(tmp_path):
    audio.write(tmp_path / "a.wav", sine(), 44100)
    (tmp_path / "a.wav").chmod(0)
    with pytest.raises(AudioError, match="permission denied"):
        audio.read(tmp_path / "a.wav")


def test_parts_that_cannot_be(tmp_path):
    audio.write(tmp_path / "a.wav", sine(), 44100)
    with pytest.raises(AudioError, match="ends before 3 s"):
        audio.read(tmp_path / "a.wav", start=3)
    for start, seconds in ((-1, 1), (0, 0)):
        with pytest.raises(AudioError, match="must"):
            audio.read(tmp_path / "a.wav", start=start, seconds=seconds)
    assert len(audio.read(tmp_path / "a.wav", start=0.9, seconds=5)) == 4410


@pytest.mark.parametrize("name", ["a b,c 'd' \"e\".wav", "🎻 ñ.flac", "x" * 251 + ".wav"])
def test_names_of_any_kind(tmp_path, name):
    audio.write(tmp_path / name, sine(), 44100)
    assert audio.read(tmp_path / name).shape == (44100,)


def test_a_file_of_one_sample(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.array([0.5]), 44100)
    assert audio.read(tmp_path / "a.wav").tolist() == [0.5]
    with pytest.raises(AudioError, match="silent"):
        audio.check(audio.read(tmp_path / "a.wav"), "a.wav")


@pytest.mark.parametrize(
    ("wave", "words"),
    [
        (np.zeros(0), "no samples"),
        (np.zeros(100), "silent"),
        (np.full(100, 0.7), "silent"),
        (1e-5 * np.ones(100) * (-1) ** np.arange(100), "silent"),
        (np.array([0.1, np.nan, 0.2]), "not finite"),
        (np.array([0.1, -np.inf, 0.2]), "not finite"),
        (np.stack([np.sin(np.arange(100)), np.full(100, np.nan)]), "not finite"),
    ],
)
def test_check_refuses(wave, words):
    with pytest.raises(AudioError, match=words) as caught:
        audio.check(wave.astype(np.float32), "clips/a.wav")
    assert "clips/a.wav" in str(caught.value)


def test_check_lets_sound_pass():
    audio.check(1e-4 * sine(), "quiet")
    audio.check(np.stack([sine(), np.zeros(44100)]), "one silent channel")


def test_nan_and_inf_reach_check(tmp_path):
    for value in (np.nan, np.inf):
        stereo = np.stack([sine(), sine()], axis=1)
        stereo[100] = [value, -value]
        soundfile.write(tmp_path / "a.wav", stereo, 44100, subtype="FLOAT")
        with pytest.raises(AudioError, match="not finite"):
            audio.check(audio.read(tmp_path / "a.wav", lufs=-20), "a.wav")


def test_writing_refuses_clearly_and_leaves_the_old_file(tmp_path, monkeypatch):
    audio.write(tmp_path / "a.wav", sine(), 44100)
    before = (tmp_path / "a.wav").read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(soundfile.SoundFile, "write", full)
    with pytest.raises(AudioError, match="No space left"):
        audio.write(tmp_path / "a.wav", 2 * sine(), 44100)
    monkeypatch.undo()
    for name in ("a.xyz", "a", "a.raw", "no/such/folder/a.wav"):
        with pytest.raises(AudioError, match="cannot be written"):
            audio.write(tmp_path / name, sine(), 44100)
    assert (tmp_path / "a.wav").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.wav"]


def test_resample_is_the_identity_at_the_same_rate(rng):
    wave = rng.standard_normal((2, 100)).astype(np.float32)
    assert audio.resample(wave, 8000, 8000) is wave
    assert audio.resample(wave, 8000, 16000).shape == (2, 200)


def test_shared_clips_can_all_be_opened(shared_data):
    for pattern in ("notes/fluid/flute/*.mp3", "urban/esc10/rain/*.ogg", "notes/recorded/*/*C*"):
        files = sorted(shared_data.glob(pattern))
        assert files
        for file in files:
            assert audio.info(file).seconds > 1
