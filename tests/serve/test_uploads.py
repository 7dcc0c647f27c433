"""Uploads are kept while there is room, under harmless names, and leave nothing behind."""

import asyncio

import pytest

from disentone.errors import AudioError
from disentone.serve.problems import Missing, TooLarge
from disentone.serve.uploads import Uploads, clean


async def chunks(*parts):
    for part in parts:
        yield part


@pytest.fixture
def uploads(tmp_path):
    folder = tmp_path / "kept"
    folder.mkdir()
    return Uploads(folder, sample_rate=8000, max_bytes=100_000, max_seconds=3, room=50_000)


def send(uploads, *parts, name="a.wav"):
    return asyncio.run(uploads.take(chunks(*parts), name))


def test_an_upload_is_kept_at_the_models_rate(uploads, wav):
    sent = send(uploads, wav[:1000], wav[1000:], name="my tone.wav")
    assert (sent.name, sent.seconds) == ("my tone.wav", 1.0)
    assert max(sent.peaks) == pytest.approx(0.5, abs=0.01)
    assert uploads.find(sent.upload) == sent
    assert [file.name for file in uploads.folder.iterdir()] == [f"{sent.upload}.wav"]


def test_the_oldest_go_with_their_files(uploads, wav):
    sent = [send(uploads, wav) for _ in range(3)]  # 32 kB each
    with pytest.raises(Missing, match="not kept any more: send the sound again"):
        uploads.find(sent[0].upload)
    assert uploads.find(sent[2].upload)
    assert len(list(uploads.folder.iterdir())) == 1


def test_too_many_bytes_are_not_even_received(uploads):
    received = 0

    async def endless():
        nonlocal received
        while True:
            received += 10_000
            yield bytes(10_000)

    with pytest.raises(TooLarge, match=r"'a.wav' is larger than 0.0954 MB: send a part of it"):
        asyncio.run(uploads.take(endless(), "a.wav"))
    assert received == 110_000
    assert list(uploads.folder.iterdir()) == []


def test_a_refused_upload_leaves_nothing(uploads):
    with pytest.raises(AudioError, match="'x' is not audio"):
        send(uploads, b"no sound at all" * 100, name="x")
    assert list(uploads.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("tone.wav", "tone.wav"),
        ("../../etc/passwd", "passwd"),
        ("C:\\music\\a.mp3", "a.mp3"),
        ("/", "sound"),
        ("", "sound"),
        ("a\x00\r\n\u202eb.wav", "ab.wav"),
        ("<img src=x onerror=alert(1)>.wav", "<img src=x onerror=alert(1)>.wav"),
        ("x" * 500, "x" * 120),
    ],
)
def test_names_are_harmless(name, shown):
    assert clean(name) == shown
