"""Masks of a batch, against loops over its pairs."""

import math
from itertools import product

import pytest
import torch

from disentone.agreement.criterion import Criterion, criterion
from disentone.agreement.masks import masks, view_masks
from disentone.agreement.rules import key_codes
from disentone.factors import Factor


def loop_masks(rows, agree, known):
    pairs = [[(i, j) for j in range(rows)] for i in range(rows)]
    both = [[i != j and known(i) and known(j) for i, j in row] for row in pairs]
    same = [[b and agree(i, j) for (i, j), b in zip(*x)] for x in zip(pairs, both)]
    other = [[b and not agree(i, j) for (i, j), b in zip(*x)] for x in zip(pairs, both)]
    return torch.tensor(same), torch.tensor(other)


NAN = math.nan


@pytest.mark.parametrize(
    ("values", "by", "agree", "known"),
    [
        ([0, 1, -1, 0, 1, -1], Criterion("equal"), lambda a, b: a == b, lambda a: a >= 0),
        (
            [[1, 0, 1], [0, 1, 0], [1, 1, 0], [NAN, 1, 0], [0, 0, 0]],
            Criterion("labels", True),
            lambda a, b: any(x == y == 1 for x, y in zip(a, b)),
            lambda a: not any(map(math.isnan, a)),
        ),
        (
            [0.0, 0.5, 1.1, NAN, -1.0, 0.5],
            Criterion("near", True, 0.5),
            lambda a, b: abs(a - b) <= 0.5,
            lambda a: not math.isnan(a),
        ),
        (
            [0.0, 0.5, 0.5, NAN, -1.0],
            Criterion("equal", True),
            lambda a, b: a == b,
            lambda a: not math.isnan(a),
        ),
        (
            [60.0, 122.0, 126.0, NAN, 30.0, 90.0, 0.0],
            Criterion("tempo", True, 5.0),
            lambda a, b: any(abs(min(a, b) * 2**k - max(a, b)) <= 5 for k in range(9)),
            lambda a: a > 0,
        ),
        (
            key_codes(["C major", "C minor", "A minor", "", "Db minor", "cis-moll"]).tolist(),
            Criterion("key"),
            lambda a, b: a // 2 == b // 2,
            lambda a: a >= 0,
        ),
    ],
)
def test_masks_are_those_of_two_loops(values, by, agree, known):
    computed = masks(torch.tensor(values), by)
    expected = loop_masks(
        len(values), lambda i, j: agree(values[i], values[j]), lambda i: known(values[i])
    )
    assert computed[0].tolist() == expected[0].tolist()
    assert computed[1].tolist() == expected[1].tolist()


def test_a_difference_of_just_the_tolerance_agrees_in_single_precision():
    values = torch.tensor([100.1, 100.4, 100.41])
    positives, _ = masks(values, criterion(Factor.continuous("x", values.tolist()), within=0.3))
    assert positives.tolist() == [[False, True, False], [True, False, True], [False, True, False]]


@pytest.mark.parametrize(("views", "others"), [(2, 0), (2, 1), (3, 2)])
def test_masks_of_views_are_those_of_loops(views, others):
    clips = 4
    positives, negatives = view_masks(clips, views, others)
    rows = list(product(range(clips), range(views + others)))
    for (i, (clip, view)), (j, (other, column)) in product(enumerate(rows), repeat=2):
        anchors, own = view < views, clip == other
        assert positives[i, j] == (anchors and own and column < views and i != j)
        assert negatives[i, j] == (anchors and (own and column >= views if others else not own))
