"""A training step of the default network and of the convolutional one, and the machine's limit.

The default was chosen by this measurement: at comparable size the patch network turns most of
its time into large matrix products, the convolutional one does not on two cores.
"""

import torch

from disentone.facets import Facets
from disentone.models import ModelConfig, MultiView
from disentone.objectives import Divergence, Objective, Reconstruction
from timing import publish, record, seconds

FACETS = Facets({"private": 8, "shared": 8})
BATCH, VIEWS, FRAMES, FEATURES = 128, 2, 32, 64


def flops(model):
    """Floating-point operations of one forward pass of a clip, counted by torch."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        model(torch.randn(1, VIEWS, FRAMES, FEATURES), {"shared": (0, 1)}, dataset_size=25600)
    return counter.get_total_flops()


def step_of(config, precision):
    torch.manual_seed(0)
    model = MultiView(config, FACETS, frames=FRAMES, features=FEATURES)
    objective = Objective([Reconstruction(), Divergence(alpha=0, beta=0, gamma=0.1)], FACETS)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    x = torch.randn(BATCH, VIEWS, FRAMES, FEATURES)

    def step():
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            out = model(x, {"shared": (0, 1)}, dataset_size=25600)
        total, _ = objective(out)
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        optimiser.step()

    return step, 3 * BATCH * flops(model)  # backward costs twice the forward pass


def main():
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    peak = 2 * 2048**3 / seconds(lambda: a @ b)
    conv = ModelConfig.model_validate({"encoder": {"kind": "conv"}, "decoder": {"kind": "conv"}})
    records = []
    times = {}
    for name, config in (("patch", ModelConfig()), ("conv", conv)):
        for precision in ("float32", "bfloat16"):
            step, work = step_of(config, precision)
            times[name, precision] = spent = seconds(step, repeats=10)
            records.append(
                record(
                    f"{name}, {precision}: share of the limit", work / spent / 1e9, "GFLOP/s",
                    "float32 matrix product", peak / 1e9,
                )
            )  # fmt: skip
            records.append(
                record(
                    f"{name}, {precision}: step of {BATCH} pairs", 1000 * spent, "ms",
                    "patch, float32", 1000 * times["patch", "float32"],
                )
            )  # fmt: skip
    publish("networks", records)


if __name__ == "__main__":
    main()
