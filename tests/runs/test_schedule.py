"""The schedule of CSN, against torch's own and across a resumed run."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import ReduceLROnPlateau

import tiny_training
from disentone.recipes.schema import TrainingConfig
from disentone.runs.schedule import reductions

PAPER = {"schedule": "plateau", "optimiser": "adam", "learning_rate": 1e-5, "warmup": 0}


@settings(deadline=None)
@given(st.lists(st.integers(0, 6), max_size=40), st.integers(1, 5))
def test_reductions_are_those_of_torch(losses, patience):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([parameter], lr=1.0)
    # Torch reduces when there were more bad epochs than its patience, we when there are as many.
    theirs = ReduceLROnPlateau(optimiser, factor=0.2, patience=patience - 1, threshold=0, eps=0)
    for loss in losses:
        theirs.step(loss)
    ours = 0.2 ** reductions(losses, patience=patience)
    assert optimiser.param_groups[0]["lr"] == pytest.approx(ours)


def test_the_defaults_are_the_papers():
    config = TrainingConfig(**PAPER)
    assert (config.plateau, config.lr_factor, config.min_lr) == (10, 0.2, 1e-10)


def test_the_rate_falls_by_the_factor_and_not_below_the_floor(tmp_path):
    """Steps that are much too long: the loss gets no better, and the rate falls."""
    _, history = tiny_training.train(
        tmp_path, epochs=16, learning_rate=1.0, schedule="plateau", plateau=1, min_lr=0.05,
        warmup=0,
    )  # fmt: skip
    losses = [record["valid/total"] for record in history]
    expected = [max(0.05, 1 / 5 ** reductions(losses[:n], patience=1)) for n in range(16)]
    np.testing.assert_allclose([record["learning_rate"] for record in history], expected)
    assert set(expected) == {1, 0.2, 0.05}, "too few plateaus"


def test_a_floor_above_the_rate_does_not_raise_it(tmp_path):
    _, history = tiny_training.train(
        tmp_path, epochs=2, learning_rate=1e-3, schedule="plateau", min_lr=1.0, warmup=0
    )
    assert {record["learning_rate"] for record in history} == {1e-3}


def test_resuming_goes_on_with_the_schedule(tmp_path):
    options = {"learning_rate": 0.1, "schedule": "plateau", "plateau": 1, "warmup": 0}
    _, whole = tiny_training.train(tmp_path / "whole", epochs=8, **options)
    rates = [record["learning_rate"] for record in whole]
    assert rates[4] < rates[0], "the rate has not fallen before the stop"
    tiny_training.train(tmp_path / "parts", epochs=5, **options)
    _, resumed = tiny_training.train(tmp_path / "parts", epochs=8, resume=True, **options)
    untimed = [[{**r, "seconds": 0} for r in history] for history in (whole, resumed)]
    assert untimed[0] == untimed[1]
