"""The networks of CSN: shapes, counts worked out by hand, and what each clip may depend on."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from disentone.embeddings.networks import build_network
from disentone.errors import RecipeError
from disentone.facets import Facets
from disentone.frontends.config import MusicalConfig
from disentone.frontends.musical import Musical
from disentone.models import ModelConfig, MultiView
from disentone.models.config import InceptionConfig
from disentone.models.inception import InceptionEncoder, InceptionModule, _Point
from disentone.recipes import load_recipe

PARTS = {"mel": slice(0, 128), "tempogram": slice(128, 512), "cens": slice(512, 524)}
SMALL = InceptionConfig(width=0.0625)
SIZES = {256: (64,) * 4, 258: (43,) * 6, 384: (64,) * 6}


def encoder(parts=PARTS, out=12, **options):
    torch.manual_seed(0)
    return InceptionEncoder(SMALL.model_copy(update=options), parts=parts, out=out).eval()


def clips(count=2, frames=259, features=524):
    return torch.randn(count, frames, features, generator=torch.Generator().manual_seed(1))


def test_every_branch_of_the_papers_inputs_ends_in_a_map_of_16_by_16():
    network, maps = encoder(), []
    for branch in network.branches.values():
        branch.register_forward_hook(lambda _, __, out: maps.append(out))
    network(clips())
    assert [tuple(one.shape[2:]) for one in maps] == [(16, 16)] * 3
    assert [one.shape[1] for one in maps] == [b.channels for b in network.branches.values()]
    assert len({one.shape[1] for one in maps}) == 1, "no input has more channels than another"


def test_the_front_end_of_the_paper_says_which_columns_are_an_input():
    assert Musical(MusicalConfig()).parts == PARTS


@pytest.mark.parametrize("parts", [PARTS, {"mel": PARTS["mel"]}])
def test_six_blocks_of_a_naive_and_a_reducing_module_whatever_the_inputs(parts):
    network = encoder(parts)
    for branch in network.branches.values():
        blocks = [*branch.blocks, *network.trunk]
        assert len(blocks) == 2 * 6
        reducing = [isinstance(block.paths[3], nn.Sequential) for block in blocks]
        assert reducing == [False, True] * 6
        sizes = [conv.kernel_size for conv in blocks[0].modules() if isinstance(conv, nn.Conv2d)]
        assert sizes == [(1, 1), (3, 3), (5, 5)]
    assert isinstance(network.normalise, nn.LayerNorm)


@pytest.mark.parametrize("dim", SIZES)
def test_the_papers_sizes_of_the_embedding(dim):
    facets = Facets({f"f{number}": size for number, size in enumerate(SIZES[dim])})
    config = ModelConfig(encoder=SMALL, decoder=None, fusion="mean", stochastic=False)
    model = MultiView(config, facets, frames=259, features=524, parts=PARTS).eval()
    mean, _ = model.posterior(clips())
    assert mean.shape == (2, dim)
    torch.testing.assert_close(mean.mean(1), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(mean.var(1, correction=0), torch.ones(2), atol=1e-3, rtol=0)


def test_parameters_of_a_module_are_those_counted_by_hand():
    """GoogLeNet's inception (3a), 192 channels in and 256 out, without biases."""
    module = InceptionModule(192, 256, reduce=True)
    kernels = 192 * (64 + 96 + 16 + 32) + 9 * 96 * 128 + 25 * 16 * 32
    scales = 2 * (64 + 96 + 128 + 16 + 32 + 32)
    assert sum(p.numel() for p in module.parameters()) == kernels + scales
    assert module.channels == 256
    naive = InceptionModule(192, 256, reduce=False, stride=(1, 2))
    assert naive.channels == 64 + 128 + 32 + 192
    x = torch.randn(1, 192, 6, 6)
    out = naive(x)
    assert out.shape == (1, naive.channels, 6, 3)
    assert torch.equal(out[:, -192:], nn.functional.max_pool2d(x, 3, (1, 2), 1))


def test_more_width_is_more_of_everything():
    sizes = [
        sum(p.numel() for p in InceptionEncoder(
            InceptionConfig(width=width), parts=PARTS, out=384).parameters())
        for width in (0.0625, 0.125, 0.25)
    ]  # fmt: skip
    assert sizes == sorted(set(sizes))


def test_an_input_goes_through_its_own_branch_alone():
    """Where the other branches' maps are cut off, the other inputs do not matter."""
    network = encoder()
    x = clips()
    other = x.clone()
    other[..., PARTS["tempogram"]] = 0
    maps = {}
    for name, branch in network.branches.items():
        branch.register_forward_hook(lambda _, __, out, n=name: maps.setdefault(n, []).append(out))
    assert not torch.allclose(network(x), network(other))
    same = {name: torch.equal(*pair) for name, pair in maps.items()}
    assert same == {"mel": True, "tempogram": False, "cens": True}


def test_a_skip_hands_the_branches_maps_on_without_their_time():
    plain, skipping = encoder(layer_norm=False), encoder(layer_norm=False, skip=True)
    maps = [branch.channels for branch in skipping.branches.values()]
    assert skipping.dense.in_features - plain.dense.in_features == 16 * sum(maps)
    inputs = []
    skipping.dense.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    kept = []
    for branch in skipping.branches.values():
        branch.register_forward_hook(lambda _, __, out: kept.append(out))
    skipping(clips())
    expected = torch.cat([one.mean(3) for one in kept], dim=1).flatten(1)
    torch.testing.assert_close(inputs[0][:, -16 * sum(maps) :], expected)


def test_rotations_tell_what_is_played_and_not_in_which_key():
    network = encoder({"cens": slice(0, 12)}, layer_norm=False, rotations=8)
    assert network.dense.in_features - encoder({"cens": slice(0, 12)}).dense.in_features == 8
    inputs = []
    network.dense.register_forward_pre_hook(lambda _, given: inputs.append(given[0][:, -8:]))
    major, minor = (torch.zeros(1, 40, 12) for _ in range(2))
    major[..., [0, 4, 7]], minor[..., [0, 3, 7]] = 1.0, 1.0
    for x in (major, major.roll(5, dims=2), minor):
        network(x)
    torch.testing.assert_close(inputs[0], inputs[1])
    assert (inputs[0] - inputs[2]).abs().max() > 0.01


def test_there_is_nothing_to_rotate_without_pitch_classes():
    with pytest.raises(RecipeError, match="turn it on"):
        encoder({"mel": PARTS["mel"], "tempogram": slice(128, 140)}, rotations=8)


def test_the_recipe_with_mel_alone_is_no_smaller_network():
    sizes = {}
    for name in ("csn-music", "csn-music-mel"):
        recipe = load_recipe(name)
        frontend = recipe.frontend.build()
        network = build_network(recipe.model, recipe.layout(), frontend)
        sizes[name] = sum(p.numel() for p in network.parameters())
    assert sizes["csn-music"] <= sizes["csn-music-mel"] < 1.1 * sizes["csn-music"]


def test_clips_of_a_batch_do_not_mix_in_training():
    network = encoder(dropout=0.0).train()
    x = clips(3)
    torch.testing.assert_close(network(x)[:1], network(x[:1]), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("frames", "bins"), [(1, 1), (5, 12), (17, 40), (259, 63), (300, 64), (40, 127), (64, 200)]
)
def test_any_number_of_frames_and_bins_has_an_embedding(frames, bins):
    out = encoder({"all": slice(0, bins)})(clips(2, frames, bins))
    assert out.shape == (2, 12)
    assert torch.isfinite(out).all()


def test_bfloat16_leaves_the_embedding_in_full_precision():
    network = encoder()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = network(clips())
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, network(clips()), atol=0.3, rtol=0)


def test_the_table_in_the_docs_is_what_is_counted():
    text = (Path(__file__).parents[2] / "docs" / "csn.md").read_text(encoding="utf-8")
    numbers = r"(\d+) \| ([\d.]+) \| ([\d,]+) \| (\d+) million"
    rows = re.findall(rf"^\| (mel)(.*?) \| {numbers}", text, re.MULTILINE)
    assert len(rows) == 5
    for first, others, out, width, parameters, adds in rows:
        parts = PARTS if "CENS" in others else {first: PARTS["mel"]}
        config = InceptionConfig(width=float(width))
        network = InceptionEncoder(config, parts=parts, out=int(out)).eval()
        features = max(part.stop for part in parts.values())
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(torch.zeros(1, 259, features))
        assert f"{sum(p.numel() for p in network.parameters()):,}" == parameters
        assert round(counter.get_total_flops() / 2e6) == int(adds)


@pytest.mark.parametrize("stride", [(1, 1), (1, 2), (2, 2)])
def test_a_point_is_a_strided_convolution_of_size_1(stride):
    torch.manual_seed(0)
    point = _Point(4, 8, stride=stride)
    x = torch.randn(2, 4, 7, 9)
    strided = nn.functional.conv2d(x, point[0].weight, stride=stride)
    torch.testing.assert_close(point(x), point[2](point[1](strided)))
