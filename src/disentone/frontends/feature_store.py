"""Features of clips, computed once and kept on disk.

A store is one folder for each setting of a front-end, weights included. ``features.f32`` (or
``features.f16``) holds the features of one clip after another, ``index.jsonl`` has the place of
every clip: a line for each, with the key of its audio (see :class:`~disentone.clips.Sounds`). Both
only grow. A line is written after its features are on the disk, under a lock, so a process that is
killed loses no more than the clips in flight, and several processes may build one store.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from filelock import FileLock

from disentone import audio
from disentone.audio import Skipped
from disentone.clips import ClipTable, Sounds
from disentone.errors import AudioError, DataError, SilenceError
from disentone.files import write_json
from disentone.frontends.protocol import FrontEnd

__all__ = ["Features", "compute_features"]

_BATCH_SAMPLES = 2**20  # waveforms that go through a front-end at once, by default


@dataclass(frozen=True)
class Features:
    """Features of the usable clips of a table.

    Parameters
    ----------
    array : ndarray of float32 (or float16), shape (usable clips, frames, features)
        In table order; from a store, a read-only memory map.
    rows : ndarray of int, shape (usable clips,)
        Which clips of the table they are.
    lost : dict of int to Skipped
        The other clips, each with the reason.
    silent : set of int
        Those of them that can be read and hold no sound.
    short : list of int
        Clips computed now that are shorter than one frame of the front-end, and are mostly padding.
    """

    array: np.ndarray
    rows: np.ndarray
    lost: dict[int, Skipped]
    silent: set[int]
    short: list[int]

    @property
    def skipped(self) -> list[Skipped]:
        """The clips that are not usable, in the order in which that was found."""
        return list(self.lost.values())


def compute_features(
    table: ClipTable,
    frontend: FrontEnd,
    *,
    cache: str | Path | None = None,
    jobs: int = 2,
    progress: Callable[[int, int], None] | None = None,
    on_error: Literal["skip", "stop"] = "skip",
) -> Features:
    """Compute the features of all clips, or look them up where they were computed before.

    A clip longer than the front-end's window is cut to its beginning; a shorter one is
    zero-padded at its end. A clip that cannot be read, is silent or is not finite is skipped.

    Parameters
    ----------
    table : ClipTable
    frontend : torch module
        See :class:`FrontEnd`.
    cache : path, optional
        Folder of the stores; in memory only by default.
    jobs : int
        Threads that decode.
    progress : callable, optional
        Called with the clips that are done and all clips.
    on_error : {"skip", "stop"}
        What a clip that cannot be read does; one without sound is skipped.

    Returns
    -------
    Features

    Raises
    ------
    AudioError
        If a clip cannot be read and `on_error` is ``"stop"``.
    DataError
        If the store cannot be written, as on a full disk, or is damaged. What was stored before
        stays.
    """
    store = _Memory(len(table), frontend) if cache is None else _Store(Path(cache), frontend)
    places = np.array([store.find(table.sounds, clip) for clip in range(len(table))], dtype=int)
    todo = np.flatnonzero(places < 0)
    done = len(table) - len(todo)
    lost: dict[int, Skipped] = {}
    silent, short = set[int](), list[int]()
    for batch in _load(table, frontend, todo, store, jobs):
        with _cores_left_for(jobs):
            _add_features(batch, frontend)
        for clip in batch:
            if clip.error is None:
                continue
            if isinstance(clip.error, SilenceError):
                silent.add(clip.index)
            elif on_error == "stop":
                raise clip.error
            lost[clip.index] = Skipped(str(table.ids[clip.index]), str(clip.error))
        good = [clip for clip in batch if clip.error is None]
        places[[clip.index for clip in good]] = store.add(good)
        short += [clip.index for clip in good if clip.short]
        done += len(batch)
        if progress:
            progress(done, len(table))
    rows = np.flatnonzero(places >= 0)
    return Features(store.array(places[rows]), rows, lost, silent, short)


@dataclass
class _Clip:
    """A clip on its way through the pipeline; no waveform where the store knows its key."""

    index: int
    stamp: str = ""
    key: str = ""
    wave: np.ndarray | None = None
    features: np.ndarray | None = None
    short: bool = False
    error: AudioError | None = None


def _load(
    table: ClipTable, frontend: FrontEnd, todo: np.ndarray, store: _Memory | _Store, jobs: int
) -> Iterator[list[_Clip]]:
    """Decode clips in threads, a batch ahead of the front-end."""
    sounds, samples = table.sounds, frontend.samples
    crop = getattr(sounds, "cropped", None)  # long files need not be decoded to their end
    cropped = crop(samples / frontend.sample_rate) if crop else sounds

    def load(index: int) -> _Clip:
        clip = _Clip(index)
        try:
            clip.stamp, clip.key = store.names(sounds, index)
            if not store.knows(clip.key):
                wave = cropped.read(index, frontend.sample_rate)[:samples]
                audio.check(wave, table.ids[index])
                clip.short = len(wave) < getattr(frontend, "hop", 0)
                clip.wave = np.pad(wave, (0, samples - len(wave)))
                if store.names(sounds, index)[0] != clip.stamp:
                    raise AudioError(f"'{table.ids[index]}' changed while it was read.")
        except AudioError as error:
            clip.error = error
        return clip

    size = max(1, getattr(frontend, "batch_samples", _BATCH_SAMPLES) // samples)
    batches = deque(np.array_split(todo, range(size, len(todo), size)))  # one, where all is done
    pool = ThreadPoolExecutor(max(1, jobs))
    waiting: deque[list[Any]] = deque()
    try:
        while batches or waiting:
            while batches and len(waiting) < 2:
                waiting.append([pool.submit(load, int(i)) for i in batches.popleft()])
            yield [future.result() for future in waiting.popleft()]
    finally:
        pool.shutdown(cancel_futures=True)


def _add_features(batch: Sequence[_Clip], frontend: FrontEnd) -> None:
    """Compute the features of a batch; a clip whose features are not finite gets an error."""
    clips = [clip for clip in batch if clip.error is None and clip.wave is not None]
    if not clips:
        return
    waves = torch.from_numpy(np.stack([clip.wave for clip in clips if clip.wave is not None]))
    tensors: list[torch.Tensor] = []
    if isinstance(frontend, torch.nn.Module):
        tensors = [*islice(frontend.parameters(), 1), *islice(frontend.buffers(), 1)]
    device = tensors[0].device if tensors else torch.device("cpu")
    with torch.inference_mode(), np.errstate(over="ignore"):  # what overflows is refused below
        block = frontend(waves.to(device)).float().cpu().numpy().astype(_dtype(frontend))
    for clip, features in zip(clips, block):
        clip.wave, clip.features = None, features
        if not np.isfinite(features).all():
            clip.error = AudioError(f"Its features are not finite numbers of {features.dtype}.")


def _dtype(frontend: FrontEnd) -> np.dtype:
    return np.dtype(getattr(frontend, "dtype", "float32"))


@contextmanager
def _cores_left_for(jobs: int) -> Iterator[None]:
    """Keep torch's threads off the decoders' cores: they wait by spinning, which slows both."""
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads - jobs))
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class _Memory:
    """Features that are not kept."""

    def __init__(self, clips: int, frontend: FrontEnd) -> None:
        self._array = np.empty((clips, frontend.frames, frontend.features), _dtype(frontend))
        self._count = 0

    def find(self, sounds: Sounds, index: int) -> int:
        return -1

    def names(self, sounds: Sounds, index: int) -> tuple[str, str]:
        return "", ""

    def knows(self, key: str) -> bool:
        return False

    def add(self, clips: Sequence[_Clip]) -> list[int]:
        first, self._count = self._count, self._count + len(clips)
        for row, clip in enumerate(clips, first):
            self._array[row] = clip.features
        return list(range(first, self._count))

    def array(self, places: np.ndarray) -> np.ndarray:
        return self._array[: len(places)]


class _Store:
    """Features on disk, of one front-end in one setting."""

    def __init__(self, cache: Path, frontend: FrontEnd) -> None:
        self._shape = (frontend.frames, frontend.features)
        self._dtype = _dtype(frontend)
        self._bytes = self._dtype.itemsize * frontend.frames * frontend.features
        config = frontend.config.model_dump(mode="json")
        if config.get("digest"):  # weights are the same wherever they lie
            config.pop("model")
        about = {
            "store": 1,
            "frontend": type(frontend).__name__,
            "config": config,
            "sample_rate": frontend.sample_rate,
            "samples": frontend.samples,
            "frames": frontend.frames,
            "features": frontend.features,
        }
        digest = hashlib.blake2b(json.dumps(about, sort_keys=True).encode(), digest_size=8)
        self._folder = cache / f"{type(frontend).__name__.lower()}-{digest.hexdigest()}"
        self._data = self._folder / f"features.f{8 * self._dtype.itemsize}"
        self._index = self._folder / "index.jsonl"
        if not self._index.exists():
            write_json(self._folder / "about.json", about)
        self._rows: dict[str, int] = {}  # of keys
        self._stamped: dict[str, int] = {}  # rows of stamps
        self._count = self._read = 0  # rows in use; bytes of the index that were read
        self._refresh()

    def names(self, sounds: Sounds, index: int) -> tuple[str, str]:
        """Stamp and key of a clip's audio; the stamp is the key where there is nothing cheaper."""
        key = sounds.key(index)
        return getattr(sounds, "stamp", sounds.key)(index), key

    def find(self, sounds: Sounds, index: int) -> int:
        """Row of a clip whose file has not changed since it was stored, else -1."""
        try:
            return self._stamped.get(getattr(sounds, "stamp", sounds.key)(index), -1)
        except AudioError:
            return -1  # loading it will give the reason

    def knows(self, key: str) -> bool:
        return key in self._rows

    def add(self, clips: Sequence[_Clip]) -> list[int]:
        """Store features that are not there yet, and give the row of every clip."""
        if clips:
            try:
                with FileLock(self._folder / "lock"):  # freed by the system if we are killed
                    self._append(clips)
            except OSError as error:
                raise DataError(
                    f"Features could not be stored in '{self._folder}' ({error.strerror}): "
                    "free space or choose another folder; what was stored before is kept."
                ) from error
        return [self._rows[clip.key] for clip in clips]

    def array(self, places: np.ndarray) -> np.ndarray:
        """Map the rows asked for; where they are out of order, through a sorted copy."""
        if not len(places):
            return np.empty((0, *self._shape), self._dtype)
        shape, first = (len(places), *self._shape), int(places[0])
        if (places == np.arange(first, first + len(places))).all():
            return np.memmap(self._data, self._dtype, "r", first * self._bytes, shape)
        every = np.memmap(self._data, self._dtype, "r", shape=(self._count, *self._shape))
        try:
            with tempfile.TemporaryFile(dir=self._folder) as copy:  # has no name: is never left
                for rows in np.array_split(places, range(256, len(places), 256)):
                    copy.write(every[rows].data)
                copy.flush()
                return np.memmap(copy, self._dtype, "r", shape=shape)
        except OSError as error:
            raise DataError(
                f"Features could not be sorted in '{self._folder}' ({error.strerror}): free space."
            ) from error

    def _refresh(self) -> None:
        """Read what was added to the index since the last time, by any process."""
        if not self._index.exists():
            return
        with self._index.open("rb") as file:
            file.seek(self._read)
            lines = file.read()
        whole = lines[: lines.rfind(b"\n") + 1]  # a killed process may leave half a line
        try:
            for entry in map(json.loads, whole.splitlines()):
                self._rows[entry["key"]] = self._stamped[entry["stamp"]] = entry["row"]
                self._count = max(self._count, entry["row"] + 1)
            whole_rows = self._data.stat().st_size // self._bytes
        except (OSError, ValueError, KeyError, TypeError):
            whole_rows = -1
        if self._count > whole_rows:
            raise DataError(f"The feature store '{self._folder}' is damaged: delete the folder.")
        self._read += len(whole)

    def _append(self, clips: Sequence[_Clip]) -> None:
        self._refresh()
        blocks, lines, rows = [], [], {}
        for clip in clips:
            if clip.key not in self._rows and clip.key not in rows:
                rows[clip.key] = self._count + len(blocks)
                blocks.append(clip.features)
            row = self._rows.get(clip.key, rows.get(clip.key))
            lines.append(json.dumps({"key": clip.key, "stamp": clip.stamp, "row": row}) + "\n")
        if blocks:
            _write(self._data, self._count * self._bytes, np.stack(blocks).tobytes())
        _write(self._index, self._read, "".join(lines).encode())
        self._refresh()


def _write(path: Path, offset: int, content: bytes) -> None:
    """Put content at the end of what counts, on the disk or not at all."""
    binary = getattr(os, "O_BINARY", 0)  # without it Windows writes "\r\n" for "\n"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | binary, 0o666)
    try:
        os.ftruncate(handle, offset)  # takes off what a killed process left half-written
        os.lseek(handle, offset, os.SEEK_SET)
        with memoryview(content) as rest:
            while rest:
                rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, offset)
        raise
    finally:
        os.close(handle)
