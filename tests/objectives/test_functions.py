"""The functions behind the terms: in anybody's loop, on plain tensors."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from model_outputs import outputs

from disentone import objectives as o
from disentone.errors import RecipeError

LOADED = "import json, sys, disentone.objectives; print(json.dumps(sorted(sys.modules)))"


@pytest.fixture
def rows():
    torch.manual_seed(0)
    return torch.randn(7, 4), torch.randn(7, 4)


def test_importing_them_loads_no_torch_no_data_set_and_no_sound():
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, encoding="utf-8")
    loaded = set(json.loads(done.stdout))
    rooms = {name.split(".")[1] for name in loaded if name.startswith("disentone.")}
    assert not loaded & {"torch", "scipy", "soundfile", "pyarrow"}
    assert not rooms & {"datasets", "audio", "frontends", "audit", "runs"}


def test_infonce_teaches_a_network_of_ones_own():
    torch.manual_seed(0)
    first = torch.randn(32, 6)
    second = first @ torch.linalg.qr(torch.randn(6, 6))[0]
    network = torch.nn.Linear(6, 6)
    optimiser = torch.optim.Adam(network.parameters(), 0.05)
    before = float(o.infonce(network(first), second).detach())
    for _ in range(200):
        optimiser.zero_grad()
        o.infonce(network(first), second).backward()
        optimiser.step()
    after = float(o.infonce(network(first), second).detach())
    perfect = float(o.infonce(second, second))
    assert after < 1.1 * perfect < before / 2


def test_a_random_code_is_found_by_chance_alone():
    same = torch.ones(16, 3)
    assert float(o.infonce(same, same)) == pytest.approx(math.log(16))


def test_nothing_to_compare_with_is_refused():
    one = torch.ones(1, 3)
    for call in (
        lambda: o.infonce(one, one),
        lambda: o.separation(one, one, level="batch"),
        lambda: o.covariance(one, one),
        lambda: o.agreement(one[:, None]),
    ):
        with pytest.raises(RecipeError, match="batch of 2 or more"):
            call()


def test_correlations_are_numpys(rows):
    expected = np.corrcoef(*(x.numpy().T for x in rows))
    found = o.correlations(*rows, epsilon=0)
    np.testing.assert_allclose(found, expected[:4, 4:], atol=1e-6)
    assert float(o.covariance(*rows, epsilon=0)) == pytest.approx((expected[:4, 4:] ** 2).mean())
    inner = expected[:4, :4][~np.eye(4, dtype=bool)]
    assert float(o.covariance(rows[0], epsilon=0)) == pytest.approx((inner**2).mean())


def test_reconstruction_is_the_gaussian_likelihood_without_its_constant():
    torch.manual_seed(0)
    decoded, x = torch.randn(3, 2, 5, 4), torch.randn(3, 2, 5, 4)
    normal = torch.distributions.Normal(decoded, 0.7)
    constant = 40 * (math.log(0.7) + 0.5 * math.log(2 * math.pi))
    expected = -normal.log_prob(x).sum((1, 2, 3)).mean() - constant
    assert float(o.reconstruction(decoded, x, scale=0.7)) == pytest.approx(float(expected))
    entry = o.reconstruction(decoded, x, per="entry")
    assert float(entry) == pytest.approx(float((decoded - x).square().mean((0, 2, 3)).sum()))


def test_classification_is_a_mean_over_what_is_known(rows):
    scores = rows[0]
    labels = torch.tensor([0, 3, -1, 1, 1, -1, 2])
    logs = scores.log_softmax(1)
    expected = -np.mean([float(logs[i, c]) for i, c in enumerate(labels) if c >= 0])
    assert float(o.classification(scores, labels)) == pytest.approx(expected, rel=1e-5)
    several = (rows[1] > 0).float()
    several[2] = torch.nan
    chance = torch.where(several == 1, scores.sigmoid(), 1 - scores.sigmoid())
    expected = -chance[several.isfinite()].log().mean()
    assert float(o.classification(scores, several)) == pytest.approx(float(expected), rel=1e-5)
    assert float(o.classification(scores, torch.full((7,), -1))) == 0


def test_given_triplets_are_those_of_a_loop():
    torch.manual_seed(0)
    codes, holds = torch.randn(9, 3, 4), torch.arange(9) % 3 > 0
    losses, correct = [], []
    for anchor, near, far in codes[holds]:
        cosine = torch.nn.functional.cosine_similarity
        beyond = float(cosine(anchor, far, dim=0) - cosine(anchor, near, dim=0))
        losses.append(max(0.0, beyond + 0.2))
        correct.append(beyond < 0)
    found = o.given_triplets(codes, holds, margin=0.2)
    assert [float(x) for x in found] == pytest.approx([np.mean(losses), np.mean(correct)])
    every = o.given_triplets(codes, margin=0.2)
    assert [float(x) for x in every] == [
        float(x) for x in o.given_triplets(codes, torch.ones(9), margin=0.2)
    ]


def test_a_critic_finds_out_and_the_model_pays():
    torch.manual_seed(0)
    secret = torch.randn(64, 2)
    critic = o.Critic(2, 2, width=16)
    optimiser = torch.optim.Adam(critic.parameters(), 0.01)
    for _ in range(150):
        optimiser.zero_grad()
        value, information = o.independence(secret + 0.1 * torch.randn(64, 2), secret, critic)
        value.backward()
        optimiser.step()
    assert 0.7 < float(information) <= math.log(64)
    code = secret.clone().requires_grad_()
    o.independence(code, secret, critic, strength=0.0)[0].backward()
    assert float(code.grad.abs().max()) == 0
    value, before = o.independence(code, secret, critic)
    value.backward()
    after = o.independence((code - 5 * code.grad).detach(), secret, critic)[1]
    assert float(after) < float(before)


def test_mining_stands_beside_the_other_functions():
    torch.manual_seed(0)
    codes, genre = torch.randn(12, 5), torch.arange(12) % 3
    same = genre[:, None] == genre[None]
    positives = same & ~torch.eye(12, dtype=torch.bool)
    distances = 1 - o.cosines(codes, codes)
    mined = o.semi_hard(distances, positives, ~same, margin=0.2)
    anchor, positive, negative = mined.triplets()
    expected = (distances[anchor, positive] - distances[anchor, negative] + 0.2).mean()
    found = o.triplet_loss(distances, mined, margin=0.2)
    assert float(found) == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize("level", ["sample", "batch"])
@pytest.mark.parametrize(("term", "function"), [
    (o.Similarity, o.similarity), (o.Separation, o.separation),
])  # fmt: skip
def test_a_term_is_its_function_of_the_views(term, function, level):
    out = outputs()
    part = out.facets.slice("shared")
    views = out.mean[:, 0, part], out.mean[:, 1, part]
    value = term(facet="shared", level=level)(out)["value"]
    assert float(value.detach()) == float(function(*views, level=level).detach())
