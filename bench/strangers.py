"""Models and recipes that a stranger made, each opened in a process of its own, with limits.

Right is: one sentence and exit code 2 (or the command works, where the case is harmless), no code
run but disentone's, nothing asked of the network, nothing asked on the terminal, and no more
memory and time than an honest one takes. What came of each is in results/strangers.json.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

import strangers_models
import strangers_recipes
import timing

SECONDS = 60  # of processor time; torch's import takes three
MEMORY = 1.5 * 2**30  # bytes at the peak; an honest command takes a third
ADDRESSES = 16 * 2**30  # bytes of address space: where it ends, allocations fail
EXIT = {"refused": 2, "works": 0}


class Outcome(NamedTuple):
    """What came of a case."""

    code: int
    said: str
    seconds: float
    memory: int
    ran: bool
    asked: int

    def faults(self, case):
        """What is wrong with it, as words that are counted."""
        right = case.right
        lines = [line for line in self.said.splitlines() if line.startswith("Error: ")]
        found = {
            "crashes": self.code < 0,
            "tracebacks": "Traceback" in self.said,
            "code run": self.ran and not case.runs,
            "fetched": self.asked > 0 and not case.fetches,
            "over bounds": self.seconds > SECONDS or self.memory > MEMORY,
            "wrong answers": self.code != EXIT[right]
            or (right == "refused" and len(lines) != 1)
            or (case.runs and not self.ran)
            or (case.fetches and not self.asked),
        }
        return [name for name, there in found.items() if there]


def main():
    """Run all cases, or those whose names begin with a word; exit code 1 if one has a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("word", nargs="?", default="")
    word = parser.parse_args().word
    with tempfile.TemporaryDirectory() as work, hub() as (address, asked):
        base = honest(Path(work, "honest"))
        found = {}
        for case in (*strangers_models.cases(base), *strangers_recipes.cases(base)):
            if case.name.startswith(word):
                outcome = opened(case, Path(work, "case"), base, address, asked)
                assert case.name not in found, case.name
                found[case.name] = outcome, outcome.faults(case)
                line = f"{outcome.seconds:5.1f} s {outcome.memory / 2**20:5.0f} MB"
                print(
                    f"{case.name:45} {line} {', '.join(found[case.name][1]) or 'right'}", flush=True
                )
                if found[case.name][1]:
                    print(outcome.said[-2000:])
    return report(found, write=not word)


def report(found, *, write):
    """Print and write the counts."""
    counts = Counter(fault for _, faults in found.values() for fault in faults)
    names = ("crashes", "tracebacks", "code run", "fetched", "over bounds", "wrong answers")
    outcomes = [outcome for outcome, _ in found.values()]
    values = {
        "models and recipes": len(found),
        **{name: counts[name] for name in names},
        "most seconds": round(max(one.seconds for one in outcomes), 1),
        "most memory": round(max(one.memory for one in outcomes) / 2**20),
    }
    units = {"most seconds": "s of processor time", "most memory": "MB"}
    records = [
        {"name": f"strangers: {name}", "value": value, "unit": units.get(name, "files")}
        for name, value in values.items()
    ]
    for record in records:
        print(f"{record['name']:30} {record['value']:>8} {record['unit']}")
    if write:
        file = timing.RESULTS / "strangers.json"
        each = {name: faults for name, (_, faults) in found.items()}
        file.write_text(
            json.dumps({"records": records, "cases": each}, indent=1) + "\n", encoding="utf-8"
        )
        print(file)
    return int(any(counts.values()))


def honest(folder):
    """A trained model, sounds, and a path of code that must not run."""
    sounds = folder / "sounds"
    sounds.mkdir(parents=True)
    for number in range(4):
        tone = 0.3 * np.sin(2 * np.pi * 220 * (number + 1) * np.arange(16_000) / 16_000)
        soundfile.write(sounds / f"{number}.wav", tone, 16_000)
    quick = ["--set", "training.epochs=1", "--set", "audit.seeds=1", "--quiet"]
    command = [sys.executable, "-P", "-m", "disentone", "train", "debug", *quick]
    subprocess.run([*command, "--out", folder / "run"], check=True, stdout=subprocess.DEVNULL)
    return folder


def opened(case, folder, base, address, asked):
    """Run the command of a case among its files, and see what it does."""
    subprocess.run(["rm", "-rf", folder], check=True)
    folder.mkdir()
    words = case.make(folder)
    mark, before = folder / "RAN", len(asked)
    environment = os.environ | {
        "HOSTILE_MARK": str(mark),
        "HF_ENDPOINT": address,
        "HF_HOME": str(folder / "hub"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(
            filter(None, [os.environ.get("PYTHONPATH"), str(folder / "code")])
        ),
    }
    with (
        (folder / "said").open("w+", encoding="utf-8") as said,
        (folder / "yes").open("w+", encoding="utf-8") as yes,
    ):
        yes.write("y\n" * 100)  # to whatever is asked
        yes.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-m", "disentone", *map(str, words)],
            stdin=yes,
            stdout=said,
            stderr=said,
            cwd=folder,
            env=environment,
            preexec_fn=_limit,
        )
        late = threading.Timer(4 * SECONDS, process.send_signal, [signal.SIGKILL])
        late.start()
        _, status, used = os.wait4(process.pid, 0)
        late.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read()
    spent = used.ru_utime + used.ru_stime
    ran, fetched = mark.exists(), len(asked) - before
    return Outcome(process.returncode, text, spent, used.ru_maxrss * 1024, ran, fetched)


def _limit():
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    resource.setrlimit(resource.RLIMIT_CPU, (2 * SECONDS, 2 * SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class hub:
    """A hub of models on this machine that has none, and remembers what it was asked for."""

    def __enter__(self):
        asked = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                self.send_error(404)

            do_HEAD = do_POST = do_GET

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}", asked

    def __exit__(self, *_):
        self.server.shutdown()


if __name__ == "__main__":
    sys.exit(main())
