import pytest
import torch
from pydantic import ValidationError
from torch import nn

from disentone.errors import DataError, RecipeError
from disentone.facets import Facets
from disentone.models import ModelConfig, MultiView
from disentone.models.fusion import product_of_experts, with_prior
from disentone.objectives import Objective, Reconstruction

FACETS = Facets({"private": 3, "shared": 2})
SMALL = {
    "patch": {
        "encoder": {"kind": "patch", "width": 16},
        "decoder": {"kind": "dense", "widths": [8]},
    },
    "conv": {
        "encoder": {"kind": "conv", "channels": [2, 4], "width": 8},
        "decoder": {"kind": "conv", "channels": [4, 2], "width": 8},
    },
}


def build(network="patch", facets=FACETS, frames=7, features=10, **options):
    torch.manual_seed(0)
    config = ModelConfig(**SMALL[network], **options)
    return MultiView(config, facets, frames=frames, features=features)


@pytest.fixture
def x():
    torch.manual_seed(1)
    return torch.randn(4, 2, 7, 10)


def run(model, x, groups):
    return model(x, groups, dataset_size=100)


SHARED = {"shared": (0, 1)}


def test_product_of_experts_is_the_product_of_densities():
    """Against numerical multiplication of densities on a grid."""
    mean, log_variance = torch.tensor([0.7, -1.2]), torch.tensor([-0.5, 0.9])
    grid = torch.linspace(-8, 8, 20001, dtype=torch.float64)
    density = torch.exp(-0.5 * grid**2)
    for m, s in zip(mean, log_variance):
        density = density * torch.exp(-0.5 * (grid - m) ** 2 / s.exp())
    density = density / density.sum()
    expected_mean = (grid * density).sum()
    expected_variance = ((grid - expected_mean) ** 2 * density).sum()
    got_mean, got_log_variance = product_of_experts(mean, log_variance, dim=0)
    torch.testing.assert_close(got_mean.double(), expected_mean, atol=1e-5, rtol=0)
    torch.testing.assert_close(
        got_log_variance.double().exp(), expected_variance, atol=1e-5, rtol=0
    )


def test_missing_view_changes_nothing_and_is_not_written_into():
    mean = torch.randn(3, 5, 2)
    log_variance = torch.randn(3, 5, 2)
    missing_mean = torch.cat([mean, torch.full((1, 5, 2), torch.nan)])
    missing = torch.cat([log_variance, torch.full((1, 5, 2), torch.inf)])
    before = missing.clone()
    for got, expected in zip(
        product_of_experts(missing_mean, missing, dim=0),
        product_of_experts(mean, log_variance, dim=0),
    ):
        torch.testing.assert_close(got, expected)
    torch.testing.assert_close(missing, before)


def test_no_view_at_all_is_the_prior():
    mean, log_variance = with_prior(torch.zeros(2), torch.full((2,), torch.inf))
    torch.testing.assert_close(mean, torch.zeros(2))
    torch.testing.assert_close(log_variance, torch.zeros(2))


def test_extreme_precisions_stay_finite():
    mean = torch.tensor([[1.0], [2.0]], requires_grad=True)
    log_variance = torch.tensor([[-500.0], [500.0]])
    got_mean, got = product_of_experts(mean, log_variance, dim=0)
    got_mean.sum().backward()
    torch.testing.assert_close(got_mean, torch.tensor([1.0]))
    assert torch.isfinite(got).all()
    assert torch.isfinite(mean.grad).all()


@pytest.mark.parametrize("network", SMALL)
def test_single_view_posterior_is_the_same_in_training_and_at_inference(network, x):
    model = build(network)
    model.train()
    alone = run(model, x[:, :1], {})
    model.eval()
    mean, log_variance = model.posterior(x[:, 0])
    torch.testing.assert_close(alone.posterior_mean[:, 0], mean)
    torch.testing.assert_close(alone.posterior_log_variance[:, 0], log_variance)
    both = run(model, x, SHARED)
    torch.testing.assert_close(both.mean[:, 0], mean)


@pytest.mark.parametrize("network", SMALL)
@pytest.mark.parametrize(("frames", "features"), [(7, 10), (32, 64), (1, 3)])
def test_shapes(network, frames, features):
    model = build(network, frames=frames, features=features)
    out = run(model, torch.randn(3, 2, frames, features), SHARED)
    assert out.reconstruction.shape == (3, 2, frames, features)
    assert out.z.shape == (3, 2, FACETS.dim)


def test_shared_code_is_one_and_private_codes_are_two(x):
    model = build().train()
    out = run(model, x, SHARED)
    shared, private = FACETS.slice("shared"), FACETS.slice("private")
    torch.testing.assert_close(out.code[:, 0, shared], out.code[:, 1, shared])
    assert not torch.allclose(out.code[:, 0, private], out.code[:, 1, private])


def test_order_of_views_does_not_matter_for_the_fused_posterior(x):
    model = build().eval()
    shared = FACETS.slice("shared")
    one = run(model, x, SHARED).posterior_mean[:, 0, shared]
    other = run(model, x.flip(1), SHARED).posterior_mean[:, 0, shared]
    torch.testing.assert_close(one, other)


def test_fused_posterior_is_sharper_than_each(x):
    out = run(build().eval(), x, SHARED)
    shared = FACETS.slice("shared")
    assert (out.posterior_log_variance[:, 0, shared] < out.log_variance[..., shared].amin(1)).all()


def test_swap_decodes_with_the_other_views_code(x):
    out = run(build(fusion="swap").train(), x, SHARED)
    shared, private = FACETS.slice("shared"), FACETS.slice("private")
    torch.testing.assert_close(out.code[:, 0, shared], out.z[:, 1, shared])
    torch.testing.assert_close(out.code[:, 1, shared], out.z[:, 0, shared])
    torch.testing.assert_close(out.code[..., private], out.z[..., private])


def test_mean_fusion_is_the_mean(x):
    out = run(build(fusion="mean", stochastic=False), x, SHARED)
    shared = FACETS.slice("shared")
    torch.testing.assert_close(out.code[:, 0, shared], out.mean[..., shared].mean(1))


def test_three_views_and_two_related_facets():
    facets = Facets({"timbre": 2, "pitch": 2, "rest": 1})
    model = build(facets=facets).train()
    groups = {"timbre": (0, 1), "pitch": (0, 2)}
    out = run(model, torch.randn(4, 3, 7, 10), groups)
    timbre, pitch, rest = (facets.slice(n) for n in facets)
    torch.testing.assert_close(out.code[:, 0, timbre], out.code[:, 1, timbre])
    torch.testing.assert_close(out.code[:, 0, pitch], out.code[:, 2, pitch])
    assert not torch.allclose(out.code[:, 0, timbre], out.code[:, 2, timbre])
    assert not torch.allclose(out.code[:, 0, rest], out.code[:, 1, rest])


@pytest.mark.parametrize("fusion", ["poe", "mean", "swap"])
def test_encoder_output_is_not_written_into(x, fusion):
    model = build(fusion=fusion).train()
    out = run(model, x, SHARED)
    (out.reconstruction.sum() + out.posterior_mean.sum()).backward()  # autograd would object
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in model.parameters())


def test_patch_encoder_takes_other_lengths():
    model = build("patch", frames=7)
    assert model.posterior(torch.randn(2, 23, 10))[0].shape == (2, FACETS.dim)


def test_a_term_for_a_facet_that_does_not_exist_is_refused():
    from disentone.objectives import Divergence

    with pytest.raises(RecipeError, match="did you mean 'shared'"):
        Objective([Reconstruction(), Divergence(facets=("shard",))], FACETS)


def test_an_empty_objective_is_refused():
    with pytest.raises(RecipeError, match="at least one term"):
        Objective([], FACETS)


# --- frame by frame -----------------------------------------------------------------------------

FRAMEWISE = ModelConfig(
    encoder={"kind": "frames", "width": 16},
    decoder={"kind": "frames", "width": 16},
    fusion="mean",
    stochastic=False,
)


@pytest.fixture
def framewise():
    torch.manual_seed(0)
    facets = Facets({"private": 3, "shared": 2})
    return MultiView(FRAMEWISE, facets, frames=7, features=6).eval()


def test_every_frame_has_its_own_code(framewise):
    x = torch.randn(4, 2, 7, 6)
    out = framewise(x, {"shared": (0, 1)}, dataset_size=4)
    assert out.code.shape == (4, 2, 7, 5)
    assert out.reconstruction.shape == x.shape
    assert out.mean.shape == (4, 2, 5)
    changed = x.clone()
    changed[:, :, 3] += 1
    again = framewise(changed, {"shared": (0, 1)}, dataset_size=4)
    same = (again.own == out.own).all(-1)
    assert same[:, :, [0, 1, 2, 4, 5, 6]].all()
    assert not same[:, :, 3].any()


def test_shared_codes_are_averaged_over_views_frame_by_frame(framewise):
    x = torch.randn(4, 3, 7, 6)
    out = framewise(x, {"shared": (0, 1, 2)}, dataset_size=4)
    alone = framewise.frame_codes(x)
    torch.testing.assert_close(out.code[..., :3], alone[..., :3])
    for view in range(3):
        torch.testing.assert_close(out.code[:, view, :, 3:], alone[..., 3:].mean(1))


def test_one_clip_is_enough_and_its_embedding_is_the_mean_over_frames(framewise):
    x = torch.randn(4, 7, 6)
    codes = framewise.frame_codes(x)
    assert codes.shape == (4, 7, 5)
    torch.testing.assert_close(framewise.posterior(x)[0], codes.mean(1))
    pair = framewise(x.unsqueeze(1), {}, dataset_size=4)
    torch.testing.assert_close(pair.mean[:, 0], codes.mean(1))


def test_any_number_of_frames_will_do(framewise):
    assert framewise.posterior(torch.randn(2, 31, 6))[0].shape == (2, 5)


def test_without_a_variance_the_encoder_gives_means_only(framewise):
    assert framewise.encoder(torch.randn(1, 7, 6)).shape == (1, 7, 5)


def test_a_clip_wise_network_has_no_codes_of_frames():
    model = MultiView(ModelConfig(), Facets({"private": 3}), frames=7, features=6)
    with pytest.raises(RecipeError, match="no codes of frames"):
        model.frame_codes(torch.randn(2, 7, 6))


def test_networks_of_frames_go_together():
    with pytest.raises(ValueError, match="go together"):
        ModelConfig(encoder={"kind": "frames"})


def test_the_decoder_can_be_left_out(framewise):
    out = framewise(torch.randn(2, 2, 7, 6), {"shared": (0, 1)}, dataset_size=4, decode=False)
    assert out.reconstruction.numel() == 0


def test_facets_are_pooled_each_in_its_way():
    torch.manual_seed(0)
    config = ModelConfig(**FRAMEWISE.model_dump() | {"pool": {"a": "std", "b": "max"}})
    model = MultiView(config, Facets({"a": 2, "b": 3, "c": 1}), frames=7, features=6)
    x = torch.randn(4, 7, 6)
    codes = model.frame_codes(x)
    pooled = model.posterior(x)[0]
    torch.testing.assert_close(pooled[:, :2], codes[..., :2].std(1, correction=0))
    torch.testing.assert_close(pooled[:, 2:5], codes[..., 2:5].amax(1))
    torch.testing.assert_close(pooled[:, 5:], codes[..., 5:].mean(1))


def test_frames_that_are_all_alike_have_a_finite_slope():
    config = ModelConfig(**FRAMEWISE.model_dump() | {"pool": {"private": "std"}})
    model = MultiView(config, FACETS, frames=7, features=6)
    model.posterior(torch.ones(2, 7, 6))[0].sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.encoder.parameters())


def test_pooling_needs_frames_and_facets_that_exist():
    with pytest.raises(ValueError, match="have no frames"):
        ModelConfig(pool={"private": "max"})
    config = ModelConfig(**FRAMEWISE.model_dump() | {"pool": {"privat": "std"}})
    with pytest.raises(DataError, match="privat"):
        MultiView(config, FACETS, frames=7, features=6)


def test_the_variance_of_a_clip_is_that_of_the_mean_of_its_frames():
    torch.manual_seed(0)
    config = ModelConfig(**FRAMEWISE.model_dump() | {"stochastic": True})
    model = MultiView(config, FACETS, frames=7, features=6)
    x = torch.randn(1, 7, 6)
    mean, log_variance = model._alone(model.experts(x))
    draws = mean + torch.exp(0.5 * log_variance) * torch.randn(100_000, 7, 5)
    variance = model.posterior(x)[1].exp()[0]
    torch.testing.assert_close(variance, draws.mean(1).var(0), rtol=0.03, atol=0)


UNIT = {"stochastic": False, "fusion": "mean", "unit_length": True}


def test_facets_of_unit_length():
    model = MultiView(ModelConfig(**UNIT), FACETS, frames=7, features=6).eval()
    mean, _ = model.posterior(torch.randn(4, 7, 6))
    for name in FACETS:
        lengths = mean[:, FACETS.slice(name)].norm(dim=-1)
        torch.testing.assert_close(lengths, torch.ones(4))


@pytest.mark.parametrize("other", [{"stochastic": True}, {"fusion": "poe"}])
def test_a_norm_is_for_codes_without_a_variance(other):
    with pytest.raises(ValidationError, match="'unit_length' is for codes without a variance"):
        ModelConfig(**UNIT | other)
    with pytest.raises(ValidationError, match=r"'encoder.layer_norm' is for codes without"):
        ModelConfig(encoder={"kind": "inception"})


def test_a_model_without_a_decoder_encodes_and_says_that_it_cannot_decode():
    config = ModelConfig(decoder=None)
    model = MultiView(config, FACETS, frames=7, features=6)
    out = model(torch.randn(3, 2, 7, 6), SHARED, dataset_size=100, decode=False)
    assert out.mean.shape == (3, 2, 5)
    assert not any(name.startswith("decoder") for name in model.state_dict())
    with pytest.raises(RecipeError, match="no decoder"):
        model.decode(out.mean)


def test_the_posterior_of_a_single_view_is_the_product_of_its_expert_and_the_prior():
    mean, log_variance = 3 * torch.randn(2, 50, 4), 12 * (2 * torch.rand(2, 50, 4) - 1)
    got = with_prior(mean, log_variance)
    expected = product_of_experts(mean.unsqueeze(0), log_variance.unsqueeze(0), dim=0)
    torch.testing.assert_close(got, expected)


def test_every_convolution_of_a_clip_has_its_channels_innermost(x):
    """A layout is no number, but a step of training takes a sixth longer in the other one."""
    seen = []
    model = build("conv")
    for layer in [*model.encoder.convolutions, *model.decoder.convolutions]:
        layer.register_forward_hook(lambda _, __, out: seen.append(out))
    run(model, x, SHARED)
    assert len(seen) == 6
    assert all(out.is_contiguous(memory_format=torch.channels_last) for out in seen)


def test_the_layout_of_a_clip_changes_none_of_its_numbers(x):
    encoder = build("conv").encoder
    plain = encoder.convolutions(x[:, 0].unsqueeze(1))
    torch.testing.assert_close(encoder(x[:, 0]), encoder.head(nn.functional.gelu(plain).flatten(1)))
