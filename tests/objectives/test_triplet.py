import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from outputs import FACETS, outputs, with_codes
from pydantic import ValidationError

from disentone.errors import RecipeError
from disentone.factors import Factor
from disentone.musical import key_codes
from disentone.objectives import Objective, Triplet
from disentone.objectives.mining import semi_hard, triplet_loss, violation
from disentone.objectives.similarity import cosines
from disentone.objectives.triplet import Dimension, masks, view_masks

GENRE = Factor.categorical("genre", ["folk", "jazz", "rock"])
TAGS = Factor("tags", "multilabel", np.eye(3), ("a", "b", "c"))
TEMPO = Factor.continuous("tempo", [60.0, 120.0], unit="bpm")
LEVEL = Factor.continuous("level", [1.0, 2.0], tolerance=0.5)
KEY = Factor.categorical("key", ["C major", "c-moll", "A minor", "unknown"])
FACTORS = {factor.name: factor for factor in (GENRE, TAGS, TEMPO, LEVEL, KEY)}


def naive(distances, positives, negatives, margin, choose="all", fallback=True):
    """The definition, triplet by triplet."""
    d, rows = distances.tolist(), range(len(distances))
    found = set()
    for a, p in product(rows, rows):
        if not positives[a, p]:
            continue
        others = [n for n in rows if negatives[a, n]]
        semi = [n for n in others if d[a][p] < d[a][n] <= d[a][p] + margin]
        harder = [n for n in others if d[a][n] <= d[a][p]]
        if semi and choose == "nearest":
            semi = [min(semi, key=lambda n: d[a][n])]
        if not semi and harder and fallback:
            semi = [max(harder, key=lambda n: (d[a][n], n))]  # the last of equals
        found.update((a, p, n) for n in semi)
    return found


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
    return distances, *masks(labels, kind="categorical")


# --- mining -----------------------------------------------------------------------------------


@pytest.mark.parametrize("choose", ["all", "nearest"])
@pytest.mark.parametrize("fallback", [True, False])
@pytest.mark.parametrize("spread", [0.5, 1.0, 3.0])
def test_the_triplets_are_those_of_three_loops(choose, fallback, spread):
    options = {"margin": 0.1, "choose": choose, "fallback": fallback}
    some = 0
    for seed in range(5):
        distances, positives, negatives = batch(seed=seed, spread=spread)
        told = found_by(semi_hard(distances, positives, negatives, **options))
        assert len(told) == len(set(told))
        assert set(told) == naive(distances, positives, negatives, **options)
        some += len(told)
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
    positives, negatives = masks(torch.tensor(labels), kind="categorical")
    mined = semi_hard(distances, positives, negatives, margin=margin, fallback=fallback)
    told = found_by(mined)
    assert len(told) == len(set(told)) == int(mined.count)
    assert set(told) == naive(distances, positives, negatives, margin, fallback=fallback)

    d = distances.tolist()
    losses = [d[a][p] - d[a][n] + margin for a, p, n in told]
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
    active = len({(a, p) for a, p, _ in told}) / max(1, len(pairs))
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
    valid = masks(labels, kind="categorical")
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


# --- masks ------------------------------------------------------------------------------------


def loop_masks(rows, agree, known):
    pairs = [[(i, j) for j in range(rows)] for i in range(rows)]
    both = [[i != j and known(i) and known(j) for i, j in row] for row in pairs]
    same = [[b and agree(i, j) for (i, j), b in zip(*x)] for x in zip(pairs, both)]
    other = [[b and not agree(i, j) for (i, j), b in zip(*x)] for x in zip(pairs, both)]
    return torch.tensor(same), torch.tensor(other)


NAN = math.nan


@pytest.mark.parametrize(
    ("values", "options", "agree", "known"),
    [
        ([0, 1, -1, 0, 1, -1], {}, lambda a, b: a == b, lambda a: a >= 0),
        (
            [[1, 0, 1], [0, 1, 0], [1, 1, 0], [NAN, 1, 0], [0, 0, 0]],
            {"kind": "multilabel"},
            lambda a, b: any(x == y == 1 for x, y in zip(a, b)),
            lambda a: not any(map(math.isnan, a)),
        ),
        (
            [0.0, 0.5, 1.1, NAN, -1.0, 0.5],
            {"kind": "continuous", "within": 0.5},
            lambda a, b: abs(a - b) <= 0.5,
            lambda a: not math.isnan(a),
        ),
        (
            [0.0, 0.5, 0.5, NAN, -1.0],
            {"kind": "ordinal"},
            lambda a, b: a == b,
            lambda a: not math.isnan(a),
        ),
        (
            [60.0, 122.0, 126.0, NAN, 30.0, 90.0, 0.0],
            {"kind": "continuous", "rule": "tempo"},
            lambda a, b: any(abs(min(a, b) * 2**k - max(a, b)) <= 5 for k in range(9)),
            lambda a: a > 0,
        ),
        (
            key_codes(["C major", "C minor", "A minor", "", "Db minor", "cis-moll"]).tolist(),
            {"rule": "key"},
            lambda a, b: a // 2 == b // 2,
            lambda a: a >= 0,
        ),
    ],
)
def test_masks_are_those_of_two_loops(values, options, agree, known):
    told = masks(torch.tensor(values), **{"kind": "categorical", **options})
    expected = loop_masks(
        len(values), lambda i, j: agree(values[i], values[j]), lambda i: known(values[i])
    )
    assert told[0].tolist() == expected[0].tolist()
    assert told[1].tolist() == expected[1].tolist()


def test_a_difference_of_just_the_tolerance_agrees_in_single_precision():
    values = torch.tensor([100.1, 100.4, 100.41])
    positives, _ = masks(values, kind="continuous", within=0.3)
    assert positives.tolist() == [[False, True, False], [True, False, True], [False, True, False]]


# --- the term ---------------------------------------------------------------------------------


def run(term, codes, labels, factors=FACTORS, training=True):
    out = outputs(batch=len(codes), views=codes.shape[1], labels=labels, training=training)
    out = with_codes(out, codes)
    return Objective([term], FACETS, factors)(out)


def facet_loss(codes, valid, part, margin=0.1):
    codes = codes[..., part].flatten(0, 1)
    distances = (1 - cosines(codes, codes)).detach()
    triplets = naive(distances, *valid, margin)
    losses = [float(distances[a, p] - distances[a, n]) + margin for a, p, n in triplets]
    return sum(losses) / len(losses)


@pytest.fixture
def codes():
    return torch.randn(8, 2, 5, generator=torch.Generator().manual_seed(5))


def test_the_value_is_the_mean_of_the_facets_losses(codes):
    genre = torch.tensor([0, 0, 1, 1, -1, 2, 2, 0]).repeat_interleave(2).view(8, 2).float()
    tempo = torch.tensor([60, 120, 90, 180, NAN, 121, 61, 200]).repeat(2).view(8, 2).float()
    dimensions = {"private": "genre", "shared": {"factor": "tempo", "rule": "tempo"}}
    total, logs = run(Triplet(dimensions=dimensions), codes, {"genre": genre, "tempo": tempo})
    one = facet_loss(codes, masks(genre.flatten(), kind="categorical"), slice(0, 3))
    other = facet_loss(codes, masks(tempo.flatten(), kind="continuous", rule="tempo"), slice(3, 5))
    assert float(logs["triplet_private"]) == pytest.approx(one, abs=1e-6)
    assert float(logs["triplet_shared"]) == pytest.approx(other, abs=1e-6)
    assert float(total) == pytest.approx((one + other) / 2, abs=1e-6)
    for name in ("active_private", "active_shared", "correct_private", "correct_shared"):
        assert 0 < float(logs[name]) < 1


def test_a_facet_without_a_valid_triplet_does_not_count_in_the_mean(codes):
    genre = torch.arange(16).remainder(3).view(8, 2).float()
    level = torch.full((8, 2), NAN)
    term = Triplet(dimensions={"private": "genre", "shared": "level"})
    total, logs = run(term, codes, {"genre": genre, "level": level})
    alone, _ = run(Triplet(dimensions={"private": "genre"}), codes, {"genre": genre})
    assert float(total) == float(alone) > 0
    assert [float(logs[f"{name}_shared"]) for name in ("triplet", "active", "correct")] == [0] * 3


def test_in_validation_the_value_is_the_share_of_all_valid_triplets_out_of_order(codes):
    genre = torch.arange(16).remainder(3).view(8, 2).float()
    term = Triplet(dimensions={"private": "genre"})
    total, logs = run(term, codes, {"genre": genre}, training=False)
    rows = codes[..., :3].flatten(0, 1)
    d, g = (1 - cosines(rows, rows)).tolist(), genre.flatten().tolist()
    beyond = [
        d[a][p] - d[a][n]
        for a, p, n in product(range(16), repeat=3)
        if a != p and g[a] == g[p] != g[n]
    ]
    assert float(total) == pytest.approx(np.mean([step >= 0 for step in beyond]), rel=1e-5)
    hinges = [max(0.0, step + 0.1) for step in beyond]
    assert float(logs["triplet_private"]) == pytest.approx(np.mean(hinges), rel=1e-5)
    smaller = run(term, codes + torch.tensor([9.0, 0, 0, 0, 0]), {"genre": genre}, training=False)
    assert float(smaller[1]["triplet_private"]) < np.mean(hinges), "all codes near each other"
    assert float(smaller[0]) > 0.3, "which puts nothing in order"


def test_a_facet_in_order_counts_in_the_mean_with_zero():
    codes = torch.zeros(4, 1, 5)
    codes[:2, 0, 0] = codes[2:, 0, 1] = 1  # private: two orthogonal classes
    codes[:, 0, 3] = 1  # shared: one point
    genre = torch.tensor([[0.0], [0], [1], [1]])
    term = Triplet(dimensions={"private": "genre", "shared": "genre"})
    total, logs = run(term, codes, {"genre": genre})
    assert float(logs["triplet_private"]) == 0
    assert float(logs["correct_private"]) == 1
    assert float(logs["triplet_shared"]) == pytest.approx(0.1)
    assert float(total) == pytest.approx(0.05)


@pytest.mark.parametrize("labels", ["unknown", "one class", "all different"])
@pytest.mark.parametrize("kind", ["random", "zeros"])
@pytest.mark.parametrize("training", [True, False])
def test_no_valid_triplet_is_zero_with_a_gradient(labels, kind, training):
    codes = torch.randn(6, 1, 5) if kind == "random" else torch.zeros(6, 1, 5)
    codes.requires_grad_()
    values = {
        "unknown": -torch.ones(6),
        "one class": torch.ones(6),
        "all different": torch.arange(6),
    }
    factors = {"genre": Factor.categorical("genre", list("abcdef"))}
    term = Triplet(dimensions={"private": "genre"})
    total, _ = run(term, codes, {"genre": values[labels].float()[:, None]}, factors, training)
    assert float(total.detach()) == 0
    if not training:
        return
    total.backward()
    assert codes.grad is not None
    assert codes.grad.abs().max() == 0


@pytest.mark.parametrize("zeros", [slice(None), slice(0, 1), slice(0, 3)])
def test_vectors_of_zeros_have_finite_gradients(zeros):
    codes = torch.randn(6, 1, 5, generator=torch.Generator().manual_seed(0))
    codes[zeros] = 0
    codes.requires_grad_()
    genre = torch.tensor([0.0, 0, 1, 1, 2, 2])[:, None]
    total, logs = run(Triplet(dimensions={"private": "genre"}), codes, {"genre": genre})
    total.backward()
    assert float(total.detach()) > 0
    assert float(logs["active_private"]) > 0
    assert codes.grad is not None
    assert torch.isfinite(codes.grad).all()


def test_views_of_a_clip_are_positives_and_those_of_other_clips_negatives(codes):
    total, _ = run(Triplet(dimensions={"shared": {"rule": "views"}}), codes, {})
    clip = torch.arange(8).repeat_interleave(2)
    expected = facet_loss(codes, masks(clip, kind="categorical"), slice(3, 5))
    assert float(total) == pytest.approx(expected, abs=1e-6)


def test_keys_are_read_in_any_spelling_and_parallel_ones_agree(codes):
    # Codes of KEY: A minor, C major, c-moll and unknown, sorted by name.
    place = {name: KEY.classes.index(name) for name in KEY.classes}
    names = ["C major", "c-moll", "A minor", "unknown", "C major", "A minor", "c-moll", "unknown"]
    key = torch.tensor([[place[name]] * 2 for name in names]).float()
    tonic = torch.tensor([[0, 0, 1, -1, 0, 1, 0, -1]] * 2).T
    expected = facet_loss(codes, masks(tonic.flatten(), kind="categorical"), slice(0, 3))
    term = Triplet(dimensions={"private": {"factor": "key", "rule": "key"}})
    assert float(run(term, codes, {"key": key})[0]) == pytest.approx(expected, abs=1e-6)


def test_it_orders_a_facet():
    labels = {"genre": torch.tensor([[0.0], [0], [1], [1], [2], [2]])}
    out = outputs(batch=6, views=1, labels=labels, training=True)
    objective = Objective([Triplet(dimensions={"private": "genre"})], FACETS, FACTORS)
    optimiser = torch.optim.Adam(out.model.parameters(), lr=0.01)
    for _ in range(150):
        again = out.model(out.x, out.groups, dataset_size=6, decode=False)
        loss, logs = objective(type(out)(**{**vars(again), "labels": out.labels}))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(logs["correct_private"]) == 1
    assert float(logs["active_private"]) == 0


@pytest.mark.parametrize(
    ("dimension", "message"),
    [
        ("genr", "'genr'.*did you mean 'genre'"),
        ("tempo", "'tempo', which is continuous and has no tolerance"),
        ({"factor": "genre", "rule": "tempo"}, "rule 'tempo' is not for factor 'genre'"),
        ({"factor": "tempo", "rule": "key"}, "rule 'key' is not for factor 'tempo'"),
        ({"factor": "genre", "rule": "key"}, "'genre' is not of keys: 'folk' is not"),
        ({"factor": "genre", "within": 1}, "'within' is not for factor 'genre'"),
    ],
)
def test_a_factor_that_will_not_do_is_refused(dimension, message):
    with pytest.raises(RecipeError, match=message):
        Objective([Triplet(dimensions={"shared": dimension})], FACETS, FACTORS)


@pytest.mark.parametrize(
    "dimension",
    [{}, {"factor": "key", "rule": "views"}, {"rule": "tempo"}, {"factor": "key", "also": "none"}],
)
def test_a_dimension_that_contradicts_itself_is_refused(dimension):
    with pytest.raises(ValidationError):
        Triplet(dimensions={"shared": dimension})


def test_a_facet_that_does_not_exist_is_refused():
    with pytest.raises(RecipeError, match=r"names a facet 'shard'.*did you mean 'shared'"):
        Objective([Triplet(dimensions={"shard": "genre"})], FACETS, FACTORS)


# --- views that were changed ------------------------------------------------------------------


@pytest.mark.parametrize(("views", "others"), [(2, 0), (2, 1), (3, 2)])
def test_masks_of_views_are_those_of_loops(views, others):
    clips = 4
    positives, negatives = view_masks(clips, views, others)
    rows = list(product(range(clips), range(views + others)))
    for (i, (clip, view)), (j, (other, column)) in product(enumerate(rows), repeat=2):
        anchors, own = view < views, clip == other
        assert positives[i, j] == (anchors and own and column < views and i != j)
        assert negatives[i, j] == (anchors and (own and column >= views if others else not own))


def test_what_was_changed_for_another_facet_must_tell():
    """Views 0 and 1 of a clip are its tempo's; 2 is the same clip at another tempo."""
    groups = {"private": (0, 1), "shared": (0, 2)}
    term = Triplet(dimensions={"private": Dimension(rule="views", unlike=("shared",))})
    blind = Triplet(dimensions={"private": Dimension(rule="views")})
    out = replace(outputs(batch=6, views=3, training=True), groups=groups)
    generator = torch.Generator().manual_seed(0)
    directions = torch.eye(3).repeat(2, 1)[:, None] + 0.01 * torch.randn(
        6, 1, 3, generator=generator
    )
    codes = torch.cat([directions.expand(6, 3, 3), torch.zeros(6, 3, 2)], dim=-1)
    told = Objective([term], FACETS)(with_codes(out, codes))[1]
    apart = codes.clone()
    apart[:, 2, :3] *= -1  # the stretched copy stands elsewhere
    better = Objective([term], FACETS)(with_codes(out, apart))[1]
    assert float(better["correct_private"]) > float(told["correct_private"])
    same = [Objective([blind], FACETS)(with_codes(out, c))[1]["total"] for c in (codes, apart)]
    assert float(same[0]) == float(same[1]), "without 'unlike' the copy takes no part"


def test_other_clips_do_not_matter_to_what_tells_a_change():
    """Each copy is nearer than its clip's other view, in half of the clips."""
    groups = {"private": (0, 1), "shared": (0, 2)}
    term = Triplet(dimensions={"private": Dimension(rule="views", unlike=("shared",))})
    out = replace(outputs(batch=6, views=3, training=False), groups=groups)
    angle = torch.tensor([0.0, 0.2, 0.1]).repeat(6, 1)
    angle[::2, 2] = 0.7
    codes = torch.zeros(6, 3, 5)
    codes[..., 0], codes[..., 1] = angle.cos(), angle.sin()
    logs = Objective([term], FACETS)(with_codes(out, codes))[1]
    assert float(logs["correct_private"]) == 0.5
    assert float(logs["triplet"]) == 0.5


def test_unlike_is_for_views_and_for_facets_that_there_are():
    with pytest.raises(ValidationError, match="'unlike' is for the rule 'views'"):
        Dimension(factor="genre", unlike=("shared",))
    term = Triplet(dimensions={"private": Dimension(rule="views", unlike=("nobody",))})
    with pytest.raises(RecipeError, match="'nobody'"):
        Objective([term], FACETS)
