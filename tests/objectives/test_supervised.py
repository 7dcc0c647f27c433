import math

import pytest
import torch
from model_outputs import FACETS, outputs, with_codes

from disentone.agreement import Relation
from disentone.errors import RecipeError
from disentone.factors import Factor
from disentone.objectives import Objective, SupervisedContrast, supervised_contrast
from disentone.objectives.similarity import cosines

GENRE = Factor.categorical("genre", ["folk", "jazz", "rock"])
MOOD = Factor.categorical("mood", ["sad", "gay"])


def naive(scores, positives, negatives, temperature):
    values = []
    for i in range(len(scores)):
        others = [a for a in range(len(scores)) if positives[i, a] or negatives[i, a]]
        total = sum(math.exp(scores[i, a] / temperature) for a in others)
        mine = [p for p in others if positives[i, p]]
        if mine:
            losses = [-math.log(math.exp(scores[i, p] / temperature) / total) for p in mine]
            values.append(sum(losses) / len(losses))
    return sum(values) / len(values)


def test_is_a_naive_loop(rng):
    scores = torch.from_numpy(rng.uniform(-1, 1, (9, 9)))
    labels = torch.tensor([0, 0, 0, 1, 1, 2, -1, -1, 3])
    known = (labels >= 0)[:, None] & (labels >= 0)[None] & ~torch.eye(9, dtype=torch.bool)
    same = labels[:, None] == labels[None]
    ours = supervised_contrast(scores, same & known, ~same & known, temperature=0.2)
    assert float(ours) == pytest.approx(naive(scores, same & known, ~same & known, 0.2))


def test_orthogonal_classes_have_the_analytic_value():
    codes = torch.eye(4).repeat_interleave(3, 0)  # 4 classes of 3 clips: cosines 1 and 0
    labels = torch.arange(4).repeat_interleave(3)
    apart = ~torch.eye(12, dtype=torch.bool)
    same = labels[:, None] == labels[None]
    value = supervised_contrast(codes @ codes.T, same & apart, ~same & apart, temperature=0.5)
    assert float(value) == pytest.approx(math.log(2 + 9 * math.exp(-2)), rel=1e-6)


def test_without_positives_it_is_0_and_has_a_gradient():
    scores = torch.randn(3, 3, requires_grad=True)
    nothing = torch.zeros(3, 3, dtype=torch.bool)
    value = supervised_contrast(scores, nothing, ~nothing)
    value.backward()
    assert float(value.detach()) == 0
    assert scores.grad is not None
    assert (scores.grad == 0).all()


def test_gradients_are_finite_where_rows_are_unknown():
    scores = torch.randn(4, 4, requires_grad=True)
    positives = torch.zeros(4, 4, dtype=torch.bool)
    positives[0, 1] = positives[1, 0] = True
    supervised_contrast(scores, positives, torch.zeros_like(positives)).backward()
    assert scores.grad is not None
    assert torch.isfinite(scores.grad).all()


def run(terms, relations, codes, labels):
    relations = {facet: Relation(same) for facet, same in relations.items()}
    out = with_codes(outputs(batch=len(codes), views=1, labels=labels), codes[:, None])
    return Objective(terms, FACETS, {"genre": GENRE, "mood": MOOD}, relations)(out)


def test_the_term_is_the_mean_over_facets_by_their_own_relations():
    codes = torch.randn(6, 5)
    genre = torch.tensor([0, 0, 1, 1, 2, -1])[:, None]
    mood = torch.tensor([0, 1, 0, 1, 0, 1])[:, None]
    relations = {"private": "genre", "shared": "mood"}
    value, logs = run([SupervisedContrast()], relations, codes, {"genre": genre, "mood": mood})
    losses = []
    for name, labels in (("private", genre), ("shared", mood)):
        part = codes[:, FACETS.slice(name)]
        known = (labels >= 0) & (labels >= 0).T & ~torch.eye(6, dtype=torch.bool)
        same = labels == labels.T
        losses.append(supervised_contrast(cosines(part, part), same & known, ~same & known))
        assert float(logs[f"contrast_{name}"]) == pytest.approx(float(losses[-1]))
    assert float(value) == pytest.approx(float(sum(losses)) / 2)


def test_clips_that_agree_in_another_facet_are_pushed_apart():
    """A step down its gradient moves a clip from one of the same mood and another genre."""
    codes = torch.tensor([[1.0, 0, 0, 0, 0], [0.9, 0.4, 0, 0, 0], [0, 1, 0, 0, 0]])
    codes.requires_grad_()
    genre, mood = torch.tensor([[0], [1], [0]]), torch.tensor([[0], [0], [1]])
    labels = {"genre": genre, "mood": mood}
    value, _ = run([SupervisedContrast(facets=("private",))], {"private": "genre"}, codes, labels)
    value.backward()
    assert codes.grad is not None
    after = (codes - 0.1 * codes.grad).detach()
    before = cosines(codes[:1].detach(), codes[1:2].detach())
    assert float(cosines(after[:1], after[1:2])) < float(before)


def test_a_facet_without_a_relation_is_refused():
    with pytest.raises(RecipeError, match="'supcon' compares clips by facet 'shared'"):
        run(
            [SupervisedContrast(facets=("shared",))],
            {"private": "genre"},
            torch.randn(3, 5),
            {"genre": torch.zeros(3, 1)},
        )
