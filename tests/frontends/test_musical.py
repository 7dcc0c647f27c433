"""Mel, tempogram and CENS, held to librosa on the same spectrogram and to analytic cases."""

import librosa
import numpy as np
import pytest
import soundfile
import torch
from pydantic import ValidationError

from disentone import cli
from disentone.agreement.rules import TONICS
from disentone.datasets.folder import read_folder
from disentone.frontends.chroma import cens, chroma_filters
from disentone.frontends.config import Inputs, MusicalConfig, frontend_config
from disentone.frontends.feature_store import compute_features
from disentone.frontends.logmel import power_spectrogram
from disentone.frontends.musical import Musical
from disentone.frontends.tempogram import folding, onset_strength, tempogram
from disentone.recipes import load_recipe, parse_recipe
from disentone.runs import training as runs

RATE, SAMPLES = 22050, 66150
TIME = np.arange(SAMPLES) / RATE
OTHERS = MusicalConfig(
    sample_rate=16000,
    seconds=1.5,
    n_fft=1024,
    hop=400,
    n_mels=40,
    lags=151,
    tuning=0.3,
    smoothing=9,
)
CONFIGS = {
    "defaults": MusicalConfig(),
    "others": OTHERS,
    "longer windows for chroma": MusicalConfig(chroma_fft=4096),
}


def notes(seed, *, every=0.25, partials=6):
    """Notes that ring, over a little noise."""
    rng = np.random.default_rng(seed)
    wave = 0.001 * rng.standard_normal(SAMPLES)
    for begin in range(0, SAMPLES, round(every * RATE)):
        hz = 440 * 2 ** (rng.integers(-24, 12) / 12) * np.arange(1, partials + 1)[:, None]
        tone = (
            np.sin(2 * np.pi * hz * TIME[: SAMPLES - begin]) / np.arange(1, partials + 1)[:, None]
        )
        wave[begin:] += 0.1 * tone.sum(0) * np.exp(-6 * TIME[: SAMPLES - begin])
    return wave


def drums(seed):
    rng = np.random.default_rng(seed)
    beat = np.exp(-40 * (TIME % 0.5)) + 0.3 * np.exp(-80 * (TIME % 0.125))
    return 0.2 * beat * rng.standard_normal(SAMPLES)


def with_silence(seed):
    """Noise in the middle of zeros."""
    wave = 0.1 * np.random.default_rng(seed).standard_normal(SAMPLES)
    wave[: RATE // 2] = wave[-RATE:] = 0
    return wave


SIGNALS = {
    "notes": notes(1),
    "other notes": notes(2, every=0.4, partials=12),
    "drums": drums(3),
    "noise": 0.3 * np.random.default_rng(4).standard_normal(SAMPLES),
    "quiet notes": 1e-3 * notes(5),
    "padded notes": np.where(TIME < 1.2, notes(6), 0),
    "noise in silence": with_silence(7),
    "one click": np.eye(1, SAMPLES, 30000)[0],
    "silence": np.zeros(SAMPLES),
}


def waves(*names):
    wave = np.stack([SIGNALS[name] for name in names or SIGNALS])
    return torch.from_numpy(wave.astype(np.float32))


def reference(wave, config):
    """What librosa gives for one waveform, each of shape (frames, columns)."""
    common = {"sr": config.sample_rate, "n_fft": config.n_fft, "hop_length": config.hop}
    mel = librosa.feature.melspectrogram(y=wave, n_mels=config.n_mels, **common)
    onsets = librosa.onset.onset_strength(y=wave, n_mels=config.n_mels, **common)
    common["n_fft"] = config.chroma_fft or config.n_fft
    chroma = librosa.feature.chroma_stft(y=wave, norm=None, tuning=config.tuning, **common)
    return {
        "mel": np.log10(1 + 10 * mel.astype(float)).T,
        "tempogram": librosa.feature.tempogram(onset_envelope=onsets, win_length=config.lags).T,
        "chroma": chroma.T,
        "cens": reference_cens(chroma, config.smoothing),
        "onsets": onsets,
    }


def reference_cens(chroma, smoothing):
    options = {"bins_per_octave": 12, "n_octaves": 1, "win_len_smooth": smoothing}
    return librosa.feature.chroma_cens(C=chroma, **options).T


def assert_alike(ours, theirs):
    """Equal to 1e-3 of each value; to 1e-6 of the largest where values are next to nothing."""
    floor = 1e-6 * max(np.abs(theirs).max(), 1e-3)
    np.testing.assert_allclose(np.asarray(ours), theirs, rtol=1e-3, atol=floor)


# --- librosa's -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_inputs_are_librosas(name, config):
    frontend = Musical(config)
    wave = waves(name)[:, : frontend.samples]
    ours = frontend(wave)[0].numpy()
    theirs = reference(wave[0].numpy(), config)
    for part, columns in frontend.parts.items():
        assert_alike(ours[:, columns], theirs[part])


@pytest.mark.parametrize("name", SIGNALS)
def test_onset_strength_and_chroma_are_librosas(name):
    frontend = Musical(MusicalConfig())
    power = power_spectrogram(waves(name), frontend.window, frontend.hop)
    theirs = reference(waves(name)[0].numpy(), frontend.config)
    assert_alike(onset_strength(power @ frontend.mel_weights.T, delay=1)[0], theirs["onsets"])
    assert_alike((power @ frontend.chroma_weights.T)[0], theirs["chroma"])


@pytest.mark.parametrize("options", [{}, {"n_fft": 4096, "tuning": -0.21}, {"sample_rate": 44100}])
def test_chroma_filters_are_librosas(options):
    options = {"sample_rate": RATE, "n_fft": 512, **options}
    ours = chroma_filters(**options)
    theirs = librosa.filters.chroma(sr=options.pop("sample_rate"), **options)
    np.testing.assert_allclose(ours, theirs, atol=1e-7)


@pytest.mark.parametrize("smoothing", [1, 7, 41])
def test_cens_of_any_chroma_is_librosas(rng, smoothing):
    chroma = rng.gamma(0.3, size=(4, 60, 12)).astype(np.float32)
    chroma[1, 20:50] = 0
    window = torch.hann_window(smoothing + 2, periodic=False)[1:-1]
    ours = cens(torch.from_numpy(chroma), window)
    theirs = [reference_cens(clip.T, smoothing) for clip in chroma]
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("lags", [2, 31, 384])
def test_tempogram_of_any_onsets_is_librosas(rng, lags):
    onsets = rng.gamma(0.2, size=(3, 100)).astype(np.float32)
    ours = tempogram(torch.from_numpy(onsets), torch.hann_window(lags))
    theirs = librosa.feature.tempogram(onset_envelope=onsets, win_length=lags)
    np.testing.assert_allclose(ours, theirs.transpose(0, 2, 1), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("lags", "rate", "bins"), [(384, 86.13, 64), (60, 86.13, 12), (200, 43.1, 7)]
)
def test_folded_lags_are_those_of_numpys_interpolation(rng, lags, rate, bins):
    curve = rng.random(lags)
    expected = []
    for k in range(bins):
        tempi = 30 * 2.0 ** (np.arange(4) + k / bins)
        wanted = [60 * rate / tempo for tempo in tempi if 60 * rate / tempo <= lags - 1]
        found = np.interp(wanted, np.arange(lags), curve)
        expected.append(found.mean() if len(wanted) else 0.0)
    np.testing.assert_allclose(curve @ folding(lags, rate=rate, bins=bins), expected, atol=1e-6)


@pytest.mark.parametrize("name", SIGNALS)
def test_a_cyclic_tempogram_is_librosas_folded(name):
    config = MusicalConfig(inputs=Inputs(mel=False, cens=False), cyclic=64)
    wave = waves(name)
    theirs = reference(wave[0].numpy(), config)["tempogram"]
    folded = theirs @ folding(config.lags, rate=RATE / config.hop, bins=64)
    np.testing.assert_allclose(Musical(config)(wave)[0], folded, rtol=1e-3, atol=1e-6)


# --- known without librosa -----------------------------------------------------------------------


@pytest.mark.parametrize("period", [30, 43, 50])
def test_a_tempogram_peaks_at_the_lag_of_the_beat(period):
    frontend = Musical(MusicalConfig(inputs=Inputs(mel=False, cens=False)))
    wave = torch.zeros(1, SAMPLES)
    for shift in range(3):  # a click of one sample may fall between two frames
        wave[:, 600 + shift :: period * frontend.hop] = 1
    middle = frontend(wave)[0, frontend.frames // 2]
    assert middle[20:80].argmax() + 20 == period


@pytest.mark.parametrize("bpm", [75.0, 97.0, 150.0])
def test_a_cyclic_tempogram_peaks_at_the_tempo_whatever_its_octave(bpm):
    frontend = Musical(MusicalConfig(inputs=Inputs(mel=False, cens=False), cyclic=48))
    assert frontend.parts == {"tempogram": slice(0, 48)}
    for beat in (bpm, 2 * bpm):
        clicks = np.arange(0, SAMPLES, 60 * RATE / beat).astype(int)
        wave = torch.zeros(1, SAMPLES)
        for shift in range(200):
            wave[:, np.minimum(clicks + shift, SAMPLES - 1)] = 1
        middle = frontend(wave)[0, frontend.frames // 2]
        place = 48 * np.log2(bpm / 30) % 48
        apart = abs(int(middle.argmax()) - place)
        assert min(apart, 48 - apart) <= 1


@pytest.mark.parametrize("steps", range(12))
def test_a_note_is_its_pitch_class(steps):
    frontend = Musical(MusicalConfig(inputs=Inputs(mel=False, tempogram=False)))
    hz = 1046.5023 * 2 ** (steps / 12) * np.array([1, 2, 4])[:, None]  # a C and its octaves
    wave = torch.from_numpy(np.sin(2 * np.pi * hz * TIME).sum(0, keepdims=True)).float()
    assert TONICS[frontend(wave)[0, 100].argmax()] == TONICS[steps]


def test_loudness_moves_nothing_but_the_mel():
    frontend = Musical(MusicalConfig())
    parts = frontend.parts
    loud, quiet = frontend(waves("notes")), frontend(0.1 * waves("notes"))
    torch.testing.assert_close(
        loud[..., parts["cens"]], quiet[..., parts["cens"]], atol=1e-4, rtol=0
    )
    torch.testing.assert_close(
        loud[..., parts["tempogram"]], quiet[..., parts["tempogram"]], atol=1e-4, rtol=0
    )
    assert (loud[..., parts["mel"]] > quiet[..., parts["mel"]]).all()


def test_silence_is_zero():
    assert (Musical(MusicalConfig())(torch.zeros(2, SAMPLES)) == 0).all()


@pytest.mark.parametrize("gain", [1e-30, 1e-20, 1e-12, 1e-6, 1e3])
def test_features_are_finite_at_any_level(gain):
    features = Musical(MusicalConfig())(gain * waves())
    assert features.isfinite().all()
    assert features[..., 128:].abs().max() <= 1.0001


def test_a_batch_is_its_clips_one_by_one():
    frontend = Musical(MusicalConfig())
    one_by_one = torch.cat([frontend(wave[None]) for wave in waves()])
    torch.testing.assert_close(frontend(waves()), one_by_one, atol=1e-5, rtol=1e-4)


# --- as a front-end ------------------------------------------------------------------------------


def test_three_seconds_are_259_frames():
    frontend = Musical(MusicalConfig())
    assert (frontend.samples, frontend.frames, frontend.features) == (SAMPLES, 259, 524)
    assert frontend.parts == {
        "mel": slice(0, 128),
        "tempogram": slice(128, 512),
        "cens": slice(512, 524),
    }
    assert frontend(waves("notes", "noise")).shape == (2, 259, 524)


@pytest.mark.parametrize("left_out", Inputs.model_fields)
def test_an_input_can_be_left_out(left_out):
    every = Musical(MusicalConfig())
    some = Musical(MusicalConfig(inputs=Inputs(**{left_out: False})))
    wave = waves("notes")
    features = some(wave)
    assert features.shape[-1] == some.features
    assert list(some.parts) == [name for name in every.parts if name != left_out]
    for name, columns in some.parts.items():
        torch.testing.assert_close(features[..., columns], every(wave)[..., every.parts[name]])


def test_a_configuration_names_it():
    config = frontend_config({"kind": "musical", "inputs": {"cens": False}, "seconds": 1})
    frontend = config.build()
    assert isinstance(frontend, Musical)
    assert frontend.config.inputs.chosen() == ["mel", "tempogram"]
    assert frontend_config(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"inputs": {"mel": False, "tempogram": False, "cens": False}}, "at least one input"),
        ({"inputs": {"chroma": True}}, "chroma"),
        ({"smoothing": 40}, "must be odd"),
    ],
)
def test_what_makes_no_sense_is_refused(values, message):
    with pytest.raises(ValidationError, match=message):
        MusicalConfig(**values)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_short_clips_are_padded_and_stores_give_the_same(tmp_path, dtype):
    (tmp_path / "clips").mkdir()
    soundfile.write(tmp_path / "clips" / "a.wav", SIGNALS["notes"][:RATE], RATE)
    soundfile.write(tmp_path / "clips" / "b.wav", SIGNALS["drums"], RATE)
    frontend = Musical(MusicalConfig(dtype=dtype))
    table = read_folder(tmp_path / "clips").table
    plain = compute_features(table, frontend).array
    stored = compute_features(table, frontend, cache=tmp_path / "cache").array
    np.testing.assert_array_equal(plain, stored)
    assert plain.dtype == dtype
    wave = np.stack([table.sounds.read(0, RATE), table.sounds.read(0, RATE)])
    padded = np.pad(wave, ((0, 0), (0, SAMPLES - RATE)))
    direct = frontend(torch.from_numpy(padded))[0].numpy()
    np.testing.assert_allclose(plain[0], direct, rtol=1e-3, atol=1e-5)


def test_a_run_on_it_is_whole(tmp_path, capsys):
    values = load_recipe("debug").model_dump(mode="json")
    values["frontend"] = {
        "kind": "musical",
        "sample_rate": 16000,
        "seconds": 0.25,
        "n_mels": 16,
        "lags": 16,
    }
    values["data"]["frequencies"] = 24
    values["training"] = {"epochs": 1, "batch": 16}
    values["audit"] = {"factors": ["timbre"], "seeds": 1, "permutations": 20}
    recipe = parse_recipe(values, name="musical")
    runs.train(recipe, tmp_path / "run")
    page = (tmp_path / "run" / "report.html").read_text()
    assert "No sounds or pictures: several inputs side by side are neither." in page
    cli.app(["info", str(tmp_path / "run")], standalone_mode=False)
    assert "musical (mel, tempogram, cens), 16000 Hz" in capsys.readouterr().out


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_gpu_gives_the_same():
    frontend = Musical(MusicalConfig())
    expected = frontend(waves())
    torch.testing.assert_close(
        frontend.cuda()(waves().cuda()).cpu(), expected, atol=1e-4, rtol=1e-3
    )
