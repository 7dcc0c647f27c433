import numpy as np
import pytest
import torch
from model_outputs import FACETS, outputs
from torch.nn import functional

from disentone.errors import RecipeError
from disentone.factors import Factor
from disentone.objectives import Classification, Objective

SENSOR = Factor.categorical("sensor", ["a", "b", "c", "a"])
SOURCE = Factor("source", "multilabel", np.eye(4), ("w", "x", "y", "z"))
LEVEL = Factor.continuous("level", [1.0, 2.0])
FACTORS = {"sensor": SENSOR, "source": SOURCE, "level": LEVEL}


def run(term, labels):
    out = outputs(labels={term.factor: labels})
    objective = Objective([term], FACETS, FACTORS)
    return out, objective, objective(out)[0]


def test_categorical_is_cross_entropy_over_known_clips():
    labels = torch.tensor([[0, 1], [2, -1], [1, 1], [0, 2], [-1, -1]]).float()
    out, objective, value = run(Classification(factor="sensor"), labels)
    head = objective.learnt["0"]
    losses = [
        functional.cross_entropy(head(out.mean[b, v]), labels[b, v].long())
        for b in range(5)
        for v in range(2)
        if labels[b, v] >= 0
    ]
    torch.testing.assert_close(value, torch.stack(losses).mean())


def test_multilabel_is_binary_cross_entropy_over_known_labels():
    labels = torch.randint(0, 2, (5, 2, 4)).float()
    labels[0, 0, :] = torch.nan
    out, objective, value = run(Classification(factor="source", facet="shared"), labels)
    scores = objective.learnt["0"](out.mean[..., 3:])
    known = ~torch.isnan(labels)
    expected = functional.binary_cross_entropy_with_logits(scores[known], labels[known])
    torch.testing.assert_close(value, expected)


def test_nothing_known_costs_nothing():
    _, _, value = run(Classification(factor="sensor"), -torch.ones(5, 2))
    assert float(value.detach()) == 0


def test_it_learns():
    labels = torch.tensor([[0, 1], [2, 2], [1, 1], [0, 2], [0, 1]]).float()
    out, objective, first = run(Classification(factor="sensor"), labels)
    parameters = [*out.model.parameters(), *objective.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=0.01)
    for _ in range(60):
        again = out.model(out.x, out.groups, dataset_size=5, decode=False)
        loss, _ = objective(type(out)(**{**vars(again), "labels": out.labels}))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.1 * float(first.detach())


@pytest.mark.parametrize(
    ("factor", "message"),
    [("senso", "'senso'.*did you mean 'sensor'"), ("level", "is continuous")],
)
def test_a_factor_that_will_not_do_is_refused(factor, message):
    with pytest.raises(RecipeError, match=message):
        Objective([Classification(factor=factor)], FACETS, FACTORS)


def test_a_facet_that_does_not_exist_is_refused():
    with pytest.raises(RecipeError, match=r"names a facet 'shard'.*did you mean 'shared'"):
        Objective([Classification(factor="sensor", facet="shard")], FACETS, FACTORS)
