from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from disentone.errors import RecipeError
from disentone.facets import Facets
from disentone.models import ModelConfig, MultiView
from disentone.objectives import Invariance, Objective
from disentone.objectives.invariance import jeffreys, spectral_gate

FACETS = Facets({"private": 2, "shared": 2})


@pytest.fixture
def x():
    return -60 * torch.rand(5, 4, 6, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def out(x):
    torch.manual_seed(0)
    network = {
        "encoder": {"kind": "patch", "width": 8},
        "decoder": {"kind": "dense", "widths": [8]},
    }
    model = MultiView(ModelConfig(**network), FACETS, frames=4, features=6)
    views = torch.stack([x, x.flip(0)], dim=1) / 20 + 1.5
    return model(views, {"shared": (0, 1)}, dataset_size=60)


# --- the gate ---------------------------------------------------------------------------------


def test_the_gate_keeps_the_loudest_and_silences_the_rest(x):
    keep = torch.full((5,), 0.25)
    gated = spectral_gate(x, keep)
    for before, after in zip(x, gated):
        low, high = before.min(), before.max()
        for level, got in zip(before.flatten(), after.flatten()):
            assert got == (level if level >= high - 0.25 * (high - low) else low)


def test_keeping_everything_changes_nothing(x):
    torch.testing.assert_close(spectral_gate(x, torch.ones(5)), x)


def test_keeping_next_to_nothing_leaves_the_peak(x):
    gated = spectral_gate(x, torch.full((5,), 1e-4))
    lowest = gated.amin((1, 2), keepdim=True)
    assert ((gated > lowest).sum((1, 2)) == 1).all()
    torch.testing.assert_close(gated.amax((1, 2)), x.amax((1, 2)))


def test_whatever_a_gate_keeps_a_wider_gate_keeps_too(x):
    kept = [
        spectral_gate(x, torch.full((5,), keep)) > x.amin((1, 2), keepdim=True)
        for keep in (0.1, 0.3, 0.6, 0.9)
    ]
    for narrow, wide in pairwise(kept):
        assert (narrow <= wide).all()
        assert narrow.sum() < wide.sum()


def test_every_clip_has_its_own_gate(x):
    keep = torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9])
    together = spectral_gate(x, keep)
    for i in range(5):
        torch.testing.assert_close(together[i], spectral_gate(x[i : i + 1], keep[i : i + 1])[0])


def test_the_scale_of_levels_does_not_matter(x):
    keep = torch.full((5,), 0.4)
    torch.testing.assert_close(spectral_gate(0.1 * x + 7, keep), 0.1 * spectral_gate(x, keep) + 7)


def test_a_flat_clip_stays_as_it_is():
    flat = torch.full((1, 3, 3), -60.0)
    torch.testing.assert_close(spectral_gate(flat, torch.tensor([0.2])), flat)


# --- the divergence ---------------------------------------------------------------------------


def test_jeffreys_is_the_kl_averaged_over_both_directions():
    generator = torch.Generator().manual_seed(0)
    one, two = (
        [torch.randn(7, 3, generator=generator, dtype=torch.float64) for _ in range(2)]
        for _ in range(2)
    )
    first, second = (
        Independent(Normal(mean, torch.exp(0.5 * log_variance)), 1)
        for mean, log_variance in (one, two)
    )
    expected = 0.5 * (kl_divergence(first, second) + kl_divergence(second, first)).mean()
    torch.testing.assert_close(jeffreys(*one, *two), expected)
    torch.testing.assert_close(jeffreys(*two, *one), expected)
    assert float(jeffreys(*one, *one)) == 0


# --- the term ---------------------------------------------------------------------------------


def value(out, **options):
    torch.manual_seed(0)
    return float(Invariance(**options)(out)["value"].detach())


def test_an_encoder_that_hears_no_difference_costs_nothing(out):
    before = value(out)
    assert before > 1e-4
    with torch.no_grad():
        for parameter in out.model.encoder.parameters():
            parameter.zero_()
    again = out.model(out.x, out.groups, dataset_size=60)
    assert value(again) == pytest.approx(0, abs=1e-9)


def test_only_the_named_facet_counts(out):
    """Outputs of the encoder's last layer are the facets' means, then their log-variances."""
    costs = value(out, facet="private"), value(out, facet="shared")
    assert costs[0] != pytest.approx(costs[1])
    with torch.no_grad():
        for parameter in list(out.model.encoder.parameters())[-2:]:  # weight and bias
            parameter[[0, 1, 4, 5]] = 0
    muted = out.model(out.x, out.groups, dataset_size=60)
    assert value(muted, facet="private") == pytest.approx(0, abs=1e-9)
    assert value(muted, facet="shared") == pytest.approx(costs[1], rel=1e-4)


def test_a_gate_that_keeps_everything_costs_nothing(out):
    assert value(out, least=1.0) == pytest.approx(0, abs=1e-6)


def test_both_sides_learn(out):
    """Gradient reaches the encoder through the clip and through the gated clip."""
    parameter = next(out.model.encoder.parameters())
    grad = {}
    for name, changed in {
        "both": out,
        "gated": replace(out, mean=out.mean.detach(), log_variance=out.log_variance.detach()),
    }.items():
        torch.manual_seed(0)
        loss = Invariance()(changed)["value"]
        grad[name] = torch.autograd.grad(loss, parameter, retain_graph=True)[0]
    assert grad["gated"].abs().sum() > 0
    assert not torch.allclose(grad["both"], grad["gated"])


def test_a_facet_that_does_not_exist_is_refused():
    with pytest.raises(RecipeError, match=r"'invariance' names a facet 'privat'.*'private'"):
        Objective([Invariance(facet="privat")], FACETS)
