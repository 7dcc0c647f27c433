"""Kill train, embed and index with SIGKILL at random moments, go on, and compare with the unkilled.

Each round begins a command in a process of its own and kills it after a random time within that
which it takes unkilled (a fixed seed). Half of them are killed a second time while they go on. What
the command then leaves must be what an unkilled command leaves, to the bit: weights and the log of
the losses, the rows of embeddings, the rows and vectors of an index. `update` is an index of a
library in which files were moved, changed, added and deleted and labels corrected. `delete` takes
items out of one, and what is left must be the items before or after.

    python bench/kills.py --rounds 10

Parts are of 8 clips, so that there is something to lose between two of them.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import soundfile

import timing
from disentone.search import Index

CLIPS = 64
RATE = 16000
COMMAND = (
    "import sys; from disentone.embeddings import collection; collection._PART = 8; "
    "from disentone.cli import main; sys.argv[0] = 'disentone'; main()"
)
DELETE = (
    "from disentone.search import Index; Index('i').delete([f'{n:03d}.wav' for n in range(40)])"
)
QUICK = ("--set", "training.epochs=12", "--no-audit", "-q")


def main():
    """Run the campaign, and write its figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=10, help="of each kind of work")
    options.add_argument("--seed", type=int, default=0)
    options = options.parse_args()
    chance = random.Random(options.seed)
    records = []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        make_sounds()
        run("train", "debug", "--out", "model", "--no-audit", "-q")
        for kind, campaign in KINDS.items():
            records += lines(kind, campaign(chance, options.rounds))
    timing.publish("kills", records)
    sys.exit(any("differ" in record["name"] and record["value"] for record in records))


def make_sounds():
    """A folder of short sounds with a table of labels, and what becomes of it."""
    rng = np.random.default_rng(0)
    for number in range(CLIPS):
        write(f"sounds/{number:03d}.wav", rng)
    table("sounds", {f"{number:03d}.wav": number % 5 for number in range(CLIPS)})
    shutil.copytree("sounds", "later")
    labels = {f"{number:03d}.wav": (number + number % 2) % 5 for number in range(10, CLIPS)}
    for number in range(10):  # five are gone, five have moved
        old = Path(f"later/{number:03d}.wav")
        if number < 5:
            old.unlink()
        else:
            old.rename(f"later/moved{number}.wav")
            labels[f"moved{number}.wav"] = number
    for number in range(10, 20):  # changed, and as many new
        write(f"later/{number:03d}.wav", rng, seconds=0.4)
        write(f"later/new{number}.wav", rng)
        labels[f"new{number}.wav"] = 9
    table("later", labels)


def write(name, rng, seconds=0.3):
    """Write some noise."""
    Path(name).parent.mkdir(exist_ok=True)
    soundfile.write(name, 0.3 * rng.standard_normal(int(seconds * RATE)), RATE)


def table(folder, labels):
    """Write a table of labels."""
    rows = "".join(f"{name},label{label}\n" for name, label in labels.items())
    Path(folder, "clips.csv").write_text("path,label\n" + rows, encoding="utf-8")


# --- processes -----------------------------------------------------------------------------------


def start(*words, code=COMMAND):
    """Begin a command in a process of its own."""
    nothing = subprocess.DEVNULL
    return subprocess.Popen([sys.executable, "-c", code, *words], stdout=nothing, stderr=nothing)


def run(*words, code=COMMAND):
    """Run a command to its end, and give the seconds that it took."""
    begun = time.perf_counter()
    if start(*words, code=code).wait():
        raise SystemExit(f"failed: {' '.join(words)}")
    return time.perf_counter() - begun


def killed(chance, seconds, *words, code=COMMAND):
    """Kill a command at a random moment; whether it was still at work."""
    process = start(*words, code=code)
    time.sleep(chance.uniform(0.3, 1) * seconds)  # before, Python imports
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def rounds(chance, count, prepare, begin, again, result, *, code=COMMAND, ends=None):
    """Kill a command and go on with it, again and again: kills, rounds and those that differ."""
    prepare()
    seconds = run(*begin, code=code)
    wanted = [result()] if ends is None else ends
    kills = differ = 0
    for number in range(count):
        prepare()
        kills += killed(chance, seconds, *begin, code=code)
        if ends is None:
            if number % 2:
                kills += killed(chance, seconds, *again, code=code)
            run(*again, code=code)
        differ += result() not in wanted
    return {"rounds": count, "killed at work": kills, "results that differ": differ}


# --- kinds of work -------------------------------------------------------------------------------


def training(chance, count):
    """Train: weights and losses."""
    words = ("train", "debug", "--out", "run", *QUICK)

    def result():
        lines = [
            json.loads(line)
            for line in Path("run/metrics.jsonl").read_text(encoding="utf-8").splitlines()
        ]
        losses = [{k: v for k, v in line.items() if "seconds" not in k} for line in lines]
        return Path("run/model.safetensors").read_bytes(), losses

    def prepare():
        shutil.rmtree("run", ignore_errors=True)

    return rounds(chance, count, prepare, words, (*words, "--resume"), result)


def embedding(chance, count):
    """Embed: rows of the table."""
    words = ("embed", "model", "sounds", "-o", "o.parquet", "-q")

    def result():
        return pq.read_table("o.parquet").to_pydict()

    def prepare():
        Path("o.parquet").unlink(missing_ok=True)
        shutil.rmtree("o.parquet.partial", ignore_errors=True)

    return rounds(chance, count, prepare, words, (*words, "--resume"), result)


def indexed():
    """Rows and vectors of the index, in the order of ids."""
    index = Index("i")
    items = index.items().sort_by("id")
    return items.to_pydict(), index.vectors(items["id"].to_pylist()).tobytes()


def indexing(chance, count):
    """Index a folder."""
    words = ("index", "model", "sounds", "-o", "i", "-q")

    def prepare():
        shutil.rmtree("i", ignore_errors=True)

    return rounds(chance, count, prepare, words, words, indexed)


def updating(chance, count):
    """Index a folder again, after what has become of it."""
    words = ("index", "model", "lib", "-o", "i", "-q")
    shutil.copytree("sounds", "lib")
    run(*words)
    shutil.copytree("i", "before")
    shutil.rmtree("lib")
    shutil.copytree("later", "lib")

    def prepare():
        shutil.rmtree("i")
        shutil.copytree("before", "i")

    return rounds(chance, count, prepare, words, words, indexed)


def deleting(chance, count):
    """Delete items."""
    shutil.rmtree("i")
    run("index", "model", "sounds", "-o", "i", "-q")
    shutil.copytree("i", "whole", dirs_exist_ok=True)
    ends = [indexed()]
    run(code=DELETE)
    ends.append(indexed())

    def prepare():
        shutil.rmtree("i")
        shutil.copytree("whole", "i")

    return rounds(chance, count, prepare, (), (), indexed, code=DELETE, ends=ends)


KINDS = {
    "train": training,
    "embed": embedding,
    "index": indexing,
    "update": updating,
    "delete": deleting,
}


def lines(kind, counts):
    """Print what came of one kind, and give its records."""
    print(kind, *(f"{what}: {value}" for what, value in counts.items()), flush=True)
    return [timing.record(f"{kind}, {what}", value, "") for what, value in counts.items()]


if __name__ == "__main__":
    main()
