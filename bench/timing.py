"""Timing for benchmarks: the best of repeats, and flat records beside a peer and a limit.

What a processor can do is part of every figure. `both_ways` runs a benchmark as it is and once more
under caps that hide AVX-512 and bfloat16, as on most laptops and servers in use: from torch (the
first three), the matrix products of NumPy and SciPy, FAISS, and NumPy's own loops.
"""

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

RESULTS = Path(os.environ.get("BENCH_RESULTS", Path(__file__).parent / "results"))
CAPS = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "FAISS_SIMD_LEVEL": "AVX2",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4,AVX512_ICL,AVX512_SPR",
}
UNITS = {  # what decides how fast a processor multiplies, by its flag in Linux
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_bf16": "AVX-512 BF16",
    "amx_bf16": "AMX BF16",
}


def seconds(work, *, repeats=5):
    """Time of a piece of work: the best of repeats after one to warm up."""
    return side_by_side(work, repeats=repeats)[0]


def side_by_side(*works, repeats=5, clock=time.perf_counter):
    """Best time of each piece of work, in turns, so that other work on the machine meets all."""
    for work in works:
        work()
    times = [[] for _ in works]
    for _ in range(repeats):
        for work, spent in zip(works, times):
            began = clock()
            work()
            spent.append(clock() - began)
    return [min(spent) for spent in times]


def cpu_info(field):
    """What Linux says of the first processor, or "" where there is no such word."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return next((x.partition(":")[2].strip() for x in lines if x.startswith(field)), "")


def machine():
    """What the numbers were measured on: processor, what it multiplies with, cores, torch."""
    import torch

    name = cpu_info("model name") or platform.processor() or platform.machine()
    flags = cpu_info("flags").split()
    units = [unit for flag, unit in UNITS.items() if flag in flags]
    able = f" ({', '.join(units)})" if units else ""
    return f"{name}{able}, {os.cpu_count()} cores, torch {torch.__version__}"


def caps():
    """AVX2 if this process was started under torch's caps, else none."""
    return "AVX2" if os.environ.get("ATEN_CPU_CAPABILITY") == "avx2" else "none"


def caps_matter():
    """Whether this processor has something that the caps hide."""
    return "avx512f" in cpu_info("flags").split()


def environment(*, capped, threads):
    """The environment for a process; the caps have to be there before torch is loaded."""
    kept = {name: value for name, value in os.environ.items() if name not in CAPS}
    return kept | {"OMP_NUM_THREADS": str(threads)} | (CAPS if capped else {})


def both_ways(file, *words, threads=1):
    """Run a benchmark in processes of its own: as it is, then under the caps if they matter."""
    for capped in (False, True) if caps_matter() else (False,):
        run = [sys.executable, str(file), *map(str, words)]
        subprocess.run(run, check=True, env=environment(capped=capped, threads=threads))


def record(
    name, value, unit, peer=None, peer_value=None,
    *, limit=None, limit_value=None, size=None, size_unit=None, threads=None,
):  # fmt: skip
    """One line of a table; a ratio above 1 means that ours is the larger value.

    The peer is another library in the same run, the limit what the machine can do at best; size is
    what the value grows with, for instance 10,000 "items". Threads are torch's if not given.
    """
    import torch

    return {
        "name": name,
        "value": value,
        "unit": unit,
        "peer": peer,
        "peer_value": peer_value,
        "ratio": value / peer_value if peer_value else None,
        "limit": limit,
        "limit_value": limit_value,
        "size": size,
        "size_unit": size_unit,
        "caps": caps(),
        "threads": threads or torch.get_num_threads(),
        "machine": machine(),
        "date": time.strftime("%Y-%m-%d"),
    }


def publish(benchmark, records):
    """Print a table; write the records beside those of other caps and threads on this machine."""
    print(f"{records[0]['machine']}, caps: {records[0]['caps']}")
    for r in records:
        size = "" if r["size"] is None else f", {r['size']:,} {r['size_unit']}"
        line = f"{r['name'] + size:52s} {r['value']:12.4g} {r['unit']:16s}"
        if r["ratio"] is not None:
            line += f" {r['peer']}: {r['peer_value']:.4g}, ratio {r['ratio']:.2f}"
        if r["limit"] is not None:
            line += f"  limit, {r['limit']}: {r['limit_value']:.4g}"
        print(line)
    file = RESULTS / f"{benchmark}.json"
    old = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    new, here = {_way(r) for r in records}, records[0]["machine"]
    kept = [r for r in old if r["machine"] == here and _way(r) not in new]
    RESULTS.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(kept + records, indent=2) + "\n", encoding="utf-8")


def _way(record):
    return record["caps"], record["threads"]
