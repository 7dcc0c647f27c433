"""Front-ends with pretrained weights, held to the reference implementation; weights are random."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import small_networks as small
import soundfile
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from disentone.clips import ClipTable
from disentone.datasets.folder import read_folder
from disentone.errors import ArtifactError, RecipeError
from disentone.frontends import latents
from disentone.frontends.config import frontend_config
from disentone.frontends.feature_store import compute_features
from disentone.frontends.logmel import LogMel
from disentone.permissions import allow

transformers = small.transformers
RATE = 44100


def dac(folder, **options):
    return latents.DACConfig(model=str(folder), **options).build()


def encoder(folder, **options):
    return latents.HFEncoderConfig(model=str(folder), **options).build()


def noise(clips, samples, seed=0):
    wave = np.random.default_rng(seed).uniform(-0.5, 0.5, (clips, samples))
    return torch.from_numpy(wave.astype(np.float32))


def clips(folder, *lengths, rate=RATE):
    folder.mkdir()
    for number, length in enumerate(lengths):
        soundfile.write(folder / f"{number}.wav", noise(1, length, number)[0].numpy(), rate)
    return read_folder(folder).table


@pytest.fixture(scope="module")
def codec(tmp_path_factory):
    """A DAC with the real strides and a tiny width, and the network that was saved."""
    folder = tmp_path_factory.mktemp("codecs") / "dac"
    return folder, small.dac(folder)


# --- DAC -----------------------------------------------------------------------------------------


def test_ten_seconds_are_862_frames(codec):
    frontend = dac(codec[0])
    assert (frontend.sample_rate, frontend.samples) == (RATE, 441_000)
    assert (frontend.frames, frontend.features) == (862, 32)
    assert frontend(noise(1, frontend.samples)).shape == (1, 862, 32)


def test_the_published_codec_has_1024_features():
    """By its configuration: strides 2, 4, 8, 8 from 64 channels, at 44.1 kHz."""
    config = transformers.DacConfig(**small.DAC | {"encoder_hidden_size": 64})
    assert (config.hidden_size, config.hop_length) == (1024, 512)
    assert latents.DACConfig().model == "descript/dac_44khz"
    assert latents.DACConfig().sample_rate == 44100


def test_latents_are_the_encoders_output_before_quantisation(codec):
    folder, network = codec
    wave = noise(2, 3000)
    given = transformers.DacFeatureExtractor(sampling_rate=RATE, hop_length=512)(
        list(wave.numpy()), sampling_rate=RATE, return_tensors="pt"
    )
    with torch.no_grad():
        before = network.encoder(given["input_values"]).mT
        after = network.encode(given["input_values"]).quantized_representation.mT
    ours = dac(folder, seconds=3000 / RATE)(wave)
    torch.testing.assert_close(ours, before)
    assert (ours - after).abs().mean() > 0.1 * ours.std()


@pytest.mark.parametrize(("samples", "frames"), [(1, 1), (10, 1), (512, 1), (513, 2), (1024, 2)])
def test_what_is_shorter_than_a_hop_is_one_frame(codec, samples, frames):
    frontend = dac(codec[0], seconds=samples / RATE)
    assert frontend.frames == frames
    assert frontend(noise(1, samples)).shape == (1, frames, 32)


def test_a_clip_does_not_depend_on_its_batch(codec):
    frontend, waves = dac(codec[0], seconds=0.1), noise(3, 4410)
    waves[1, 100:] = 0  # a short clip in a batch of longer ones
    together = frontend(waves)
    for wave, features in zip(waves, together):
        close = {"rtol": 1e-4, "atol": 1e-4 * float(together.std())}
        torch.testing.assert_close(frontend(wave[None])[0], features, **close)


def test_it_stays_in_evaluation_mode_and_learns_nothing(codec):
    frontend = dac(codec[0]).train()
    assert not any(module.training for module in frontend.modules())
    assert not any(parameter.requires_grad for parameter in frontend.parameters())


def test_fewer_clips_go_through_at_once_than_of_spectrograms(codec):
    assert 1 <= dac(codec[0]).batch_samples // 441_000 <= 2


# --- the store -----------------------------------------------------------------------------------


def test_a_store_of_half_precision_gives_what_the_front_end_gives(codec, tmp_path):
    table = clips(tmp_path / "clips", 4000, 4410, 9000)
    half = dac(codec[0], seconds=0.1, dtype="float16")
    waves = [table.sounds.read(i, RATE)[:4410] for i in range(3)]
    padded = torch.from_numpy(np.stack([np.pad(w, (0, 4410 - len(w))) for w in waves]))
    for _ in range(2):  # computed, then looked up
        stored = compute_features(table, half, cache=tmp_path / "cache").array
        assert isinstance(stored, np.memmap)
        assert stored.dtype == np.float16
        np.testing.assert_array_equal(stored.astype(np.float32), half(padded).numpy())
    exact = dac(codec[0], seconds=0.1)(padded).numpy()
    np.testing.assert_allclose(stored, exact, rtol=2**-11, atol=1e-7)
    (file,) = (tmp_path / "cache").glob("*/features.*")
    assert (file.name, file.stat().st_size) == ("features.f16", 2 * stored.size)
    memory = compute_features(table, half).array
    np.testing.assert_array_equal(memory, stored)


def test_features_that_half_precision_cannot_hold_are_refused(tmp_path):
    class Loud(torch.nn.Module):
        sample_rate, samples, frames, features, dtype = RATE, 100, 1, 100, "float16"

        def forward(self, wave):
            return 1e6 * wave[:, None]

    computed = compute_features(clips(tmp_path / "clips", 100), Loud())
    assert "not finite numbers of float16" in computed.skipped[0].reason


def test_stores_know_codecs_by_their_weights(codec, tmp_path):
    table = clips(tmp_path / "clips", 4410)
    cache = tmp_path / "cache"
    small.dac(tmp_path / "other", seed=1)
    moved = shutil.copytree(codec[0], tmp_path / "moved")
    first = compute_features(table, dac(codec[0], seconds=0.1), cache=cache).array
    other = compute_features(table, dac(tmp_path / "other", seconds=0.1), cache=cache).array
    assert np.abs(first - other).max() > 0.01
    assert len(list(cache.iterdir())) == 2
    again = dac(moved, seconds=0.1)
    again.latents = None  # not asked again
    np.testing.assert_array_equal(compute_features(table, again, cache=cache).array, first)
    assert len(list(cache.iterdir())) == 2


def test_clips_shorter_than_a_frame_are_named(codec, tmp_path):
    table = clips(tmp_path / "clips", 300, 511, 512, 4410)
    computed = compute_features(table, dac(codec[0], seconds=0.1))
    assert table.ids[computed.short].tolist() == ["0.wav", "1.wav"]
    assert len(computed.array) == 4


def test_of_a_long_file_no_more_than_the_window_is_decoded(codec):
    class Endless:
        def cropped(self, seconds):
            assert seconds == 0.1
            return self

        def key(self, index):
            return str(index)

        def read(self, index, rate):
            return noise(1, 4410)[0].numpy()

    table = ClipTable(np.array(["a"], object), {}, np.array(["train"]), Endless())
    assert compute_features(table, dac(codec[0], seconds=0.1)).array.shape == (1, 9, 32)


# --- one network is not another ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"sampling_rate": 16000}, {}, "a sample rate of 16000, not 44100"),
        ({}, {"features": 1024}, "a width of 32, not 1024"),
        ({}, {"digest": "0123456789abcdef"}, "not 0123456789abcdef"),
    ],
)
def test_another_rate_width_or_weights_are_refused(tmp_path, changes, options, message):
    small.dac(tmp_path / "dac", **changes)
    with pytest.raises(ArtifactError, match=f"another network than the one asked for.*{message}"):
        dac(tmp_path / "dac", **options)


def test_a_complete_configuration_takes_the_same_network_only(codec, tmp_path):
    complete = dac(codec[0], seconds=0.1).config
    assert complete.features == 32
    assert complete.build().config == complete
    small.dac(tmp_path / "other", seed=1)
    with pytest.raises(ArtifactError, match="the digest"):
        complete.model_copy(update={"model": str(tmp_path / "other")}).build()


# --- any encoder ---------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{}, {"audio_channels": 2, "normalize": True}])
def test_encodec(tmp_path, changes):
    network = small.encodec(tmp_path / "net", **changes)
    wave = noise(2, 9600)
    scaled = wave.unsqueeze(1)
    if changes:
        scaled = (scaled / (scaled.square().mean(-1, keepdim=True).sqrt() + 1e-8)).repeat(1, 2, 1)
    with torch.no_grad():
        expected = network.encoder(scaled).mT
    frontend = encoder(tmp_path / "net", seconds=0.4)
    assert (frontend.sample_rate, frontend.frames, frontend.features) == (24000, 30, 8)
    torch.testing.assert_close(frontend(wave), expected)


def test_dac_is_an_encoder_too(codec):
    as_codec, as_encoder = dac(codec[0], seconds=0.1), encoder(codec[0], seconds=0.1)
    wave = noise(1, 4410)
    torch.testing.assert_close(as_codec(wave), as_encoder(wave))
    assert as_encoder.frames == 9


@pytest.mark.parametrize("kind", ["Wav2Vec2", "Hubert", "WavLM"])
@pytest.mark.parametrize("layer", [None, 0, 1, -1])
def test_wav2vec_and_its_family(tmp_path, kind, layer):
    network = small.wav2vec2(tmp_path / "net", kind)
    wave = noise(2, 1600)
    normal = (wave - wave.mean(1, keepdim=True)) / (wave.var(1, False, keepdim=True) + 1e-7).sqrt()
    with torch.no_grad():
        out = network(normal, output_hidden_states=True)
    expected = out.last_hidden_state if layer is None else out.hidden_states[layer]
    frontend = encoder(tmp_path / "net", seconds=0.1, layer=layer)
    assert (frontend.sample_rate, frontend.features) == (16000, 16)
    torch.testing.assert_close(frontend(wave), expected, rtol=1e-4, atol=1e-4)


def test_ast_gives_the_mean_over_frequency_of_the_patches_of_the_clip(tmp_path):
    network = small.ast(tmp_path / "net")
    wave = noise(1, 8000)
    inputs = transformers.ASTFeatureExtractor.from_pretrained(tmp_path / "net")(
        wave[0].numpy(), sampling_rate=16000, return_tensors="pt"
    )
    with torch.no_grad():
        tokens = network(**inputs).last_hidden_state[0]
    times, bands = 5, 2  # (64 - 16) // 10 + 1 and (32 - 16) // 10 + 1
    assert len(tokens) == 2 + times * bands
    expected = [(tokens[2 + t] + tokens[2 + times + t]) / 2 for t in range(times)]
    ours = encoder(tmp_path / "net", seconds=0.5)(wave)[0]
    assert len(ours) == 4  # 50 of 64 spectra; the rest of the window is padding
    torch.testing.assert_close(ours, torch.stack(expected[:4]))


def test_time_goes_along_the_patches_of_ast(tmp_path):
    """A click moves the frames near it and leaves alone what only sees the input there."""
    small.ast(tmp_path / "net")
    frontend = encoder(tmp_path / "net", seconds=0.64, layer=0)
    quiet = noise(1, frontend.samples)
    late = quiet.clone()
    late[:, 9000:] *= 3
    changed = (frontend(late) - frontend(quiet)).abs().amax(2)[0] > 1e-4
    assert changed.tolist() == [False, False, False, False, True]


def test_clap_from_a_checkpoint_of_both_halves(tmp_path):
    """Loaded as the audio half alone, such a checkpoint would give random weights."""
    network = small.clap(tmp_path / "net")
    wave = noise(1, 480_000)
    extractor = transformers.AutoFeatureExtractor.from_pretrained(tmp_path / "net")
    inputs = extractor(wave[0].numpy(), sampling_rate=48000, return_tensors="pt")
    with torch.no_grad():
        expected = network.audio_model(**inputs).last_hidden_state[0].mean(1).T
    frontend = encoder(tmp_path / "net")
    assert (frontend.sample_rate, frontend.frames, frontend.features) == (48000, 32, 64)
    torch.testing.assert_close(frontend(wave)[0], expected)
    network.audio_model.save_pretrained(tmp_path / "half")
    shutil.copy(tmp_path / "net" / "preprocessor_config.json", tmp_path / "half")
    torch.testing.assert_close(encoder(tmp_path / "half")(wave)[0], expected)


def test_of_whisper_the_encoder_is_used_and_padding_is_left_out(tmp_path):
    network = small.whisper(tmp_path / "net")
    wave = noise(1, 24000)
    inputs = transformers.WhisperFeatureExtractor.from_pretrained(tmp_path / "net")(
        wave[0].numpy(), sampling_rate=16000, return_tensors="pt"
    )
    with torch.no_grad():
        expected = network.get_encoder()(**inputs).last_hidden_state
    ours = encoder(tmp_path / "net", seconds=1.5)(wave)
    torch.testing.assert_close(ours, expected[:, :75])


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("ast", {"seconds": 0.7}, "takes 0.64 s at most"),
        ("ast", {"seconds": 0.01}, "cannot encode clips of 0.01 s"),
        ("clap", {"seconds": 11}, "takes 10 s at most"),
        ("clap", {"layer": 1}, "no layers to choose"),
        ("encodec", {"layer": 1}, "no layers to choose"),
        ("wav2vec2", {"seconds": 0.1, "layer": 9}, "has no layer 9"),
        ("wav2vec2", {"seconds": 0.0001}, "cannot encode clips of 0.0001 s"),
    ],
)
def test_what_an_encoder_cannot_do_is_refused(tmp_path, kind, options, message):
    getattr(small, kind)(tmp_path / "net")
    with pytest.raises(RecipeError, match=message):
        encoder(tmp_path / "net", **options)


def test_settings_beside_the_weights_make_another_encoder(tmp_path):
    small.wav2vec2(tmp_path / "net")
    first = encoder(tmp_path / "net", seconds=0.1).config
    plain = transformers.Wav2Vec2FeatureExtractor(do_normalize=False)
    plain.save_pretrained(tmp_path / "net")
    assert encoder(tmp_path / "net", seconds=0.1).config.digest != first.digest


# --- networks that cannot be had -----------------------------------------------------------------


def test_networks_that_are_no_codec_or_do_not_hear(tmp_path):
    small.encodec(tmp_path / "encodec")
    with pytest.raises(RecipeError, match=r"is no DAC .* frontend.kind=encoder"):
        dac(tmp_path / "encodec")
    settings = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    text = transformers.BertConfig(**settings, intermediate_size=8, vocab_size=10)
    transformers.BertModel(text).save_pretrained(tmp_path / "text")
    with pytest.raises(RecipeError, match="no encoder of audio"):
        encoder(tmp_path / "text")


def test_weights_that_are_not_there_are_never_made_up(tmp_path):
    from safetensors.torch import load_file, save_file

    small.dac(tmp_path / "dac")
    file = tmp_path / "dac" / "model.safetensors"
    weights = load_file(file)
    del weights["encoder.conv1.weight"]
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(ArtifactError, match=r"lacks 1 of its weights, such as encoder.conv1"):
        dac(tmp_path / "dac")
    file.write_bytes(b"nonsense")
    with pytest.raises(ArtifactError, match="cannot be loaded"):
        dac(tmp_path / "dac")
    file.unlink()
    (tmp_path / "dac" / "pytorch_model.bin").touch()  # pickles are not read
    with pytest.raises(ArtifactError, match="safetensors weights are missing"):
        dac(tmp_path / "dac")


def test_a_name_that_neither_disk_nor_hub_knows(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for name in ("nobody/nothing", str(tmp_path / "gone")):
        with (
            allow(download=True),
            pytest.raises(ArtifactError, match=r"no folder .* or give its folder"),
        ):
            dac(name)


def test_what_the_hub_gave_once_is_not_asked_for_again(codec, monkeypatch):
    import huggingface_hub

    asked = []

    def snapshot(name, *, allow_patterns, local_files_only=False):
        asked.append((name, local_files_only))
        return str(codec[0])

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    assert dac("some/codec", seconds=0.1).features == 32
    assert asked == [("some/codec", True)]


def test_nothing_is_fetched_where_that_is_not_allowed(codec, monkeypatch):
    import huggingface_hub

    asked = []

    def snapshot(name, *, allow_patterns, local_files_only=False):
        asked.append(local_files_only)
        if local_files_only:
            raise FileNotFoundError
        return str(codec[0])

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    with pytest.raises(ArtifactError, match=r"'some/codec' is no folder .* --allow-download"):
        dac("some/codec", seconds=0.1)
    assert all(asked)
    with allow(download=True):
        assert dac("some/codec", seconds=0.1).features == 32
    assert not asked[-1]


def altered(codec, tmp_path, file="config.json", **changes):
    """A copy of the codec with other settings."""
    folder = tmp_path / "dac"
    shutil.copytree(codec[0], folder, dirs_exist_ok=True)
    values = json.loads((folder / file).read_text()) if (folder / file).exists() else {}
    (folder / file).write_text(json.dumps(values | changes))
    return folder


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"hidden_size": 10**9}, "promise|bound|size"),
        ({"encoder_hidden_size": 2**20}, "promise"),
        ({"n_codebooks": 10**9}, "1,024 is the most"),
        ({"hop_length": float("nan")}, "'hop_length' is nan"),
        ({"downsampling_ratios": [1] * 5000}, "5,000 items"),
        ({"attn_implementation": "kernels-community/flash-attn"}, "code that would be fetched"),
        ({"model_type": "no-such", "auto_map": {"AutoConfig": "evil.Config"}}, "cannot be loaded"),
    ],
)
def test_settings_that_promise_more_than_there_is_are_refused(codec, tmp_path, changes, why):
    folder = altered(codec, tmp_path, **changes)
    (folder / "evil.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ArtifactError, match=why):
        dac(folder)


def test_an_extractor_of_someone_elses_code_is_not_run(codec, tmp_path):
    changes = {"feature_extractor_type": "Evil", "auto_map": {"AutoFeatureExtractor": "evil.Evil"}}
    folder = altered(codec, tmp_path, "preprocessor_config.json", **changes)
    (folder / "evil.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ArtifactError, match="cannot be loaded"):
        encoder(folder)


def test_weights_that_are_not_finite_are_refused(codec, tmp_path):
    folder = altered(codec, tmp_path)
    weights = load_file(folder / "model.safetensors")
    next(iter(weights.values())).view(-1)[0] = torch.nan
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ArtifactError, match="not finite"):
        dac(folder)


def test_without_transformers_the_extra_is_named(codec, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(RecipeError, match=r"pip install 'disentone\[codec\]'"):
        dac(codec[0])


def test_spectrograms_need_no_transformers():
    code = "import disentone.runs.training, sys; sys.exit('transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_nothing_is_printed(codec, capfd):
    dac(codec[0], seconds=0.1)
    assert capfd.readouterr() == ("", "")


# --- configurations ------------------------------------------------------------------------------


def test_a_configuration_without_a_kind_is_of_spectrograms():
    assert isinstance(frontend_config({"n_mels": 12}).build(), LogMel)
    assert frontend_config({}) == frontend_config({"kind": "logmel"})
    assert isinstance(frontend_config({"kind": "dac"}), latents.DACConfig)


@pytest.mark.parametrize("values", [{"kind": "dax"}, {"kind": "dac", "n_mels": 3}, {"hub": 1}])
def test_configurations_that_are_not_known(values):
    with pytest.raises(ValidationError):
        frontend_config(values)
