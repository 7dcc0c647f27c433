"""Which triplets are mined of a batch, against loops."""

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from naive_triplets import naive

from disentone.agreement.criterion import Criterion
from disentone.agreement.masks import masks
from disentone.objectives.mining import semi_hard, triplet_loss, violation
from disentone.objectives.similarity import cosines

CLASSES = Criterion("equal")


def found_by(mined):
    anchors, positives, negatives = mined.triplets()
    return list(zip(anchors.tolist(), positives.tolist(), negatives.tolist()))


def batch(rows=12, classes=3, seed=0, spread=0.3):
    """Distances of noisy classes, and masks of their labels, some unknown."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(-1, classes, (rows,), generator=generator)
    centres = torch.randn(classes + 1, 5, generator=generator)
    codes = centres[labels] + spread * torch.randn(rows, 5, generator=generator)
    distances = (1 - cosines(codes, codes)).double()
    return distances, *masks(labels, CLASSES)


# --- mining -----------------------------------------------------------------------------------


@pytest.mark.parametrize("choose", ["all", "nearest"])
@pytest.mark.parametrize("fallback", [True, False])
@pytest.mark.parametrize("spread", [0.5, 1.0, 3.0])
def test_the_triplets_are_those_of_three_loops(choose, fallback, spread):
    options = {"margin": 0.1, "choose": choose, "fallback": fallback}
    some = 0
    for seed in range(5):
        distances, positives, negatives = batch(seed=seed, spread=spread)
        mined_triplets = found_by(semi_hard(distances, positives, negatives, **options))
        assert len(mined_triplets) == len(set(mined_triplets))
        assert set(mined_triplets) == naive(distances, positives, negatives, **options)
        some += len(mined_triplets)
    assert some


@given(
    st.integers(1, 7).flatmap(
        lambda rows: st.tuples(
            st.lists(st.integers(0, 8), min_size=rows * rows, max_size=rows * rows),
            st.lists(st.integers(-1, 2), min_size=rows, max_size=rows),
        )
    ),
    st.sampled_from([0.125, 0.25, 2.0]),
    st.booleans(),
)
def test_any_distances_with_ties_and_any_labels(drawn, margin, fallback):
    steps, labels = drawn
    rows = len(labels)
    # Eighths are exact in floating point, so ties and the margin's edge are met.
    distances = torch.tensor(steps, dtype=torch.float64).view(rows, rows) / 8
    positives, negatives = masks(torch.tensor(labels), CLASSES)
    mined = semi_hard(distances, positives, negatives, margin=margin, fallback=fallback)
    mined_triplets = found_by(mined)
    assert len(mined_triplets) == len(set(mined_triplets)) == int(mined.count)
    assert set(mined_triplets) == naive(distances, positives, negatives, margin, fallback=fallback)

    d = distances.tolist()
    losses = [d[a][p] - d[a][n] + margin for a, p, n in mined_triplets]
    expected = sum(losses) / max(1, len(losses))
    assert min(losses, default=0) >= 0
    assert float(triplet_loss(distances, mined, margin=margin)) == pytest.approx(expected)

    valid = [
        (a, p, n)
        for a, p, n in product(range(rows), repeat=3)
        if positives[a, p] and negatives[a, n]
    ]
    hinges = [max(0.0, d[a][p] - d[a][n] + margin) for a, p, n in valid]
    expected = sum(hinges) / max(1, len(hinges))
    assert float(violation(distances, mined, margin=margin)) == pytest.approx(expected)

    pairs = {(a, p) for a, p, _ in valid}
    assert int(mined.pairs) == len(pairs)
    active = len({(a, p) for a, p, _ in mined_triplets}) / max(1, len(pairs))
    assert float(mined.active) == pytest.approx(active)
    correct = sum(d[a][p] < d[a][n] for a, p, n in valid) / max(1, len(valid))
    assert float(mined.correct) == pytest.approx(correct)


def one_anchor(positive, *negatives):
    """One anchor with one positive and some negatives, at given distances."""
    rows = 2 + len(negatives)
    distances, positives, others = torch.zeros(rows, rows), torch.zeros(rows, rows), 0
    distances[0, 1:] = torch.tensor([positive, *negatives])
    positives[0, 1] = 1
    others = torch.zeros(rows, rows)
    others[0, 2:] = 1
    return distances, positives.bool(), others.bool()


@pytest.mark.parametrize(
    ("positive", "negatives", "taken", "loss"),
    [
        (0.25, [0.0, 0.25, 0.375, 0.5, 0.75], [0.375, 0.5], (0.125 + 0.0) / 2),  # the edge counts
        (0.25, [0.75, 1.0], [], 0.0),  # as it should be
        (0.25, [0.0, 0.125, 0.75], [0.125], 0.375),  # the mildest of the harder ones
        (0.0, [0.0, 0.0], [0.0], 0.25),  # all is one point: not perfect
    ],
)
def test_semi_hard_negatives_and_the_fallback(positive, negatives, taken, loss):
    distances, *valid = one_anchor(positive, *negatives)
    mined = semi_hard(distances, *valid, margin=0.25)
    assert sorted(float(distances[a, n]) for a, _, n in found_by(mined)) == taken
    assert float(triplet_loss(distances, mined, margin=0.25)) == loss
    assert float(mined.active) == bool(taken)


def test_without_the_fallback_a_collapsed_facet_makes_no_triplet():
    distances, *valid = one_anchor(0.0, 0.0, 0.0)
    assert found_by(semi_hard(distances, *valid, margin=0.25, fallback=False)) == []


def test_gradients_are_those_of_the_naive_sum():
    torch.manual_seed(3)
    labels = torch.randint(0, 3, (15,))
    valid = masks(labels, CLASSES)
    gradients = []
    for loop in (False, True):
        codes = torch.randn(15, 4, generator=torch.Generator().manual_seed(0)).double()
        codes.requires_grad_()
        distances = 1 - cosines(codes, codes)
        if loop:
            triplets = sorted(naive(distances.detach(), *valid, 0.2))
            parts = [distances[a, p] - distances[a, n] + 0.2 for a, p, n in triplets]
            value = torch.stack(parts).mean()
        else:
            value = triplet_loss(distances, semi_hard(distances, *valid, margin=0.2), margin=0.2)
        value.backward()
        gradients.append((value.detach(), codes.grad))
    torch.testing.assert_close(gradients[0], gradients[1])
