import math

import pytest
import torch

from disentone.errors import RecipeError
from disentone.facets import Facets
from disentone.models import ModelConfig, MultiView
from disentone.objectives import Agreement, Objective, agreement

DOUBLE = torch.float64


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def noisy_views(generator, *, clips=20_000, count=2, variances=(1.0, 0.3, 0.05)):
    """Views x + noise of a standard normal x, with noise of another variance in each dimension."""
    deviation = torch.tensor(variances, dtype=DOUBLE).sqrt()
    shared = torch.randn(clips, 1, len(variances), generator=generator, dtype=DOUBLE)
    noise = torch.randn(clips, count, len(variances), generator=generator, dtype=DOUBLE)
    return shared + deviation * noise


@pytest.mark.parametrize("count", [2, 3, 5])
def test_equals_minus_the_information_of_a_known_gaussian(generator, count):
    """A view x + n has the information 0.5 log((1 + v) / v) about x, in each dimension."""
    variances = (1.0, 0.3, 0.05)
    views = noisy_views(generator, count=count, variances=variances)
    truth = sum(0.5 * math.log((1 + v) / v) for v in variances)
    assert float(agreement(views, epsilon=1e-9)) == pytest.approx(-truth, abs=0.03)


def test_information_of_correlated_dimensions(generator):
    """Noise N(0, C) on N(0, S): 0.5 (log det(S + C) - log det C)."""
    mix, blur = (torch.randn(3, 3, generator=generator, dtype=DOUBLE) for _ in range(2))
    signal, noise = mix @ mix.T, 0.1 * blur @ blur.T + 0.01 * torch.eye(3)
    draws = torch.randn(40_000, 3, 3, generator=generator, dtype=DOUBLE)
    views = draws[:, :1] @ mix.T + draws[:, 1:] @ torch.linalg.cholesky(noise).T
    truth = 0.5 * (torch.logdet(signal + noise) - torch.logdet(noise))
    assert float(agreement(views, epsilon=1e-9)) == pytest.approx(-float(truth), abs=0.03)


def test_unrelated_views_agree_in_nothing(generator):
    views = torch.randn(20_000, 2, 3, generator=generator, dtype=DOUBLE)
    assert float(agreement(views)) == pytest.approx(0, abs=0.02)


def test_is_blind_to_invertible_linear_maps_and_shifts(generator):
    views = noisy_views(generator, clips=50)
    linear = torch.randn(3, 3, generator=generator, dtype=DOUBLE)
    assert abs(torch.linalg.det(linear)) > 0.1
    mapped = views @ linear.T + torch.tensor([5.0, -3.0, 100.0])
    torch.testing.assert_close(
        agreement(mapped, epsilon=1e-12), agreement(views, epsilon=1e-12), rtol=1e-6, atol=0
    )


def test_a_facet_that_shrinks_or_collapses_gains_nothing(generator):
    views = noisy_views(generator, clips=500)
    assert agreement(1e-3 * views) > agreement(views)
    assert float(agreement(torch.zeros(50, 2, 3))) == pytest.approx(0, abs=1e-6)


def test_views_that_are_equal_are_bounded_by_the_floor(generator):
    """One dimension of variance 1, no difference: 0.5 log(epsilon / (1 + epsilon))."""
    views = torch.randn(500, 1, 1, generator=generator, dtype=DOUBLE).expand(500, 2, 1)
    views = (views - views.mean()) / views.std(correction=0)
    expected = 0.5 * math.log(0.01 / 1.01)
    assert float(agreement(views, epsilon=0.01)) == pytest.approx(expected, abs=1e-9)


def test_a_batch_of_one_is_refused():
    with pytest.raises(RecipeError, match="batch of 2 or more"):
        agreement(torch.zeros(1, 2, 3))


FACETS = Facets({"private": 2, "shared": 3})


@pytest.fixture
def out():
    torch.manual_seed(0)
    network = {
        "encoder": {"kind": "patch", "width": 8},
        "decoder": {"kind": "dense", "widths": [8]},
    }
    model = MultiView(ModelConfig(**network), FACETS, frames=4, features=5)
    return model(torch.randn(12, 3, 4, 5), {"shared": (0, 2)}, dataset_size=60)


def test_the_term_takes_the_views_that_agree_and_their_own_facet(out):
    value = Agreement(facet="shared")(out)["value"].detach()
    torch.testing.assert_close(value, agreement(out.mean.detach()[:, [0, 2], 2:]))
    mean = out.mean.detach()
    others = agreement(mean[:, :2, 2:]), agreement(mean[:, [0, 2], :2])
    assert all(abs(float(value - other)) > 1e-3 for other in others)


def test_the_term_needs_a_relation_and_a_facet_that_exists(out):
    with pytest.raises(RecipeError, match="needs a relation for facet 'private'"):
        Agreement(facet="private")(out)
    with pytest.raises(RecipeError, match=r"'agreement' names a facet 'share'.*'shared'"):
        Objective([Agreement(facet="share")], FACETS)


def test_following_its_gradient_makes_views_agree(generator):
    """Of two inputs, one common to the views and one not, a linear facet learns the common one."""
    common = torch.randn(400, 1, 1, generator=generator).expand(-1, 2, -1)
    private = torch.randn(400, 2, 1, generator=generator)
    views = torch.cat([common + 0.1 * torch.randn(400, 2, 1, generator=generator), private], -1)
    weights = torch.tensor([[0.1], [1.0]], requires_grad=True)
    optimiser = torch.optim.Adam([weights], lr=0.05)
    for _ in range(150):
        optimiser.zero_grad()
        agreement(views @ weights).backward()
        optimiser.step()
    kept, dropped = weights.detach().abs().flatten().tolist()
    assert dropped < 0.1 * kept


def test_a_covariance_that_rounding_spoilt_gives_no_number():
    views = torch.randn(8, 2, 3)
    assert math.isnan(float(agreement(views, epsilon=-100.0)))  # as large an error, made by hand
