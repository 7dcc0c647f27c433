"""The triplet term: its value over facets, factors, rules and changed views."""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from model_outputs import FACETS, outputs, with_codes
from naive_triplets import naive

from disentone.agreement import Relation
from disentone.agreement.criterion import criterion
from disentone.agreement.masks import masks
from disentone.errors import RecipeError
from disentone.factors import Factor
from disentone.objectives import Objective, Triplet
from disentone.objectives.similarity import cosines

GENRE = Factor.categorical("genre", ["folk", "jazz", "rock"])
TAGS = Factor("tags", "multilabel", np.eye(3), ("a", "b", "c"))
TEMPO = Factor.continuous("tempo", [60.0, 120.0], unit="bpm")
LEVEL = Factor.continuous("level", [1.0, 2.0], tolerance=0.5)
KEY = Factor.categorical("key", ["C major", "c-moll", "A minor", "unknown"])
FACTORS = {factor.name: factor for factor in (GENRE, TAGS, TEMPO, LEVEL, KEY)}


# --- the term ---------------------------------------------------------------------------------


def run(relations, codes, labels, factors=FACTORS, training=True):
    relations = {f: Relation(r) if isinstance(r, str) else r for f, r in relations.items()}
    out = outputs(batch=len(codes), views=codes.shape[1], labels=labels, training=training)
    out = with_codes(out, codes)
    return Objective([Triplet()], FACETS, factors, relations)(out)


def by_class(codes):
    """Masks of rows of which those with equal codes agree, -1 being unknown."""
    return masks(codes.flatten(), criterion(GENRE))


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
    tempo = torch.tensor([60, 120, 90, 180, math.nan, 121, 61, 200]).repeat(2).view(8, 2).float()
    relations = {"private": "genre", "shared": Relation("tempo", rule="tempo")}
    total, logs = run(relations, codes, {"genre": genre, "tempo": tempo})
    near = masks(tempo.flatten(), criterion(TEMPO, rule="tempo"))
    one = facet_loss(codes, by_class(genre), slice(0, 3))
    other = facet_loss(codes, near, slice(3, 5))
    assert float(logs["triplet_private"]) == pytest.approx(one, abs=1e-6)
    assert float(logs["triplet_shared"]) == pytest.approx(other, abs=1e-6)
    assert float(total) == pytest.approx((one + other) / 2, abs=1e-6)
    for name in ("active_private", "active_shared", "correct_private", "correct_shared"):
        assert 0 < float(logs[name]) < 1


def test_a_facet_without_a_valid_triplet_does_not_count_in_the_mean(codes):
    genre = torch.arange(16).remainder(3).view(8, 2).float()
    level = torch.full((8, 2), math.nan)
    relations = {"private": "genre", "shared": "level"}
    total, logs = run(relations, codes, {"genre": genre, "level": level})
    alone, _ = run({"private": "genre"}, codes, {"genre": genre})
    assert float(total) == float(alone) > 0
    assert [float(logs[f"{name}_shared"]) for name in ("triplet", "active", "correct")] == [0] * 3


def test_in_validation_the_value_is_the_share_of_all_valid_triplets_out_of_order(codes):
    genre = torch.arange(16).remainder(3).view(8, 2).float()
    relations = {"private": "genre"}
    total, logs = run(relations, codes, {"genre": genre}, training=False)
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
    smaller = run(
        relations, codes + torch.tensor([9.0, 0, 0, 0, 0]), {"genre": genre}, training=False
    )
    assert float(smaller[1]["triplet_private"]) < np.mean(hinges), "all codes near each other"
    assert float(smaller[0]) > 0.3, "which puts nothing in order"


def test_a_facet_in_order_counts_in_the_mean_with_zero():
    codes = torch.zeros(4, 1, 5)
    codes[:2, 0, 0] = codes[2:, 0, 1] = 1  # private: two orthogonal classes
    codes[:, 0, 3] = 1  # shared: one point
    genre = torch.tensor([[0.0], [0], [1], [1]])
    total, logs = run({"private": "genre", "shared": "genre"}, codes, {"genre": genre})
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
    label = {"genre": values[labels].float()[:, None]}
    total, _ = run({"private": "genre"}, codes, label, factors, training)
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
    total, logs = run({"private": "genre"}, codes, {"genre": genre})
    total.backward()
    assert float(total.detach()) > 0
    assert float(logs["active_private"]) > 0
    assert codes.grad is not None
    assert torch.isfinite(codes.grad).all()


def test_views_of_a_clip_are_positives_and_those_of_other_clips_negatives(codes):
    total, _ = run({"shared": Relation("clip")}, codes, {})
    clip = torch.arange(8).repeat_interleave(2)
    expected = facet_loss(codes, by_class(clip), slice(3, 5))
    assert float(total) == pytest.approx(expected, abs=1e-6)


def test_keys_are_read_in_any_spelling_and_parallel_ones_agree(codes):
    # Codes of KEY: A minor, C major, c-moll and unknown, sorted by name.
    place = {name: KEY.classes.index(name) for name in KEY.classes}
    names = ["C major", "c-moll", "A minor", "unknown", "C major", "A minor", "c-moll", "unknown"]
    key = torch.tensor([[place[name]] * 2 for name in names]).float()
    tonic = torch.tensor([[0, 0, 1, -1, 0, 1, 0, -1]] * 2).T
    expected = facet_loss(codes, by_class(tonic), slice(0, 3))
    relations = {"private": Relation("key", rule="key")}
    assert float(run(relations, codes, {"key": key})[0]) == pytest.approx(expected, abs=1e-6)


def test_it_orders_a_facet():
    labels = {"genre": torch.tensor([[0.0], [0], [1], [1], [2], [2]])}
    out = outputs(batch=6, views=1, labels=labels, training=True)
    objective = Objective([Triplet()], FACETS, FACTORS, {"private": Relation("genre")})
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
    ("relation", "message"),
    [
        (Relation("genr"), "'genr'.*did you mean 'genre'"),
        (Relation("tempo"), "'tempo', which is continuous and has no tolerance"),
        (Relation("genre", rule="tempo"), "rule 'tempo' is for numbers.*'genre' is categorical"),
        (Relation("tempo", rule="key"), "rule 'key' is for names of keys.*'tempo' is continuous"),
        (Relation("genre", rule="key"), "'genre' is not of keys: 'folk' is not"),
    ],
)
def test_a_factor_that_will_not_do_is_refused(relation, message):
    with pytest.raises(RecipeError, match=message):
        Objective([Triplet()], FACETS, FACTORS, {"shared": relation})


def test_facets_are_those_with_a_relation_or_those_named():
    relations = {"private": Relation("genre"), "shared": Relation("tags")}
    assert list(Triplet().ordered(relations)) == ["private", "shared"]
    assert list(Triplet(facets=("shared",)).ordered(relations)) == ["shared"]
    with pytest.raises(RecipeError, match="facet 'private', which has no relation"):
        Objective([Triplet(facets=("private",))], FACETS, FACTORS, {"shared": Relation("tags")})
    with pytest.raises(RecipeError, match="needs a facet with 'same'"):
        Objective([Triplet()], FACETS, FACTORS)
    with pytest.raises(RecipeError, match=r"'shard'.*no relation"):
        Objective([Triplet(facets=("shard",))], FACETS, FACTORS, relations)


# --- views that were changed ------------------------------------------------------------------


def test_what_was_changed_for_another_facet_must_tell():
    """Views 0 and 1 of a clip are its tempo's; 2 is the same clip at another tempo."""
    groups = {"private": (0, 1), "shared": (0, 2)}
    changed = {"private": Relation("clip", unlike=("shared",))}
    by_clip = {"private": Relation("clip")}
    out = replace(outputs(batch=6, views=3, training=True), groups=groups)
    generator = torch.Generator().manual_seed(0)
    directions = torch.eye(3).repeat(2, 1)[:, None] + 0.01 * torch.randn(
        6, 1, 3, generator=generator
    )
    codes = torch.cat([directions.expand(6, 3, 3), torch.zeros(6, 3, 2)], dim=-1)
    parts = Objective([Triplet()], FACETS, {}, changed)(with_codes(out, codes))[1]
    apart = codes.clone()
    apart[:, 2, :3] *= -1  # the stretched copy stands elsewhere
    better = Objective([Triplet()], FACETS, {}, changed)(with_codes(out, apart))[1]
    assert float(better["correct_private"]) > float(parts["correct_private"])
    same = [
        Objective([Triplet()], FACETS, {}, by_clip)(with_codes(out, c))[1]["total"]
        for c in (codes, apart)
    ]
    assert float(same[0]) == float(same[1]), "without 'unlike' the copy takes no part"


def test_other_clips_do_not_matter_to_what_tells_a_change():
    """Each copy is nearer than its clip's other view, in half of the clips."""
    groups = {"private": (0, 1), "shared": (0, 2)}
    changed = {"private": Relation("clip", unlike=("shared",))}
    out = replace(outputs(batch=6, views=3, training=False), groups=groups)
    angle = torch.tensor([0.0, 0.2, 0.1]).repeat(6, 1)
    angle[::2, 2] = 0.7
    codes = torch.zeros(6, 3, 5)
    codes[..., 0], codes[..., 1] = angle.cos(), angle.sin()
    logs = Objective([Triplet()], FACETS, {}, changed)(with_codes(out, codes))[1]
    assert float(logs["correct_private"]) == 0.5
    assert float(logs["triplet"]) == 0.5


def test_unlike_is_for_facets_that_there_are():
    relations = {"private": Relation("clip", unlike=("nobody",))}
    with pytest.raises(RecipeError, match="'nobody'"):
        Objective([Triplet()], FACETS, {}, relations)
