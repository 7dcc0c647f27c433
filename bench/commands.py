"""Whole commands as people type them: training, audit and report, beside the time they may take.

Each runs once, in an empty folder, and so looks up nothing that an earlier one left. Its work is
that of all its processes.

    python bench/commands.py demo
    python bench/commands.py facets latent csn balance
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from timing import caps, caps_matter, publish, record

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@dataclass(frozen=True)
class Command:
    """Words after `disentone`, and seconds that it may take: with AVX2, and with more."""

    words: tuple
    capped: float = 300.0
    free: float = 300.0

    @property
    def target(self):
        newer = caps() == "none" and caps_matter()
        return self.free if newer else self.capped


FACETS = ("instrument:8 same=instrument", "pitch:8 same=pitch", "rest:8")
COMMANDS = {
    "demo": Command(("demo",), capped=240.0, free=120.0),
    "facets": Command(
        (
            *("train", "facets", "--data", DATA / "notes" / "fluid"),
            *(word for facet in FACETS for word in ("--facet", facet)),
            *("--set", "training.epochs=20"),
        )
    ),
    "latent": Command(("reproduce", "latent", "--quick", "--data", DATA / "urban" / "streets")),
    "csn": Command(("reproduce", "csn", "--quick", "--data", DATA / "music")),
    "balance": Command(("reproduce", "balance", "--quick", "--data", DATA / "notes" / "fluid")),
}


def measure(name):
    """Seconds of a command by the clock, and seconds that all its processes worked."""
    command = COMMANDS[name]
    words = [sys.executable, "-m", "disentone.cli", *map(str, command.words), "--quiet"]
    with tempfile.TemporaryDirectory() as folder:
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(words, check=True, cwd=folder)
        took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    work = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    shown = " ".join(str(word).replace(f"{DATA}/", "") for word in command.words[:4])
    return [
        record(shown, took, "s", "target", command.target),
        record(f"{shown}: work of all processes", work, "s of a core"),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="+", choices=COMMANDS)
    for name in parser.parse_args().names:
        publish(f"command-{name}", measure(name))


if __name__ == "__main__":
    main()
