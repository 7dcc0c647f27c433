from dataclasses import replace

import pytest
import torch

from disentone.errors import RecipeError
from disentone.facets import Facets
from disentone.models import ModelConfig, MultiView
from disentone.objectives import Critic, Independence, Objective

FACETS = Facets({"private": 3, "shared": 2})
ROWS = 128


@pytest.fixture
def out():
    """Outputs of a real model, whose posteriors the tests replace."""
    torch.manual_seed(0)
    network = {
        "encoder": {"kind": "patch", "width": 8},
        "decoder": {"kind": "dense", "widths": [8]},
    }
    model = MultiView(ModelConfig(**network), FACETS, frames=4, features=5)
    return model(torch.randn(ROWS, 2, 4, 5), {"shared": (0, 1)}, dataset_size=1000)


def with_codes(out, private, shared, *, progress=1.0):
    """Outputs whose views have these private codes (B, V, 3) and shared codes (B, V, 2)."""
    codes = torch.cat([private, shared], dim=-1)
    return replace(out, mean=codes, posterior_mean=codes, z=codes, progress=progress)


def draw(kind):
    """Private and shared codes that have nothing, or the shared code, in common."""
    shared = torch.randn(ROWS, 1, 2).expand(-1, 2, -1)
    private = torch.randn(ROWS, 2, 3)
    if kind == "copied":
        private = torch.cat([shared, private[..., :1]], dim=-1)
    return private, shared


def trained(out, kind, *, steps=200):
    """A critic that has seen many batches, and its term."""
    torch.manual_seed(0)
    term = Independence(width=32)
    critic = term.build(FACETS, {}, {})
    optimiser = torch.optim.Adam(critic.parameters(), lr=3e-3)
    for _ in range(steps):
        optimiser.zero_grad()
        term(with_codes(out, *draw(kind)), critic)["value"].backward()
        optimiser.step()
    return term, critic


def information(out, term, critic, kind):
    """Mean of the critic's bound over new batches."""
    with torch.no_grad():
        values = [term(with_codes(out, *draw(kind)), critic)["told"] for _ in range(20)]
    return float(torch.stack(values).mean())


def test_a_copied_facet_is_found_and_independent_ones_are_not(out):
    term, critic = trained(out, "copied")
    assert information(out, term, critic, "copied") > 1.5
    term, critic = trained(out, "independent")
    assert information(out, term, critic, "independent") < 0.05


def test_the_bound_is_below_the_known_information():
    """A correlation r in one dimension is -0.5 log(1 - r^2) nats."""
    torch.manual_seed(0)
    r, critic = 0.9, Critic(1, 1, width=32)
    optimiser = torch.optim.Adam(critic.parameters(), lr=3e-3)
    truth = -0.5 * torch.log(torch.tensor(1 - r**2))
    bounds = []
    for step in range(400):
        first = torch.randn(ROWS, 1)
        second = r * first + (1 - r**2) ** 0.5 * torch.randn(ROWS, 1)
        bound = critic(first, second)
        optimiser.zero_grad()
        (-bound).backward()
        optimiser.step()
        if step >= 350:
            bounds.append(bound.detach())
    assert 0.7 * truth < torch.stack(bounds).mean() < truth + 0.05


def test_the_bound_cannot_exceed_the_log_of_the_rows():
    critic = Critic(4, 4)
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.mul_(10)
    codes = torch.randn(16, 4)
    assert critic(codes, codes) <= torch.log(torch.tensor(16.0)) + 1e-5


def test_the_model_learns_only_through_the_facet_that_must_not_tell(out):
    _, critic = trained(out, "copied", steps=30)
    term = Independence(begin=0, ramp=1)  # at half strength nothing can cancel by chance
    private, shared = (codes.clone().requires_grad_() for codes in draw("copied"))
    term(with_codes(out, private, shared, progress=0.5), critic)["value"].backward()
    assert private.grad.abs().sum() > 0
    assert shared.grad is None or shared.grad.abs().sum() == 0


def test_the_model_goes_down_what_is_told_and_the_critic_up(out):
    term, critic = trained(out, "copied", steps=60)
    private, shared = draw("copied")
    private = private.clone().requires_grad_()
    codes = with_codes(out, private, shared)
    before = term(codes, critic)
    before["value"].backward()
    with torch.no_grad():
        moved = with_codes(out, private - 0.05 * private.grad / private.grad.norm(), shared)
        assert term(moved, critic)["told"] < before["told"]
        for parameter in critic.parameters():
            parameter -= 0.01 * parameter.grad
        assert term(codes, critic)["told"] > before["told"]


def test_what_the_model_is_charged_does_not_train_the_critic(out):
    """The critic's gradient is its own loss alone, whatever the model's strength or weight."""

    def gradient(*, progress, weight):
        torch.manual_seed(1)
        term = Independence(width=16, weight=weight)
        critic = term.build(FACETS, {}, {})
        torch.manual_seed(2)
        codes = with_codes(out, *draw("copied"), progress=progress)
        (weight * term(codes, critic)["value"]).backward()
        return torch.cat([parameter.grad.flatten() for parameter in critic.parameters()])

    alone = gradient(progress=0.0, weight=1.0)
    assert alone.abs().sum() > 0
    torch.testing.assert_close(gradient(progress=1.0, weight=1.0), alone)
    torch.testing.assert_close(gradient(progress=1.0, weight=7.0), alone)


def test_it_does_not_act_before_it_begins_and_then_grows(out):
    _, critic = trained(out, "copied", steps=60)
    term = Independence(begin=0.2, ramp=0.4)
    private, shared = draw("copied")
    sizes = []
    for progress in (0.0, 0.2, 0.4, 0.6, 1.0):
        codes = private.clone().requires_grad_()
        term(with_codes(out, codes, shared, progress=progress), critic)["value"].backward()
        sizes.append(float(codes.grad.norm()))
    assert sizes[-1] > 0
    assert sizes[:2] == [0, 0]
    assert sizes[2] == pytest.approx(sizes[-1] / 2, rel=1e-4)
    assert sizes[3] == pytest.approx(sizes[-1], rel=1e-4)


def test_scale_and_shift_of_facets_hide_nothing(out):
    term, critic = trained(out, "copied", steps=60)
    private, shared = draw("copied")
    value = term(with_codes(out, private, shared), critic)["told"]
    larger = term(with_codes(out, 100 * private + 7, 100 * shared - 3), critic)["told"]
    assert float(value) > 0.3
    torch.testing.assert_close(larger, value, rtol=0.02, atol=0)


@pytest.mark.parametrize("views", [1, 2])
def test_a_batch_of_one_is_refused(views):
    term = Independence(width=8)
    groups = {"shared": (0, 1)} if views > 1 else {}
    network = MultiView(ModelConfig(), FACETS, frames=4, features=5)
    alone = network(torch.randn(1, views, 4, 5), groups, dataset_size=9)
    with pytest.raises(RecipeError, match="batch of 2 or more"):
        term(alone, term.build(FACETS, {}, {}))


def test_both_facets_must_exist():
    with pytest.raises(RecipeError, match="names a facet 'share'"):
        Objective([Independence(of="share")], FACETS)
    objective = Objective([Independence()], FACETS)
    assert list(objective.parameters()), "the objective holds what the term learns"
