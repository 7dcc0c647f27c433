"""Weighted search: ours, against FAISS flat, HNSW and IVF on the same vectors in one run.

Every facet of the made-up items has groups of its own, as instruments and pitches have, so that
neighbours in one facet lie far apart in another. All indexes hold the concatenation of unit
facets and get the query with its facets scaled; truth is an exact product. Ours is timed as a
user calls it: from an embedding to a list of hits with their paths and factors out of the store.

The second part measures what indexing costs beside embedding. With --large an index of a million
items is opened in a process of its own, with all cores, and its memory measured. Targets are the
project's.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
import torch

from disentone.embeddings.embedder import EmbedOptions
from disentone.embeddings.indexing import index_collection
from disentone.embeddings.model import Model
from disentone.facets import Facets
from disentone.frontends.config import LogMelConfig
from disentone.frontends.logmel import LogMel
from disentone.models import ModelConfig, MultiView
from disentone.search import Index
from timing import publish, record, side_by_side

FACETS = Facets({f"facet{i}": 32 for i in range(8)})
GROUPS, QUERIES, K, CHUNK = 100, 40, 10, 50_000
KINDS = {
    "equal": "all equal",
    "random": "random",
    "two": "two facets",
    "one": "one facet",
    "negative": "one negative",
}


def made_up(count, seed):
    """Unit facets (count, 256), each around one of its own groups."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((len(FACETS), GROUPS, 32), dtype=np.float32)
    whole = np.empty((count, FACETS.dim), np.float32)
    for row, name in enumerate(FACETS):
        part = rng.standard_normal((count, 32), dtype=np.float32)
        part += centres[row, rng.integers(0, GROUPS, count)]
        whole[:, FACETS.slice(name)] = part / np.linalg.norm(part, axis=1, keepdims=True)
    return whole


def weightings(kind, seed=0):
    """Weights of each query, (queries, facets)."""
    rng = np.random.default_rng(seed)
    weights = np.zeros((QUERIES, len(FACETS)), np.float32)
    for row in weights:
        chosen = rng.permutation(len(FACETS))
        if kind == "random":
            row[:] = rng.random(len(FACETS))
        elif kind in ("two", "one"):
            row[chosen[: 1 + (kind == "two")]] = 1
        else:
            row[:] = 1
            row[chosen[0]] = -1 if kind == "negative" else 1
    return weights


def build(path, count):
    """Make an index chunk by chunk; give the seconds that the store took."""
    index, seconds = None, 0.0
    for first in range(0, count, CHUNK):
        vectors = made_up(min(CHUNK, count - first), first + 1)
        numbers = range(first, first + len(vectors))
        items = pa.table(
            {
                "id": [str(n) for n in numbers],
                "path": [f"sounds/{n}.wav" for n in numbers],
                "recording": [f"recording {n // 5}" for n in numbers],
                "tempo": [60.0 + n % 100 for n in numbers],
                "split": [("train", "test")[n % 2] for n in numbers],
            }
        )
        began = time.perf_counter()
        if index is None:
            index = Index.build(path, vectors=vectors, facets=FACETS, items=items, model="bench")
        else:
            index.add(vectors, items)
        seconds += time.perf_counter() - began
    began = time.perf_counter()
    index.tidy()
    return seconds + time.perf_counter() - began


def timed(search, arguments):
    """Median milliseconds of a search, and what each found."""
    search(*arguments[0])
    times, found = [], []
    for one in arguments:
        began = time.perf_counter()
        found.append(search(*one))
        times.append(1e3 * (time.perf_counter() - began))
    return statistics.median(times), found


def recall(found, truth):
    return float(np.mean([len(set(a) & set(b)) / K for a, b in zip(found, truth)]))


def named(weights):
    return dict(zip(FACETS, map(float, weights)))


def ours(index, queries, weights):
    """Search with new queries, then weigh open ones again: (ms, found) of each."""

    def ids(results):
        return [int(hit.id) for hit in results]

    def search(query, weight):
        return ids(index.search(query, weights=named(weight), k=K))

    opened = [index.query(query) for query in queries[:8]]
    if index.exact:
        for query in opened:
            assert query.scores.any()
    again = [(opened[i % 8], weights[i]) for i in range(QUERIES)]
    first = timed(search, list(zip(queries, weights)))
    return first, timed(lambda query, weight: ids(query.rank(named(weight), k=K)), again)


def peers(vectors):
    """FAISS indexes by name."""
    flat = faiss.IndexFlatIP(FACETS.dim)
    hnsw = faiss.IndexHNSWFlat(FACETS.dim, 32, faiss.METRIC_INNER_PRODUCT)
    hnsw.hnsw.efConstruction, hnsw.hnsw.efSearch = 80, 64
    lists = int(np.sqrt(len(vectors)))
    ivf = faiss.IndexIVFFlat(
        faiss.IndexFlatIP(FACETS.dim), FACETS.dim, lists, faiss.METRIC_INNER_PRODUCT
    )
    ivf.train(vectors[:: max(1, len(vectors) // 20_000)])
    ivf.nprobe = 16
    for index in (flat, hnsw, ivf):
        index.add(vectors)
    return {"FAISS flat": flat, "FAISS HNSW, ef 64": hnsw, "FAISS IVF, 16 probes": ivf}


def compare(count, kinds, folder, lines):
    """Make and open an index, and search it in kinds of weighting beside the peers."""
    path, size = Path(folder) / f"{count}.index", {"size": count, "size_unit": "items"}
    built, files = build(path, count), Path(folder) / f"{count}.parquet"
    index, opened = opened_in(path)
    vectors = index.vectors([str(n) for n in range(count)])
    table = pa.table({"vector": list(vectors)})
    written, read = side_by_side(
        lambda: pq.write_table(table, files), lambda: pq.read_table(files), repeats=1
    )
    lines.append(record("an index made", built, "s", "Parquet of the vectors", written, **size))
    lines.append(record("an index opened", opened, "s", "Parquet of the vectors", read, **size))
    coded, others = Index.open(path, memory=0), peers(vectors)
    for kind in kinds:
        lines += [line | size for line in compare_kind(kind, (index, coded), vectors, others)]


def opened_in(path):
    """An index that is ready to be searched, and the seconds that it took."""
    began = time.perf_counter()
    index = Index.open(path)
    index.search(made_up(1, 10**9)[0], k=K)
    return index, time.perf_counter() - began


def compare_kind(kind, indexes, vectors, others):
    """Queries with one kind of weights; what a peer finds of the truth stands beside its name."""
    queries, weights = made_up(QUERIES, 10**9), weightings(kind)
    scaled = queries * np.repeat(weights, 32, axis=1)
    product, _ = timed(lambda query: vectors @ query, [(query,) for query in scaled])
    limit = {"limit": "one product, NumPy", "limit_value": product}
    truth = [np.argsort(-(vectors @ query))[:K].tolist() for query in scaled]
    best = [np.argsort(-(vectors @ s))[:K].tolist() for s in _again(queries, weights)]
    (ms, found), (again, reranked) = ours(indexes[0], queries, weights)
    (ms8, found8), _ = ours(indexes[1], queries, weights)
    name = KINDS[kind]
    for peer, other in others.items():
        theirs, got = timed(
            lambda q, o=other: o.search(q[None], K)[1][0].tolist(), [(s,) for s in scaled]
        )
        peer = f"{peer} (recall {recall(got, truth):.2f})"
        yield record(f"query, {name}", ms, "ms", peer, theirs, **limit)
    yield record(f"query, {name}, 8-bit codes", ms8, "ms", "target", 10.0, **limit)
    yield record(f"weighed again, {name}", again, "ms", "target", 3.0)
    rights = (("", recall(found, truth)), (", 8-bit codes", recall(found8, truth)),
              (", weighed again", recall(reranked, best)))  # fmt: skip
    for what, right in rights:
        yield record(f"recall@10, {name}{what}", right, "share", "target", 0.99)


def _again(queries, weights):
    return (queries[i % 8] * np.repeat(weights[i], 32) for i in range(QUERIES))


def status(name):
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name + ":"))


def measure(path, memory):
    """Open a large index in this process, search it, and print times and peak memory."""
    began = time.perf_counter()
    index = Index.open(path, memory=0 if memory == "8-bit codes" else None)
    measured = {"count": len(index), "opened": time.perf_counter() - began}
    queries = made_up(QUERIES, 10**9)
    for kind in KINDS:
        (first, _), (again, _) = ours(index, queries, weightings(kind))
        measured[kind] = (first, again)
    filtered = timed(
        lambda q: index.search(q, where="split = 'test' and tempo > 120", k=K),
        [(q,) for q in queries],
    )
    measured["filtered"] = filtered[0]
    measured["peak"] = status("VmHWM") / 2**30
    print(json.dumps(measured))


def large(count, folder, lines):
    """A million items, in a process of its own, in memory and as 8-bit codes."""
    path = Path(folder) / "large"
    build(path, count)
    for memory in ("float32", "8-bit codes"):
        words = [sys.executable, __file__, "--measure", str(path), memory]
        run = subprocess.run(words, check=True, stdout=subprocess.PIPE, encoding="utf-8")
        measured = json.loads(run.stdout.splitlines()[-1])
        size = {"size": measured["count"], "size_unit": "items"}

        def line(name, value, unit, target, memory=memory, size=size):
            lines.append(record(f"{name}, {memory}", value, unit, "target", target, **size))

        line("peak memory", measured["peak"], "GiB", 4.0)
        line("opening", measured["opened"], "s", 10.0)
        for kind, title in KINDS.items():
            first, again = measured[kind]
            line(f"query, {title}", first, "ms", 80.0)
            if memory == "float32":
                line(f"weighed again, {title}", again, "ms", 20.0)
        line("filtered query", measured["filtered"], "ms", 80.0)


def overhead(files, folder, lines):
    """What the index costs beside embedding, with a small network and short files."""
    model, sounds = Path(folder) / "model", Path(folder) / "sounds"
    network = ModelConfig(
        encoder={"kind": "patch", "patch": 8, "width": 64, "depth": 2},
        decoder={"kind": "dense", "widths": [64]},
    )
    frontend = LogMel(LogMelConfig())
    shape = {"frames": frontend.frames, "features": frontend.features}
    torch.manual_seed(0)
    net = MultiView(network, FACETS, **shape)
    Model(net, frontend, torch.tensor(-30.0), torch.tensor(17.0)).save(model)
    sounds.mkdir()
    noise = np.random.default_rng(0).standard_normal((files, frontend.samples)) / 10
    for number, wave in enumerate(noise):
        soundfile.write(sounds / f"{number}.wav", wave, frontend.sample_rate)
    spent = []
    for name in ("build", "add", "tidy"):
        work = getattr(Index, name)

        def clocked(*words, work=work, **options):
            began = time.perf_counter()
            done = work(*words, **options)
            spent.append(time.perf_counter() - began)
            return done

        setattr(Index, name, clocked)
    began = time.perf_counter()
    index_collection(model, [sounds], Path(folder) / "made.index", EmbedOptions(jobs=1))
    embedding = time.perf_counter() - began - sum(spent)
    title = f"index of files of {frontend.config.seconds:g} s, without their embedding"
    size = {"size": files, "size_unit": "files"}
    lines.append(
        record(title, sum(spent), "s", "a tenth of embedding them", embedding / 10, **size)
    )


def one_thread():
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--large", type=int, default=0, help="1,000,000, say: minutes")
    parser.add_argument("--files", type=int, default=1024)
    options = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder) / "first.index", 300)  # loads what the first index loads
        for count in sorted(options.items):
            kinds = tuple(KINDS) if count == max(options.items) else ("random",)
            compare(count, kinds, folder, lines)
        if options.large:
            large(options.large, folder, lines)
        overhead(options.files, folder, lines)
    publish("search", lines)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(*sys.argv[2:])
    else:
        one_thread()
        main()
