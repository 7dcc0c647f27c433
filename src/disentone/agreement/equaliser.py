"""An equaliser with a gain an octave, for sounds of any sample rate.

Parametric equalisers with bands at fixed frequencies, as audiomentations has, are unstable where
a band lies above half the sample rate.
"""

from __future__ import annotations

import numpy as np

__all__ = ["Equaliser", "equalised", "octaves"]

LOWEST = 62.5  # Hz, centre of the lowest octave
_TAIL = 0.05  # seconds of silence that keep the end of a sound from ringing into its beginning


class Equaliser:
    """Equalise with gains that are drawn anew for each sound, as transforms of audiomentations do.

    Parameters
    ----------
    p : float
        Share of the sounds that are transformed.
    min_gain_db, max_gain_db : float
        Range from which the gain of each octave is drawn.

    Raises
    ------
    ValueError
        If a gain is beyond plus or minus 60 dB.
    """

    def __init__(self, *, p: float, min_gain_db: float, max_gain_db: float) -> None:
        if max(abs(min_gain_db), abs(max_gain_db)) > 60:
            raise ValueError("gains lie within -60 to 60 dB")
        self.p, self.low, self.high = p, min_gain_db, max_gain_db

    def __call__(self, wave: np.ndarray, sample_rate: int) -> np.ndarray:
        """Draw gains from numpy's global state, as the library does, and apply them."""
        if np.random.uniform() >= self.p:  # noqa: NPY002  the library draws from it
            return wave
        gains = np.random.uniform(self.low, self.high, len(octaves(sample_rate)))  # noqa: NPY002  as above
        return equalised(wave, sample_rate, gains)


def octaves(sample_rate: int) -> np.ndarray:
    """Centres of the octaves below half the sample rate, in Hz; at least one."""
    count = max(1, int(np.ceil(np.log2(max(sample_rate / 2, 1) / LOWEST))))
    return LOWEST * 2.0 ** np.arange(count)


def equalised(wave: np.ndarray, sample_rate: int, gains: np.ndarray) -> np.ndarray:
    """Filter a sound with zero phase by gains that are interpolated over the octaves.

    Parameters
    ----------
    wave : ndarray, shape (samples,)
    sample_rate : int
        Hz.
    gains : ndarray, shape (octaves,)
        In dB, at the centres :func:`octaves`; beyond the first and the last they stay.

    Returns
    -------
    ndarray of float32, shape (samples,)
    """
    size = len(wave) + round(_TAIL * sample_rate)
    frequencies = np.fft.rfftfreq(size, 1 / sample_rate)
    place = np.log2(np.maximum(frequencies, LOWEST) / LOWEST)  # 0, 1 ... at the centres
    factor = 10 ** (np.interp(place, np.arange(len(gains)), gains) / 20)
    return np.fft.irfft(np.fft.rfft(wave, size) * factor, size)[: len(wave)].astype(np.float32)
