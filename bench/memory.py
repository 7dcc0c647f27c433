"""Training from a feature store that is ten times the memory it may use.

Each line is a process that may allocate no more than a budget beyond what Python and torch take
(RLIMIT_DATA: private writable memory), and trains for some epochs over a store of random features.
What counts is the peak of its anonymous memory over that of the start: pages that belong to it
alone. Pages of the store do not count, as the system may drop them whenever it wants the room. A
control loads the store's training clips into memory, as training would without a map; it has to
fail. Beside features, a clip costs some hundred bytes: its name, its factors and its partners.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np

FRAMES, FEATURES = 32, 64
CLIP = 4 * FRAMES * FEATURES  # bytes
MIB = 2**20


def make_store(file, clips):
    rng = np.random.default_rng(0)
    with file.open("wb") as stream:
        for first in range(0, clips, 8192):
            count = min(8192, clips - first)
            block = rng.integers(-60, 0, (count, FRAMES, FEATURES), np.int8)
            stream.write(block.astype(np.float32).data)


def status(name):
    """A line of the system's status of this process, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name + ":"))


class Peak:
    """The largest anonymous memory of this process while it is watched."""

    def __init__(self):
        self.bytes, self._done = status("RssAnon"), threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)

    def _look(self):
        while not self._done.wait(0.02):
            self.bytes = max(self.bytes, status("RssAnon"))

    def __enter__(self):
        self._watch.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._watch.join()


def split_of(features, rows):
    """Random features as the training loop takes them; ten clips of a source are views."""
    import torch

    from disentone.agreement import Relation, ViewSampler
    from disentone.audio.windows import ClipWindows
    from disentone.clips import ClipTable
    from disentone.factors import Factor
    from disentone.runs.split import Split

    source = np.arange(len(rows)) % max(2, len(rows) // 10)
    names = tuple(map(str, range(source.max() + 1)))
    factors = {"source": Factor("source", "categorical", source, names)}
    ids = np.array([f"{row:09d}.wav" for row in rows], dtype=object)
    table = ClipTable(ids, factors, np.full(len(rows), "train", object), sounds=None)
    sampler = ViewSampler(table, {"shared": Relation("source")})
    return Split(
        features, sampler, torch.tensor(-30.0), torch.tensor(17.0), ClipWindows.single(rows)
    )


def train(file, budget, epochs, out):
    """Train under a budget, and print what memory it took."""
    import torch

    from disentone.facets import Facets
    from disentone.models import ModelConfig, MultiView
    from disentone.objectives import Divergence, Objective, Reconstruction
    from disentone.recipes.schema import TrainingConfig
    from disentone.runs.loop import fit
    from disentone.runs.step import Learner

    torch.set_num_threads(1)
    facets = Facets({"private": 8, "shared": 8})
    config = ModelConfig(
        encoder={"kind": "patch", "patch": 4, "width": 16, "depth": 1},
        decoder={"kind": "dense", "widths": [16]},
    )
    network = MultiView(config, facets, frames=FRAMES, features=FEATURES)
    objective = Objective([Reconstruction(), Divergence(alpha=0, beta=0, gamma=0.1)], facets)
    features = np.memmap(file, np.float32, "r").reshape(-1, FRAMES, FEATURES)
    rows = np.arange(len(features))
    first = np.flatnonzero(rows % 50)  # not one block: what indexing would copy
    torch.zeros(256, FRAMES, FEATURES).exp().sum()  # what torch allocates once
    began, limit = status("RssAnon"), status("VmData") + int(budget)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    if out == "control":
        np.ascontiguousarray(features[first])
        return
    with Peak() as peak:
        splits = split_of(features, first), split_of(features, np.flatnonzero(rows % 50 == 0))
        fit(
            Learner(network, objective, TrainingConfig(epochs=int(epochs), batch=256)),
            *splits,
            out=Path(out),
            save_best=lambda: None,
        )
    print(json.dumps({"peak": peak.bytes - began, "mapped": status("RssFile")}))


def main():
    from timing import publish, record

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=4, help="of the larger store")
    parser.add_argument("--epochs", type=int, default=2)
    options = parser.parse_args()
    budget = int(options.gigabytes * 1e8)
    peaks = {}
    with tempfile.TemporaryDirectory() as folder:
        for share in (0.1, 1.0):
            file = Path(folder) / f"{share}.f32"
            clips = int(share * options.gigabytes * 1e9 / CLIP)
            make_store(file, clips)
            words = [sys.executable, __file__, "--train", str(file), str(budget)]
            words.append(str(options.epochs))
            run = subprocess.run(
                [*words, f"{folder}/{share}"], check=True, stdout=subprocess.PIPE, encoding="utf-8"
            )
            measured = json.loads(run.stdout)
            peaks[share] = measured["peak"] / MIB
            print(f"{clips} clips: {measured['mapped'] / MIB:.0f} MiB of the store were mapped")
        copied = subprocess.run([*words, "control"], stderr=subprocess.PIPE, encoding="utf-8")
        if copied.returncode == 0 or "MemoryError" not in copied.stderr:
            raise SystemExit("The budget does not bind: the control could load the store.")
    size = options.gigabytes * 1e9 / MIB
    unit, larger = "MiB", f"memory to train from {size:.0f} MiB"
    publish(
        "memory",
        [
            record(larger, peaks[1.0], unit, f"from {size / 10:.0f} MiB", peaks[0.1]),
            record(larger, peaks[1.0], unit, "budget", budget / MIB),
            record("size of the store", size, unit, "budget", budget / MIB),
        ],
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--train"]:
        train(*sys.argv[2:])
    else:
        main()
