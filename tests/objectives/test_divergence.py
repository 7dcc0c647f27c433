import math

import numpy as np
import pytest
import torch
from model_outputs import FRAMEWISE
from model_outputs import outputs as small_outputs

from disentone.errors import RecipeError
from disentone.facets import Facets
from disentone.models import ModelConfig, MultiView
from disentone.objectives import Divergence, Objective, Reconstruction, decomposed_kl
from disentone.objectives.divergence import sampled_kl


def naive(z, mean, log_variance, size):
    """The definition, one number at a time."""

    def log_normal(value, m, lv):
        return -0.5 * ((value - m) ** 2 / math.exp(lv) + lv + math.log(2 * math.pi))

    batch, dims = z.shape
    information = correlation = dimensionwise = 0.0
    for i in range(batch):
        own = sum(log_normal(z[i, d], mean[i, d], log_variance[i, d]) for d in range(dims))
        prior = sum(log_normal(z[i, d], 0.0, 0.0) for d in range(dims))
        joint, marginals = 0.0, [0.0] * dims
        for j in range(batch):
            weight = 1 / size if i == j else (size - 1) / (size * (batch - 1))
            logs = [log_normal(z[i, d], mean[j, d], log_variance[j, d]) for d in range(dims)]
            joint += weight * math.exp(sum(logs))
            for d in range(dims):
                marginals[d] += weight * math.exp(logs[d])
        log_joint, log_marginals = math.log(joint), sum(map(math.log, marginals))
        information += (own - log_joint) / batch
        correlation += (log_joint - log_marginals) / batch
        dimensionwise += (log_marginals - prior) / batch
    return information, correlation, dimensionwise


def draw(batch=6, dims=3, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    mean, log_variance, noise = (
        torch.randn(batch, dims, generator=generator, dtype=dtype) for _ in range(3)
    )
    return mean + noise * torch.exp(0.5 * log_variance), mean, log_variance


def test_equals_the_naive_loop():
    z, mean, log_variance = draw()
    got = decomposed_kl(z=z, mean=mean, log_variance=log_variance, dataset_size=50)
    expected = naive(z.numpy(), mean.numpy(), log_variance.numpy(), 50)
    np.testing.assert_allclose([float(part) for part in got], expected, rtol=1e-10)


def test_parts_sum_to_the_sampled_kl():
    z, mean, log_variance = draw(batch=32)
    got = decomposed_kl(z=z, mean=mean, log_variance=log_variance, dataset_size=1000)
    kl = 0.5 * ((z**2 - (z - mean) ** 2 / log_variance.exp()) - log_variance).sum(1).mean()
    torch.testing.assert_close(sum(got), kl)


@pytest.mark.parametrize("batch", [64, 256, 1000])
def test_total_correlation_of_a_known_gaussian(batch):
    """Aggregate posterior N(0, C) with TC = -0.5 log det C."""
    dims, correlation, inner = 3, 0.85, 0.12
    covariance = torch.full((dims, dims), correlation) + (1 - correlation) * torch.eye(dims)
    truth = -0.5 * torch.logdet(covariance)
    spread = torch.linalg.cholesky(covariance - inner * torch.eye(dims))
    generator = torch.Generator().manual_seed(0)
    values = []
    for _ in range(20):
        mean = torch.randn(batch, dims, generator=generator) @ spread.T
        z = mean + inner**0.5 * torch.randn(batch, dims, generator=generator)
        log_variance = torch.full_like(mean, math.log(inner))
        parts = decomposed_kl(z=z, mean=mean, log_variance=log_variance, dataset_size=20000)
        values.append(float(parts.total_correlation))
    assert np.mean(values) == pytest.approx(float(truth), abs=0.1)


def test_dimensionwise_part_of_a_known_gaussian():
    """One dimension, aggregate N(0, s^2): KL to the prior is (s^2 - 1 - log s^2) / 2."""
    inner, outer = 0.1, 4.0
    generator = torch.Generator().manual_seed(0)
    mean = (outer - inner) ** 0.5 * torch.randn(2000, 1, generator=generator)
    z = mean + inner**0.5 * torch.randn(2000, 1, generator=generator)
    parts = decomposed_kl(
        z=z, mean=mean, log_variance=torch.full_like(mean, math.log(inner)), dataset_size=100000
    )
    truth = 0.5 * (outer - 1 - math.log(outer))
    assert float(parts.dimensionwise) == pytest.approx(truth, abs=0.12)
    assert float(parts.information) == pytest.approx(0.5 * math.log(outer / inner), abs=0.12)
    assert float(parts.total_correlation) == pytest.approx(0.0, abs=1e-5)


def test_prior_posteriors_cost_nothing():
    z = torch.randn(64, 3)
    parts = decomposed_kl(
        z=z, mean=torch.zeros(64, 3), log_variance=torch.zeros(64, 3), dataset_size=1000
    )
    torch.testing.assert_close(torch.stack(parts), torch.zeros(3), atol=1e-4, rtol=0)


def test_weights_are_a_distribution_even_when_the_batch_is_everything():
    z, mean, log_variance = draw(batch=8)
    parts = decomposed_kl(z=z, mean=mean, log_variance=log_variance, dataset_size=8)
    assert all(math.isfinite(float(p)) for p in parts)


@pytest.mark.parametrize(("batch", "size"), [(1, 100), (8, 7)])
def test_impossible_batches_are_refused(batch, size):
    z, mean, log_variance = draw(batch=batch)
    with pytest.raises(RecipeError):
        decomposed_kl(z=z, mean=mean, log_variance=log_variance, dataset_size=size)


FACETS = Facets({"private": 2, "shared": 2})


def outputs(fusion="poe"):
    torch.manual_seed(0)
    config = ModelConfig(
        encoder={"kind": "patch", "width": 8},
        decoder={"kind": "dense", "widths": [8]},
        fusion=fusion,
    )
    model = MultiView(config, FACETS, frames=4, features=5)
    model.train()
    return model(torch.randn(6, 2, 4, 5), {"shared": (0, 1)}, dataset_size=60)


def test_equal_weights_are_the_plain_kl_summed_over_views():
    out = outputs()
    term = Divergence(alpha=1, beta=1, gamma=1)
    m, lv, z = out.posterior_mean, out.posterior_log_variance, out.z
    kl = 0.5 * ((z**2 - (z - m) ** 2 / lv.exp()) - lv).sum((1, 2)).mean()
    torch.testing.assert_close(term(out)["value"], kl)


@pytest.mark.parametrize("fusion", ["poe", "swap"])
def test_eq_1_from_its_parts(fusion):
    """Reconstruction plus weighted parts of both facets, each view counted."""
    out = outputs(fusion)
    total, _ = Objective([Reconstruction(), Divergence(alpha=0.3, beta=0.2, gamma=0.1)], FACETS)(
        out
    )
    expected = 0.5 * ((out.reconstruction - out.x) ** 2).sum() / 6
    for view in range(2):
        for name in FACETS:
            part = FACETS.slice(name)
            kl = decomposed_kl(
                z=out.z[:, view, part],
                mean=out.posterior_mean[:, view, part],
                log_variance=out.posterior_log_variance[:, view, part],
                dataset_size=60,
            )
            expected = expected + 0.3 * kl[0] + 0.2 * kl[1] + 0.1 * kl[2]
    torch.testing.assert_close(total, expected)


def test_a_term_can_act_on_one_facet():
    out = outputs()
    both = Divergence()(out)["value"]
    parts = [Divergence(facets=(name,))(out)["value"] for name in FACETS]
    torch.testing.assert_close(both, parts[0] + parts[1])


def test_reconstruction_is_a_gaussian_likelihood():
    out = outputs()
    scale = 0.7
    normal = torch.distributions.Normal(out.reconstruction, scale)
    constant = math.log(scale * math.sqrt(2 * math.pi)) * out.x[0].numel()
    expected = -normal.log_prob(out.x).sum((1, 2, 3)).mean() - constant
    torch.testing.assert_close(Reconstruction(scale=scale)(out)["value"], expected)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (FRAMEWISE, "needs variances"),
        (FRAMEWISE | {"stochastic": True, "pool": {"private": "max"}}, "pooled by the mean"),
    ],
)
def test_models_without_a_posterior_of_the_clip_are_refused(model, message):
    with pytest.raises(RecipeError, match=message):
        Divergence()(small_outputs(**model))


def test_the_sampled_kl_is_the_sum_of_the_parts_and_so_is_its_gradient():
    z, mean, log_variance = (x.requires_grad_() for x in draw(batch=16))
    parts = decomposed_kl(z=z, mean=mean, log_variance=log_variance, dataset_size=100)
    whole = sampled_kl(z=z, mean=mean, log_variance=log_variance)
    torch.testing.assert_close(whole, sum(parts))
    for one, other in zip(
        torch.autograd.grad(whole, (z, mean, log_variance)),
        torch.autograd.grad(sum(parts), (z, mean, log_variance)),
    ):
        torch.testing.assert_close(one, other)


def test_batches_side_by_side_are_estimated_each_by_itself():
    draws = [draw(seed=seed) for seed in range(3)]
    z, mean, log_variance = (torch.stack(x) for x in zip(*draws))
    together = decomposed_kl(z=z, mean=mean, log_variance=log_variance, dataset_size=50)
    alone = [decomposed_kl(z=z, mean=m, log_variance=v, dataset_size=50) for z, m, v in draws]
    for one, several in zip(together, zip(*alone)):
        torch.testing.assert_close(one, torch.stack(several))
