"""The embedder: clips of files become windows, windows become vectors, and their mean the clip's.

All that is embedded, indexed, queried or scored goes through it. It decodes ahead in threads, and
holds no more than some windows at a time, however long a clip is.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from disentone.audio.windows import Usable
from disentone.clips import ClipTable
from disentone.datasets.file_sounds import FileSounds
from disentone.datasets.segments import is_short, without_short
from disentone.datasets.segments import segment as cut_clips
from disentone.datasets.windowing import WindowSounds, model_windows
from disentone.embeddings.model_files import not_finite
from disentone.errors import AudioError, DataError

if TYPE_CHECKING:
    from disentone.embeddings.model import Model

__all__ = ["EmbedOptions", "Embedder", "Rows", "open_embedder"]

_FEATURE_BYTES = 2**26  # of features that are in memory at once, where they are not stored
_STORED_WINDOWS = 2**16  # in a call of the store, which reads its index each time
_BATCH = 256  # windows that go through the network at once
_ENTIRE = 1e9  # seconds: longer than any file


@dataclass(frozen=True)
class EmbedOptions:
    """How a collection is embedded.

    Parameters
    ----------
    segment : float, optional
        Seconds: an embedding of each segment that fits, and one of a shorter clip.
    hop : float, optional
        Seconds from one segment to the next; without overlap by default.
    cache : path, optional
        Feature store, which makes the next pass many times faster; none by default.
    jobs : int, optional
        Threads that decode; as many as there are cores by default.
    short : {"pad", "skip"}
        What is done with a clip that is shorter than the model's window (or than the segments,
        where these are): it is padded with silence, which is noted, or left out.
    device : str
        Where front-end and network run.

    Raises
    ------
    DataError
        If a length is out of range.
    """

    segment: float | None = None
    hop: float | None = None
    cache: str | Path | None = None
    jobs: int | None = None
    short: Literal["pad", "skip"] = "pad"
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name in ("segment", "hop"):
            seconds = getattr(self, name)
            if seconds is not None and not 0 < seconds < math.inf:
                raise DataError(f"A {name} must be longer than 0 seconds, not {seconds:g}.")
        if self.hop is not None and self.segment is None:
            raise DataError("A hop needs a segment: give the length of the segments.")

    @property
    def cut(self) -> dict[str, float | None]:
        """What decides which embeddings there are, as it is kept with them."""
        return {"segment": self.segment, "hop": self.hop}


DEFAULTS = EmbedOptions()


class Rows(NamedTuple):
    """Clips or segments of them, which get an embedding each.

    Parameters
    ----------
    clips : ndarray of int, shape (rows,)
        Which clip each is or is cut from.
    paths : ndarray of str, shape (rows,)
    start, duration : ndarray of float, shape (rows,)
        Seconds.
    seconds : ndarray of float, shape (rows,)
        The duration, or NaN for up to the end of a file: the key in a feature store.
    """

    clips: np.ndarray
    paths: np.ndarray
    start: np.ndarray
    duration: np.ndarray
    seconds: np.ndarray

    def take(self, rows: Any) -> Rows:
        """Give some of the rows, in that order."""
        rows = np.asarray(rows, dtype=np.int64)
        return Rows(*(column[rows] for column in self))

    def ids(self) -> list[tuple[str, float]]:
        """Path and start of each row."""
        return list(zip(self.paths.tolist(), self.start.tolist()))

    def name(self, row: int) -> str:
        """Name a row for people."""
        return f"{self.paths[row]}@{self.start[row]:.10g}" if self.start[row] else self.paths[row]


@contextmanager
def open_embedder(
    model: Model, options: EmbedOptions = DEFAULTS, *, stop: bool = False
) -> Iterator[Embedder]:
    """Give an embedder with its threads, which end with it.

    Parameters
    ----------
    model : Model
        On its device already.
    options : EmbedOptions
    stop : bool
        Raise AudioError at the first clip that cannot be used.
    """
    jobs = options.jobs or os.cpu_count() or 1
    with _one_torch_thread(), ThreadPoolExecutor(jobs) as pool:  # before those of the pool
        yield Embedder(model, options, jobs, pool, stop)


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@dataclass(frozen=True)
class Embedder:
    """How clips become embeddings; see :func:`open_embedder`."""

    model: Model
    options: EmbedOptions
    jobs: int
    pool: Executor
    stop: bool

    @property
    def whole(self) -> float:
        """Seconds of a clip that needs no padding."""
        return min(self.model.frontend.config.seconds, self.options.segment or _ENTIRE)

    @property
    def unit(self) -> str:
        """What is so long."""
        return "a segment" if self.whole == self.options.segment else "the model's window"

    def rows(
        self, paths: np.ndarray, start: np.ndarray, seconds: np.ndarray
    ) -> tuple[Rows, dict[int, str], np.ndarray]:
        """Inspect the files of clips, and cut them into segments where these are asked for.

        Parameters
        ----------
        paths : ndarray of str, shape (clips,)
        start, seconds : ndarray of float, shape (clips,)
            Part of each file; NaN seconds for up to its end.

        Returns
        -------
        rows : Rows
        broken : dict of int to str
            Clips that cannot be used, with the reason.
        short : ndarray of int
            Clips that are padded with silence.
        """
        cut = cut_clips(
            paths.tolist(),
            start,
            seconds,
            length=self.options.segment or _ENTIRE,
            hop=self.options.hop,
            jobs=self.jobs,
        )
        if self.options.short == "skip":
            cut = without_short(cut, self.whole, self.unit)
        if cut.broken and self.stop:
            raise AudioError(next(iter(cut.broken.values())))
        known = cut.seconds if self.options.segment else seconds[cut.rows]
        rows = Rows(cut.rows, paths[cut.rows], cut.start, cut.seconds, known)
        return rows, cut.broken, cut.rows[is_short(cut, self.whole)]

    def embed(
        self, rows: Rows, show: Callable[[float], None] = lambda share: None
    ) -> tuple[np.ndarray, dict[int, str]]:
        """Embed rows, each as the mean over its windows.

        Parameters
        ----------
        rows : Rows
        show : callable
            Called with the share that is done.

        Returns
        -------
        values : ndarray of float32, shape (rows, dim)
        refused : dict of int to str
            Rows that have no embedding, with the reason.
        """
        frontend = self.model.frontend
        windows = model_windows(
            rows.start,
            rows.duration,
            rows.seconds,
            samples=frontend.samples,
            rate=frontend.sample_rate,
        )
        sums = np.zeros((len(rows.start), self.model.facets.dim))
        usable = Usable(len(sums))
        count = len(windows.rows)
        size = max(16, _FEATURE_BYTES // (4 * frontend.frames * frontend.features))
        size = size if self.options.cache is None else _STORED_WINDOWS
        for first in range(0, count, size):
            piece = slice(first, first + size)
            owner = windows.rows[piece]
            files = FileSounds(
                rows.paths[owner],
                windows.start[piece],
                windows.seconds[piece],
                lufs=self.model.lufs,
            )
            progress = _share_shown(show, first, count)
            self._add(files, owner, sums, usable, progress)
        values = (sums / np.maximum(usable.sounding, 1)[:, None]).astype(np.float32)
        refused = usable.refused()
        for row in np.flatnonzero(~np.isfinite(values).all(axis=1)).tolist():
            refused.setdefault(row, not_finite(rows.name(row)))
        if self.stop and refused:
            raise AudioError(refused[min(refused)])
        return values, refused

    def _add(
        self,
        files: FileSounds,
        owner: np.ndarray,
        sums: np.ndarray,
        usable: Usable,
        show: Callable[[int, int], None],
    ) -> None:
        """Embed windows, and add them to the sums of those that own them."""
        from disentone.frontends.feature_store import compute_features

        frontend = self.model.frontend
        sounds = WindowSounds(
            files,
            samples=frontend.samples,
            rate=frontend.sample_rate,
            pool=self.pool,
            ahead=self.jobs,
        )
        ids = [f"{path} (window {number})" for number, path in enumerate(files.paths)]
        computed = compute_features(
            ClipTable(np.array(ids, object), {}, np.full(len(ids), "train"), sounds),
            frontend,
            cache=self.options.cache,
            jobs=self.jobs,
            progress=show,
            on_error="stop" if self.stop else "skip",
        )
        np.add.at(sums, owner[computed.rows], self._network(computed.array))
        usable.add(owner, computed.rows, computed.lost, computed.silent)

    def _network(self, features: np.ndarray) -> np.ndarray:
        """Embed features in batches, one thread each: torch's own wait for each other by spinning.

        That is much slower where another program has a core.
        """
        batches = [features[i : i + _BATCH] for i in range(0, len(features), _BATCH)]
        empty = np.empty((0, self.model.facets.dim), np.float32)
        return np.concatenate([empty, *self.pool.map(self.model.embed_features, batches)])


def _share_shown(
    show: Callable[[float], None], first: int, count: int
) -> Callable[[int, int], None]:
    """Report a share of all, from windows of which some were done before."""
    return lambda done, _: show((first + done) / count)
