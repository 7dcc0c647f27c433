from itertools import permutations

import numpy as np
import pytest

from disentone.audit.permuting import permuted


def test_the_null_is_that_of_all_orders():
    rng = np.random.default_rng(0)
    weights, true = rng.normal(size=(4, 3)), np.eye(3)[[0, 1, 2, 0]]
    every = [np.mean((true[list(o)] * weights).sum(axis=1)) for o in permutations(range(4))]
    found, null, p = permuted(weights, true, permutations=4000, seed=1)
    assert found == pytest.approx(every[0])
    assert set(np.round(null, 12)) == set(np.round(every, 12))
    assert null.mean() == pytest.approx(np.mean(every), abs=0.05)
    share = np.mean(np.array(every) >= found - 1e-12)
    assert p == pytest.approx(share, abs=0.03)


def test_p_counts_the_answers_themselves():
    true = np.eye(2)[np.arange(40) % 2]
    assert permuted(true, true, permutations=99, seed=0)[2] == 1 / 100
    assert permuted(np.zeros((40, 2)), true, permutations=99, seed=0)[2] == 1
