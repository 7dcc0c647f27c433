"""Inversion is held to the sound that went in, and to librosa."""

import librosa
import numpy as np
import pytest
import torch

from disentone.errors import DataError
from disentone.frontends.inversion import griffin_lim, mel_to_linear

RATE, N_FFT, HOP, MELS = 16_000, 1024, 256, 128
FILTERS = librosa.filters.mel(sr=RATE, n_fft=N_FFT, n_mels=MELS)


def tone(frequency, shape="sine", seconds=1.0):
    phase = frequency * np.arange(round(RATE * seconds)) / RATE
    wave = np.sin(2 * np.pi * phase) if shape == "sine" else 2 * (phase % 1) - 1
    return (0.4 * wave).astype(np.float32)


def spectrum(wave):
    return np.abs(librosa.stft(wave, n_fft=N_FFT, hop_length=HOP))


def spectral_convergence(wave, magnitude):
    return np.linalg.norm(spectrum(wave) - magnitude) / np.linalg.norm(magnitude)


def pitch(wave):
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 1 << 18))
    return np.argmax(spectrum) * RATE / (1 << 18)


def batch(array):
    return torch.from_numpy(np.ascontiguousarray(array.T)[None])


def invert(wave):
    magnitude = mel_to_linear(
        batch(FILTERS @ spectrum(wave) ** 2), torch.from_numpy(FILTERS), iterations=100
    )
    return griffin_lim(magnitude, n_fft=N_FFT, hop=HOP, length=len(wave))[0].numpy()


@pytest.mark.parametrize("shape", ["sine", "saw"])
def test_griffin_lim_converges_as_librosa_does(shape):
    wave = tone(440, shape)
    magnitude = spectrum(wave)
    ours = griffin_lim(batch(magnitude), n_fft=N_FFT, hop=HOP, length=len(wave))[0].numpy()
    theirs = librosa.griffinlim(
        magnitude, n_iter=64, n_fft=N_FFT, hop_length=HOP, length=len(wave), random_state=0
    )
    assert spectral_convergence(ours, magnitude) < 0.06
    assert spectral_convergence(ours, magnitude) < 1.2 * spectral_convergence(theirs, magnitude)


def test_momentum_helps_and_iterations_help():
    magnitude = spectrum(tone(330, "saw"))

    def error(**options):
        return spectral_convergence(
            griffin_lim(batch(magnitude), n_fft=N_FFT, hop=HOP, **options)[0].numpy(), magnitude
        )

    assert error() < error(momentum=0.0)
    assert error(iterations=64) < error(iterations=4)


@pytest.mark.parametrize(("frequency", "shape"), [(440, "sine"), (1234.5, "sine"), (440, "saw")])
def test_mel_inversion_keeps_pitch_and_level(frequency, shape):
    wave = tone(frequency, shape)
    back = invert(wave)
    assert 1200 * abs(np.log2(pitch(back) / frequency)) < 12  # cents
    assert abs(20 * np.log10(back.std() / wave.std())) < 1  # dB


def test_mel_to_linear_solves_the_least_squares():
    magnitude = spectrum(tone(523.25, "saw", 0.25))
    mel = FILTERS @ magnitude**2
    found = mel_to_linear(batch(mel), torch.from_numpy(FILTERS))
    assert (found >= 0).all()
    again = (found[0].numpy() ** 2) @ FILTERS.T
    assert np.linalg.norm(again - mel.T) < 0.01 * np.linalg.norm(mel)
    exact = librosa.util.nnls(FILTERS, mel)  # another solver of the same problem
    ours = np.linalg.norm(again - mel.T)
    assert ours < np.linalg.norm(FILTERS @ exact - mel) + 0.01 * np.linalg.norm(mel)


def test_batches_are_independent_and_repeatable():
    one, other = spectrum(tone(440)), spectrum(tone(880, "saw"))
    both = torch.cat([batch(one), batch(other)])
    first = griffin_lim(both, n_fft=N_FFT, hop=HOP, iterations=8)
    assert first.shape == (2, (one.shape[1] - 1) * HOP)
    assert torch.equal(first, griffin_lim(both, n_fft=N_FFT, hop=HOP, iterations=8))
    mel = both.square() @ torch.from_numpy(FILTERS).T
    alone = mel_to_linear(mel[1:], torch.from_numpy(FILTERS))
    together = mel_to_linear(mel, torch.from_numpy(FILTERS))[1:]
    torch.testing.assert_close(alone, together, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_silence_and_few_frames_stay_finite(frames):
    silent = torch.zeros(1, frames, N_FFT // 2 + 1)
    wave = griffin_lim(silent, n_fft=N_FFT, hop=HOP)
    assert wave.shape == (1, max(frames - 1, 1) * HOP)
    assert (wave == 0).all()
    assert (mel_to_linear(torch.zeros(1, frames, MELS), torch.from_numpy(FILTERS)) == 0).all()


@pytest.mark.parametrize("length", [15_000, 16_000, 17_000])
def test_length_is_kept(length):
    magnitude = batch(spectrum(tone(440)))
    wave = griffin_lim(magnitude, n_fft=N_FFT, hop=HOP, length=length, iterations=4)
    assert wave.shape == (1, length)
    assert torch.isfinite(wave).all()


def test_what_does_not_fit_is_refused():
    with pytest.raises(DataError, match="64 mel bands"):
        mel_to_linear(torch.zeros(1, 3, 64), torch.from_numpy(FILTERS))
    with pytest.raises(DataError, match="not finite"):
        mel_to_linear(torch.full((1, 3, MELS), torch.nan), torch.from_numpy(FILTERS))
    with pytest.raises(DataError, match="513 bins"):
        griffin_lim(torch.zeros(1, 3, 500), n_fft=N_FFT, hop=HOP)
    with pytest.raises(DataError, match="hop"):
        griffin_lim(torch.zeros(1, 3, 513), n_fft=N_FFT, hop=1000)
