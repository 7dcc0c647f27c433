"""Ask pip to resolve every extra, with constraints.txt and without, each within a time limit.

    python .ci/extras.py WHEEL WHEELS

WHEEL is ours, WHEELS a folder with all that the constraints lead to. Nothing is installed: pip says
what it would install where nothing is. With the constraints, each of these must be pinned there
and in the folder, or this fails; without, the index is asked for the newest, and what is wrong is
reported but fails nothing: it depends on what others have released, not on a change of ours.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

ROOT = Path(__file__).parents[1]
PINS = ROOT / "constraints.txt"
LIMIT = 300  # seconds for one resolution
OF_TORCH = ("nvidia-", "cuda-", "triton")  # pinned by the build of torch that wants them


def main(wheel: str, wheels: str) -> int:
    """Resolve all; exit code 1 if one with constraints does not end, fails or is not all pinned."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = ("", *project["optional-dependencies"])

    def work(one: tuple[bool, str]) -> bool:
        pinned, extra = one
        began = time.monotonic()
        problem, count = resolved(wheel, extra, wheels, pinned=pinned)
        how = "with constraints" if pinned else "without"
        result = f"WRONG: {problem}" if problem else f"{count} packages"
        print(f"[{extra}] {how}: {result}, {time.monotonic() - began:.0f} s", flush=True)
        return not (pinned and problem)

    with ThreadPoolExecutor(2) as pool:  # pip waits for the network most of the time
        return int(not all(list(pool.map(work, product((True, False), extras)))))


def resolved(wheel: str, extra: str, wheels: str, *, pinned: bool) -> tuple[str, int]:
    """What is wrong, "" if nothing, and how many packages would be installed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"]
        command += ["--quiet", "--report", report, "--find-links", wheels]
        command += ["--no-index", "--constraint", PINS] if pinned else []
        command.append(f"{wheel}[{extra}]" if extra else wheel)
        try:
            done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=LIMIT)
        except subprocess.TimeoutExpired:
            return f"pip does not come to an end within {LIMIT} s", 0
        if done.returncode:
            return f"pip fails: {done.stderr.strip()[-500:]}", 0
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    names = {plain(one["metadata"]["name"]) for one in found} - {"disentone"}
    loose = sorted(n for n in names - pins() if not n.startswith(OF_TORCH)) if pinned else []
    return f"constraints.txt lacks {', '.join(loose)}" if loose else "", len(names)


def pins() -> set[str]:
    """Names that constraints.txt pins."""
    lines = PINS.read_text(encoding="utf-8").splitlines()
    return {plain(line.partition("==")[0]) for line in lines if "==" in line}


def plain(name: str) -> str:
    """A project's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
