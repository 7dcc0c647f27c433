import pytest
import torch
from torch import nn

from disentone.runs.step import clip_gradients


def parameters(scale):
    torch.manual_seed(0)
    found = [nn.Parameter(torch.randn(shape)) for shape in ((3, 4), (5,), (2, 2, 2))]
    for parameter in found:
        parameter.grad = scale * torch.randn_like(parameter)
    return [*found, nn.Parameter(torch.zeros(2))]  # one that nothing has used


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_gradients_are_clipped_as_torch_does_it(scale):
    ours, theirs = parameters(scale), parameters(scale)
    clip_gradients(ours, 2.0)
    nn.utils.clip_grad_norm_(theirs, 2.0)
    for one, other in zip(ours[:-1], theirs):
        torch.testing.assert_close(one.grad, other.grad)


def test_a_small_gradient_is_left_as_it_is_to_the_bit():
    ours, before = parameters(0.01), parameters(0.01)
    clip_gradients(ours, 50.0)
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(ours[:-1], before))


def test_a_gradient_without_a_number_is_not_hidden():
    ours = parameters(1.0)
    ours[0].grad[0, 0] = torch.nan
    clip_gradients(ours, 50.0)
    assert all(torch.isnan(p.grad).all() for p in ours[:-1])


def test_nothing_to_clip():
    clip_gradients([], 1.0)
    clip_gradients([nn.Parameter(torch.zeros(2))], 1.0)
