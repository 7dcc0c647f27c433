"""A training step of each recipe beside the machine's limit: its operations at a product's rate.

The network, objective, optimiser and batches are those of the recipe; clips are noise with random
labels. Operations are those of matrix products and convolutions, forward and backward, as torch
counts them; the limit is the time that they would take at the rate of a matrix product measured
in the same run. What they take alone, without the rest of the step, stands beside it.

One thread is timed by its CPU time, which other work on the machine hardly changes.
"""

import argparse
import time

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from disentone.audio.windows import ClipWindows
from disentone.clips import ClipTable
from disentone.embeddings.networks import untrained_network
from disentone.embeddings.watcher import Watcher
from disentone.factors import Factor
from disentone.recipes import load_recipe
from disentone.runs.batches import make_objective, make_split, statistics
from disentone.runs.preparation import Data
from disentone.runs.split import Views
from disentone.runs.step import Learner
from timing import publish, record, side_by_side

CLIPS = 512  # more than any batch
SIZE = 1024  # of the matrix product: what fits in a core's cache gives the highest rate
RECIPES = (
    *("demo", "marl-syntone", "marl-syntone-best", "balance-syntone", "balance-notes"),
    *("marl-notes", "facets", "latent-streets", "csn-music", "csn-music-mel", "csn-music-self"),
)
FACETS = ("timbre:8 same=instrument", "pitch:8 same=pitch", "rest:8")  # what a user may ask for
AUTOMATIC = ("frontend.sample_rate=22050", "frontend.seconds=1.5", "training.epochs=20")


def recipe_of(name):
    """The recipe in full precision, with data of which nothing is read."""
    settings = ["training.precision=float32"]
    if name == "facets":
        return load_recipe(name, data="none", facets=FACETS, settings=[*settings, *AUTOMATIC])
    synthetic = name in ("demo", "debug") or "syntone" in name
    return load_recipe(name, data=None if synthetic else "none", settings=settings)


def clips_of(recipe):
    """Clips of noise with labels in which some agree, and copies where the recipe wants them."""
    rng = np.random.default_rng(0)
    names = ("timbre", "instrument", "sensor", "source", "genre", "mood", "era", "key")
    labels = {name: rng.integers(8, size=CLIPS) for name in names}
    labels["key"] = np.array(["C", "D", "E", "F", "G", "A", "B", "Am"])[labels["key"]]
    factors = {name: Factor.categorical(name, values) for name, values in labels.items()}
    for name in ("frequency", "pitch", "tempo"):
        values = rng.integers(60, 90, size=CLIPS).astype(float)
        factors[name] = Factor.continuous(name, values, kind="ordinal", tolerance=1)
    made_for = np.repeat(["", *recipe.chains()], CLIPS)
    clip = np.tile(np.arange(CLIPS), len(made_for) // CLIPS)
    origins = clip.astype(str)
    return ClipTable(
        ids=np.char.add(origins, np.char.add(" ", made_for)),
        factors={name: factor.take(clip) for name, factor in factors.items()},
        split=np.where(rng.random(CLIPS) < 0.9, "train", "valid")[clip],
        sounds=Silence(),
        origins=np.char.add(origins, " "),
        copy_for=made_for,
    )


class Silence:
    """Sounds of a table that nobody reads."""

    def take(self, indices):
        return self


def step_of(recipe):
    """One step of a recipe, as a call without arguments."""
    table, frontend = clips_of(recipe), recipe.frontend.build()
    shape = (len(table), frontend.frames, frontend.features)
    features = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    features = features.astype(getattr(recipe.frontend, "dtype", "float32"))
    windows = ClipWindows.single(np.arange(len(table)))
    data = Data(table, features, windows, np.zeros(len(table)), [])
    rows = table.where("train")
    objective = make_objective(recipe, table)
    moments = statistics(features, rows, per_feature=frontend.per_feature)
    split = make_split(recipe, data, "train", moments, objective, Watcher())
    network = untrained_network(recipe, frontend)
    learner = Learner(network, objective, recipe.training)
    network.train()
    views = Views(*(rows[: recipe.training.batch] for rows in split.epoch(0)))
    return lambda: learner.step(split, views, progress=0.5)


def operations(step):
    """Floating-point operations of the matrix products and convolutions of a step."""
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()


class Products(TorchDispatchMode):
    """Time what counts as operations, and nothing else."""

    def __init__(self, clock):
        super().__init__()
        self.clock, self.spent = clock, 0.0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        began = self.clock()
        result = function(*args, **(kwargs or {}))
        if function.overloadpacket in flop_registry:
            self.spent += self.clock() - began
        return result


def in_products(step, clock, *, repeats=10):
    """Seconds of a step in its matrix products and convolutions: the best of several."""
    times = []
    for _ in range(repeats):
        with Products(clock) as products:
            step()
        times.append(products.spent)
    return min(times)


def measure(name):
    """Records of one recipe: operations a second, and milliseconds, beside a matrix product."""
    a, b = torch.randn(SIZE, SIZE), torch.randn(SIZE, SIZE)
    recipe = recipe_of(name)
    step = step_of(recipe)
    work = operations(step)
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    spent, product = side_by_side(step, lambda: a @ b, repeats=20, clock=clock)
    alone = in_products(step, clock)
    peak = 2 * SIZE**3 / product
    what = f"{name}, batch of {recipe.training.batch}"
    return [
        record(
            f"{what}: operations", work / spent / 1e9, "GFLOP/s",
            limit="matrix product", limit_value=peak / 1e9,
        ),
        record(
            f"{what}: operations, products alone", work / alone / 1e9, "GFLOP/s",
            limit="matrix product", limit_value=peak / 1e9,
        ),
        record(
            f"{what}: step", 1000 * spent, "ms",
            limit="the same operations as one product", limit_value=1000 * work / peak,
        ),
    ]  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    publish("steps", [r for name in parser.parse_args().recipes for r in measure(name)])


if __name__ == "__main__":
    main()
