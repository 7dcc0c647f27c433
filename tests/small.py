"""A tiny multi-view training problem, made in a fraction of a second; also a script to kill."""

import sys
from pathlib import Path

import numpy as np
import torch

from disentone.artifact import Model, write_tensors
from disentone.datasets.syntone import SynTone, syntone
from disentone.facets import Facets
from disentone.frontends.logmel import LogMel, LogMelConfig
from disentone.models import ModelConfig, MultiView
from disentone.objectives import Divergence, Objective, Reconstruction
from disentone.training import Split, TrainingConfig, fit
from disentone.views import Relation, ViewSampler

FACETS = Facets({"private": 3, "shared": 2})
FRONTEND = LogMelConfig(n_mels=12, seconds=0.2, n_fft=512, hop=800)
NETWORK = ModelConfig(
    encoder={"kind": "patch", "patch": 2, "width": 16, "depth": 1},
    decoder={"kind": "dense", "widths": [16]},
)


def problem(seed=0, network=NETWORK):
    torch.set_num_threads(1)
    table = syntone(SynTone(frequencies=60, seconds=0.2))
    frontend = LogMel(FRONTEND)
    waves = table.sounds.read_many(np.arange(len(table)), 16000)
    features = frontend(torch.from_numpy(waves))
    relations = {"shared": Relation("timbre", "frequency")}
    rows = table.where("train")
    mean, std = features[rows].mean(), features[rows].std()

    def split(name):
        rows = table.where(name)
        sampler = ViewSampler(table.take(rows), relations, seed=seed)
        return Split(features[rows], sampler, mean, std)

    torch.manual_seed(seed)
    model = MultiView(network, FACETS, frames=frontend.frames, features=frontend.features)
    objective = Objective([Reconstruction(), Divergence(alpha=0, beta=0, gamma=0.1)], FACETS)
    return Model(model, frontend, mean, std), split("train"), split("valid"), objective


def train(out, *, epochs=6, resume=False, **options):
    model, train_split, valid_split, objective = problem()
    config = TrainingConfig(epochs=epochs, batch=16, **{"learning_rate": 5e-3} | options)
    history = fit(
        model.network,
        train_split,
        valid_split,
        objective=objective,
        config=config,
        out=Path(out),
        save_best=lambda: model.save(out),
        resume=resume,
    )
    return model, history


if __name__ == "__main__":  # train for long, and wait to be killed
    train(sys.argv[1], epochs=int(sys.argv[2]), resume=True)


def gradients(rank, world, folder):
    """One backward pass on this process's part of a batch; rank 0 writes what it got."""
    from torch import distributed as dist

    from disentone.training import _average_gradients, _mine

    if world > 1:
        dist.init_process_group(
            "gloo", init_method=f"file://{folder}/rendezvous{world}", rank=rank, world_size=world
        )
    options = NETWORK.model_dump() | {"stochastic": False}
    model, split, _, objective = problem(network=ModelConfig(**options))
    views = _mine(split.sampler.epoch(0)[:32])
    batch = split.batch(views, torch.device("cpu"))
    out = model.network(batch, split.sampler.groups, dataset_size=len(split.sampler))
    total, _ = objective(out)
    total.backward()
    _average_gradients(model.network)
    if rank == 0:
        named = {name: p.grad for name, p in model.network.named_parameters()}
        write_tensors(f"{folder}/gradients{world}.safetensors", named)
    if world > 1:
        dist.destroy_process_group()
