"""Outputs of small real models, for tests of terms."""

from dataclasses import replace

import torch

from disentone.facets import Facets
from disentone.models import ModelConfig, MultiView

FACETS = Facets({"private": 3, "shared": 2})
GROUPS = {"shared": (0, 1)}
FRAMEWISE = {
    "encoder": {"kind": "frames", "width": 8},
    "decoder": {"kind": "frames", "width": 8},
    "fusion": "mean",
    "stochastic": False,
}


def outputs(*, batch=5, views=2, seed=0, labels=None, training=False, **model):
    """What a small network says about random features; groups as of one shared facet."""
    torch.manual_seed(seed)
    network = MultiView(ModelConfig(**model), FACETS, frames=4, features=6).train(training)
    x = torch.randn(batch, views, 4, 6)
    groups = {"shared": tuple(range(views))} if views > 1 else {}
    return replace(network(x, groups, dataset_size=100), labels=labels or {})


def with_codes(out, mean):
    """The same, as if the views had been encoded to given means (batch, views, dim)."""
    return replace(out, mean=mean, own=mean)
