"""Commands that answer at once: CPU-seconds of a new process, from its start to its end.

The target is what the project asks; the limit is a Python that starts and ends. CPU-seconds, of all
threads, as they do not count what else the machine does.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

from disentone.facets import Facets
from disentone.search import Index
from embedding import make_model
from timing import publish, record

FACETS = Facets({"timbre": 8, "pitch": 8})


def make_index(path, items):
    rng = np.random.default_rng(0)
    names = [str(row) for row in range(items)]
    table = pa.table({"id": names, "path": [f"sounds/{name}.wav" for name in names]})
    vectors = rng.standard_normal((items, FACETS.dim), np.float32)
    Index.build(path, vectors=vectors, facets=FACETS, items=table, model="made-up")


def cpu_seconds(words, repeats):
    """The least of several runs, after one that fills the system's cache."""
    spent = []
    for _ in range(repeats + 1):
        words = [str(word) for word in words]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(words)} ended with {process.returncode}.")
        spent.append(usage.ru_utime + usage.ru_stime)
    return min(spent[1:])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--items", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    python = (sys.executable, "-c", "pass")
    limit = {"limit": "Python alone", "limit_value": cpu_seconds(python, options.repeats)}
    lines = []

    def line(name, words, target, **size):
        spent = cpu_seconds([sys.executable, "-m", "disentone.cli", *words], options.repeats)
        lines.append(record(name, spent, "CPU-s", "target", target, **limit, **size))

    line("--help", ("--help",), 0.5)
    line("recipes", ("recipes",), 0.5)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        make_model(model)
        line("info, of a model", ("info", model), 0.5)
        for items in options.items:
            path = Path(folder) / f"{items}.index"
            make_index(path, items)
            line("search, for an item of the index", ("search", path, "7", "--json"), 1.5,
                 size=items, size_unit="items")  # fmt: skip
    publish("startup", lines)


if __name__ == "__main__":
    main()
