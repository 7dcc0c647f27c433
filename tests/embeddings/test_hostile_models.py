"""Models that a stranger made: refused when they are loaded, in one sentence."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import disentone
from disentone.embeddings import networks
from disentone.errors import ArtifactError, DataError

CASE = Path(__file__).parents[3] / "shared/cases/hostile/m_nan"


@pytest.fixture
def copied(model, tmp_path):
    """A copy of a small model, to be changed."""
    for name in ("config.json", "model.safetensors"):
        shutil.copy(model / name, tmp_path)
    return tmp_path


def reconfigured(folder, **changes):
    """Set keys such as frontend__n_mels of a model's configuration."""
    file = folder / "config.json"
    config = json.loads(file.read_text())
    for path, value in changes.items():
        *above, last = path.split("__")
        place = config
        for key in above:
            place = place[key]
        place[last] = value
    file.write_text(json.dumps(config))


def reweighted(folder, change):
    """Write the model's tensors anew after a change."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def refusal(folder):
    """What is said of a model that is refused: one line."""
    with pytest.raises(ArtifactError) as refused:
        disentone.load(folder)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_weights_that_are_not_numbers_are_refused():
    if not CASE.is_dir():
        pytest.skip("shared/cases is not beside this checkout")
    assert "not every number of encoder.patches.0.weight is finite" in refusal(CASE)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_single_number_is_enough(copied, value):
    reweighted(copied, lambda tensors: tensors["network.decoder.layers.0.bias"].fill_(value))
    assert "decoder.layers.0.bias" in refusal(copied)


@pytest.mark.parametrize(
    ("name", "value"), [("mean", np.nan), ("std", np.inf), ("std", 0.0), ("std", -1.0)]
)
def test_statistics_that_are_none_are_refused(copied, name, value):
    reweighted(copied, lambda tensors: tensors[f"standardise.{name}"].fill_(value))
    assert "deviation" in refusal(copied) or "mean" in refusal(copied)


@pytest.mark.parametrize(
    "changes",
    [
        {"model__encoder__width": 20_000},
        {"model__encoder__depth": 200},
        {"model__decoder__widths": [20_000, 20_000]},
        {"facets": {"private": 20_000, "shared": 2}},
        {"frontend__n_mels": 1000},
        {"model__decoder": None},
    ],
)
def test_what_the_weights_do_not_hold_is_refused_before_it_is_built(copied, changes, monkeypatch):
    def build(*args):
        assert torch.empty(0).is_meta, "no memory may be taken"
        return real(*args)

    real = networks.build_network
    monkeypatch.setattr(networks, "build_network", build)
    monkeypatch.setattr("disentone.embeddings.stored.build_network", build)
    reconfigured(copied, **changes)
    assert "the weights have" in refusal(copied)


@pytest.mark.parametrize(
    "changes",
    [
        {"model__encoder__depth": 10**9},
        {"model__encoder__width": -1},
        {"frontend__n_mels": 10**9},
        {"frontend__n_fft": 2**30},
        {"frontend__seconds": float("inf")},
        {"frontend__seconds": float("nan")},
        {"frontend__hop": 0},
        {"frontend__floor_db": 1e30},
        {"facets": {}},
        {"facets": {"shared": 0}},
        {"facets": {"shared": 10**30}},
        {"lufs": float("nan")},
        {"lufs": "loud"},
        {"lufs": 1e300},
        {"about": 3},
        {"model": []},
        {"frontend": {"kind": "no-such"}},
    ],
)
def test_a_configuration_that_nobody_trained_is_refused(copied, changes):
    reconfigured(copied, **changes)
    assert "damaged" in refusal(copied)


def test_a_configuration_that_is_a_bomb_is_refused(copied):
    (copied / "config.json").write_text("[" * 100_000 + "]" * 100_000)
    assert "damaged" in refusal(copied)
    (copied / "config.json").write_text('{"format": 1, "about": "' + "x" * 2**22 + '"}')
    assert "has more than" in refusal(copied)


def test_a_layer_that_would_fill_the_memory_is_refused(copied, monkeypatch):
    monkeypatch.setattr(networks, "MOST_NUMBERS", 1000)
    assert "a layer with" in refusal(copied)
    monkeypatch.setattr(networks, "MOST_NUMBERS", 2**30)
    monkeypatch.setattr(networks, "MOST_WEIGHTS", 1000)
    assert "are the most" in refusal(copied)


def test_an_embedding_that_is_not_finite_names_its_clip(copied):
    reweighted(copied, lambda tensors: tensors["network.encoder.head.3.weight"].fill_(3e38))
    model = disentone.load(copied)
    tone = np.sin(np.arange(16_000) / 9).astype(np.float32)
    with pytest.raises(DataError, match=r"embedding of .* is not finite"):
        model.embed(tone, sample_rate=16_000)
