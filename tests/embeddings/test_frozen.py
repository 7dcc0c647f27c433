import json
import shlex
import shutil
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import soundfile
import torch
import yaml
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

import disentone
from disentone.cli.app import app
from disentone.embeddings.collection import embed_collection
from disentone.embeddings.reading import read_embeddings
from disentone.errors import ArtifactError, DisentoneError, RecipeError
from disentone.models.config import ConvEncoderConfig, PatchEncoderConfig, TDNNConfig
from disentone.recipes import load_recipe

CLIPS = 40


@pytest.fixture
def labelled(rng):
    """A folder of noise and tones, each in a sub-folder."""
    time = np.arange(3200) / 16000
    for number in range(CLIPS):
        loud = rng.standard_normal(len(time))
        tone = np.sin(2 * np.pi * rng.uniform(300, 3000) * time) + 0.01 * loud
        kind, wave = ("noise", loud) if number % 2 else ("tone", tone)
        Path(f"labelled/{kind}").mkdir(parents=True, exist_ok=True)
        soundfile.write(f"labelled/{kind}/{number}.wav", 0.2 * wave, 16000)
    return "labelled"


def learnt(model, data, out="mine", *, facets=("kind:4 same=folder",), settings=(), **options):
    recipe = load_recipe(
        "facets", data=data, base=model, facets=facets, settings=["training.epochs=3", *settings]
    )
    disentone.train(recipe, out, audited=False, **options)
    return out


def test_the_trunk_does_not_change_by_a_bit_and_is_inside(model, labelled):
    learnt(model, labelled)
    before, after = load_file(model / "model.safetensors"), load_file("mine/model.safetensors")
    for name, value in before.items():
        assert torch.equal(value, after[f"trunk.{name}"]), name
    assert {name for name in after if name.startswith("trunk.")} == {f"trunk.{n}" for n in before}


def test_an_embedding_is_the_head_of_what_the_trunk_gives(model, labelled):
    mine = disentone.load(learnt(model, labelled))
    base = disentone.load(model)
    file = f"{labelled}/tone/0.wav"
    wave = torch.from_numpy(soundfile.read(file, dtype="float32")[0])[None]
    with torch.no_grad():
        wave = torch.nn.functional.pad(wave, (0, base.frontend.samples - wave.shape[1]))
        x = base.standardise(base.frontend(wave))
        encoder: Any = base.network.encoder
        seen = torch.cat([encoder.pooled(x), base.network.posterior(x)[0]], dim=1)
        head: Any = mine.network.encoder
        first, norm, _, last = (each for each in head if type(each).__name__ != "Dropout")
        scaled = (seen - mine.mean) / mine.std
        hidden = torch.nn.functional.gelu(norm(first(scaled)))
        code = torch.nn.functional.normalize(last(hidden), dim=1)
    np.testing.assert_allclose(mine.embed(file).values, code.numpy(), atol=1e-6)


def test_pooled_is_what_the_last_layers_see():
    x, shape = torch.randn(3, 9, 12), cast(Any, {"frames": 9, "features": 12, "out": 5})
    for config in (PatchEncoderConfig(width=8), ConvEncoderConfig(channels=(4, 4), width=8)):
        encoder: Any = config.build(**shape).eval()
        last = encoder.head if isinstance(config, PatchEncoderConfig) else encoder.head[-1]
        assert torch.equal(last(encoder.pooled(x)), encoder(x))
    tdnn: Any = TDNNConfig(channels=(4,), width=8).build(**shape, facets={"a": 5}).eval()
    assert torch.equal(tdnn.heads[0](tdnn.pooled(x)), tdnn(x))


def test_the_folder_needs_the_trunks_no_more(model, labelled, tmp_path):
    base = Path(shutil.copytree(model, "base"))
    learnt(base, labelled)
    values = disentone.load("mine").embed(f"{labelled}/tone/0.wav").values
    shutil.rmtree(base)
    again = disentone.Model.from_pretrained("mine")
    assert np.array_equal(again.embed(f"{labelled}/tone/0.wav").values, values)
    again.save_pretrained("copy")
    assert np.array_equal(disentone.load("copy").embed(f"{labelled}/tone/0.wav").values, values)
    done = CliRunner().invoke(app, shlex.split("audit mine --quiet"))
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(app, ["info", "mine"])
    assert "model base (weights" in done.output


def test_training_embedding_and_indexing_give_the_same_vectors(model, labelled, noise):
    learnt(model, labelled)
    embed_collection("mine", [labelled], "all.npz")
    stored = read_embeddings("all.npz")
    for place, row in zip(stored.columns["path"][:3].tolist(), stored.values):
        np.testing.assert_allclose(disentone.load("mine").embed(place).values[0], row, atol=1e-6)
    done = CliRunner().invoke(app, shlex.split(f"index mine {labelled} -o my.index --quiet"))
    assert done.exit_code == 0, done.output
    noise("query.wav", 0.2)
    found = CliRunner().invoke(app, shlex.split("search my.index query.wav -k 3 --json"))
    assert len(json.loads(found.stdout)) == 3


def test_labels_are_learnt(model, labelled):
    done = CliRunner().invoke(
        app,
        ["train", "facets", "--from", str(model), "--data", labelled, "--facet",
         "kind:4 same=folder", "--epochs", "40", "--out", "mine", "--quiet"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    audit = json.loads(Path("mine/audit.json").read_text())
    found = {
        (r["facet"], r["factor"]): r["value"] for r in audit["records"] if r["measure"] == "probe"
    }
    assert found["kind", "folder"] == 1.0


def test_a_run_demands_the_trunk_that_it_began_with(model, labelled):
    base = Path(shutil.copytree(model, "base"))
    learnt(base, labelled)
    written = yaml.safe_load(Path("mine/config.yaml").read_text())["frontend"]
    assert written["digest"] == disentone.load("mine").frontend.config.digest
    tensors = {name: value + 1 for name, value in load_file(base / "model.safetensors").items()}
    save_file(tensors, base / "model.safetensors")
    with pytest.raises(ArtifactError, match="another network than the one asked for"):
        disentone.train("mine/config.yaml", "other")
    with pytest.raises(ArtifactError, match="other settings"):
        learnt(base, labelled, resume=True)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_trunk_that_was_changed_inside_is_refused(model, labelled, name):
    learnt(model, labelled)
    if name == "model.safetensors":
        tensors = load_file(f"mine/{name}")
        inner = next(key for key in tensors if key.startswith("trunk.network."))
        save_file({**tensors, inner: tensors[inner] + 1}, f"mine/{name}")
    else:
        config = json.loads(Path(f"mine/{name}").read_text())
        config["frontend"]["trunk"] = None
        Path(f"mine/{name}").write_text(json.dumps(config))
    with pytest.raises(ArtifactError, match=r"another network|none"):
        disentone.load("mine")


def test_a_trunk_lends_its_loudness(model, labelled):
    base = Path(shutil.copytree(model, "base"))
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "lufs": -24}))
    assert disentone.load(learnt(base, labelled)).lufs == -24
    with pytest.raises(RecipeError, match=r"takes clips at -24 LUFS, and data.lufs is -10"):
        learnt(base, labelled, "other", settings=["data.lufs=-10"])


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ("sound", "none of this name is listed by disentone models; did you mean 'sounds'"),
        ("runs/nothing", "is no folder and not on this machine"),
        ("labelled", "There is no model in labelled: config.json is missing"),
    ],
)
def test_models_that_are_not_there(base, words, labelled):
    with pytest.raises(DisentoneError, match=words):
        learnt(base, labelled)
    assert not Path("mine").exists()


def test_another_version_a_codec_and_a_second_floor_are_refused(model, labelled):
    base = Path(shutil.copytree(model, "base"))
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "format": 7}))
    with pytest.raises(ArtifactError, match="has format 7"):
        learnt(base, labelled)
    (base / "config.json").write_text(json.dumps({"model_type": "dac"}))
    with pytest.raises(ArtifactError, match="it can be a front-end"):
        learnt(base, labelled)
    learnt(model, labelled)
    with pytest.raises(ArtifactError, match="stands on a frozen model itself"):
        learnt("mine", labelled, "higher")


def test_other_front_ends_and_private_facets_are_refused(model, labelled):
    with pytest.raises(RecipeError, match="has a front-end of its own"):
        load_recipe("debug", base=model)
    with pytest.raises(RecipeError, match=r"has a front-end of its own \(logmel\)"):
        learnt(model, labelled, settings=["frontend.kind=logmel"])
    with pytest.raises(RecipeError, match="Facet 'rest' has neither 'same' nor 'augment'"):
        learnt(model, labelled, facets=["kind:4 same=folder", "rest:2"])


def test_copies_and_recordings_can_be_learnt_from_a_trunk(model, labelled):
    pytest.importorskip("audiomentations", reason="the extra 'augment' is not installed")
    learnt(model, labelled, facets=["sound:4 augment=equaliser(-12,12)"])
    assert dict(disentone.load("mine").facets) == {"sound": 4}
