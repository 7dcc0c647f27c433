"""What the benchmark of training steps counts as operations."""

import importlib
from pathlib import Path

import pytest
import torch
from torch import nn

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def steps(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    return importlib.import_module("steps")


@pytest.fixture
def clock():
    """Time that goes on by 1 whenever it is read."""
    readings = iter(range(1000))
    return lambda: next(readings)


def test_only_products_and_convolutions_are_timed_forward_and_backward(steps, clock):
    linear, convolution = nn.Linear(3, 2), nn.Conv2d(1, 2, 3)
    x, picture = torch.randn(4, 3, requires_grad=True), torch.randn(1, 1, 5, 5)

    def step():
        (linear(x).exp().sum() + convolution(picture).square().sum()).backward()

    # A linear layer is one product, and two on the way back; a convolution is one, and one.
    assert steps.in_products(step, clock, repeats=3) == 3 + 2


def test_a_step_without_products_takes_no_time_in_them(steps, clock):
    assert steps.in_products(lambda: torch.ones(3) + 1, clock, repeats=2) == 0


@pytest.mark.parametrize("name", ["debug", "csn-music"])
def test_a_step_of_a_recipe_is_that_of_its_objective(steps, monkeypatch, name):
    monkeypatch.setattr(steps, "CLIPS", 200)  # fewer are quicker, and have partners
    recipe = steps.recipe_of(name)
    step = steps.step_of(recipe)
    assert {term.term for term in recipe.objective} <= set(step())
    assert steps.operations(step) > 0
