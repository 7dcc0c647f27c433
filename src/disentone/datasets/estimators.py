"""Tempo and key of a waveform, each with a confidence; silence has neither.

- ``tempo`` by ``autocorrelation`` of the onset strength, under a preference for 120 beats per
  minute (MIT, ours).
- ``tempo`` by ``librosa``: ``librosa.feature.tempo`` (ISC, the extra ``mir``).
- ``key`` by ``profiles``: correlation of the pitch classes with key profiles (MIT, ours).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch

from disentone.agreement.rules import KEYS
from disentone.errors import DataError, closest
from disentone.frontends.chroma import chroma_filters
from disentone.frontends.logmel import mel_filters, power_spectrogram
from disentone.frontends.tempogram import onset_strength

__all__ = ["ESTIMATORS", "SAMPLE_RATE", "Estimated", "Estimator", "estimate"]

SAMPLE_RATE = 22050
"""Of the waveforms that are analysed, in Hz."""
_SILENCE = 10 ** (-80 / 20)  # full scale = 1
_BEATS = 3  # that must fit in for a tempo
_SLOWEST, _FASTEST, _STEPS = 40.0, 240.0, 400
_USUAL, _OCTAVES = 120.0, 1.0  # preferred tempo, and how far from it a tempo may well be
_LEAST_ONSET = 0.2  # dB: a steady tone has none above it
_FLAT = 0.15  # noise has pitch classes that deviate less from each other than this
# Shares of the pitch classes above the tonic in music in major and in minor.
_PROFILES = np.array(
    [
        [0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081],
        [0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052],
    ]
)


class Estimated(NamedTuple):
    """An estimate.

    Attributes
    ----------
    value : float, str or None
        Beats per minute, or one of
        :data:`disentone.agreement.rules.KEYS`; None where there is none.
    confidence : float
        In [0, 1]; 0 where there is no value. Comparable within one estimator only.
    """

    value: float | str | None
    confidence: float


Estimator = Callable[[np.ndarray], Estimated]
"""Takes a mono waveform (samples,) at :data:`SAMPLE_RATE`."""

NOTHING = Estimated(None, 0.0)


def estimate(wave: np.ndarray, *, sample_rate: int, what: str, by: str | None = None) -> Estimated:
    """Estimate the tempo or the key of a waveform.

    Parameters
    ----------
    wave : ndarray, shape (samples,)
        Mono; full scale is 1.
    sample_rate : int
        Hz.
    what : {"tempo", "key"}
    by : str, optional
        One of ``ESTIMATORS[what]``; the first by default.

    Returns
    -------
    Estimated
        Without a value for silence, for what is too short or too even, and never a default.

    Raises
    ------
    DataError
        If there is no such estimator, its library is not installed, or the waveform is not finite.
    """
    from disentone.audio import resample

    known = ESTIMATORS.get(what)
    if known is None:
        raise DataError(f"There is no estimator of '{what}'{closest(what, ESTIMATORS)}")
    by = by or next(iter(known))
    if by not in known:
        raise DataError(f"There is no estimator of {what} by '{by}'{closest(by, known)}")
    wave = np.asarray(wave, dtype=np.float32)
    if wave.ndim != 1 or not np.isfinite(wave).all():
        raise DataError("A waveform to estimate from must be (samples,), mono and finite.")
    if not wave.size or np.abs(wave - wave.mean()).max() < _SILENCE:
        return NOTHING
    return known[by](resample(wave, sample_rate, SAMPLE_RATE))


def tempo_by_autocorrelation(wave: np.ndarray) -> Estimated:
    """Tempo at which the onset strength repeats itself, from 40 to 240 beats per minute.

    Of tempi that are octaves apart, the one nearer to 120 is preferred, by a bell an octave wide
    (D. P. W. Ellis, "Beat tracking by dynamic programming", 2007, Eq. 6). The confidence is the
    correlation at the beat.
    """
    onsets, rate = _onsets(wave)
    if len(onsets) < _BEATS * rate * 60 / _FASTEST or onsets.max(initial=0) < _LEAST_ONSET:
        return NOTHING
    onsets = onsets - onsets.mean()
    count = len(onsets)
    power = np.abs(np.fft.rfft(onsets, 2 * count)) ** 2  # long enough that nothing wraps around
    correlation = np.fft.irfft(power)[:count]
    pairs = count - np.arange(count)
    correlation = correlation / correlation[0] * (count / pairs)  # fewer pairs at longer lags
    tempi = np.geomspace(_SLOWEST, _FASTEST, _STEPS)
    tempi = tempi[60 / tempi * rate * _BEATS <= count]
    strength = np.interp(60 / tempi * rate, np.arange(count), correlation)
    liked = np.exp(-0.5 * (np.log2(tempi / _USUAL) / _OCTAVES) ** 2)
    best = int((strength * liked).argmax())
    if strength[best] <= 0:
        return NOTHING
    return Estimated(float(tempi[best]), float(min(1.0, strength[best])))


def tempo_by_librosa(wave: np.ndarray) -> Estimated:
    """Tempo by librosa (ISC licence), from our onset strength, which equals librosa's.

    The confidence is the mean over time of the tempogram at the tempo.
    """
    try:
        import librosa
    except ImportError as error:
        raise DataError("This estimator needs librosa: pip install 'disentone[mir]'.") from error
    onsets, rate = _onsets(wave)
    if len(onsets) < _BEATS * rate * 60 / _FASTEST or onsets.max(initial=0) < _LEAST_ONSET:
        return NOTHING
    options = {"onset_envelope": onsets, "sr": SAMPLE_RATE, "hop_length": round(SAMPLE_RATE / rate)}
    tempo = float(np.atleast_1d(librosa.feature.tempo(**options))[0])
    strength = librosa.feature.tempogram(**options).mean(axis=1)
    return Estimated(tempo, float(np.clip(strength[round(60 / tempo * rate)], 0, 1)))


def key_by_profiles(wave: np.ndarray) -> Estimated:
    """Key whose profile correlates best with the shares of the pitch classes.

    The method is that of C. L. Krumhansl, "Cognitive Foundations of Musical Pitch" (1990); the
    profiles are those of J. Albrecht and D. Shanahan, "The use of large corpora to train a new
    type of key-finding algorithm" (2013). Every frame counts equally, however loud. The confidence
    is how much better it correlates than the best key of another tonic.
    """
    n_fft, hop = 8192, 2048
    power = power_spectrogram(torch.from_numpy(wave)[None], torch.hann_window(n_fft), hop)[0]
    chroma = power @ torch.from_numpy(chroma_filters(sample_rate=SAMPLE_RATE, n_fft=n_fft)).T
    energy = chroma.sum(dim=1, keepdim=True)
    sounding = energy[:, 0] > energy.max() * 1e-6
    shares = (chroma / energy.clamp_min(1e-20))[sounding].mean(dim=0).numpy().astype(float)
    if 12 * shares.std() < _FLAT:
        return NOTHING
    profiles = np.stack([np.roll(mode, tonic) for tonic in range(12) for mode in _PROFILES])
    fit = np.array([np.corrcoef(profile, shares)[0, 1] for profile in profiles])  # as KEYS
    best = int(fit.argmax())
    other = fit[np.arange(len(KEYS)) // 2 != best // 2].max()
    return Estimated(KEYS[best], float(np.clip(fit[best] - other, 0, 1)))


ESTIMATORS: Mapping[str, Mapping[str, Estimator]] = {
    "tempo": {"autocorrelation": tempo_by_autocorrelation, "librosa": tempo_by_librosa},
    "key": {"profiles": key_by_profiles},
}
"""Ways to estimate a factor, the usual one first."""


def _onsets(wave: np.ndarray) -> tuple[np.ndarray, float]:
    """Onset strength in dB, and its frames a second."""
    n_fft, hop = 2048, 512
    power = power_spectrogram(torch.from_numpy(wave)[None], torch.hann_window(n_fft), hop)
    mel = mel_filters(sample_rate=SAMPLE_RATE, n_fft=n_fft, n_mels=128)
    onsets = onset_strength(power @ torch.from_numpy(mel).T, delay=n_fft // (2 * hop))[0]
    return onsets.numpy().astype(float), SAMPLE_RATE / hop
