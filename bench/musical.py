"""Mel, tempogram and CENS of 3 s clips on one core: ours in batches, against librosa's.

librosa computes one clip after the other, all inputs from one spectrogram of the clip: the shorter
way, as each of its functions would make one of its own from the waveform. The lines of one input
alone include that spectrogram on both sides.
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse

import librosa
import numpy as np
import torch

from disentone.frontends.config import Inputs, MusicalConfig
from disentone.frontends.musical import Musical
from timing import publish, record, seconds

INPUTS = ("mel", "tempogram", "cens")


def make_clips(clips, config):
    """Notes of a few partials, four a second, over a little noise."""
    rng = np.random.default_rng(0)
    samples = round(config.seconds * config.sample_rate)
    time = np.arange(samples) / config.sample_rate
    waves = 0.003 * rng.standard_normal((clips, samples))
    for wave in waves:
        for begin in range(0, samples, config.sample_rate // 4):
            rest = time[: samples - begin]
            hz = 440 * 2 ** (rng.integers(-24, 24) / 12) * np.arange(1, 7)[:, None]
            tone = (np.sin(2 * np.pi * hz * rest) / np.arange(1, 7)[:, None]).sum(axis=0)
            wave[begin:] += 0.2 * tone * np.exp(-6 * rest)
    return waves.astype(np.float32)


def peer(wave, config, inputs):
    """Features of one clip by librosa, shape (frames, features)."""
    spectrum = librosa.stft(wave, n_fft=config.n_fft, hop_length=config.hop)
    power = np.abs(spectrum) ** 2
    common = {"sr": config.sample_rate, "n_fft": config.n_fft, "hop_length": config.hop}
    out = []
    if "mel" in inputs or "tempogram" in inputs:
        mel = librosa.feature.melspectrogram(S=power, n_mels=config.n_mels, **common)
    if "mel" in inputs:
        out.append(np.log10(1 + 10 * mel))
    if "tempogram" in inputs:
        onsets = librosa.onset.onset_strength(S=librosa.power_to_db(mel), **common)
        out.append(librosa.feature.tempogram(onset_envelope=onsets, win_length=config.lags))
    if "cens" in inputs:
        if config.chroma_fft:
            common["n_fft"] = config.chroma_fft
            power = np.abs(librosa.stft(wave, n_fft=config.chroma_fft, hop_length=config.hop)) ** 2
        chroma = librosa.feature.chroma_stft(S=power, norm=None, tuning=config.tuning, **common)
        options = {"bins_per_octave": 12, "n_octaves": 1, "win_len_smooth": config.smoothing}
        out.append(librosa.feature.chroma_cens(C=chroma, **options))
    return np.concatenate(out).T


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=64, help="of 3 s each")
    parser.add_argument("--batch", type=int, default=16)
    options = parser.parse_args()
    torch.set_num_threads(1)
    waves = make_clips(options.clips, MusicalConfig())
    lines = []
    rows = {
        " + ".join(INPUTS): (INPUTS, None),
        "the same, chroma of 4096 samples": (INPUTS, 4096),
        **{f"{name} alone": ((name,), None) for name in INPUTS},
    }
    for name, (inputs, chroma_fft) in rows.items():
        chosen = Inputs(**{name: name in inputs for name in INPUTS})
        frontend = Musical(MusicalConfig(inputs=chosen, chroma_fft=chroma_fft))

        @torch.inference_mode()
        def ours(frontend=frontend):
            batches = torch.from_numpy(waves).split(options.batch)
            return [frontend(batch) for batch in batches]

        def theirs(config=frontend.config, inputs=inputs):
            return [peer(wave, config, inputs) for wave in waves]

        error = np.abs(torch.cat(ours()).numpy() - np.stack(theirs()))
        print(f"{name}: largest difference {error.max():.1g}")
        audio = options.clips * frontend.config.seconds
        speed, peer_speed = audio / seconds(ours), audio / seconds(theirs)
        lines.append(record(name, speed, "x real time", "librosa", peer_speed))
    publish("musical", lines)


if __name__ == "__main__":
    main()
