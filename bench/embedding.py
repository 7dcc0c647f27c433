"""Embed FLAC and OGG clips from a cold start: ours, against librosa in a torch DataLoader.

Each is a new process, finds no file in the system's cache, and leaves the embeddings on disk. The
lines called "whole command" are `disentone embed` with the start of Python and torch; the others
count the work alone. With --repeats each is run several times and the best is kept,
as machines have other work. The model is the default network on log-mel windows of 1 s; weights do
not matter.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile

RATE, SECONDS = 44100, 10
OURS = """
import sys, time
from disentone.embeddings.collection import embed_collection
from disentone.embeddings.embedder import EmbedOptions
model, folder, out, *cache = sys.argv[1:]
began = time.perf_counter()
embed_collection(model, [folder], out, EmbedOptions(cache=cache[0] if cache else None))
print(time.perf_counter() - began)
"""


def make_clip(path, seed):
    """Notes of a few partials over a little noise: neither trivial nor impossible to compress."""
    rng = np.random.default_rng(seed)
    time = np.arange(RATE * SECONDS) / RATE
    wave = 0.003 * rng.standard_normal(len(time))
    for begin in range(0, len(time), RATE // 2):
        note = slice(begin, begin + RATE // 2)
        pitch = 440 * 2 ** (rng.integers(-24, 24) / 12)
        partials = np.arange(1, 1 + rng.integers(3, 12))
        tone = (np.sin(2 * np.pi * pitch * partials[:, None] * time[note]) / partials[:, None]).sum(
            axis=0
        )
        wave[note] += 0.2 * tone * np.exp(-4 * (time[note] - time[begin]))
    soundfile.write(path, wave, RATE)


def make_collection(folder, clips):
    folder.mkdir()
    paths = [folder / f"{i:05d}.{'flac' if i % 2 else 'ogg'}" for i in range(clips)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(make_clip, paths, range(clips)))
    return paths


def make_model(folder):
    import torch

    from disentone.embeddings.model import Model
    from disentone.facets import Facets
    from disentone.frontends.config import LogMelConfig
    from disentone.frontends.logmel import LogMel
    from disentone.models import ModelConfig, MultiView

    torch.manual_seed(0)
    facets, frontend = Facets({"private": 8, "shared": 8}), LogMel(LogMelConfig())
    network = MultiView(ModelConfig(), facets, frames=frontend.frames, features=frontend.features)
    Model(network, frontend, torch.tensor(-30.0), torch.tensor(15.0)).save(folder)


class Clips:
    """What a DataLoader takes: log-mel windows of one file, by librosa."""

    def __init__(self, paths):
        self.paths = paths

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        import librosa

        wave, rate = librosa.load(self.paths[index], sr=16000)
        windows = wave[: len(wave) // rate * rate].reshape(-1, rate)
        mel = librosa.feature.melspectrogram(
            y=windows, sr=rate, n_fft=1024, hop_length=512, n_mels=64, pad_mode="constant"
        )
        decibels = librosa.power_to_db(mel, ref=1.0, amin=1e-6, top_db=None)
        return decibels.transpose(0, 2, 1).astype(np.float32)


def peer(model, folder, out):
    """One clip after the other in as many workers as there are cores, in batches of 16 files."""
    import torch
    from torch.utils.data import DataLoader

    from disentone.embeddings.model import load

    began = time.perf_counter()
    loaded = load(model)
    paths = sorted(Path(folder).iterdir())
    batches = DataLoader(
        Clips(paths), batch_size=16, num_workers=os.cpu_count(), collate_fn=lambda batch: batch
    )
    rows = []
    for batch in batches:
        with torch.inference_mode():
            x = loaded.standardise(torch.from_numpy(np.concatenate(batch)))
            codes = loaded.network.posterior(x)[0].numpy()
        ends = np.cumsum([len(clip) for clip in batch])[:-1]
        rows += [part.mean(axis=0) for part in np.split(codes, ends)]
    np.save(out, np.stack(rows))
    print(time.perf_counter() - began)


def drop_from_cache(paths):
    for path in paths:
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def command(*words):
    """Run Python: its last line, and the seconds that it takes from its start to its end."""
    began = time.perf_counter()
    words = [sys.executable, *map(str, words)]
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, encoding="utf-8")
    return done.stdout.split()[-1], time.perf_counter() - began


def time_peer(paths, model, folder, out):
    """Seconds of the peer's work, as it prints them, and of its whole process."""
    drop_from_cache(paths)
    work, whole = command(__file__, "--peer", model, folder, out)
    return np.array([float(work), whole])


def time_ours(paths, model, folder, out, *, store=None, first=True):
    """Seconds of `embed_collection` alone, and of the whole command line."""
    spent = []
    options = [] if store is None else ["--cache", store]
    for whole in (False, True):
        out.unlink(missing_ok=True)
        if first:
            drop_from_cache(paths)
            shutil.rmtree(store or "", ignore_errors=True)
        if whole:
            words = ("embed", model, folder, "-o", out, "--quiet", *options)
            spent.append(command("-m", "disentone.cli", *words)[1])
        else:
            spent.append(float(command("-c", OURS, model, folder, out, *options[1:])[0]))
    return np.array(spent)


def compare(clips, repeats):
    """A collection of so many clips, embedded in every way."""
    from timing import record

    spent = {}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        paths = make_collection(work / "clips", clips)
        make_model(work / "model")
        common = (work / "model", work / "clips")
        store = work / "store"
        for _ in range(repeats):
            for name, seconds in {
                "peer": time_peer(paths, *common, work / "peer.npy"),
                "plain": time_ours(paths, *common, work / "plain.parquet"),
                "first": time_ours(paths, *common, work / "first.parquet", store=store),
                "second": time_ours(
                    paths, *common, work / "second.parquet", store=store, first=False
                ),
            }.items():
                spent[name] = np.minimum(spent.get(name, np.inf), seconds)
        check_alike(work)
    length = clips * SECONDS
    speed = {name: length / seconds for name, seconds in spent.items()}
    for name, what, peer_name, peer_what in (
        ("plain", "embedded", "peer", "librosa + DataLoader"),
        ("first", "embedded, and features stored", "peer", "librosa + DataLoader"),
        ("second", "again, from the store", "first", "first pass"),
    ):
        for part, detail in enumerate(("", ", whole command")):
            ours, theirs = speed[name][part], speed[peer_name][part]
            size = {"size": clips, "size_unit": "clips"}
            yield record(what + detail, ours, "x real time", peer_what, theirs, **size)


def check_alike(work):
    """The commands compute the same thing."""
    from disentone.embeddings import read_embeddings

    plain = read_embeddings(work / "plain.parquet").values
    np.testing.assert_array_equal(plain, read_embeddings(work / "first.parquet").values)
    np.testing.assert_array_equal(plain, read_embeddings(work / "second.parquet").values)
    error = np.abs(plain - np.load(work / "peer.npy")).max() / plain.std()
    print(f"largest difference to librosa's embeddings: {error:.2g} standard deviations")


def main():
    from timing import publish

    parser = argparse.ArgumentParser(description=__doc__)
    counts = f"of {SECONDS} s each"
    parser.add_argument("--clips", type=int, nargs="+", default=[60, 240], help=counts)
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args()
    lines = []
    for clips in options.clips:
        lines += compare(clips, options.repeats)
    publish("embedding", lines)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        peer(*sys.argv[2:])
    else:
        main()
