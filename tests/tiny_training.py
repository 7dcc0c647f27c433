"""A tiny multi-view training problem, made in a fraction of a second; also a script to kill."""

import sys
from pathlib import Path

import numpy as np
import torch

from disentone.agreement import Relation, ViewSampler
from disentone.datasets.syntone import SynTone, syntone
from disentone.embeddings.model import Model
from disentone.embeddings.networks import write_tensors
from disentone.facets import Facets
from disentone.factors import Factor
from disentone.frontends.config import LogMelConfig
from disentone.frontends.logmel import LogMel
from disentone.models import ModelConfig, MultiView
from disentone.objectives import (
    Agreement,
    Classification,
    Contrast,
    Covariance,
    Divergence,
    Independence,
    Objective,
    Reconstruction,
    Separation,
    Similarity,
    Triplet,
)
from disentone.recipes.schema import TrainingConfig
from disentone.runs.loop import fit
from disentone.runs.split import Split
from disentone.runs.step import Learner

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
        Learner(model.network, objective, config),
        train_split,
        valid_split,
        out=Path(out),
        save_best=lambda: model.save(out),
        resume=resume,
    )
    return model, history


if __name__ == "__main__":  # train for long, and wait to be killed
    train(sys.argv[1], epochs=int(sys.argv[2]), resume=True)


TERMS = {
    "plain": [Reconstruction(), Divergence(alpha=0, beta=0, gamma=0.1)],
    "kl": [Divergence()],
    "agreement": [Agreement()],
    "independence": [Independence(begin=0)],
    "cosines": [Similarity(), Separation(level="batch"), Contrast()],
    "covariance": [Covariance()],
    "classification": [Classification(factor="kind")],
    "triplet": [Triplet()],
}
RELATIONS = {"private": Relation("kind"), "shared": Relation("clip")}


def gradients(rank, world, folder):
    """A backward pass of all terms on this process's part of a batch; rank 0 writes it."""
    from dataclasses import replace

    from torch import distributed as dist

    from disentone.runs.processes import average_gradients, share_of_rows

    if world > 1:
        dist.init_process_group(
            "gloo", init_method=f"file://{folder}/rendezvous{world}", rank=rank, world_size=world
        )
    options = NETWORK.model_dump() | {"stochastic": False}
    model, split, _, _ = problem(network=ModelConfig(**options))
    views = share_of_rows(split.sampler.epoch(0)[:32])
    batch = split.batch(views, torch.device("cpu"))
    kind = Factor.categorical("kind", ["a", "b", "c"])
    kinds = torch.where(torch.arange(32) < 14, -1.0, torch.arange(32) % 3.0)  # few for rank 0
    labels = {"kind": torch.from_numpy(share_of_rows(kinds.numpy()))[:, None].expand(-1, 2)}
    named = {}
    for name, terms in TERMS.items():
        torch.manual_seed(0)
        objective = Objective(terms, FACETS, {"kind": kind}, RELATIONS)
        out = model.network(batch, split.sampler.groups, dataset_size=len(split.sampler))
        learners = torch.nn.ModuleDict({"model": model.network, "objective": objective})
        learners.zero_grad()
        objective(replace(out, labels=labels))[0].backward()
        average_gradients(list(learners.parameters()))
        for parameter, p in learners.named_parameters():
            if p.grad is not None:
                named[f"{name}.{parameter}"] = p.grad
    if rank == 0:
        write_tensors(f"{folder}/gradients{world}.safetensors", named)
    if world > 1:
        dist.destroy_process_group()
