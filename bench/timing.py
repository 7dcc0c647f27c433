"""Timing for benchmarks: medians of repeats, and flat records beside a peer of the same run."""

import json
import os
import platform
import statistics
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def seconds(work, *, repeats=5):
    """Median time of a piece of work, after one run to warm up."""
    work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def machine():
    """What the numbers were measured on."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [x for x in cpuinfo.read_text().splitlines() if x.startswith("model name")]
        name = models[0].split(":")[1].strip() if models else name
    import torch

    threads = torch.get_num_threads()
    return f"{name}, {os.cpu_count()} cores, torch {torch.__version__}, {threads} threads"


def record(name, value, unit, peer, peer_value):
    """One line of a table; ratio above 1 means that ours is the larger value."""
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "peer": peer,
        "peer_value": peer_value,
        "ratio": value / peer_value,
        "machine": machine(),
    }


def publish(benchmark, records):
    """Print a table and write the records."""
    print(records[0]["machine"])
    for r in records:
        print(
            f"{r['name']:44s} {r['value']:12.4g} {r['unit']:16s} "
            f"{r['peer']}: {r['peer_value']:.4g}  ratio {r['ratio']:.2f}"
        )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{benchmark}.json").write_text(json.dumps(records, indent=2) + "\n")
