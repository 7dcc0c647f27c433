"""Every benchmark, as the machine is and under caps, and docs/speed.md from what they wrote.

A benchmark is a process of its own, in which the caps are set before anything is loaded. One that
fails leaves the results of its last run, and its name at the end.

    python bench/speed.py                  # all of them: `make bench`
    python bench/speed.py decode store     # these; the page has the last results of the others
    python bench/speed.py --quick          # small sizes: do they run? Results and page go to /tmp
    python bench/speed.py --long           # also the whole commands, of minutes each
    python bench/speed.py --page           # nothing but the page
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from speed_page import page
from timing import CAPS, RESULTS, caps_matter, environment

HERE = Path(__file__).parent
LIMIT = 900  # seconds of one benchmark


@dataclass(frozen=True)
class Benchmark:
    """A file of this folder and its arguments.

    ``quick`` are the arguments of a short try. ``results`` is what it calls its results, by default
    its own name. ``caps`` says whether the caps change it, ``long`` whether it is left out of `make
    bench`.
    """

    name: str
    words: tuple = ()
    quick: tuple = ()
    results: str = ""
    threads: tuple = (1,)
    caps: bool = True
    long: bool = False

    @property
    def title(self):
        return self.results or self.name


@dataclass(frozen=True)
class Kind:
    """A section of the page."""

    title: str
    about: str
    benchmarks: tuple


def command(name, **options):
    """A whole command, and what it is called."""
    return Benchmark(
        "commands", (name,), (name,), results=f"command-{name}", threads=(2,), **options
    )


KINDS = (
    Kind(
        "Start-up",
        "A verb of the command line in a new process, in CPU-seconds.",
        (Benchmark("startup", quick=("--items", "1000", "--repeats", "1"), caps=False),),
    ),
    Kind(
        "Decoding",
        "Files at 44.1 kHz, stereo, out of the system's cache into one float32 channel. The limit "
        "decodes and does nothing else.",
        (Benchmark("decode", quick=("--lengths", "5", "20", "--repeats", "1")),),
    ),
    Kind(
        "Front-ends",
        "Features of clips in batches. The limit is what their Fourier transforms and matrix "
        "products take alone. Eight times librosa was aimed at for mel alone: the limit beside it "
        "is itself below that. One and a half times the limit was aimed at for all: CENS misses "
        "it, whose normalising, quantising and smoothing are no such products, and "
        "without caps, where products are faster, mel and tempogram miss it by a little.",
        (
            Benchmark("musical", ("--here",), ("--here", "--clips", "16")),
            Benchmark("tones", quick=("--clips", "200")),
            Benchmark("estimation", quick=("--clips", "6")),
        ),
    ),
    Kind(
        "Synthesis",
        "Random sounds of known causes, one after the other on one thread, in CPU-seconds. At "
        "least 100 clips of 2 s a second were aimed at under the caps. The peer adds up the "
        "partials and does nothing else: neither noise nor envelope, filters or rooms.",
        (Benchmark("patches", quick=("--clips", "20")),),
    ),
    Kind(
        "Feature store",
        "Features of 8 KiB a clip. The peer writes the same bytes without names and flushes once; "
        "in the store every block is on the disk before it counts.",
        (Benchmark("store", quick=("--clips", "500", "1000", "--repeats", "1"), caps=False),),
    ),
    Kind(
        "From files to embeddings",
        "FLAC and OGG clips of 10 s, cold, to a file of embeddings, on all cores.",
        (
            Benchmark(
                "embedding",
                ("--clips", "30", "120"),
                ("--clips", "8", "16", "--repeats", "1"),
                threads=(2,),
            ),
        ),
    ),
    Kind(
        "Training step",
        "Forward, backward and optimiser, batch as in the recipe, float32. Operations are those of "
        "matrix products and convolutions; the limit is a large matrix product in the same run. On "
        "one thread the CPU's time is measured. *Products alone* is the rate of the operations "
        "without the rest of the step, which a share of the limit cannot pass.\n\n"
        "The targets under the caps were 60 %, and 75 % for `marl-syntone-best`. `facets` came "
        "from 57 % to its own: convolutions with their channels innermost, and dropout that takes "
        "four decisions out of one random number. The others have little left that is long by "
        "itself. Profiled under the caps, of the 62 ms of a step of `demo` its 57 products take "
        "35, GELU and layer normalisation 5, Adam 2, some 1,000 small operations 14 and what calls "
        "them 6; of the 62 ms of `latent-streets` the products take 36, GELU and normalisation of "
        "layers of 128 and 256 units 8, the rest 18. Tried and left: the invariance's own pass "
        "through the encoder joined to the main one (1.5 ms of `demo`, for a model that has to "
        "know of one objective), memory that is kept from step to step (nothing), CSN's first "
        "convolutions with channels innermost (a third slower). To fuse the small operations needs "
        "`torch.compile`, and so a compiler on the user's machine. In `csn-music` convolutions of "
        "as few as 4 channels are 127 of 288 ms, at a fifth of the limit, and poolings 70.",
        (
            Benchmark("steps", quick=("--recipes", "debug")),
            Benchmark(
                "steps",
                ("--recipes", "demo", "facets"),
                ("--recipes", "debug"),
                threads=(2,),
            ),
            Benchmark("networks"),
        ),
    ),
    Kind(
        "Audit",
        "Probes, and every measure of a made-up code of 128 dimensions with six factors.",
        (
            Benchmark("probes", ("--clips", "700", "4000"), ("--clips", "100")),
            Benchmark(
                "measures",
                ("--items", "1000", "2000"),
                ("--items", "1000"),
                threads=(2,),
            ),
        ),
    ),
    Kind(
        "Miner",
        "Semi-hard triplets of one facet in a batch of 384 dimensions.",
        (Benchmark("triplets", ("--rows", "256", "512", "1024"), ("--rows", "64", "128")),),
    ),
    Kind(
        "Index and search",
        "Items of eight facets, 256 dimensions in all, with a store of paths and factors. Ours "
        "gives hits with their factors; the peers give numbers of rows.",
        (
            Benchmark(
                "search",
                ("--items", "10000", "100000"),
                ("--items", "1000", "2000", "--files", "64"),
            ),
        ),
    ),
    Kind(
        "Page",
        "`disentone serve` and a real browser, on all cores.",
        (Benchmark("page", ("--items", "10000", "100000"), ("--items", "1000"), caps=False,
                   threads=(2,)),),
    ),
    Kind(
        "Whole commands",
        "From the shell, training, audit and report included, on all cores. They take minutes "
        "each: `python bench/speed.py --long`.",
        tuple(command(name, long=True) for name in ("demo", "facets", "latent", "csn", "balance")),
    ),
)  # fmt: skip


def run(benchmark, *, quick):
    """Run a benchmark in every way; give what went wrong, or nothing."""
    file = HERE / f"{benchmark.name}.py"
    if not file.exists():
        return "there is no such file yet"
    words = [sys.executable, str(file), *(benchmark.quick if quick else benchmark.words)]
    for capped in (False, True) if benchmark.caps and caps_matter() else (False,):
        for threads in benchmark.threads:
            environ = environment(capped=capped, threads=threads)
            try:
                subprocess.run(words, check=True, env=environ, timeout=LIMIT)
            except subprocess.CalledProcessError as error:
                return f"it ended with {error.returncode}"
            except subprocess.TimeoutExpired:
                return f"it did not end in {LIMIT} s"
    return ""


def chosen(names, *, long):
    """The benchmarks that are asked for, by name; all but the long ones without a name."""
    every = {}
    for kind in KINDS:
        for benchmark in kind.benchmarks:  # one may stand twice, with other threads
            every.setdefault(benchmark.title, []).append(benchmark)
    unknown = [name for name in names if name not in every]
    if unknown:
        raise SystemExit(f"No benchmark '{unknown[0]}': choose from {', '.join(every)}.")
    if names:
        return [b for name in names for b in every[name]]
    return [b for same in every.values() for b in same if long or not b.long]


def titles(kind):
    return dict.fromkeys(benchmark.title for benchmark in kind.benchmarks)


def results(name, folder=RESULTS):
    file = folder / f"{name}.json"
    found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    return [record for record in found if "caps" in record]  # not those of earlier versions


def write_page(file, folder=RESULTS):
    """Write the page of the results that there are."""
    sections = [
        (kind.title, kind.about, [r for name in titles(kind) for r in results(name, folder)])
        for kind in KINDS
    ]
    file.write_text(page(sections, caps=CAPS), encoding="utf-8")
    print(file)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="benchmarks; all but the long ones by default")
    parser.add_argument("--quick", action="store_true", help="small sizes: do they run?")
    parser.add_argument("--long", action="store_true", help="also those of minutes each")
    parser.add_argument("--page", action="store_true", help="nothing but the page")
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "speed.md")
    options = parser.parse_args()
    folder = RESULTS
    if options.quick:  # figures of small sizes replace no others
        folder = Path(tempfile.mkdtemp(prefix="bench-"))
        options.out = folder / "speed.md"
        os.environ["BENCH_RESULTS"] = str(folder)
    wrong = {}
    began = time.perf_counter()
    for benchmark in [] if options.page else chosen(options.names, long=options.long):
        print(f"== {benchmark.title}", flush=True)
        problem = run(benchmark, quick=options.quick)
        if problem:
            wrong[benchmark.title] = problem
        print(f"== {benchmark.title}: {(time.perf_counter() - began) / 60:.1f} min", flush=True)
    write_page(options.out, folder)
    for name, problem in wrong.items():
        print(f"{name}: {problem}; the page has its last results, if any.", file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
