import numpy as np
import pytest

from disentone.search.ranking import diverse, first_of_each
from disentone.search.scoring import highest


@pytest.mark.parametrize("count", [1, 7, 100, 150])
def test_highest_is_a_stable_sort(rng, count):
    scores = rng.integers(0, 20, 100).astype(np.float32)  # with many equals
    expected = np.argsort(-scores, kind="stable")[:count]
    np.testing.assert_array_equal(highest(scores, count), expected)


def test_highest_never_gives_what_is_not_allowed():
    scores = np.array([-3, -np.inf, 2, -np.inf, -1e30], dtype=np.float32)
    np.testing.assert_array_equal(highest(scores, 5), [2, 0, 4])
    assert not len(highest(np.full(3, -np.inf, np.float32), 2))
    assert not len(highest(np.empty(0, np.float32), 2))
    assert not len(highest(scores, 0))


def naive_mmr(scores, vectors, count, diversity):
    chosen = []
    while len(chosen) < min(count, len(scores)):
        best, gain = -1, -np.inf
        for i in range(len(scores)):
            if i in chosen:
                continue
            nearest = max((vectors[i] @ vectors[j] for j in chosen), default=None)
            this = (
                scores[i] if nearest is None else (1 - diversity) * scores[i] - diversity * nearest
            )
            if this > gain:
                best, gain = i, this
        chosen.append(best)
    return chosen


@pytest.mark.parametrize("diversity", [0.0, 0.3, 1.0])
def test_diverse_items_are_those_of_the_papers_loop(rng, diversity):
    vectors = rng.standard_normal((40, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = vectors @ vectors[0]
    found = diverse(scores, vectors, 12, diversity)
    assert found.tolist() == naive_mmr(scores, vectors, 12, diversity)
    assert sorted(diverse(scores, vectors, 100, diversity)) == list(range(40))
    assert not len(diverse(scores[:0], vectors[:0], 3, diversity))


def test_first_of_each_asks_until_there_are_enough(rng):
    groups = rng.integers(0, 30, 500)
    order = np.concatenate([np.flatnonzero(groups == 4), rng.permutation(500)])
    order = order[np.sort(np.unique(order, return_index=True)[1])]  # one group floods the top
    expected = list(dict.fromkeys(groups[order]))
    for count in (1, 5, 30, 80):
        found = first_of_each(lambda n: order[:n], groups, count, 500)
        assert groups[found].tolist() == expected[:count]
        firsts = [order[list(groups[order]).index(g)] for g in expected[:count]]
        assert found.tolist() == firsts
