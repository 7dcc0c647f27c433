import pytest
import torch
from pydantic import ValidationError

from disentone.errors import RecipeError
from disentone.facets import Facets
from disentone.models import MultiView
from disentone.models.config import ModelConfig, TDNNConfig
from disentone.models.tdnn import TDNN

FACETS = Facets({"pitch": 3, "space": 2})
PARTS = {"spectrum": slice(0, 10), "level": slice(10, 11)}


def network(**options):
    torch.manual_seed(0)
    config = TDNNConfig(channels=(8, 12), width=16, **options)
    return TDNN(config, features=11, facets=FACETS, parts=PARTS).eval()


def test_pooling_is_mean_maximum_and_deviation_of_the_trunk():
    net = network()
    x = torch.randn(4, 23, 11)
    maps = net.trunk(x[..., :10].mT)
    pooled = net.pooled(x)
    torch.testing.assert_close(pooled[:, :12], maps.mean(2))
    torch.testing.assert_close(pooled[:, 12:24], maps.amax(2))
    torch.testing.assert_close(pooled[:, 24:], (maps.var(2, correction=0) + 1e-5).sqrt())


def test_only_facets_that_ask_see_the_level():
    net = network(level=("space",))
    x = torch.randn(4, 23, 11)
    louder = x.clone()
    louder[..., 10] += 1
    before, after = net(x), net(louder)
    torch.testing.assert_close(before[:, :3], after[:, :3], atol=0, rtol=0)
    assert (before[:, 3:] != after[:, 3:]).all()


def test_nobody_sees_the_level_by_default():
    net = network()
    x = torch.randn(2, 23, 11)
    louder = x.clone()
    louder[..., 10] += 1
    torch.testing.assert_close(net(x), net(louder), atol=0, rtol=0)


def test_windows_of_any_length_are_encoded():
    net = network()
    assert net(torch.randn(2, 3, 11)).shape == net(torch.randn(2, 90, 11)).shape == (2, 5)


def test_gradients_are_finite_where_nothing_changes():
    net = network().train()
    net(torch.ones(2, 9, 11)).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


def test_a_model_gives_each_facet_its_head():
    config = ModelConfig(
        encoder=TDNNConfig(channels=(8,), width=16),
        decoder=None,
        fusion="mean",
        stochastic=False,
        unit_length=True,
    )
    model = MultiView(config, FACETS, frames=9, features=11, parts=PARTS)
    mean = model.posterior(torch.randn(4, 9, 11))[0]
    for part in FACETS:
        torch.testing.assert_close(mean[:, FACETS.slice(part)].norm(dim=1), torch.ones(4))


def test_a_level_that_is_not_there_is_refused():
    config = TDNNConfig(channels=(8,), width=16, level=("space",))
    with pytest.raises(RecipeError, match="gives no level apart"):
        TDNN(config, features=11, facets=FACETS)


def test_an_unknown_facet_is_refused():
    with pytest.raises(RecipeError, match="did you mean 'space'"):
        network(level=("spase",))


def test_codes_have_no_variance():
    with pytest.raises(ValidationError, match="stochastic: false"):
        ModelConfig(encoder=TDNNConfig(), decoder=None)
