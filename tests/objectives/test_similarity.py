import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from model_outputs import FACETS, outputs, with_codes

from disentone.errors import RecipeError
from disentone.objectives import Contrast, Independence, Objective, Separation, Similarity
from disentone.objectives.similarity import cosines, infonce, tangent_log


def cosine(a, b):
    return float(np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b))


def log_of(x, least):
    return math.log(x) if x >= least else math.log(least) + (x - least) / least


@pytest.fixture
def codes():
    """Codes of two views, some of them at an obtuse angle."""
    torch.manual_seed(1)
    shared = torch.randn(6, 1, 5)
    return shared + 0.8 * torch.randn(6, 2, 5)


def test_sample_level_similarity_is_eq_2(codes):
    value = Similarity()(with_codes(outputs(), codes))["value"]
    a, b = codes[:, 0, 3:].numpy(), codes[:, 1, 3:].numpy()
    loop = -np.mean([log_of(cosine(a[j], b[j]), 0.1) for j in range(6)])
    assert float(value) == pytest.approx(loop, rel=1e-5)


def test_sample_level_separation_is_eq_3(codes):
    value = Separation()(with_codes(outputs(), codes))["value"]
    a, b = codes[:, 0, :3].numpy(), codes[:, 1, :3].numpy()
    loop = -np.mean([log_of(1 - cosine(a[j], b[j]), 0.1) for j in range(6)])
    assert float(value) == pytest.approx(loop, rel=1e-5)


def test_batch_level_similarity_is_eq_4(codes):
    value = Similarity(level="batch")(with_codes(outputs(), codes))["value"]
    a, b = codes[:, 0, 3:].numpy(), codes[:, 1, 3:].numpy()
    loop = 0.0
    for j in range(6):
        others = sum(math.exp(cosine(a[j], b[k])) for k in range(6))
        loop -= math.log(math.exp(cosine(a[j], b[j])) / others) / 6
    assert float(value) == pytest.approx(loop, rel=1e-5)


def test_batch_level_separation_is_eq_5(codes):
    value = Separation(level="batch")(with_codes(outputs(), codes))["value"]
    a, b = codes[:, 0, :3].numpy(), codes[:, 1, :3].numpy()
    pairs = [(j, k) for j in range(6) for k in range(6)]
    loop = -np.mean([log_of(1 - cosine(a[j], b[k]), 0.1) for j, k in pairs])
    assert float(value) == pytest.approx(loop, rel=1e-5)


@pytest.mark.parametrize("away", [False, True])
def test_infonce_of_both_directions_with_a_temperature(codes, away):
    value = Contrast(temperature=0.3, away=away)(with_codes(outputs(), codes))["value"]
    a, b = codes[:, 0, 3:].numpy(), codes[:, 1, 3:].numpy()
    sign, loop = (-1 if away else 1), 0.0
    for one, other in ((a, b), (b, a)):
        for j in range(6):
            scores = [sign * cosine(one[j], other[k]) / 0.3 for k in range(6)]
            loop -= (scores[j] - math.log(sum(map(math.exp, scores)))) / 12
    assert float(value) == pytest.approx(loop, rel=1e-5)


def test_infonce_agrees_with_cross_entropy_of_torch():
    first, second = torch.randn(8, 4), torch.randn(8, 4)
    scores = torch.nn.functional.cosine_similarity(first[:, None], second[None], dim=-1) / 0.1
    expected = torch.nn.functional.cross_entropy(scores, torch.arange(8))
    torch.testing.assert_close(infonce(first, second, temperature=0.1), expected)


def test_three_views_are_compared_two_by_two():
    torch.manual_seed(0)
    codes = torch.randn(5, 3, 5)
    out = outputs(views=3)
    value = Similarity()(with_codes(out, codes))["value"]
    pairs = [
        Similarity()(with_codes(outputs(), codes[:, [a, b]]))["value"]
        for a, b in ((0, 1), (0, 2), (1, 2))
    ]
    torch.testing.assert_close(value, torch.stack(pairs).mean())


def test_views_that_point_alike_cost_nothing_and_opposite_ones_pull():
    codes = torch.ones(4, 2, 5)
    assert float(Similarity()(with_codes(outputs(batch=4), codes))["value"]) == pytest.approx(
        0, abs=1e-6
    )
    opposite = torch.stack([torch.ones(4, 5), -torch.ones(4, 5)], 1)
    opposite += 0.1 * torch.randn(4, 2, 5)
    opposite.requires_grad_()
    Similarity()(with_codes(outputs(batch=4), opposite))["value"].backward()
    assert opposite.grad is not None
    assert opposite.grad[..., 3:].abs().amin() > 0  # a floor on the cosine would leave them there


def test_tangent_log_is_the_logarithm_and_then_its_tangent():
    x = torch.tensor([2.0, 0.5, 0.1, 0.0, -1.0], requires_grad=True)
    y = tangent_log(x, least=0.1)
    y.sum().backward()
    expected = [math.log(2), math.log(0.5), math.log(0.1), math.log(0.1) - 1, math.log(0.1) - 11]
    np.testing.assert_allclose(y.detach(), expected, rtol=1e-5)
    np.testing.assert_allclose(x.grad, [0.5, 2, 10, 10, 10], rtol=1e-5)


@pytest.mark.parametrize(
    "term",
    [
        Similarity(),
        Similarity(level="batch"),
        Separation(),
        Separation(level="batch"),
        Contrast(),
        Contrast(facet="private", away=True),
    ],
)
@pytest.mark.parametrize("kind", ["zeros", "equal", "one zero row"])
def test_codes_without_direction_and_parallel_codes_stay_finite(term, kind):
    codes = torch.ones(4, 2, 5)
    if kind != "equal":
        codes[(slice(None) if kind == "zeros" else 0)] = 0
    codes.requires_grad_()
    value = term(with_codes(outputs(batch=4), codes))["value"]
    value.backward()
    assert torch.isfinite(value)
    assert codes.grad is not None
    assert torch.isfinite(codes.grad).all()
    if kind == "zeros":
        assert codes.grad.abs().max() == 0


def test_a_vector_of_zeros_has_the_cosine_zero():
    assert cosines(torch.zeros(2, 3), torch.ones(2, 3)).abs().max() == 0


@pytest.mark.parametrize("term", [Similarity(level="batch"), Separation(level="batch"), Contrast()])
def test_a_batch_of_one_is_refused_where_clips_are_compared(term):
    with pytest.raises(RecipeError, match="batch of 2 or more"):
        term(outputs(batch=1))


@pytest.mark.parametrize("term", [Similarity(), Separation()])
def test_a_batch_of_one_will_do_where_only_views_are_compared(term):
    assert torch.isfinite(term(outputs(batch=1))["value"])


@pytest.mark.parametrize("term", [Similarity(), Separation(), Contrast()])
def test_a_single_view_is_refused(term):
    with pytest.raises(RecipeError, match="some facet needs a relation"):
        term(outputs(views=1))


@pytest.mark.parametrize("term", [Similarity, Separation, Contrast])
def test_a_facet_that_does_not_exist_is_refused(term):
    with pytest.raises(RecipeError, match=r"'shard'.*did you mean 'shared'"):
        Objective([term(facet="shard")], FACETS)


def test_partners_for_two_facets_are_compared_with_their_clip_alone():
    """Columns 1 and 2 agree with column 0 in one facet each, and in nothing with one another."""
    torch.manual_seed(0)
    codes = torch.randn(6, 3, 5)
    out = replace(with_codes(outputs(views=3), codes), groups={"private": (0, 1), "shared": (0, 2)})
    value = Contrast(facet=None)(out)["value"]
    pairs = [
        Contrast(facet=None)(with_codes(outputs(), codes[:, [0, other]]))["value"]
        for other in (1, 2)
    ]
    torch.testing.assert_close(value, torch.stack(pairs).mean())


def test_without_a_facet_the_whole_embedding_is_compared(codes):
    value = Contrast(facet=None, temperature=0.3)(with_codes(outputs(), codes))["value"]
    first, second = codes.unbind(1)
    both = [infonce(a, b, temperature=0.3) for a, b in ((first, second), (second, first))]
    torch.testing.assert_close(value, torch.stack(both).mean())


def test_terms_of_one_kind_are_logged_apart():
    terms = [Independence(width=4), Independence(facet="shared", of="private", width=4)]
    objective = Objective(terms, FACETS)
    logs = objective(outputs())[1]
    assert {"independence", "independence1", "told", "told1", "total"} == set(logs)
