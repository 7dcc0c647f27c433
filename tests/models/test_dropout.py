import numpy as np
import pytest
import torch
from scipy import stats

from disentone.models.dropout import Dropout

ENTRIES = 1_000_003  # not a multiple of the decisions of one random integer


def kept(probability, seed=0, entries=ENTRIES):
    """Which entries are not dropped."""
    torch.manual_seed(seed)
    return Dropout(probability)(torch.ones(entries)) != 0


@pytest.mark.parametrize("probability", [0.0001, 0.1, 0.3, 0.5, 0.9, 0.9999])
def test_the_share_that_is_dropped_is_the_probability(probability):
    dropped = int((~kept(probability)).sum())
    nearest = round(probability * 65536) / 65536
    assert stats.binomtest(dropped, ENTRIES, nearest).pvalue > 1e-4


@pytest.mark.parametrize("probability", [0.1, 0.3, 0.9])
def test_what_is_kept_is_scaled_to_the_same_mean(probability):
    torch.manual_seed(0)
    x = torch.randn(7, 11, 13)
    out = Dropout(probability)(x)
    keeps = 1 - round(probability * 65536) / 65536
    assert (out.shape, out.dtype) == (x.shape, x.dtype)
    torch.testing.assert_close(out[out != 0], x[out != 0] / keeps)
    assert abs(Dropout(probability)(torch.ones(ENTRIES)).mean() - 1) < 5 * np.sqrt(
        (1 - keeps) / keeps / ENTRIES
    )


@pytest.mark.parametrize("lag", [1, 2, 3, 4, 8, 1000])
def test_entries_are_dropped_independently(lag):
    """Of neighbours, also within and across the random integers, one says nothing of the other."""
    one = kept(0.3).numpy()
    table = np.histogram2d(one[:-lag], one[lag:], bins=2)[0]
    assert stats.chi2_contingency(table).pvalue > 1e-4


def test_every_place_in_a_random_integer_is_alike():
    places = kept(0.3)[: ENTRIES // 4 * 4].view(-1, 4).sum(0)
    assert stats.chisquare(places).pvalue > 1e-4


def test_draws_come_from_the_generator_of_torch():
    assert torch.equal(kept(0.3, seed=1), kept(0.3, seed=1))
    assert not torch.equal(kept(0.3, seed=1), kept(0.3, seed=2))
    torch.manual_seed(0)
    first, second = (Dropout(0.3)(torch.ones(1000)) for _ in range(2))
    assert not torch.equal(first, second)


def test_gradients_pass_what_is_kept():
    torch.manual_seed(0)
    x = torch.randn(5, 6, dtype=torch.float64, requires_grad=True)
    out = Dropout(0.3)(x)
    out.backward(torch.full_like(out, 2))
    assert torch.equal(x.grad, 2 * 65536 / (65536 - 19661) * (out != 0).double())


def test_a_layer_that_drops_nothing_gives_its_input_and_draws_nothing():
    x = torch.randn(4)
    state = torch.get_rng_state()
    assert Dropout(0.0)(x) is x
    assert Dropout(0.3).eval()(x) is x
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_so(dtype):
    assert Dropout(0.3)(torch.ones(8, dtype=dtype)).dtype == dtype


def test_nothing_to_drop():
    assert Dropout(0.3)(torch.empty(0, 3)).shape == (0, 3)
