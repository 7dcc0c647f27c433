import librosa
import numpy as np
import pytest
import torch

from disentone.frontends.config import LogMelConfig
from disentone.frontends.logmel import (
    LogMel,
    mel_blocks,
    mel_filters,
    mel_power,
    power_spectrogram,
)

SETTINGS = [
    LogMelConfig(),
    LogMelConfig(sample_rate=22050, n_fft=2048, hop=441, n_mels=128, seconds=0.7),
    LogMelConfig(sample_rate=44100, n_fft=1024, hop=512, n_mels=40, low=50, high=12000),
]


@pytest.mark.parametrize("config", SETTINGS)
def test_mel_power_is_librosas(config, rng):
    frontend = LogMel(config)
    wave = rng.standard_normal((3, frontend.samples)).astype(np.float32)
    ours = frontend.power(torch.from_numpy(wave)).numpy()
    reference = librosa.feature.melspectrogram(
        y=wave,
        sr=config.sample_rate,
        n_fft=config.n_fft,
        hop_length=config.hop,
        n_mels=config.n_mels,
        fmin=config.low,
        fmax=config.high,
        power=2.0,
    )
    np.testing.assert_allclose(
        ours, reference.transpose(0, 2, 1), rtol=1e-4, atol=1e-4 * ours.mean()
    )


def test_decibels_are_librosas_above_the_floor(rng):
    config = LogMelConfig(floor_db=-60)
    frontend = LogMel(config)
    wave = 0.1 * rng.standard_normal(16000).astype(np.float32)
    ours = frontend(torch.from_numpy(wave)[None])[0].numpy()
    power = frontend.power(torch.from_numpy(wave)[None])[0].numpy()
    reference = librosa.power_to_db(power, ref=1.0, amin=1e-6, top_db=None)
    np.testing.assert_allclose(ours, reference, atol=1e-4)


def test_filters_are_librosas():
    ours = mel_filters(sample_rate=22050, n_fft=2048, n_mels=96, low=30, high=11000)
    reference = librosa.filters.mel(sr=22050, n_fft=2048, n_mels=96, fmin=30, fmax=11000)
    np.testing.assert_allclose(ours, reference, atol=1e-7)


@pytest.mark.parametrize(("n_fft", "n_mels"), [(1024, 64), (512, 128), (64, 2), (32, 80)])
def test_mel_power_in_blocks_is_the_whole_product(rng, n_fft, n_mels):
    filters = mel_filters(sample_rate=16000, n_fft=n_fft, n_mels=n_mels)
    power = rng.random((2, 3, 1 + n_fft // 2)).astype(np.float32)
    ours = mel_power(torch.from_numpy(power), torch.from_numpy(filters), mel_blocks(filters))
    np.testing.assert_allclose(ours, power @ filters.T, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize(("n_fft", "hop"), [(512, 256), (512, 100), (101, 50)])
def test_power_spectra_are_those_of_torchs_transform(rng, n_fft, hop):
    wave = torch.from_numpy(rng.standard_normal((2, 1000)).astype(np.float32))
    window = torch.hann_window(n_fft)
    theirs = torch.stft(wave, n_fft, hop, window=window, pad_mode="constant", return_complex=True)
    ours = power_spectrogram(wave, window, hop)
    torch.testing.assert_close(ours, theirs.abs().square().mT, rtol=1e-4, atol=1e-4)


def test_shape_is_announced():
    for config in SETTINGS:
        frontend = LogMel(config)
        features = frontend(torch.zeros(2, frontend.samples))
        assert features.shape == (2, frontend.frames, frontend.features)


def test_silence_is_the_floor():
    frontend = LogMel(LogMelConfig(floor_db=-70))
    assert torch.allclose(frontend(torch.zeros(1, 16000)), torch.tensor(-70.0))


def test_a_batch_is_its_clips_one_by_one(rng):
    frontend = LogMel(LogMelConfig())
    wave = torch.from_numpy(rng.standard_normal((4, 16000)).astype(np.float32))
    one_by_one = torch.cat([frontend(w[None]) for w in wave])
    torch.testing.assert_close(frontend(wave), one_by_one)


def test_ten_times_louder_is_twenty_decibels(rng):
    frontend = LogMel(LogMelConfig(floor_db=-200))
    wave = torch.from_numpy(0.01 * rng.standard_normal((1, 16000)).astype(np.float32))
    torch.testing.assert_close(frontend(10 * wave), frontend(wave) + 20, atol=1e-3, rtol=0)


def test_impossible_band_edges_are_refused():
    with pytest.raises(ValueError, match="low < high"):
        LogMelConfig(low=5000, high=4000)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_gpu_gives_the_same(rng):
    wave = torch.from_numpy(rng.standard_normal((4, 16000)).astype(np.float32))
    frontend = LogMel(LogMelConfig())
    torch.testing.assert_close(
        frontend.cuda()(wave.cuda()).cpu(), frontend.cpu()(wave), atol=1e-2, rtol=0
    )
