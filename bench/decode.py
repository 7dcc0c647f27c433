"""Decoding files: ours, beside librosa.load, with libsndfile or PyAV alone as the limit.

The limit decodes to float32 and does nothing else, or resamples with soxr at the same quality where
a rate is asked for. "A second from the middle" must not grow with the length of the file. One
thread; files are in the system's cache, as what counts here is the work and not the disk.
"""

import argparse
import functools
import tempfile
from pathlib import Path

import av
import librosa
import numpy as np
import soundfile
import soxr
import torch

from disentone import audio
from timing import publish, record, side_by_side

RATE, WANTED = 44100, 16000


def music(length):
    """Notes of a few partials, two a second, over a little noise; stereo (samples, 2)."""
    rng = np.random.default_rng(0)
    time = np.arange(RATE // 2) / RATE
    notes = []
    for _ in range(2 * length):
        hz = 440 * 2 ** (rng.integers(-24, 24) / 12) * np.arange(1, 7)[:, None]
        tone = (np.sin(2 * np.pi * hz * time) / np.arange(1, 7)[:, None]).sum(axis=0)
        notes.append(0.2 * tone * np.exp(-4 * time))
    wave = np.concatenate(notes)
    return wave[:, None] + 0.003 * rng.standard_normal((len(wave), 2))


def write_aac(path, wave):
    """AAC in MP4, which libsndfile does not read."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("aac", rate=RATE, layout="stereo")
        for first in range(0, len(wave) - 1023, 1024):
            block = np.ascontiguousarray(wave[first : first + 1024].T, np.float32)
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = RATE, first
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def decode_with_pyav(path):
    with av.open(str(path)) as file:
        return np.concatenate([frame.to_ndarray() for frame in file.decode(audio=0)], axis=1)


def read_and_resample(path):
    wave, rate = soundfile.read(path, dtype="float32")
    half = np.full(2, 0.5, np.float32)  # a product is the fast way to a mean of two
    return soxr.resample(wave @ half, rate, WANTED, quality="HQ")


def read_part(path, start):
    with soundfile.SoundFile(path) as file:
        file.seek(round(start * RATE))
        return file.read(RATE, dtype="float32")


def whole_files(folder, wave, length, repeats):
    """Speed of each format, as it is and resampled."""
    kinds = {"WAV, 16 bit": "wav", "FLAC": "flac", "Ogg Vorbis": "ogg", "AAC (m4a)": "m4a"}
    for kind, suffix in kinds.items():
        path = folder / f"{length}.{suffix}"
        write_aac(path, wave) if suffix == "m4a" else audio.write(path, wave.T, RATE)
        if suffix == "m4a":  # librosa reads it through a deprecated package, if at all
            limit, name, peer = functools.partial(decode_with_pyav, path), "PyAV alone", None
        else:
            limit = functools.partial(soundfile.read, path, dtype="float32")
            name, peer = "libsndfile alone", functools.partial(librosa.load, path, sr=None)
        times = side_by_side(
            functools.partial(audio.read, path), limit, *([peer] if peer else []), repeats=repeats
        )
        yield line(kind, length, times, name, "librosa.load" if peer else None)
    times = side_by_side(
        functools.partial(audio.read, folder / f"{length}.flac", sample_rate=WANTED),
        functools.partial(read_and_resample, folder / f"{length}.flac"),
        functools.partial(librosa.load, folder / f"{length}.flac", sr=WANTED),
        repeats=repeats,
    )
    yield line(f"FLAC to {WANTED} Hz", length, times, "libsndfile and soxr", "librosa.load")


def line(name, length, times, limit, peer):
    speeds = [length / spent for spent in times]
    size = {"size": length, "size_unit": "s"}
    compared = (peer, speeds[2]) if peer else ()
    return record(
        name, speeds[0], "x real time", *compared, limit=limit, limit_value=speeds[1], **size
    )


def part(folder, length, repeats):
    """One second from the middle of a file."""
    path, start = folder / f"{length}.flac", length / 2
    ours, limit, peer = side_by_side(
        functools.partial(audio.read, path, start=start, seconds=1),
        functools.partial(read_part, path, start),
        functools.partial(librosa.load, path, sr=None, offset=start, duration=1),
        repeats=repeats,
    )
    return record(
        "a second from the middle of FLAC", 1000 * ours, "ms", "librosa.load", 1000 * peer,
        limit="libsndfile alone", limit_value=1000 * limit, size=length, size_unit="s",
    )  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lengths", type=int, nargs="+", default=[10, 60, 300], help="seconds")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = []
    with tempfile.TemporaryDirectory() as work:
        for length in options.lengths:
            wave = music(length)
            lines += whole_files(Path(work), wave, length, options.repeats)
            lines.append(part(Path(work), length, options.repeats))
    publish("decode", lines)


if __name__ == "__main__":
    main()
