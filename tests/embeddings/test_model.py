import errno
import json
import os
import shutil

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

import disentone
import tiny_training
from disentone.embeddings.networks import write_tensors
from disentone.errors import ArtifactError, AudioError, DataError, RecipeError
from disentone.models import ModelConfig

RATE = 16000
WINDOW = 3200  # samples of tiny_training.FRONTEND


@pytest.fixture(scope="module")
def model():
    return tiny_training.problem()[0]


@pytest.fixture
def saved(model, tmp_path):
    model.save(tmp_path / "saved")
    return tmp_path / "saved"


@pytest.fixture
def noise(tmp_path, rng):
    """Write noise as a float file and give its path and its waveform."""

    def write(name="noise.wav", *, samples=WINDOW, rate=RATE):
        wave = (0.3 * rng.standard_normal(samples)).astype(np.float32)
        soundfile.write(tmp_path / name, wave, rate, subtype="FLOAT")
        return tmp_path / name, wave

    return write


def features_of(model, waves):
    """The long way round: front-end, statistics, encoder."""
    with torch.inference_mode():
        features = model.frontend(torch.from_numpy(np.atleast_2d(waves)))
        return model.network.posterior((features - model.mean) / model.std)[0].numpy()


# --- on disk ------------------------------------------------------------------------------


def test_a_loaded_model_is_the_same_model(model, saved, rng):
    waves = rng.standard_normal((3, WINDOW)).astype(np.float32)
    loaded = disentone.load(saved)
    np.testing.assert_array_equal(
        loaded.embed(waves, sample_rate=RATE).values, model.embed(waves, sample_rate=RATE).values
    )
    assert loaded.facets == model.facets
    assert loaded.frontend.config == model.frontend.config
    assert loaded.network.config == model.network.config
    assert {path.name for path in saved.iterdir()} == {"config.json", "model.safetensors"}


def test_a_folder_may_be_text_and_what_was_noted_stays(model, tmp_path):
    model.about["recipe"] = "tiny"
    model.save(str(tmp_path))
    assert disentone.load(str(tmp_path)).about == {"recipe": "tiny"}


def test_half_the_precision_is_half_the_file_and_buffers_stay_whole(model, tmp_path):
    model.save(tmp_path, dtype="float16")
    stored = load_file(tmp_path / "model.safetensors")
    parameters = {f"network.{name}": value for name, value in model.network.named_parameters()}
    for name, value in stored.items():
        half = name in parameters
        assert value.dtype == (torch.float16 if half else torch.float32)
        if half:
            assert torch.equal(value, parameters[name].half())
    for name, value in disentone.load(tmp_path).network.state_dict().items():
        assert torch.equal(value, stored[f"network.{name}"].float())
    with pytest.raises(DataError, match="dtype is 'float32' or 'float16', not 'int8'"):
        model.save(tmp_path / "other", dtype="int8")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(saved, name):
    (saved / name).unlink()
    with pytest.raises(ArtifactError, match=f"no model in .*saved: {name} is missing"):
        disentone.load(saved)


def test_a_folder_that_does_not_exist_has_no_model(tmp_path):
    with pytest.raises(ArtifactError, match="There is no model in"):
        disentone.load(tmp_path / "nowhere")


@pytest.mark.parametrize("form", [2, "1", None])
def test_another_format_is_refused(saved, form):
    config = json.loads((saved / "config.json").read_text())
    (saved / "config.json").write_text(json.dumps(config | {"format": form}))
    with pytest.raises(ArtifactError, match=f"has format {form!r}, and this version .* format 1"):
        disentone.load(saved)


def test_the_weights_of_another_model_are_refused(saved, tmp_path):
    options = tiny_training.NETWORK.model_dump() | {"decoder": {"kind": "dense", "widths": [8]}}
    tiny_training.problem(network=ModelConfig(**options))[0].save(tmp_path / "other")
    os.replace(tmp_path / "other" / "model.safetensors", saved / "model.safetensors")
    with pytest.raises(ArtifactError, match=r"do not belong together: .*decoder") as caught:
        disentone.load(saved)
    assert "\n" not in str(caught.value)


DAMAGES = {
    "empty": lambda content: b"",
    "cut short": lambda content: content[: len(content) // 2],
    "header too long": lambda content: b"\xff" * 8 + content[8:],
    "noise": lambda content: bytes(range(256)) * 10,
}


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_one_sentence(saved, name, damage):
    content = (saved / name).read_bytes()
    (saved / name).write_bytes(DAMAGES[damage](content))
    with pytest.raises(ArtifactError, match="damaged") as caught:
        disentone.load(saved)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["facets", "frontend", "model", "about"])
@pytest.mark.parametrize("value", ["missing", None, "text", [1]])
def test_a_config_of_another_shape_is_one_sentence(saved, key, value):
    config = json.loads((saved / "config.json").read_text()) | {key: value}
    if value == "missing":
        del config[key]
    (saved / "config.json").write_text(json.dumps(config))
    with pytest.raises(ArtifactError, match="damaged") as caught:
        disentone.load(saved)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["frontend", "model"])
def test_an_unknown_key_is_named(saved, key):
    config = json.loads((saved / "config.json").read_text())
    config[key]["colour"] = "blue"
    (saved / "config.json").write_text(json.dumps(config))
    with pytest.raises(ArtifactError, match="colour"):
        disentone.load(saved)


def test_a_config_that_is_a_list_is_one_sentence(saved):
    (saved / "config.json").write_text("[1]")
    with pytest.raises(ArtifactError, match="damaged"):
        disentone.load(saved)


def test_a_missing_statistic_is_named(saved):
    tensors = load_file(saved / "model.safetensors")
    del tensors["standardise.std"]
    write_tensors(saved / "model.safetensors", tensors)
    with pytest.raises(ArtifactError, match=r"damaged.*standardise\.std"):
        disentone.load(saved)


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_is_never_opened(saved, tmp_path, zipped):
    pickled, mark = tmp_path / "model.pt", tmp_path / "exploded"
    torch.save(Bomb(mark), pickled, _use_new_zipfile_serialization=zipped)
    shutil.copy(pickled, saved / "model.safetensors")
    with pytest.raises(ArtifactError, match="damaged"):
        disentone.load(saved)
    assert not mark.exists()
    torch.load(pickled, weights_only=False)
    assert mark.exists(), "the pickle would have worked"


def test_a_full_disk_leaves_the_old_model(model, saved, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ArtifactError, match="No space left"):
        model.save(saved)
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before


# --- in use -------------------------------------------------------------------------------


def test_an_embedding_is_the_encoders_means(model, rng):
    waves = rng.standard_normal((4, WINDOW)).astype(np.float32)
    embedding = model.embed(waves, sample_rate=RATE)
    expected = features_of(model, waves)
    np.testing.assert_allclose(embedding.values, expected, rtol=1e-5, atol=1e-6)
    assert embedding.values.dtype == np.float32
    assert np.ptp(expected, axis=0).min() > 0, "clips differ, so rows cannot be mixed up"


@pytest.mark.filterwarnings("error")
def test_embedding_is_quiet_even_from_a_read_only_map(model, tmp_path, rng):
    features = rng.standard_normal((3, model.frontend.frames, 12)).astype(np.float32)
    features.tofile(tmp_path / "features.f32")
    stored = np.memmap(tmp_path / "features.f32", np.float32, "r", shape=features.shape)
    np.testing.assert_array_equal(model.embed_features(stored), model.embed_features(features))
    model.embed(rng.standard_normal((3, WINDOW)), sample_rate=RATE)


def test_facets_by_name(model, rng):
    embedding = model.embed(rng.standard_normal((4, WINDOW)), sample_rate=RATE)
    assert len(embedding) == 4
    assert embedding.ids == ("0", "1", "2", "3")
    assert embedding["private"].shape == (4, 3)
    assert embedding["shared"].shape == (4, 2)
    np.testing.assert_array_equal(
        np.hstack([embedding["private"], embedding["shared"]]), np.asarray(embedding)
    )
    with pytest.raises(DataError, match="did you mean 'shared'"):
        embedding["share"]


def test_files_and_arrays_agree(model, noise):
    (one, wave), (two, other) = noise("one.wav"), noise("two.wav")
    single, several = model.embed(str(one)), model.embed([one, str(two)])
    assert single.values.shape == (1, 5)
    assert single.ids == (str(one),)
    assert several.ids == (str(one), str(two))
    arrays = model.embed([wave, other], sample_rate=RATE).values
    np.testing.assert_array_equal(several.values, arrays)
    np.testing.assert_array_equal(single.values, arrays[:1])
    np.testing.assert_array_equal(model.embed(wave, sample_rate=RATE).values, arrays[:1])


def test_other_rates_are_resampled(model):
    time = np.arange(2 * WINDOW) / (2 * RATE)
    tone = 0.5 * np.sin(2 * np.pi * 1000 * time)
    fine = model.embed(tone, sample_rate=2 * RATE).values
    np.testing.assert_allclose(fine, model.embed(tone[::2], sample_rate=RATE).values, atol=0.05)
    wrong = model.embed(tone, sample_rate=RATE).values
    assert np.abs(fine - wrong).max() > 0.1, "taken at another rate it is another sound"


def test_many_clips_are_embedded_in_parts(model, monkeypatch, rng):
    features = rng.standard_normal((7, model.frontend.frames, 12)).astype(np.float32)
    whole = model.embed_features(features)
    monkeypatch.setattr("disentone.embeddings.networks.BATCH", 3)
    np.testing.assert_allclose(model.embed_features(features), whole, rtol=1e-5, atol=1e-6)
    assert model.embed_features(features[:0]).shape == (0, 5)


def test_no_file_gives_no_row(model):
    assert model.embed([]).values.shape == (0, 5)


def test_a_long_clip_is_the_mean_over_its_windows(model, rng):
    wave = rng.standard_normal(2 * WINDOW + WINDOW // 2).astype(np.float32)
    windows = np.zeros(3 * WINDOW, np.float32)
    windows[: len(wave)] = wave
    expected = features_of(model, windows.reshape(3, WINDOW)).mean(0)
    got = model.embed(wave, sample_rate=RATE).values[0]
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_a_rest_under_half_a_window_is_left_out(model, rng):
    wave = rng.standard_normal(2 * WINDOW + WINDOW // 2 - 1).astype(np.float32)
    np.testing.assert_array_equal(
        model.embed(wave, sample_rate=RATE).values,
        model.embed(wave[: 2 * WINDOW], sample_rate=RATE).values,
    )


@pytest.mark.parametrize("samples", [2, 700, WINDOW - 1])
def test_a_short_clip_is_padded_with_silence(model, rng, samples):
    wave = rng.standard_normal(samples).astype(np.float32)
    padded = np.pad(wave, (0, WINDOW - samples))
    np.testing.assert_array_equal(
        model.embed(wave, sample_rate=RATE).values, model.embed(padded, sample_rate=RATE).values
    )


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((1, 2, 3)), r"not of shape \(1, 2, 3\)"),
        (np.zeros(0), r"not of shape \(0,\)"),
        (np.array([0.0, np.nan]), "not finite"),
        (np.array([[0.0, 0.5], [np.inf, 0.0]]), "not finite"),
    ],
)
def test_arrays_that_cannot_be_sound_are_refused(model, array, words):
    with pytest.raises(DataError, match=words):
        model.embed(array, sample_rate=RATE)


def test_an_array_needs_its_rate(model):
    with pytest.raises(DataError, match="sample_rate=44100"):
        model.embed(np.zeros(10))


def test_a_file_that_cannot_be_read_is_named(model, tmp_path, noise):
    good, _ = noise()
    (tmp_path / "bad.wav").write_bytes(b"no audio")
    soundfile.write(tmp_path / "nan.wav", np.full(100, np.nan), RATE, subtype="FLOAT")
    for name in ("bad.wav", "nan.wav", "missing.wav"):
        with pytest.raises(AudioError, match=name):
            model.embed([good, tmp_path / name])


def test_decoding_gives_features_in_db(model, rng):
    embedding = model.embed(rng.standard_normal((3, WINDOW)), sample_rate=RATE)
    decoded = model.decode(embedding)
    assert decoded.shape == (3, model.frontend.frames, model.frontend.features)
    with torch.inference_mode():
        expected = model.network.decode(torch.from_numpy(embedding.values)).numpy()
    np.testing.assert_allclose(
        decoded, expected * float(model.std) + float(model.mean), rtol=1e-5, atol=1e-5
    )
    np.testing.assert_array_equal(model.decode(embedding.values.astype(np.float64)), decoded)
    assert model.decode(embedding.values[:0]).shape[0] == 0


def test_frames_of_one_clip_have_their_codes(model, tmp_path, rng):
    network = ModelConfig(
        encoder={"kind": "frames", "width": 8},
        decoder={"kind": "frames", "width": 8},
        fusion="mean",
        stochastic=False,
    )
    framewise = tiny_training.problem(network=network)[0]
    wave = rng.standard_normal(2 * framewise.frontend.samples).astype(np.float32)
    by_frame = framewise.embed_frames(wave, sample_rate=16000)
    assert by_frame["private"].shape == (2 * framewise.frontend.frames, 3)
    mean = framewise.embed(wave, sample_rate=16000).values[0]
    np.testing.assert_allclose(by_frame.values.mean(axis=0), mean, atol=1e-5)
    with pytest.raises(DataError, match=r"one clip at a time .* not of 2"):
        framewise.embed_frames([wave, wave], sample_rate=16000)
    with pytest.raises(RecipeError, match="no codes of frames"):
        model.embed_frames(wave, sample_rate=16000)
