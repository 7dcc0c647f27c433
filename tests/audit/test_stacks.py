import numpy as np
import pytest
import torch

from disentone.audit.stacks import HIDDEN, Stack, first_weights


def networks(count=3, *, size=(5, 4), padded=(8, 8)):
    return [first_weights(size, padded=padded, seed=seed) for seed in range(count)]


def rows(count=3, clips=20, *, inputs=5, outputs=4, several=False, width=8):
    rng = np.random.default_rng(0)
    seen = np.zeros((count, clips, width), dtype=np.float32)
    seen[..., :inputs] = rng.normal(size=(count, clips, inputs))
    if not several:
        return torch.from_numpy(seen), torch.from_numpy(rng.integers(outputs, size=(count, clips)))
    true = np.zeros((count, clips, width), dtype=np.float32)
    true[..., :outputs] = rng.integers(2, size=(count, clips, outputs))
    return torch.from_numpy(seen), torch.from_numpy(true)


def loss_by_autograd(weights, inputs, targets, *, several, prior, outputs=4):
    """Mean loss and prior of one network, written as the textbook does."""
    into, bias, out, out_bias = weights
    logits = (torch.relu(inputs @ into + bias) @ out + out_bias)[:, :outputs]
    if several:
        of_label = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, targets[:, :outputs], reduction="none"
        )
        loss = of_label.sum(dim=1).mean()
    else:
        loss = torch.nn.functional.cross_entropy(logits, targets)
    return loss + prior / 2 / len(inputs) * (into.square().sum() + out.square().sum())


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("prior", [0.0, 2.0])
def test_gradients_are_those_of_autograd(several, prior):
    inputs, targets = rows(several=several)
    stack = Stack(networks(), several=several, prior=prior)
    found = stack.gradients(inputs, targets)
    for place in range(len(inputs)):
        own = [one.requires_grad_() for one in stack.network(place)]
        loss = loss_by_autograd(own, inputs[place], targets[place], several=several, prior=prior)
        for ours, theirs in zip(found, torch.autograd.grad(loss, own)):
            torch.testing.assert_close(ours[place], theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("several", [False, True])
def test_losses_are_those_of_torch(several):
    inputs, targets = rows(several=several)
    stack = Stack(networks(), several=several)
    losses = stack.losses(inputs, targets)
    for place in range(len(inputs)):
        expected = loss_by_autograd(
            stack.network(place), inputs[place], targets[place], several=several, prior=0.0
        )
        torch.testing.assert_close(losses[place].mean(), expected)


@pytest.mark.parametrize("several", [False, True])
def test_a_step_is_adam_of_every_network_for_itself(several):
    inputs, targets = rows(several=several)
    stack = Stack(networks(), several=several, prior=1.0)
    for _ in range(5):
        stack.step(inputs, targets, rate=0.01)
    for place, first in enumerate(networks()):
        own = [one.clone().requires_grad_() for one in first]
        optimiser = torch.optim.Adam(own, lr=0.01)
        for _ in range(5):
            optimiser.zero_grad()
            loss = loss_by_autograd(own, inputs[place], targets[place], several=several, prior=1.0)
            loss.backward()
            optimiser.step()
        for ours, theirs in zip(stack.network(place), own):
            torch.testing.assert_close(ours, theirs.detach(), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("several", [False, True])
def test_padding_changes_nothing(several):
    exact, wide = (8, 8), (24, 16)
    found = []
    for padded in (exact, wide):
        inputs, targets = rows(inputs=8, outputs=8, several=several)
        inputs = torch.nn.functional.pad(inputs, (0, padded[0] - 8))
        if several:
            targets = torch.nn.functional.pad(targets, (0, padded[1] - 8))
        stack = Stack(networks(size=exact, padded=padded), several=several, prior=1.0)
        for _ in range(5):
            stack.step(inputs, targets, rate=0.01)
        probabilities = stack.probabilities(inputs)
        assert (probabilities[..., 8:] == 0).all()
        found.append((probabilities[..., :8], stack.losses(inputs, targets)))
        assert (stack.weights[0][:, 8:] == 0).all()
        assert all(not one.isnan().any() for one in stack.weights)
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-6)


def test_a_network_learns_the_same_alone_and_beside_others():
    inputs, targets = rows()
    stack = Stack(networks(), several=False)
    alone = Stack(networks()[1:2], several=False)
    for step in range(20):
        if step == 10:
            stack.keep(np.array([False, True, True]))
            inputs, targets = inputs[1:], targets[1:]
        place = 1 if step < 10 else 0
        stack.step(inputs, targets, rate=0.01)
        alone.step(inputs[place : place + 1], targets[place : place + 1], rate=0.01)
    for ours, theirs in zip(stack.network(0), alone.network(0)):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


def test_first_weights_are_uniform_within_their_bounds():
    into, bias, out, out_bias = first_weights((30, 20), padded=(32, 24), seed=0)
    assert into.shape == (32, HIDDEN)
    assert out.shape == (HIDDEN, 24)
    assert (into[30:] == 0).all()
    assert (out[:, 20:] == 0).all()
    assert (out_bias[0, 20:] == -torch.inf).all()
    for one, joined in ((into[:30], 30 + HIDDEN), (out[:, :20], 20 + HIDDEN)):
        bound = (6 / joined) ** 0.5
        assert one.abs().max() <= bound
        assert one.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)
    assert bias.abs().max() > 0
