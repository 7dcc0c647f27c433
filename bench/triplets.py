"""Semi-hard mining of one facet's triplets: ours, against pytorch-metric-learning's miner.

Both get the same embeddings and labels, and must find the same triplets: those in which they
differ have to lie on an edge of the definition, where two sums of floats are rounded otherwise.
Each of them runs in a process of its own; its memory is the peak above what was resident before.
The peer's product is a list of triplets. Ours are intervals, which is all that the loss needs, so
a list of them is a line of its own, and so is what training does: mining, loss and gradient.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from timing import publish, record, seconds

DIM, CLASSES, MARGIN = 384, 8, 0.1
MIB = 2**20


def data(rows):
    """Embeddings of overlapping classes whose cosines spread as those of music do, and labels."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(rows) % CLASSES
    inner = torch.randn(rows, 16, generator=generator)
    inner += torch.randn(CLASSES, 16, generator=generator)[labels]
    return inner @ torch.randn(16, DIM, generator=generator), labels


def ours(codes, labels):
    from disentone.agreement.criterion import Criterion
    from disentone.agreement.masks import masks
    from disentone.objectives.mining import semi_hard, triplet_loss
    from disentone.objectives.similarity import cosines

    def mine():
        distances = 1 - cosines(codes, codes)
        valid = masks(labels, Criterion("equal"))
        return distances, semi_hard(distances, *valid, margin=MARGIN, fallback=False)

    def loss():
        distances, mined = mine()
        return triplet_loss(distances, mined, margin=MARGIN)

    return mine, lambda: mine()[1].triplets(), loss


def theirs(codes, labels):
    from pytorch_metric_learning.distances import CosineSimilarity
    from pytorch_metric_learning.losses import TripletMarginLoss
    from pytorch_metric_learning.miners import TripletMarginMiner
    from pytorch_metric_learning.reducers import MeanReducer

    distance = CosineSimilarity()
    miner = TripletMarginMiner(MARGIN, "semihard", distance=distance, collect_stats=False)
    cost = TripletMarginLoss(MARGIN, distance=distance, reducer=MeanReducer())

    def mine():
        return miner(codes, labels)

    return mine, mine, lambda: cost(codes, labels, mine())


def status(name):
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name + ":"))


def measure(who, part, rows, out):
    """One side's seconds and peak memory of one part of the work; what it found goes to a file."""
    torch.set_num_threads(1)
    side = {"ours": ours, "theirs": theirs}[who]
    part = int(part)

    def work_of(rows):
        codes, labels = data(rows)
        codes.requires_grad_(part == 2)
        work = side(codes, labels)[part]
        return codes, (lambda: work().backward()) if part == 2 else work, work

    work_of(64)[1]()  # what is loaded and allocated once
    codes, work, plain = work_of(int(rows))
    began = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak starts from here
    work()
    peak = status("VmHWM") - began
    took = seconds(work, repeats=5 if who == "ours" else 1)
    if part == 1:
        anchors, positives, negatives = (x.numpy() for x in plain())
        np.save(out, np.sort((anchors * len(codes) + positives) * len(codes) + negatives))
    if part == 2:
        codes.grad = None
        value = plain()
        value.backward()
        np.save(out, np.append(codes.grad.numpy().ravel(), value.detach().numpy()))
    print(json.dumps({"seconds": took, "mib": peak / MIB}))


def check_triplets(rows, mine, peers):
    """Exit unless the sets are the same but for what rounding decides; say how many there are."""
    odd = np.setxor1d(mine, peers, assume_unique=True)
    anchors, positives, negatives = odd // rows**2, odd // rows % rows, odd % rows
    unit = torch.nn.functional.normalize(data(rows)[0].double(), dim=1).numpy()
    gap = (unit[anchors] * (unit[positives] - unit[negatives])).sum(1)
    edge = np.minimum(abs(gap), abs(gap - MARGIN)).max(initial=0)
    print(
        f"{len(mine)} triplets; {len(odd)} on an edge, by {edge:.1g} at most, are in one list only"
    )
    if edge > 1e-6 or not len(mine):
        raise SystemExit("The miners found different triplets.")


def check_gradients(mine, peers):
    error = abs(mine - peers).max() / abs(peers).max()
    print(f"loss {mine[-1]:.6f} and {peers[-1]:.6f}; largest relative difference {error:.1g}")
    if error > 1e-3:
        raise SystemExit("Losses or gradients differ.")


def compare(rows, folder):
    """Every part of the work on a batch, each side in a process of its own."""
    for part, name in enumerate(("mining", "mining, with a list", "mining, loss and gradient")):
        measured, found = {}, {}
        for who in ("ours", "theirs"):
            file = folder / f"{who}.npy"
            words = [sys.executable, __file__, "--measure", who, part, rows, file]
            run = subprocess.run(
                list(map(str, words)), check=True, stdout=subprocess.PIPE, encoding="utf-8"
            )
            measured[who] = json.loads(run.stdout)
            found[who] = np.load(file) if part else None
        if part == 1:
            check_triplets(rows, found["ours"], found["theirs"])
        if part == 2:
            check_gradients(found["ours"], found["theirs"])
        for quantity, unit in (("seconds", "s"), ("mib", "MiB")):
            a, b = measured["ours"][quantity], measured["theirs"][quantity]
            size = {"size": rows, "size_unit": "rows"}
            yield record(name, a, unit, "TripletMarginMiner", b, **size)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1024])
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for rows in parser.parse_args().rows:
            lines += compare(rows, Path(folder))
    publish("triplets", lines)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["--measure"]:
        measure(*sys.argv[2:])
    else:
        main()
