"""What decodes is believed, not what a header says of its length; the cases were met by users."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from disentone import audio
from disentone.errors import AudioError

RATE = 22050
CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"
FORMATS = {
    "wav": "PCM_16", "w64": "PCM_16", "rf64": "PCM_16", "aiff": "PCM_16", "caf": "PCM_16",
    "au": "PCM_16",
}  # fmt: skip
FORWARD = {
    "gsm.wav": ("WAV", "GSM610"),
    "g721.au": ("AU", "G721_32"),
    "g723.au": ("AU", "G723_24"),
    "ima.wav": ("WAV", "IMA_ADPCM"),
    "ms.wav": ("WAV", "MS_ADPCM"),
    "nms.wav": ("WAV", "NMS_ADPCM_16"),
    "gsm.aiff": ("AIFF", "GSM610"),
    "ima.aiff": ("AIFF", "IMA_ADPCM"),
}


def glide(seconds=3.0, rate=RATE):
    """A gliding tone over noise: (samples,)."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(0).standard_normal(len(time))
    return 0.4 * np.sin(2 * np.pi * (200 * time + 150 * time**2)) + 0.01 * noise


def written(path, wave=None, rate=RATE, **kind):
    soundfile.write(path, glide() if wave is None else wave, rate, **kind)
    return bytearray(path.read_bytes())


def put(data, place, value, width, order="little"):
    data[place : place + width] = (value % 256**width).to_bytes(width, order)


def size_field(data, suffix):
    """Where a file's size of the sound is written, its width and order."""
    if suffix == "au":
        return 8, 4, "big"
    if suffix == "w64":
        return data.rindex(b"data\xf3\xac") + 16, 8, "little"
    if suffix == "rf64":
        return data.index(b"ds64") + 16, 8, "little"
    name = {"aiff": b"SSND"}.get(suffix, b"data")
    wide = 8 if suffix == "caf" else 4
    return data.index(name) + 4, wide, "little" if suffix == "wav" else "big"


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("change", ["none", "zero", "+1", "+8", "+44", "half", "placeholder"])
def test_a_length_that_a_header_claims_is_a_hint(tmp_path, suffix, change):
    path = tmp_path / f"a.{suffix}"
    data = written(path, subtype="PCM_16", format=suffix.upper())
    expected = audio.read(path)
    place, width, order = size_field(data, suffix)
    true = int.from_bytes(data[place : place + width], order)
    values = {"none": true, "zero": 0, "half": true // 2, "placeholder": -1}
    put(
        data, place, values.get(change, true + int(change) if change[0] == "+" else 0), width, order
    )
    path.write_bytes(data)
    assert audio.info(path).frames == len(expected)
    np.testing.assert_array_equal(audio.read(path), expected)
    part = audio.read(path, start=1, seconds=0.5)
    np.testing.assert_array_equal(part, expected[RATE : RATE + RATE // 2])


@pytest.mark.parametrize("suffix", [*FORMATS, "nist", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("share", [0.3, 0.85])
def test_what_breaks_off_in_its_middle_is_truncated(tmp_path, suffix, share):
    data = written(tmp_path / f"a.{suffix}", format=suffix.upper())
    (tmp_path / f"a.{suffix}").write_bytes(data[: int(share * len(data))])
    for look in (audio.info, audio.read, lambda path: list(audio.blocks(path))):
        with pytest.raises(AudioError, match="truncated"):
            look(tmp_path / f"a.{suffix}")


@pytest.mark.parametrize("missing", [0.05, 0.2])
def test_up_to_a_quarter_of_a_second_may_be_missing(tmp_path, missing):
    data = written(tmp_path / "a.wav", subtype="PCM_16")
    (tmp_path / "a.wav").write_bytes(data[: len(data) - 2 * round(missing * RATE)])
    assert audio.info(tmp_path / "a.wav").seconds == pytest.approx(3 - missing, abs=1e-3)


def test_an_empty_chunk_before_others_is_no_sound(tmp_path):
    data = written(tmp_path / "a.wav", np.zeros(0), subtype="PCM_16")
    (tmp_path / "a.wav").write_bytes(data + b"LIST" + (4).to_bytes(4, "little") + b"INFO")
    with pytest.raises(AudioError, match="no samples"):
        audio.read(tmp_path / "a.wav")


@pytest.mark.parametrize("total", [0, 33075, 132300, 2**31 - 1, 2**36 - 1])
def test_a_flac_is_as_long_as_it_sounds(tmp_path, total):
    path = tmp_path / "a.flac"
    data = written(path, subtype="PCM_16")
    expected = audio.read(path)
    kept = int.from_bytes(data[18:26], "big") >> 36
    put(data, 18, kept << 36 | total, 8, "big")
    path.write_bytes(data)
    assert audio.info(path).frames == len(expected)
    np.testing.assert_array_equal(audio.read(path), expected)
    part = audio.read(path, start=2, seconds=0.5)
    np.testing.assert_array_equal(part, expected[2 * RATE : 2 * RATE + RATE // 2])
    path.write_bytes(data[: len(data) // 2])
    if total > len(expected):
        with pytest.raises(AudioError, match="truncated"):
            audio.read(path)


def ogg_checksum(page):
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7 if crc & 2**31 else crc << 1) % 2**32
    return crc


@pytest.mark.parametrize("factor", [0, 0.25, 2, 1e6])
def test_an_ogg_is_as_long_as_it_sounds(tmp_path, factor):
    path = tmp_path / "a.ogg"
    data = written(path, glide(40))
    true, last = audio.info(path).frames, data.rindex(b"OggS")
    put(data, last + 6, int(true * factor), 8)
    put(data, last + 22, 0, 4)
    put(data, last + 22, ogg_checksum(data[last:]), 4)
    path.write_bytes(data)
    assert audio.info(path).frames == pytest.approx(true, abs=8192)
    assert len(audio.read(path)) == audio.info(path).frames


def test_every_link_of_a_chained_ogg_is_heard(tmp_path):
    first, second = written(tmp_path / "a.ogg"), written(tmp_path / "b.ogg", glide(1), 2 * RATE)
    stereo = written(tmp_path / "c.ogg", np.stack([glide(1), glide(1)], 1))
    (tmp_path / "all.ogg").write_bytes(first + first + stereo + second)
    assert audio.info(tmp_path / "all.ogg").frames == (3 + 3 + 1) * RATE + RATE // 2
    wave, alone = audio.read(tmp_path / "all.ogg"), audio.read(tmp_path / "a.ogg")
    np.testing.assert_array_equal(wave[: 6 * RATE], np.tile(alone, 2))
    np.testing.assert_allclose(wave[6 * RATE : 7 * RATE], audio.read(tmp_path / "c.ogg"), atol=1e-6)
    part = audio.read(tmp_path / "all.ogg", start=5.5, seconds=1)
    np.testing.assert_allclose(part, wave[round(5.5 * RATE) : round(6.5 * RATE)], atol=1e-6)


@pytest.mark.parametrize("suffix", ["ogg", "opus"])
def test_a_part_in_the_last_page_of_an_ogg_is_a_slice_of_the_whole(tmp_path, suffix):
    kind = {"subtype": "OPUS"} if suffix == "opus" else {}
    written(tmp_path / f"a.{suffix}", rate=24000, format="OGG", **kind)
    whole = audio.read(tmp_path / f"a.{suffix}")
    for start in (0.5, 1.5, 2.2, 2.4, 2.6):
        part = audio.read(tmp_path / f"a.{suffix}", start=start, seconds=0.1)
        expected = whole[round(start * 24000) :][:2400]
        np.testing.assert_allclose(part, expected, atol=1e-6 if suffix == "ogg" else 1e-3)


@pytest.mark.parametrize("name", FORWARD)
def test_codings_that_cannot_seek_are_read_whole_and_in_parts(tmp_path, name):
    form, subtype = FORWARD[name]
    written(tmp_path / name, format=form, subtype=subtype)
    whole = audio.read(tmp_path / name)
    assert audio.info(tmp_path / name).frames == len(whole)
    assert np.corrcoef(whole[: 3 * RATE], glide())[0, 1] > 0.95
    part = audio.read(tmp_path / name, start=1.7, seconds=0.5)
    np.testing.assert_array_equal(part, whole[round(1.7 * RATE) :][: len(part)])
    assert len(part) == round(0.5 * RATE)


@pytest.mark.parametrize("rate", [0, 1, 99, 6_000_001, 2**32 - 1])
def test_a_rate_that_nobody_records_at_is_refused(tmp_path, rate):
    data = written(tmp_path / "a.wav", subtype="PCM_16")
    put(data, 24, rate, 4)
    (tmp_path / "a.wav").write_bytes(data)
    for look in (audio.info, audio.read):
        with pytest.raises(AudioError, match="damaged"):
            look(tmp_path / "a.wav")


@pytest.mark.parametrize(("place", "width"), [(22, 2), (34, 2)])
def test_no_channels_and_no_bits_are_refused(tmp_path, place, width):
    data = written(tmp_path / "a.wav", subtype="PCM_16")
    put(data, place, 0, width)
    (tmp_path / "a.wav").write_bytes(data)
    with pytest.raises(AudioError, match=r"a\.wav"):
        audio.read(tmp_path / "a.wav")


@pytest.mark.parametrize(
    "text",
    ["#EXTM3U\n#EXTINF:1,\nsecret.wav\n", "ffconcat version 1.0\nfile secret.wav\n",
     "<?xml version='1.0'?><MPD><BaseURL>secret.wav</BaseURL></MPD>"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["a.webm", "a.mp4", "a.wav", "a.m3u8"])
def test_a_text_does_not_make_a_neighbour_heard(tmp_path, monkeypatch, name, text):
    written(tmp_path / "secret.wav")
    (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AudioError, match=name):
        audio.read(name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no such files here")
def test_what_is_no_file_is_called_what_it_is_and_not_opened(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.wav")
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.wav")
    named = {"pipe.wav": "a pipe", "socket.wav": "a socket", "/dev/null": "a device"}
    for name, words in named.items():
        with pytest.raises(AudioError, match=f"is {words}"):
            audio.read(name)


def test_a_small_file_that_claims_much_costs_little(tmp_path):
    data = written(tmp_path / "a.flac", subtype="PCM_16")
    kept = int.from_bytes(data[18:26], "big") >> 36
    put(data, 18, kept << 36 | 2**36 - 1, 8, "big")
    (tmp_path / "a.flac").write_bytes(data)
    limited = (
        "import resource, sys; from disentone import audio\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (20, 20))\n"
        "print(len(audio.read(sys.argv[1])))"
    )
    pytest.importorskip("resource", reason="there are no limits here")
    command = [sys.executable, "-c", limited, str(tmp_path / "a.flac")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) == 3 * RATE


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("01-mp3-cbr-no-info/podcast.mp3", 10.03),
        ("02-mp3-vbr-no-xing/clip.mp3", 10.03),
        ("02-mp3-vbr-no-xing/tone60s.mp3", 60.03),
        ("10-wav-data-size-0/crashed_recorder.wav", 3),
        ("11-wav-data-size-plus44/plus1.wav", 3),
        ("11-wav-data-size-plus44/plus8.wav", 3),
        ("11-wav-data-size-plus44/plus44.wav", 3),
        ("13-mkv-audio-shorter/short_audio.mkv", 2.04),
        ("13-mkv-audio-shorter/short_audio.webm", 2),
        ("15-antiphase/inverted.wav", 1),
        ("17-wavpack-ignored/a.wv", 2),
        ("17-wavpack-ignored/a.tta", 2),
        ("hostile/0805_flactotal68719476735.flac", 2.5),
    ],
)
def test_files_that_were_read_wrong(name, seconds):
    if not CASES.is_dir():
        pytest.skip("the cases do not lie beside the checkout")
    wave, about = audio.read(CASES / name), audio.info(CASES / name)
    assert about.seconds == pytest.approx(seconds, abs=0.01)
    assert len(wave) == about.frames
    audio.check(wave, name)


@pytest.mark.parametrize(
    "name", ["0721_rate1.wav", "0738_bits0.wav", "0809_flacrate1.flac", "0883_m4a_mp4a_rnd.m4a",
             "0905_oggcrc_rate0.ogg"]
)  # fmt: skip
def test_files_that_broke_out(name):
    if not CASES.is_dir():
        pytest.skip("the cases do not lie beside the checkout")
    for look in (audio.info, audio.read):
        with pytest.raises(AudioError, match=name):
            look(CASES / "hostile" / name)
