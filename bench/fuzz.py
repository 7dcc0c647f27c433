"""Mutated sound files, against what `disentone.audio` promises whatever the bytes.

The promise: `audio.info`, `audio.read` (whole, and a part of it resampled) and `audio.blocks` end
in AudioError of one line, or give finite float32 samples whose count agrees with `audio.info` to a
quarter of a second; nothing is written to the terminal; and memory and time stay within bounds
that depend on the bytes of the file and on nothing that it claims. Files are decoded in a process
of their own, which a crash of a decoder ends and not this one.

    python bench/fuzz.py --mutants 5000
"""

import argparse
import itertools
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import mutants

BATCH = 50  # files that one process decodes
PATIENCE = 60  # seconds of a file, after which its process is ended
SLACK = 0.25  # seconds by which the length told and the length read may differ
BASE_SECONDS, BASE_BYTES = 2.0, 2**29  # that any file may take,
PER_BYTE_SECONDS, PER_BYTE_BYTES = 50e-6, 3 * 8192  # and for each of its bytes


def try_file(path):
    """Ask all of a file; gives what was wrong, or ""."""
    from disentone import audio
    from disentone.errors import AudioError

    def ask(work):
        try:
            return work(), ""
        except AudioError as error:
            words = str(error)
            return None, "" if "\n" not in words else f"more than one line: {words}"
        except BaseException as error:
            return None, f"{type(error).__name__}: {error}"

    def checked(**part):
        wave = audio.read(path, **part)
        assert wave.dtype == "float32", wave.dtype
        assert wave.ndim == 1, wave.ndim
        audio.check(wave, path)
        return len(wave)

    info, told = ask(lambda: audio.info(path))
    length, whole = ask(checked)
    _, part = ask(lambda: checked(start=0.3, seconds=0.2, sample_rate=16000))
    streamed, streaming = ask(lambda: sum(block.shape[1] for block in audio.blocks(path)))
    wrong = [words for words in (told, whole, part, streaming) if words]
    if not wrong and info and length and abs(info.frames - length) > SLACK * info.sample_rate:
        wrong.append(f"{info.frames} samples told, {length} read")
    if not wrong and streamed and length and streamed != length:
        wrong.append(f"{streamed} samples in blocks, {length} at once")
    if not wrong and length and not info:
        wrong.append("read, but no length told")
    return "; ".join(wrong), length or 0


def peak():
    """Most memory in bytes since the last call, where Linux gives it; else 0."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    except OSError:
        return 0
    return int(next(x for x in status.splitlines() if x.startswith("VmHWM")).split()[1]) * 1024


def work():
    """Decode the files that are named on the standard input: a line of JSON for each."""
    from disentone import audio

    audio.resample  # noqa: B018 - imported before memory is looked at
    for line in sys.stdin:
        path = line.rstrip("\n")
        if hasattr(signal, "alarm"):
            signal.alarm(PATIENCE)
        peak()
        before = peak()
        began = time.process_time()
        wrong, length = try_file(path)
        spent = time.process_time() - began
        report = {"wrong": wrong, "samples": length, "seconds": spent, "bytes": peak() - before}
        print(json.dumps(report), flush=True)


def decode(paths):
    """Decode files in a process of their own: a report of each; one that ended it has a signal."""
    reports, rest = [], list(paths)
    while rest:
        done = subprocess.run(
            [sys.executable, __file__, "--worker"],
            input="".join(f"{path}\n" for path in rest),
            capture_output=True,
            errors="replace",
            encoding="utf-8",
        )
        found = [json.loads(line) for line in done.stdout.splitlines()]
        if done.stderr and len(found) == len(rest):
            if len(rest) == 1:
                found[0]["wrong"] = found[0]["wrong"] or f"on the terminal: {done.stderr[:200]}"
            else:  # which of them was it?
                return reports + [one for path in rest for one in decode([path])]
        if len(found) < len(rest):
            found.append({"signal": -done.returncode, "wrong": done.stderr[-200:]})
        reports += found
        rest = rest[len(found) :]
    return reports


def over_bounds(report, size):
    """Whether a file took more time or memory than its bytes allow."""
    return (
        report["seconds"] > BASE_SECONDS + PER_BYTE_SECONDS * size
        or report["bytes"] > BASE_BYTES + PER_BYTE_BYTES * size
    )


def campaign(count, seed, folder, *, keep=None):
    """Try mutants: figures, and the names of those that broke the promise, each with its fault."""
    begin = folder / "whole"
    begin.mkdir()
    files = mutants.write_all(begin)
    figures, faults = Counter(), {}
    for report, file in zip(decode(files), files):
        rate = 2 * mutants.RATE if file.suffix in (".webm", ".ac3", ".wma") else mutants.RATE
        if report["wrong"] or abs(report["samples"] / rate - mutants.SECONDS) > SLACK:
            faults[file.name] = report
    named = mutants.mutants(files, count, seed)
    while batch := list(itertools.islice(named, BATCH)):
        paths = []
        for name, data in batch:
            paths.append(folder / name)
            paths[-1].write_bytes(data)
        for path, report in zip(paths, decode(paths)):
            size = path.stat().st_size
            kind = fault_of(report, size)
            figures[kind] += 1
            figures["heard"] += bool(report.get("samples"))
            figures["files"] += 1
            if kind != "right":
                faults[path.name] = report
                if keep:
                    (keep / path.name).write_bytes(path.read_bytes())
            path.unlink()
    return files, figures, faults


def fault_of(report, size):
    """Which part of the promise a file broke, or "right"."""
    if "signal" in report:
        late = report["signal"] == getattr(signal, "SIGALRM", None)
        return "over bounds" if late else "crashes"
    if report["wrong"]:
        return "wrong answers"
    return "over bounds" if over_bounds(report, size) else "right"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the files that broke the promise")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work()
        return
    from timing import RESULTS

    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        files, figures, faults = campaign(
            options.mutants, options.seed, Path(place), keep=options.keep
        )
    for name, report in faults.items():
        print(name, report)
    result = {
        "seed": options.seed,
        "formats": len(files),
        "files_tried": figures["files"],
        "heard": figures["heard"],
        "refused": figures["right"] - figures["heard"],
        "crashes": figures["crashes"],
        "wrong_answers": figures["wrong answers"],
        "over_bounds": figures["over bounds"],
        "seconds": round(time.perf_counter() - began),
    }
    print(json.dumps(result))
    (RESULTS / "fuzz.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
