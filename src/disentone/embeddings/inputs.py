"""Inputs of ``Model.embed`` as named clips: paths, folders, arrays, tensors, lists of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import torch

from disentone import audio
from disentone.audio.formats import RATES
from disentone.errors import AudioError, DataError

__all__ = ["SoundLike", "UnreadClip", "list_sounds"]

Waveform = np.ndarray | torch.Tensor
Clip = str | Path | Waveform | tuple[Waveform, int]
SoundLike = Clip | Sequence[Clip]
"""What :meth:`Model.embed` takes; see :func:`list_sounds`."""

_MANY = 100  # more rows or columns than channels: an array of (_MANY, 2) is no batch of clips
_CHANNELS = 8
_KINDS = (
    "a path, a folder, an array with its sample_rate, (array, rate), or a list of paths or arrays"
)


@dataclass(frozen=True)
class UnreadClip:
    """A clip that is not read yet.

    Parameters
    ----------
    id : str
        Its path; of an array its number.
    source : str or ndarray
        Path, or waveform (samples,).
    rate : int, optional
        Of an array, in Hz.
    """

    id: str
    source: str | np.ndarray
    rate: int | None = None

    @property
    def name(self) -> str:
        """Name for people."""
        return self.id if isinstance(self.source, str) else f"waveform {self.id}"

    def read(self, rate: int) -> np.ndarray:
        """Decode or scale, and resample.

        Parameters
        ----------
        rate : int
            Hz.

        Returns
        -------
        ndarray of float32, shape (samples,)
            Mono; full scale is 1.

        Raises
        ------
        AudioError
            If a file cannot be read, or has samples that are not finite.
        DataError
            If an array has samples that are not finite.
        """
        if isinstance(self.source, str):
            wave = audio.read(self.source, sample_rate=rate)
            if not np.isfinite(wave).all():
                raise AudioError(
                    f"'{self.id}' has samples that are not finite numbers (NaN or Inf)."
                )
            return wave
        wave = _full_scale(self.source)
        if not np.isfinite(wave).all():
            raise DataError(f"'{self.name}' has samples that are not finite numbers (NaN or Inf).")
        return audio.resample(wave, self.rate or rate, rate)


def list_sounds(given: SoundLike, *, sample_rate: int | None = None) -> list[UnreadClip]:
    """List the clips that a user names or has in memory; no file is opened.

    Parameters
    ----------
    given : path, array, tensor, (array, rate), or sequence of these
        A folder stands for the audio files below it. An array is one waveform (samples,) or
        several (clips, samples); in a list, each is one.
    sample_rate : int, optional
        Of arrays without a rate of their own, in Hz.

    Returns
    -------
    list of UnreadClip

    Raises
    ------
    DataError
        If it is nothing of the kind, an array has no rate, no such shape or looks like channels,
        or a folder has no audio in it.
    """
    if isinstance(given, str | os.PathLike):
        return _of_path(os.fspath(given))
    if isinstance(given, tuple) and len(given) == 2 and any(isinstance(x, Real) for x in given):
        given, sample_rate = _pair(given)
    if isinstance(given, torch.Tensor):
        given = _array(given)
    if isinstance(given, np.ndarray) and given.dtype.kind not in "OU":
        return [_of_wave(wave, str(n), sample_rate) for n, wave in enumerate(_clips(given))]
    if isinstance(given, bytes | Mapping | Set) or not isinstance(given, Iterable):
        raise DataError(f"Nothing of type {type(given).__name__} is a sound: give {_KINDS}.")
    if hasattr(given, "columns"):  # a table: its items would be the names of its columns
        raise DataError("A table is no list of sounds: give the column that holds the paths.")
    return [_of_item(item, number, sample_rate) for number, item in enumerate(_items(given))]


def _of_path(path: str) -> list[UnreadClip]:
    from disentone.datasets.folder import find_audio  # and pyarrow, which arrays do not need
    from disentone.datasets.table_files import TABLE_SUFFIXES

    if os.path.isdir(path):
        files, refused = find_audio(path)
        found = [*files, *(item.path for item in refused)]  # these are named when they are read
        if not found:
            raise DataError(f"There is no audio in the folder '{path}'.")
        return [UnreadClip(name, name) for name in (os.path.join(path, one) for one in found)]
    if Path(path).suffix.lower() in TABLE_SUFFIXES:
        raise DataError(
            f"'{path}' is a table: embed the files that it names, or use disentone embed, which "
            "reads tables."
        )
    return [UnreadClip(path, path)]


def _items(given: Iterable[Any]) -> list[Any]:
    """Items of a list; a column of a table, (clips, 1), is one as well."""
    if isinstance(given, np.ndarray):
        if given.ndim == 2 and given.shape[1] == 1:
            given = given[:, 0]
        if given.ndim != 1:
            raise DataError(f"Paths must be a list, not an array of shape {given.shape}.")
    return list(given)


def _of_item(item: Any, number: int, sample_rate: int | None) -> UnreadClip:
    if isinstance(item, str | os.PathLike):
        return UnreadClip(os.fspath(item), os.fspath(item))
    if isinstance(item, tuple) and len(item) == 2:
        item, sample_rate = _pair(item)
    if not isinstance(item, np.ndarray | torch.Tensor):
        raise DataError(
            f"Number {number} of the list is of type {type(item).__name__}, which is no sound: "
            "give paths, arrays or (array, rate)."
        )
    waves = _clips(_array(item))
    if len(waves) != 1:
        raise DataError(
            f"Number {number} of the list has shape {tuple(item.shape)}, and must be one waveform "
            "(samples,)."
        )
    return _of_wave(waves[0], str(number), sample_rate)


def _of_wave(wave: np.ndarray, name: str, rate: int | None) -> UnreadClip:
    if rate is None:
        raise DataError("Give the array's sample rate: embed(array, sample_rate=44100).")
    low, high = RATES
    number = isinstance(rate, Real) and not isinstance(rate, bool)
    if not number or not low <= rate <= high or rate != int(rate):
        raise DataError(f"A sample rate is a whole number of Hz, {low} to {high}, not {rate!r}.")
    return UnreadClip(name, wave, int(rate))


def _pair(pair: tuple[Any, Any]) -> tuple[np.ndarray, Any]:
    wave, rate = pair
    if not isinstance(wave, np.ndarray | torch.Tensor) or not isinstance(rate, Real):
        raise DataError("A sound with its rate is (array, rate), the array first.")
    return _array(wave), rate


def _array(wave: np.ndarray | torch.Tensor) -> np.ndarray:
    if isinstance(wave, np.ndarray):
        return wave
    wave = wave.detach().cpu()
    return (wave.float() if wave.is_floating_point() else wave).numpy()  # NumPy has no bfloat16


def _clips(array: np.ndarray) -> np.ndarray:
    """Waveforms of an array, shape (clips, samples)."""
    if array.ndim not in (1, 2) or array.size == 0:
        raise DataError(
            f"Waveforms must be (samples,) or (clips, samples), not of shape {array.shape}."
        )
    _check_kind(array)
    if array.ndim == 2:
        _check_channels(array)
    return np.atleast_2d(array)


def _check_kind(array: np.ndarray) -> None:
    """Refuse numbers without a known full scale."""
    kind, size = array.dtype.kind, array.dtype.itemsize
    if not (kind == "f" or (kind == "i" and size <= 4) or array.dtype == np.uint8):
        raise DataError(
            f"A waveform of {array.dtype} has no full scale: give floats in [-1, 1], or whole "
            "numbers of 8, 16 or 32 bits."
        )


def _check_channels(array: np.ndarray) -> None:
    """Refuse what looks like the channels of one clip: it would be embedded as several clips."""
    rows, columns = array.shape
    whole = "array" if array.dtype.kind == "f" else "(array / full_scale)"
    if rows >= _MANY and columns <= _CHANNELS:
        raise DataError(
            f"An array of shape {array.shape} looks like one clip with {columns} channels, and not "
            f"{rows} clips: give the mean of its channels, {whole}.mean(axis=1)."
        )
    if rows == 2 and columns >= _MANY:
        raise DataError(
            f"An array of shape {array.shape} looks like one clip with 2 channels: give their "
            f"mean, {whole}.mean(axis=0); or list(array) if it is two clips."
        )


def _full_scale(wave: np.ndarray) -> np.ndarray:
    """Samples as float32, whole numbers divided by their full scale."""
    if wave.dtype.kind == "f":
        return wave.astype(np.float32)
    middle = 128 if wave.dtype == np.uint8 else 0
    return ((wave - np.float64(middle)) / 2 ** (8 * wave.dtype.itemsize - 1)).astype(np.float32)
