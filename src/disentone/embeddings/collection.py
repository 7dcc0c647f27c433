"""Embed a collection: any number of files, folders and tables into one embedding file.

Work goes in parts to the folder ``OUT.partial`` beside the result, each written whole, and is put
together at the end. A process that is killed loses the part in flight and nothing else.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa

from disentone import __version__
from disentone.audio import Skipped
from disentone.clips import ClipTable
from disentone.datasets.clip_lists import Clips, is_numeric, list_clips
from disentone.datasets.file_sounds import FileSounds
from disentone.datasets.segments import is_short, short_note, without_short
from disentone.datasets.segments import segment as cut_clips
from disentone.datasets.windowing import WindowSounds, model_windows
from disentone.embeddings import model_id, read_about
from disentone.embeddings.layout import check_suffix, schema_of, table_of
from disentone.embeddings.model_files import check_model
from disentone.embeddings.parts import Sink, assemble, check_same, claimed
from disentone.embeddings.watcher import Watcher
from disentone.errors import ArtifactError, AudioError, DataError, RecipeError

if TYPE_CHECKING:
    from disentone.embeddings.model import Model

__all__ = ["check_lengths", "embed_collection", "embed_into", "load_model"]

_PART = 2048  # clips in a part; more where a feature store keeps what a killed process did
_STORED_PART = 16384
_FEATURE_BYTES = 2**26  # of features that are in memory at once, where they are not stored
_STORED_WINDOWS = 2**16  # in a call of the store, which reads its index each time
_BATCH = 256  # windows that go through the network at once
_ENTIRE = 1e9  # seconds: longer than any file


def embed_collection(
    model: str | Path,
    paths: Sequence[str | Path],
    out: str | Path,
    *,
    segment: float | None = None,
    hop: float | None = None,
    cache: str | Path | None = None,
    jobs: int | None = None,
    short: Literal["pad", "skip"] = "pad",
    device: str = "cpu",
    resume: bool = False,
    on_error: Literal["skip", "stop"] = "skip",
    watcher: Watcher | None = None,
) -> Path:
    """Embed files, folders and tables into one file with a row for each clip or segment.

    A clip is a file, or the part of a file that a table's row names. Its row is what
    :meth:`disentone.Model.embed` gives, the mean over the model's windows however long the clip
    is: one row for one thing that has a name, comparable with a query embedded alone. Windows
    without sound are left out of the mean. To find places in long recordings, ask for segments;
    one as long as the model's window is heard exactly as the model was trained.

    Parameters
    ----------
    model : path
        Run folder, or any folder with a model.
    paths : sequence of paths
        Audio files, folders, and tables with a path column, mixed; what is named twice counts
        once. What tables and sub-folders tell is put into the result.
    out : path
        ``.parquet``, ``.npz``, or ``.npy`` (with a ``.csv`` and a ``.json`` beside it). Clips
        that are left out are listed in ``OUT-skipped.csv``.
    segment : float, optional
        Seconds: a row for each segment that fits, and one for a shorter clip.
    hop : float, optional
        Seconds from one segment to the next; without overlap by default.
    cache : path, optional
        Feature store, which makes the next pass many times faster; none by default.
    jobs : int, optional
        Threads that decode; as many as there are cores by default.
    short : {"pad", "skip"}
        What is done with a clip that is shorter than the model's window (or than the segments,
        where these are): silence fills it up, which is told, or it is left out.
    device : str
        Where front-end and network run.
    resume : bool
        Go on with what a stopped command left. Clips that were skipped are tried again.
    on_error : {"skip", "stop"}
        What a clip that cannot be used does.
    watcher : Watcher, optional

    Returns
    -------
    Path
        ``out``.

    Raises
    ------
    ArtifactError
        If there is no model, `out` exists, it was begun with another model or other segments, or
        it cannot be written.
    AudioError
        If a clip is not usable and `on_error` is ``"stop"``; what was done can be resumed.
    DataError
        If a path does not exist, nothing is usable, or a length is out of range.
    RecipeError
        If this machine has no such device.
    """
    out, watcher = check_suffix(out), watcher or Watcher()
    check_lengths(segment, hop)
    check_model(model)
    settings = {"model": model_id(model), "segment": segment, "hop": hop}
    if out.exists():
        _check_finished(out, settings, resume=resume)
        watcher.note(f"{out} is finished already; for clips added since then, choose another -o.")
        return out
    clips, skipped, notes = list_clips(paths)
    for note in notes:
        watcher.note(note)
    if skipped and on_error == "stop":
        raise AudioError(f"{skipped[0].path}: {skipped[0].reason}")
    loaded = load_model(model, device)
    numeric = {name: is_numeric(values) for name, values in clips.factors.items()}
    about = {**settings, "disentone": __version__, "recipe": loaded.about.get("recipe")}
    schema = schema_of(loaded.facets, numeric, about)
    partial = out.with_name(f"{out.name}.partial")
    with claimed(partial, settings, resume=resume) as parts:
        gone = embed_into(
            parts,
            loaded,
            clips,
            schema,
            skipped,
            segment=segment,
            hop=hop,
            cache=cache,
            jobs=jobs,
            short=short,
            stop=on_error == "stop",
            watcher=watcher,
        )
        assemble(out, parts, schema, gone, skipped)
    return out


def embed_into(
    sink: Sink,
    model: Model,
    clips: Clips,
    schema: pa.Schema,
    skipped: list[Skipped],
    *,
    segment: float | None = None,
    hop: float | None = None,
    cache: str | Path | None = None,
    jobs: int | None = None,
    short: Literal["pad", "skip"] = "pad",
    stop: bool = False,
    watcher: Watcher | None = None,
) -> set[tuple[str, float]]:
    """Embed the clips that a sink does not have, and add them to it part by part.

    Parameters
    ----------
    sink : Sink
    model : Model
    clips : Clips
    schema : pyarrow.Schema
        Of the parts: see :func:`disentone.embeddings.layout.schema_of`.
    skipped : list of Skipped
        Is added to.
    segment, hop, cache, jobs, short, watcher
        See :func:`embed_collection`.
    stop : bool
        Raise at the first clip that cannot be used.

    Returns
    -------
    set of (str, float)
        Path and start of what is in the sink and not among the clips.
    """
    jobs = jobs or os.cpu_count() or 1
    watcher = watcher or Watcher()
    show = watcher.stage("Embedding")
    with _one_torch_thread(), ThreadPoolExecutor(jobs) as pool:  # before those of the pool
        work = _Work(model, segment, hop, cache, jobs, pool, short=short, stop=stop)
        gone, padded = _embed_parts(clips, work, sink, schema, skipped, show)
    if padded:
        watcher.note(short_note(padded, work.whole, option="--short skip"))
    return gone


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _embed_parts(
    clips: Clips,
    work: _Work,
    sink: Sink,
    schema: pa.Schema,
    skipped: list[Skipped],
    show: Callable[[int, int], None],
) -> tuple[set[tuple[str, float]], list[str]]:
    """Make the parts that are not there yet, and add to what was skipped.

    Gives what is gone, and the clips that silence fills up.
    """
    done = sink.ids()
    gone = set(done)  # rows of clips that are no longer named
    padded: list[str] = []
    size = _PART if work.cache is None else _STORED_PART
    for first in range(0, len(clips), size):
        some = clips.take(np.arange(first, min(first + size, len(clips))))
        rows, broken, short = work.rows(some)
        padded += short
        gone.difference_update(rows.ids())
        rows = rows.take([row for row, name in enumerate(rows.ids()) if name not in done])
        values, reasons = work.embed(rows, _clips_shown(show, first, len(some), len(clips)))
        skipped += broken + [Skipped(rows.name(row), reasons[row]) for row in sorted(reasons)]
        good = [row for row in range(len(values)) if row not in reasons]
        if good:
            sink.add(rows.take(good).table(schema, values[good], some.factors))
        show(first + len(some), len(clips))
    return gone, padded


def check_lengths(segment: float | None, hop: float | None) -> None:
    """Refuse segments that cannot be cut."""
    for name, seconds in (("segment", segment), ("hop", hop)):
        if seconds is not None and not 0 < seconds < math.inf:
            raise DataError(f"A {name} must be longer than 0 seconds, not {seconds:g}.")
    if hop is not None and segment is None:
        raise DataError("A hop needs a segment: say how long the segments are.")


def load_model(model: str | Path, device: str) -> Model:
    """Load a model onto a device, which this machine may not have."""
    from disentone.embeddings.model import load

    try:
        return load(model, device=device)
    except (RuntimeError, AssertionError) as error:
        raise RecipeError(
            f"This machine has no device '{device}': choose another --device, such as cpu."
        ) from error


def _check_finished(out: Path, settings: Mapping[str, Any], *, resume: bool) -> None:
    """Refuse to write over a file, and to resume what is of another model."""
    if not resume:
        raise ArtifactError(f"'{out}' exists: choose another -o, or delete it.")
    check_same(out, read_about(out), settings)


# --- rows ----------------------------------------------------------------------------------------


class _Rows(NamedTuple):
    """Clips or segments of them: one row each of the result."""

    clips: np.ndarray  # which clip of the part
    paths: np.ndarray
    start: np.ndarray
    duration: np.ndarray
    seconds: np.ndarray  # the duration, or NaN for whole files, as feature stores know them

    def take(self, rows: Any) -> _Rows:
        rows = np.asarray(rows, dtype=np.int64)
        return _Rows(*(column[rows] for column in self))

    def ids(self) -> list[tuple[str, float]]:
        return list(zip(self.paths.tolist(), self.start.tolist()))

    def name(self, row: int) -> str:
        return f"{self.paths[row]}@{self.start[row]:.10g}" if self.start[row] else self.paths[row]

    def table(
        self, schema: pa.Schema, values: np.ndarray, factors: Mapping[str, np.ndarray]
    ) -> pa.Table:
        known = {name: column[self.clips] for name, column in factors.items()}
        return table_of(schema, list(self[1:4]), values, known)


# --- embedding -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Work:
    """How rows become embeddings."""

    model: Model
    segment: float | None
    hop: float | None
    cache: str | Path | None
    jobs: int
    pool: Executor
    short: Literal["pad", "skip"]
    stop: bool  # at the first clip that cannot be used

    @property
    def whole(self) -> float:
        """Seconds of a clip that silence need not fill up."""
        return min(self.model.frontend.config.seconds, self.segment or _ENTIRE)

    def rows(self, clips: Clips) -> tuple[_Rows, list[Skipped], list[str]]:
        """Look at the files of clips: the rows they make, the unusable, those of short ones."""
        paths = clips.paths.tolist()
        cut = cut_clips(
            paths,
            clips.start,
            clips.seconds,
            length=self.segment or _ENTIRE,
            hop=self.hop,
            jobs=self.jobs,
        )
        if self.short == "skip":
            cut = without_short(cut, self.whole)
        padded = clips.paths[cut.rows[is_short(cut, self.whole)]].tolist()
        broken = [Skipped(paths[row], reason) for row, reason in cut.broken.items()]
        if broken and self.stop:
            raise AudioError(broken[0].reason)
        seconds = cut.seconds if self.segment else clips.seconds[cut.rows]
        rows = _Rows(cut.rows, clips.paths[cut.rows], cut.start, cut.seconds, seconds)
        return rows, broken, padded

    def embed(
        self, rows: _Rows, show: Callable[[float], None]
    ) -> tuple[np.ndarray, dict[int, str]]:
        """Embeddings (rows, dim), and the rows that have none, with the reason."""
        frontend = self.model.frontend
        windows = model_windows(
            rows.start,
            rows.duration,
            rows.seconds,
            samples=frontend.samples,
            rate=frontend.sample_rate,
        )
        sums = np.zeros((len(rows.start), self.model.facets.dim))
        heard = np.zeros(len(sums), dtype=np.int64)
        broken: dict[int, str] = {}
        silent: dict[int, str] = {}
        count = len(windows.rows)
        size = max(16, _FEATURE_BYTES // (4 * frontend.frames * frontend.features))
        size = size if self.cache is None else _STORED_WINDOWS
        for first in range(0, count, size):
            piece = slice(first, first + size)
            owner = windows.rows[piece]
            files = FileSounds(
                rows.paths[owner],
                windows.start[piece],
                windows.seconds[piece],
                lufs=self.model.lufs,
            )
            progress = _progress(show, first, count)
            used, values, lost, quiet = self._windows(files, progress)
            np.add.at(sums, owner[used], values)
            heard += np.bincount(owner[used], minlength=len(sums))
            for window, reason in lost.items():
                (silent if window in quiet else broken).setdefault(int(owner[window]), reason)
        for row in np.flatnonzero(heard == 0):
            broken.setdefault(int(row), silent.get(int(row), ""))
        if self.stop and broken:
            raise AudioError(broken[min(broken)])
        return (sums / np.maximum(heard, 1)[:, None]).astype(np.float32), broken

    def _windows(
        self, files: FileSounds, show: Callable[[int], None]
    ) -> tuple[np.ndarray, np.ndarray, dict[int, str], set[int]]:
        """Embed windows: which were usable, their embeddings, why others were not, the silent."""
        frontend = self.model.frontend
        sounds = WindowSounds(
            files,
            samples=frontend.samples,
            rate=frontend.sample_rate,
            pool=self.pool,
            ahead=self.jobs,
        )

        def progress(done: int, _: int) -> None:
            if self.stop and sounds.broken:
                raise AudioError(sounds.broken[min(sounds.broken)])
            show(done)

        ids = [f"{path} (window {number})" for number, path in enumerate(files.paths)]
        number = {name: index for index, name in enumerate(ids)}
        table = ClipTable(np.array(ids, object), {}, np.full(len(ids), "train"), sounds)
        from disentone.frontends.store import compute_features

        computed = compute_features(
            table, frontend, cache=self.cache, jobs=self.jobs, progress=progress
        )
        lost = {number[item.path]: item.reason for item in computed.skipped}
        return computed.rows, self._network(computed.array), lost, sounds.silent

    def _network(self, features: np.ndarray) -> np.ndarray:
        """Embed features in batches, one thread each: torch's own wait for each other by spinning.

        That is much slower where another program has a core.
        """
        batches = [features[i : i + _BATCH] for i in range(0, len(features), _BATCH)]
        empty = np.empty((0, self.model.facets.dim), np.float32)
        return np.concatenate([empty, *self.pool.map(self.model.embed_features, batches)])


def _clips_shown(
    show: Callable[[int, int], None], first: int, count: int, total: int
) -> Callable[[float], None]:
    """Tell clips, from the share of some clips before which others were done."""
    return lambda share: show(first + int(share * count), total)


def _progress(show: Callable[[float], None], first: int, count: int) -> Callable[[int], None]:
    """Tell a share of all, from windows of which some were done before."""
    return lambda done: show((first + done) / count)
