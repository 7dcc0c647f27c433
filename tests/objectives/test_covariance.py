import numpy as np
import pytest
import torch
from model_outputs import FACETS, outputs, with_codes

from disentone.errors import RecipeError
from disentone.objectives import Covariance, Objective
from disentone.objectives.covariance import correlations


def test_correlations_are_those_of_numpy():
    torch.manual_seed(0)
    first = torch.randn(50, 3)
    second = first @ torch.randn(3, 2) + 0.5 * torch.randn(50, 2)
    computed = correlations(first, second, epsilon=1e-12)
    expected = np.corrcoef(first.T, second.T)[:3, 3:]
    np.testing.assert_allclose(computed, expected, atol=1e-5)


def test_between_facets_it_is_the_mean_squared_correlation():
    codes = torch.randn(40, 2, 5)
    computed = Covariance()(with_codes(outputs(batch=40), codes))["value"]
    rows = codes.flatten(0, 1)
    expected = np.square(np.corrcoef(rows[:, :3].T, rows[:, 3:].T)[:3, 3:]).mean()
    assert float(computed) == pytest.approx(expected, abs=1e-4)


def test_within_a_facet_the_diagonal_does_not_count():
    codes = torch.randn(40, 2, 5)
    computed = Covariance(of=None)(with_codes(outputs(batch=40), codes))["value"]
    rows = np.corrcoef(codes.flatten(0, 1)[:, :3].T)
    expected = np.mean([rows[i, j] ** 2 for i in range(3) for j in range(3) if i != j])
    assert float(computed) == pytest.approx(expected, abs=1e-4)


def test_a_copied_facet_costs_and_a_dead_one_does_not():
    codes = torch.randn(40, 2, 5)
    copied = codes.clone()
    copied[..., 3:] = codes[..., :2]
    dead = codes.clone()
    dead[..., 3:] = 7.0
    term = Covariance()
    out = outputs(batch=40)
    assert float(term(with_codes(out, copied))["value"]) > 0.3
    assert float(term(with_codes(out, dead))["value"]) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("views", [1, 2])
def test_a_batch_of_one_is_refused_however_many_its_views(views):
    with pytest.raises(RecipeError, match="batch of 2 or more"):
        Covariance()(outputs(batch=1, views=views))


@pytest.mark.parametrize("names", [{"facet": "privat"}, {"of": "privat"}])
def test_both_facets_must_exist(names):
    with pytest.raises(RecipeError, match=r"names a facet 'privat'.*did you mean 'private'"):
        Objective([Covariance(**names)], FACETS)
