"""A training step of CSN's multi-input network and the machine's limit, on a CPU or a GPU.

Without options: the network of the recipe csn-music, in its batches, on one core. On a GPU the
paper's width: ``python bench/inception.py --device cuda --width 1 --batch 256``.
"""

import argparse

import torch
from torch.utils.flop_counter import FlopCounterMode

from disentone.models.config import InceptionConfig
from disentone.models.inception import InceptionEncoder
from disentone.objectives.mining import semi_hard, triplet_loss
from disentone.objectives.similarity import cosines
from timing import publish, record, seconds

PARTS = {"mel": slice(0, 128), "tempogram": slice(128, 512), "cens": slice(512, 524)}
FRAMES, FACETS, DIM = 259, 6, 64


def step_of(width, batch, device, precision):
    """One step, and the floating-point operations of it."""
    torch.manual_seed(0)
    network = InceptionEncoder(InceptionConfig(width=width), parts=PARTS, out=FACETS * DIM)
    with FlopCounterMode(display=False) as counter:
        network(torch.randn(1, FRAMES, PARTS["cens"].stop))
    network.to(device)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-5, fused=device != "cpu")
    x = torch.randn(batch, FRAMES, PARTS["cens"].stop, device=device)
    labels = torch.randint(8, (FACETS, batch), device=device)
    agree = labels[:, :, None] == labels[:, None]
    others = ~torch.eye(batch, dtype=torch.bool, device=device)

    def step():
        with torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            codes = network(x)
        loss = codes.new_zeros(())
        for facet, same in zip(codes.split(DIM, dim=1), agree):
            distances = 1 - cosines(facet, facet)
            loss = loss + triplet_loss(distances, semi_hard(distances, same & others, ~same))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if device != "cpu":
            torch.cuda.synchronize()

    return step, 3 * batch * counter.get_total_flops()  # backward costs twice the forward pass


def peak_of(device, precision):
    """Operations a second of a large matrix product."""
    size = 2048 if device == "cpu" else 8192
    a, b = (torch.randn(size, size, device=device, dtype=getattr(torch, precision)) for _ in "ab")

    def product():
        a @ b
        if device != "cpu":
            torch.cuda.synchronize()

    return 2 * size**3 / seconds(product)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--width", type=float, default=0.125)
    parser.add_argument("--batch", type=int, default=24)
    asked = parser.parse_args()
    if asked.device == "cpu":
        torch.set_num_threads(1)
    records = []
    for precision in ("float32",) if asked.device == "cpu" else ("float32", "bfloat16"):
        peak = peak_of(asked.device, precision)
        step, work = step_of(asked.width, asked.batch, asked.device, precision)
        spent = seconds(step, repeats=10)
        name = f"width {asked.width:g}, {asked.batch} clips, {precision}"
        product = f"{precision} matrix product"
        records += [
            record(
                f"{name}: share of the limit", work / spent / 1e9, "GFLOP/s", product, peak / 1e9
            ),
            record(f"{name}: step", 1000 * spent, "ms", "at the limit", 1000 * work / peak),
        ]
    publish("inception" if asked.device == "cpu" else "inception-gpu", records)


if __name__ == "__main__":
    main()
