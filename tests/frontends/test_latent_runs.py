"""From a collection to an embedding, on the latents of a small codec of random weights."""

import json
import shutil

import numpy as np
import pytest
import small_networks as small
import soundfile
import torch
import yaml

from disentone import cli
from disentone.embeddings.model import load
from disentone.embeddings.watcher import Watcher
from disentone.errors import ArtifactError, DataError, RecipeError
from disentone.recipes import dump_recipe, load_recipe, parse_recipe
from disentone.runs import training as runs
from disentone.runs.batches import statistics
from disentone.runs.preparation import prepare

RATE = 44100


class Notes(Watcher):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a codec, a collection of 48 tones and a finished run on its latents."""
    home = tmp_path_factory.mktemp("latents")
    small.dac(home / "codec")
    clips = home / "clips"
    clips.mkdir()
    rng = np.random.default_rng(0)
    for instrument, tones in {"low": (200, 260), "high": (900, 1100)}.items():
        for number in range(24):
            wave = 0.4 * np.sin(2 * np.pi * rng.uniform(*tones) * np.arange(RATE // 10) / RATE)
            soundfile.write(clips / f"{instrument}_{number}.wav", wave, RATE)
    soundfile.write(clips / "low_99.wav", wave[:200], RATE)
    values = {
        "name": "latents",
        "data": {
            "kind": "collection",
            "path": str(clips),
            "pattern": "{instrument}_{number}.wav",
            "split": "stratified:instrument",
            "lufs": -24.0,
        },
        "frontend": {
            "kind": "dac",
            "model": str(home / "codec"),
            "seconds": 0.1,
            "dtype": "float16",
        },
        "facets": {"private": {"dim": 4}, "shared": {"dim": 4, "same": "instrument"}},
        "model": {
            "encoder": {"kind": "frames", "width": 16},
            "decoder": {"kind": "frames", "width": 16},
            "fusion": "mean",
            "stochastic": False,
        },
        "objective": [{"term": "reconstruction"}],
        "training": {"epochs": 1, "batch": 8},
        "audit": {"seeds": 1, "permutations": 20, "factors": ["instrument"], "baselines": True},
    }
    (home / "latents.yaml").write_text(yaml.safe_dump(values))
    recipe = load_recipe(home / "latents.yaml")
    watcher = Notes()
    data = prepare(recipe, cache=home / "cache", watcher=watcher)
    runs.train(recipe, home / "run", data=data, watcher=watcher)
    (home / "notes.txt").write_text("\n".join(watcher.notes))
    return home


@pytest.fixture
def copied(home, tmp_path):
    """The run alone, to do anything with; its codec stays where it was."""
    return shutil.copytree(home / "run", tmp_path / "run")


def test_a_run_on_latents_is_whole(home):
    assert (home / "run" / "audit.json").is_file()
    page = (home / "run" / "report.html").read_text()
    assert "No sounds or pictures: latents of a pretrained network are neither." in page
    assert "<audio" not in page
    recipe = load_recipe(home / "run" / "config.yaml")
    assert dump_recipe(recipe) == (home / "run" / "config.yaml").read_text()


def test_clips_shorter_than_a_frame_are_used_openly(home):
    (note,) = [n for n in (home / "notes.txt").read_text().splitlines() if "one frame" in n]
    assert note.startswith("1 of the clips, such as low_99.wav,")


def test_every_feature_is_standardised_on_its_own(home):
    model = load(home / "run")
    assert model.mean.shape == model.std.shape == (32,)
    data = prepare(load_recipe(home / "run" / "config.yaml"), cache=home / "cache")
    assert data.features.dtype == np.float16
    train = data.features[data.table.where("train")].astype(np.float64)
    np.testing.assert_allclose(model.mean, train.mean((0, 1)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.std, train.std((0, 1)), rtol=1e-4)


def test_statistics_of_a_feature_that_stands_still():
    features = np.random.default_rng(0).standard_normal((50, 3, 2)) * [1, 0] + [5, 7]
    mean, std = statistics(features, np.arange(50), per_feature=True)
    np.testing.assert_allclose(mean, features.mean((0, 1)), rtol=1e-6)
    assert std[1] == std[0], "it would be blown up where it does move"
    mean, std = statistics(features, np.arange(50), per_feature=False)
    assert (mean.shape, float(std)) == ((), pytest.approx(features.std(), rel=1e-6))


def test_a_file_embeds_as_it_does_from_the_store(home):
    model = load(home / "run")
    data = prepare(load_recipe(home / "run" / "config.yaml"), cache=home / "cache")
    from_store = model.embed_features(data.features)
    # The recipe brings clips to -24 LUFS; the files are embedded at the level they have.
    wave = data.table.sounds.read(3, RATE)
    (alone,) = model.embed(wave, sample_rate=RATE).values
    np.testing.assert_allclose(alone, from_store[3], rtol=1e-3, atol=1e-4)


def test_a_clip_shorter_than_a_frame_embeds_as_it_does_from_the_store(home):
    model = load(home / "run")
    data = prepare(load_recipe(home / "run" / "config.yaml"), cache=home / "cache")
    row = list(data.table.ids).index("low_99.wav")
    (alone,) = model.embed(home / "clips" / "low_99.wav").values
    (stored,) = model.embed_features(data.features[row : row + 1])
    np.testing.assert_allclose(alone, stored, rtol=1e-3, atol=1e-4)


def test_a_long_recording_goes_through_in_pieces(home, monkeypatch):
    model = load(home / "run")
    batches = []
    latents = model.frontend.latents
    monkeypatch.setattr(model.frontend, "latents", lambda w: batches.append(len(w)) or latents(w))
    monkeypatch.setattr(type(model.frontend), "batch_samples", 3 * 4410)
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 8 * 4410).astype(np.float32)
    whole = model.embed(wave, sample_rate=RATE).values[0]
    assert batches == [3, 3, 2]
    parts = model.embed(wave.reshape(8, 4410), sample_rate=RATE).values
    np.testing.assert_allclose(whole, parts.mean(0), rtol=1e-3, atol=1e-4)


def test_info_names_the_codec(home, capsys):
    cli.app(["info", str(home / "run")], standalone_mode=False)
    printed = capsys.readouterr().out
    digest = load(home / "run").frontend.config.digest
    assert f"front-end  dac {home / 'codec'} (weights {digest}), 44100 Hz, 0.1 s" in printed
    assert "9 frames x 32 features" in printed


def test_a_collection_is_embedded(home, tmp_path):
    from disentone.embeddings.collection import embed_collection
    from disentone.embeddings.embedder import EmbedOptions

    out = embed_collection(
        home / "run", [home / "clips"], tmp_path / "out.npz", EmbedOptions(jobs=1)
    )
    with np.load(out) as stored:
        assert stored["embedding"].shape == (49, 8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sampling_rate": 16000}, "a sample rate of 16000, not 44100"),
        ({"encoder_hidden_size": 4}, "a width of 64, not 32"),
        ({"seed": 1}, "the digest [0-9a-f]{16}, not [0-9a-f]{16}"),
    ],
)
def test_a_model_refuses_another_codec_than_its_own(copied, tmp_path, changes, message):
    small.dac(tmp_path / "other", **changes)
    config = json.loads((copied / "config.json").read_text())
    config["frontend"]["model"] = str(tmp_path / "other")
    (copied / "config.json").write_text(json.dumps(config))
    with pytest.raises(ArtifactError, match=f"another network than the one asked for.*{message}"):
        load(copied)


def test_a_model_finds_its_codec_where_it_was_moved(home, copied, tmp_path):
    moved = shutil.copytree(home / "codec", tmp_path / "moved")
    config = json.loads((copied / "config.json").read_text())
    config["frontend"]["model"] = str(moved)
    (copied / "config.json").write_text(json.dumps(config))
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 4410).astype(np.float32)
    ours, theirs = (load(run).embed(wave, sample_rate=RATE) for run in (copied, home / "run"))
    np.testing.assert_array_equal(ours.values, theirs.values)


def test_features_of_another_width_are_refused(home):
    with pytest.raises(DataError, match=r"have 31 numbers a frame, and .* trained on 32"):
        load(home / "run").embed_features(np.zeros((1, 9, 31), np.float32))


def test_a_recipe_names_a_front_end_that_is_not_known():
    values = yaml.safe_load(dump_recipe(load_recipe("debug")))
    values["frontend"] = {"kind": "dax"}
    with pytest.raises(RecipeError, match=r"there is no kind 'dax'; did you mean 'dac'"):
        parse_recipe(values, name="mine")
    values["frontend"] = {"kind": "dac", "second": 1}
    with pytest.raises(RecipeError, match=r"frontend.second'; did you mean 'seconds'"):
        parse_recipe(values, name="mine")
    values["frontend"] = {"n_mels": 12}
    assert parse_recipe(values, name="mine").frontend.kind == "logmel"


@pytest.mark.gpu
def test_the_codec_runs_on_a_gpu(home):
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    recipe = load_recipe(home / "run" / "config.yaml")
    on_cpu = prepare(recipe, cache=home / "cache").features
    on_gpu = prepare(recipe, cache=home / "cache-gpu", device="cuda").features
    np.testing.assert_allclose(on_gpu, on_cpu, rtol=2e-2, atol=2e-2 * float(on_cpu.std()))
