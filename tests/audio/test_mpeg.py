"""MPEG audio: as long as its frames, whatever stands before, between and after them."""

import av
import numpy as np
import pytest

from disentone import audio
from disentone.errors import AudioError

RATE = 44100


def encode(path, *, coder="libmp3lame", seconds=5.0, rate=RATE, xing=False, quality=None):
    """Write a tone in noise; `quality` for a variable rate."""
    time = np.arange(round(seconds * rate)) / rate
    loud = 0.3 * (time > seconds / 2)  # quiet, then loud: a rate that varies
    wave = loud * np.random.default_rng(0).standard_normal(len(time)).clip(-2, 2) / 2
    wave = (wave + 0.1 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    with av.open(str(path), "w", options={"write_xing": str(int(xing)), "id3v2_version": "0"}) as f:
        options = {} if quality is None else {"q": str(quality)}
        stream = f.add_stream(coder, rate=rate, layout="mono", options=options)
        stream.bit_rate = 128_000
        if quality is not None:
            stream.codec_context.qscale = True
            stream.codec_context.global_quality = quality * 118
        form = stream.codec_context.format.name if stream.codec_context.format else "fltp"
        convert = av.AudioResampler(format=form, layout="mono", rate=rate, frame_size=1152)
        frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        for part in [*convert.resample(frame), *convert.resample(None)]:
            f.mux(stream.encode(part))
        f.mux(stream.encode(None))
    return path.read_bytes()


def decoded(path):
    """Decode all with FFmpeg's own demuxer: (samples,)."""
    convert = av.AudioResampler(format="fltp")
    with av.open(str(path)) as file:
        frames = [part for frame in file.decode(audio=0) for part in convert.resample(frame)]
        return np.concatenate([frame.to_ndarray()[0] for frame in frames])


@pytest.mark.parametrize("quality", [None, 5])
@pytest.mark.parametrize(("coder", "suffix"), [("libmp3lame", "mp3"), ("mp2", "mp2")])
@pytest.mark.parametrize("rate", [44100, 22050])
def test_without_a_header_it_is_as_long_as_its_frames(tmp_path, coder, suffix, rate, quality):
    path = tmp_path / f"a.{suffix}"
    encode(path, coder=coder, rate=rate, quality=quality)
    expected = decoded(path)
    assert audio.info(path).frames == len(expected)
    wave = audio.read(path)
    np.testing.assert_allclose(wave, expected, atol=2**-14)  # some decode to 16 bits
    part = audio.read(path, start=3, seconds=1)
    np.testing.assert_allclose(part, wave[3 * rate : 4 * rate], atol=1e-6)


def test_an_encoder_s_padding_is_taken_off(tmp_path):
    encode(tmp_path / "a.mp3", xing=True)
    expected = decoded(tmp_path / "a.mp3")
    wave = audio.read(tmp_path / "a.mp3")
    assert len(wave) == audio.info(tmp_path / "a.mp3").frames == len(expected) == 5 * RATE
    np.testing.assert_allclose(wave, expected, atol=1e-6)


TAG = b"TAG" + b"x" * 125
JUNK = np.random.default_rng(1).bytes(5000)
PICTURE = b"ID3\x04\x00\x00" + bytes([0, 0, 0x27, 0x08]) + JUNK[: 0x27 * 128 + 8]


@pytest.mark.parametrize(("before", "after"), [
    (b"", TAG), (b"", JUNK), (PICTURE, b""), (PICTURE * 2, TAG), (bytes(2000), b""),
    (b"", b"APETAGEX" + bytes(200)), (b"", bytes(10_000)),
])  # fmt: skip
@pytest.mark.parametrize("xing", [False, True])
def test_what_stands_around_the_frames_is_no_error(tmp_path, capfd, before, after, xing):
    data = encode(tmp_path / "a.mp3", xing=xing)
    expected = audio.read(tmp_path / "a.mp3")
    (tmp_path / "b.mp3").write_bytes(before + data + after)
    np.testing.assert_allclose(audio.read(tmp_path / "b.mp3"), expected, atol=1e-6)
    assert capfd.readouterr().err == ""  # decoders may not write there


def test_a_last_frame_that_is_cut_is_the_end_and_a_half_with_a_header_is_truncated(tmp_path):
    path = tmp_path / "a.mp3"
    path.write_bytes(encode(path)[:-100])
    assert audio.info(path).seconds == pytest.approx(5, abs=0.06)
    path.write_bytes(encode(path, xing=True)[:20_000])
    with pytest.raises(AudioError, match="truncated"):
        audio.info(path)


def test_a_hole_is_damage_and_a_small_one_is_not(tmp_path, capfd):
    path = tmp_path / "a.mp3"
    data = encode(path)
    for size, whole in ((800, True), (20_000, False)):
        path.write_bytes(data[:30_000] + bytes(size) + data[30_000 + size :])
        if whole:
            assert audio.info(path).seconds == pytest.approx(5, abs=0.2)
            audio.read(path)
        else:
            with pytest.raises(AudioError, match="damaged"):
                audio.read(path)
    assert capfd.readouterr().err == ""
