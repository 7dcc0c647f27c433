"""Front-ends on a processor: ours in batches, librosa's, and the limit that mathematics sets.

librosa computes one clip after the other, all inputs from one spectrogram of the clip: the shorter
way, as each of its functions would make one of its own from the waveform. The lines of one input
alone include that spectrogram on both sides.

The limit is the time that the Fourier transforms and matrix products of the same sizes take alone,
clip by clip on arrays that lie ready: no framing, windows, powers or logarithms. Its products are
with whole filter banks; ours leave out most of a mel bank's zeros, and "in blocks" does as well.

It runs without and with caps (see `timing`), each in a process of its own. One thread is timed in
seconds of the processor, so that other work on the machine counts less.
"""

import argparse
import sys
import time

import librosa
import numpy as np
import torch

from disentone.frontends.config import Inputs, LogMelConfig, MusicalConfig
from disentone.frontends.logmel import LogMel
from disentone.frontends.musical import Musical
from timing import both_ways, publish, record, side_by_side

MEL, TEMPOGRAM, CENS = "mel", "tempogram", "cens"


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


def musical(*inputs, **options):
    """The musical front-end with some of its inputs."""
    chosen = Inputs(**{name: name in inputs for name in Inputs.model_fields})
    return Musical(MusicalConfig(inputs=chosen, **options))


def frontends():
    """What is measured, by its name."""
    yield "log-mel of the tones (1 s)", LogMel(LogMelConfig())
    for name in (MEL, TEMPOGRAM, CENS):
        yield f"{name} alone", musical(name)
    yield "mel + tempogram + CENS", musical(MEL, TEMPOGRAM, CENS)
    yield "the same, chroma of 4096 samples", musical(MEL, TEMPOGRAM, CENS, chroma_fft=4096)


def peer(wave, config):
    """Features of one clip by librosa, shape (frames, features)."""
    common = {"sr": config.sample_rate, "n_fft": config.n_fft, "hop_length": config.hop}
    if isinstance(config, LogMelConfig):
        mel = librosa.feature.melspectrogram(y=wave, n_mels=config.n_mels, power=2.0, **common)
        return librosa.power_to_db(mel, ref=1.0, amin=10 ** (config.floor_db / 10), top_db=None).T
    inputs, out = config.inputs.chosen(), []
    power = np.abs(librosa.stft(wave, n_fft=config.n_fft, hop_length=config.hop)) ** 2
    if MEL in inputs or TEMPOGRAM in inputs:
        mel = librosa.feature.melspectrogram(S=power, n_mels=config.n_mels, **common)
    if MEL in inputs:
        out.append(np.log10(1 + 10 * mel))
    if TEMPOGRAM in inputs:
        onsets = librosa.onset.onset_strength(S=librosa.power_to_db(mel), **common)
        out.append(librosa.feature.tempogram(onset_envelope=onsets, win_length=config.lags))
    if CENS in inputs:
        if config.chroma_fft:
            common["n_fft"] = config.chroma_fft
            power = np.abs(librosa.stft(wave, n_fft=config.chroma_fft, hop_length=config.hop)) ** 2
        chroma = librosa.feature.chroma_stft(S=power, norm=None, tuning=config.tuning, **common)
        options = {"bins_per_octave": 12, "n_octaves": 1, "win_len_smooth": config.smoothing}
        out.append(librosa.feature.chroma_cens(C=chroma, **options))
    return np.concatenate(out).T


def limit(frontend, clips, *, blocks):
    """Transforms and matrix products alone: a function that does those of some clips."""
    config, frames = frontend.config, frontend.frames
    inputs = [MEL] if isinstance(config, LogMelConfig) else config.inputs.chosen()
    bins = 1 + config.n_fft // 2
    transforms, products = [config.n_fft], []
    if MEL in inputs or TEMPOGRAM in inputs:
        spans = frontend.blocks if blocks else [(slice(0, config.n_mels), slice(0, bins))]
        products += [(reach.stop - reach.start, bands.stop - bands.start) for bands, reach in spans]
    if TEMPOGRAM in inputs:
        transforms.append(2 * config.lags)
    if CENS in inputs:
        chroma_fft = config.chroma_fft or config.n_fft
        transforms += [chroma_fft] if chroma_fft != config.n_fft else []
        products.append((1 + chroma_fft // 2, 12))
    rows = [torch.rand(clips, frames, length) for length in transforms]
    spectra = (
        torch.fft.rfft(torch.rand(clips, frames, 2 * config.lags)) if TEMPOGRAM in inputs else None
    )
    pairs = [(torch.rand(clips, frames, n), torch.rand(n, columns)) for n, columns in products]

    def work():
        for clip in range(clips):
            for frame in rows:
                torch.fft.rfft(frame[clip])
            if spectra is not None:
                torch.fft.irfft(spectra[clip], 2 * config.lags)
            for left, right in pairs:
                left[clip] @ right

    return work


def compare(name, frontend, options):
    """The lines of one front-end."""
    waves = make_clips(options.clips, frontend.config)
    batches = torch.from_numpy(waves).split(options.batch)

    def ours():
        return [frontend(batch) for batch in batches]

    def theirs():
        return [peer(wave, frontend.config) for wave in waves]

    error = np.abs(torch.cat(ours()).numpy() - np.stack(theirs())).max()
    clock = time.perf_counter if options.threads > 1 else time.process_time
    limits = [limit(frontend, options.clips, blocks=blocks) for blocks in (False, True)]
    works = (ours, theirs, *limits)
    spent, peers, whole, blocked = side_by_side(*works, repeats=options.repeats, clock=clock)
    print(
        f"{name}: {1e3 * spent / options.clips:.3f} ms a clip, {peers / spent:.1f}x librosa, "
        f"{spent / whole:.2f} of the limit ({spent / blocked:.2f} in blocks), "
        f"differs by {error:.1g} at most"
    )
    audio = options.clips * frontend.config.seconds
    return record(
        name, audio / spent, "x real time", "librosa", audio / peers,
        limit="transforms and products", limit_value=audio / whole,
    )  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--here", action="store_true", help="in this process, as it is")
    options = parser.parse_args()
    if not options.here:
        both_ways(__file__, *sys.argv[1:], "--here", threads=options.threads)
        return
    torch.set_num_threads(options.threads)
    with torch.inference_mode():
        lines = [compare(name, frontend, options) for name, frontend in frontends()]
    publish("musical", lines)


if __name__ == "__main__":
    main()
