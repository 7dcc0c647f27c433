"""A training step of each recipe beside the machine's limit: its operations at a product's rate.

The network, objective, optimiser and batches are those of the recipe; clips are noise with random
labels. Operations are those of matrix products and convolutions, forward and backward, as torch
counts them; the limit is the time that they would take at the rate of a large matrix product
measured beside them.
"""

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from disentone.batches import make_split, statistics
from disentone.clips import ClipTable
from disentone.factors import Factor
from disentone.frontends.build import build_frontend
from disentone.objectives import Objective
from disentone.preparation import Data
from disentone.runs import untrained_network
from disentone.step import Learner
from disentone.watcher import Watcher
from timing import seconds

CLIPS = 2048  # more than any batch; the labels below give every one of them partners

FACETS = [  # as a user would ask for them
    "frontend.sample_rate=22050",
    "frontend.seconds=1.5",
    "training.epochs=20",
    "facets.timbre={dim: 8, same: instrument}",
    "facets.pitch={dim: 8, same: pitch}",
    "facets.rest={dim: 8}",
]

RECIPES = {
    "demo": [],
    "marl-syntone": [],
    "marl-syntone-best": [],
    "balance-syntone": [],
    "balance-notes": [],
    "marl-notes": [],
    "facets": FACETS,
    "latent-streets": [],
    "csn-music": [],
    "csn-music-mel": [],
    "csn-music-self": [],
}


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


def step_of(recipe, threads=1):
    """One step of a recipe, as a call without arguments."""
    table = clips_of(recipe)
    frontend = build_frontend(recipe.frontend)
    rng = np.random.default_rng(0)
    shape = (len(table), frontend.frames, frontend.features)
    features = rng.standard_normal(shape, dtype=np.float32).astype(
        getattr(recipe.frontend, "dtype", "float32")
    )
    data = Data(table, features, [], table, features)
    network = untrained_network(recipe, frontend)
    train = table.take(table.where("train"))
    objective = Objective(recipe.objective, recipe.layout(), train.factors)
    moments = statistics(features, table.where("train"), per_feature=frontend.per_feature)
    split = make_split(recipe, data, "train", moments, objective, Watcher())
    learner = Learner(network, objective, recipe.training)
    views = split.sampler.epoch(0)[: recipe.training.batch]

    def step():
        learner.step(split, views, progress=0.5)

    return step


def operations(step):
    """Floating-point operations of the matrix products and convolutions of a step."""
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()


def measured():
    """Records of every recipe: what it computes a second, beside a matrix product."""
    size = 1024
    a, b = torch.randn(size, size), torch.randn(size, size)
    for name, facets in RECIPES.items():
        step, batch = step_of(load_recipe(name, settings=SETTINGS, facets=facets)) 
        work = operations(step)
        spent, product = side_by_side(step, lambda: a @ b, repeats=15)
        peak = 2 * size**3 / product
        what = f"{name}, {batch} clips"
        yield record(
            f"{what}: operations", work / spent / 1e9, "GFLOP/s",
            limit="float32 matrix product", limit_value=peak / 1e9,
        )  # fmt: skip
        yield record(
            f"{what}: step", 1000 * spent, "ms",
            limit="its operations at that rate", limit_value=1000 * work / peak,
        )  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) > 1:  # one way, as it is asked for
        publish("steps", list(measured()))
    else:
        both_ways(__file__, "once")
