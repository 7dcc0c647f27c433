"""The loss over given triplets, against a loop."""

from dataclasses import replace

import pytest
import torch
from model_outputs import FACETS, outputs, with_codes
from torch.nn.functional import cosine_similarity

from disentone.objectives import Given, Objective

NAMES = {"private": "genre", "shared": "key"}


def made(rows=6, seed=0, **labels):
    out = outputs(batch=rows, views=3, training=True)
    codes = torch.randn(rows, 3, FACETS.dim, generator=torch.Generator().manual_seed(seed))
    known = {f"given {name}": torch.tensor(values)[:, None] for name, values in labels.items()}
    return replace(with_codes(out, codes.requires_grad_()), labels=known)


def naive(out, margin):
    """Triplet by triplet."""
    means = []
    for facet, name in NAMES.items():
        part, losses = FACETS.slice(facet), []
        for row, holds in enumerate(out.labels[f"given {name}"][:, 0]):
            a, p, n = out.mean[row][:, part]
            if holds:
                near, far = (1 - cosine_similarity(a, other, dim=0) for other in (p, n))
                losses.append(max(0.0, float(near - far + margin)))
        means += [sum(losses) / len(losses)] if losses else []
    return sum(means) / len(means)


@pytest.mark.parametrize("key", [[1.0, 0, 1, 1, 0, 0], [0.0] * 6])
@pytest.mark.parametrize("margin", [0.1, 0.5])
def test_the_value_is_that_of_a_loop(key, margin):
    out = made(genre=[1.0, 1, 0, 0, 1, 1], key=key)
    parts = Given(dimensions=NAMES, margin=margin)(out)
    assert float(parts["value"].detach()) == pytest.approx(naive(out, margin), abs=1e-6)
    order = [
        cosine_similarity(a[:3], p[:3], dim=0) > cosine_similarity(a[:3], n[:3], dim=0)
        for (a, p, n), holds in zip(out.mean, out.labels["given genre"][:, 0])
        if holds
    ]
    assert float(parts["given_correct_private"]) == pytest.approx(sum(order) / len(order))


def test_in_validation_the_value_is_the_share_out_of_order():
    out = made(genre=[1.0, 1, 0, 0, 1, 1], key=[0.0] * 6)
    out.model.eval()
    parts = Given(dimensions=NAMES)(out)
    assert float(parts["value"]) == pytest.approx(1 - float(parts["given_correct_private"]))
    assert 0 < float(parts["value"]) < 1
    still = replace(out, mean=torch.ones_like(out.mean))
    assert float(Given(dimensions=NAMES)(still)["value"]) == 1, "a facet that is a point is wrong"


def test_a_batch_without_a_triplet_is_harmless():
    out = made(genre=[0.0] * 6, key=[0.0] * 6)
    value = Given(dimensions=NAMES)(out)["value"]
    value.backward()
    assert float(value.detach()) == 0
    assert not out.mean.grad.any()


def test_descending_puts_the_triplets_in_order():
    out = made(genre=[1.0] * 6, key=[1.0] * 6)
    objective = Objective([Given(dimensions=NAMES)], FACETS)
    optimiser = torch.optim.SGD([out.mean], lr=2.0)
    for _ in range(100):
        optimiser.zero_grad()
        total, logs = objective(out)
        total.backward()
        optimiser.step()
    assert float(logs["given_correct_private"]) == float(logs["given_correct_shared"]) == 1
    assert float(total.detach()) < 0.01
