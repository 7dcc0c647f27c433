"""An audit with every measure of items x 128 dimensions and 6 factors.

For 100,000 items the targets are 3 minutes and 4 GiB, on 2 cores. The matrix of information, on
which eight measures are based, is compared with scikit-learn's mutual_info_score, pair by pair, and
must give the same numbers. Memory is the proportional share of this process and those it started,
looked at twice a second; their work is what the target leaves to so many cores, however busy the
machine is.

    python bench/measures.py                     # minutes
    python bench/measures.py --items 20000       # something to try
"""

import argparse
import os
import threading
import time
from pathlib import Path

import numpy as np
from sklearn.metrics import mutual_info_score

from disentone.audit import audit, mutual_information, quantile_codes
from disentone.audit.families import measured
from disentone.audit.measuring import family_inputs
from disentone.audit.plan import AuditedClips, blocks_of, make_plan
from disentone.audit.registry import MEASURES
from disentone.clips import random_split
from disentone.facets import Facets
from disentone.factors import Factor
from timing import publish, record, seconds

DIMS, TARGET_ITEMS = 128, 100_000
GIB = 2**30
FACETS = Facets({"one": 64, "two": 64})


def made_up(items):
    """Six factors, of all kinds but labels, each encoded by some dimensions with noise."""
    rng = np.random.default_rng(0)
    names = {"instrument": 24, "room": 6, "player": 12}
    classes = {name: rng.integers(count, size=items) for name, count in names.items()}
    factors = {n: Factor("n", "categorical", v, tuple("abcdefghijklmnopqrstuvwxyz"[: names[n]]))
               for n, v in classes.items()}  # fmt: skip
    pitch = rng.integers(36, 84, size=items)
    factors["pitch"] = Factor.continuous("pitch", pitch, kind="ordinal")
    for name in ("brightness", "loudness"):
        factors[name] = Factor.continuous(name, rng.normal(size=items))
    parts = [rng.normal(size=(names[n], 8))[v] for n, v in classes.items()]
    numbers = np.c_[pitch / 14, factors["brightness"].values, factors["loudness"].values]
    parts.append(numbers @ rng.normal(size=(3, 24)))
    codes = np.concatenate(parts, axis=1)
    codes = np.c_[codes, np.zeros((items, DIMS - codes.shape[1]))]
    return (codes + 0.5 * rng.normal(size=codes.shape)).astype(np.float32), factors


class Watch(threading.Thread):
    """Most memory of this process and its children while it lives, and the work of each."""

    def __init__(self):
        super().__init__(daemon=True)
        self.most, self.work, self.ended = 0, {}, threading.Event()

    def run(self):
        began = _work(os.getpid())
        while not self.ended.wait(0.5):
            family = _family(os.getpid())
            self.most = max(self.most, sum(map(_share, family)))
            self.work |= {process: _work(process) for process in family}
            self.work[os.getpid()] -= began


def _family(parent):
    """A process and those below it."""
    tasks = Path(f"/proc/{parent}/task").glob("*/children")
    children = [child for file in tasks for child in file.read_text(encoding="utf-8").split()]
    return [parent, *(one for child in children for one in _family(int(child)))]


def _share(process):
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    except OSError:  # it has ended
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def _work(process):
    """Seconds that a process has worked."""
    try:
        fields = (
            Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        )
    except OSError:
        return 0.0
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def whole(codes, factors, split, jobs):
    """Seconds of an audit with everything, the work of its processes, and their memory."""
    watch = Watch()
    watch.start()
    began = time.perf_counter()
    card = audit(
        codes,
        facets=FACETS,
        factors=factors,
        split=split,
        whole=True,
        measures=["all"],
        beside={"again": codes[:, ::-1]},
        seeds=1,
        train_limit=10_000,
        jobs=jobs,
    )
    took = time.perf_counter() - began
    watch.ended.set()
    print("\n".join(card.notes))  # no two of these items differ in one factor alone
    missing = set(MEASURES) - {r["measure"] for r in card.records}
    if missing != {"z_max_variance"}:
        raise SystemExit(f"Not measured: {missing}")
    return took, sum(watch.work.values()), watch.most


def families(codes, factors, split):
    """Seconds of every family, one after the other in this process."""
    plan = make_plan(
        blocks_of(codes, FACETS, {}), facets=FACETS, factors=factors,
        clips=AuditedClips(split, whole=True), owns={}, classes={}, seeds=range(1), limit=None,
    )  # fmt: skip
    beside = {"again": codes[:, ::-1]}
    asked, _ = family_inputs(plan, names=frozenset(MEASURES), variants=(), beside=beside, seed=0)
    for family, inputs in asked:
        began = time.perf_counter()
        found = measured(family, inputs)
        names = found if isinstance(found, str) else ", ".join(one.name for one in inputs.measures)
        print(f"{family:14s} {time.perf_counter() - began:7.1f} s  {names}", flush=True)


def matrix(codes, factors):
    """Our matrix of information and scikit-learn's, of the same bins."""
    binned = np.asfortranarray(quantile_codes(codes[:, :8]))
    labels = {n: f.values.astype(int) for n, f in factors.items() if f.kind == "categorical"}

    def ours():
        return np.array([mutual_information(codes=binned, labels=x) for x in labels.values()])

    def theirs():
        return np.array([[mutual_info_score(x, c) for c in binned.T] for x in labels.values()])

    error = abs(ours() - theirs()).max()
    print(f"largest difference from scikit-learn: {error:.1g} nats")
    if error > 1e-9:
        raise SystemExit("The informations differ.")
    return seconds(ours, repeats=3), seconds(theirs, repeats=3)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--families", action="store_true", help="time them one by one, and end")
    words = parser.parse_args()
    lines = []
    for items in words.items:
        codes, factors = made_up(items)
        split = random_split(items, seed=0)
        if words.families:
            families(codes, factors, split)
            continue
        took, work, most = whole(codes, factors, split, words.jobs)
        size = {"size": items, "size_unit": "items"}
        mine, peers = matrix(codes, factors)
        lines += [
            record("audit, all measures", took, "s", **_target(items, 180.0), **size),
            record("its work, all processes", work, "s of a core",
                   **_target(items, words.jobs * 180.0), **size),
            record(f"its memory, {words.jobs} processes", most / GIB, "GiB",
                   **_target(items, 4.0), **size),
            record("information, 8 dims x 3 factors", mine, "s", "scikit-learn", peers, **size),
        ]  # fmt: skip
    if lines:
        publish("measures", lines)


def _target(items, value):
    """What is asked of 100,000 items."""
    return {"peer": "target", "peer_value": value} if items == TARGET_ITEMS else {}


if __name__ == "__main__":
    main()
