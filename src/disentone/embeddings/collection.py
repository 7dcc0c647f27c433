"""Embed a collection: any number of files, folders and tables into one embedding file.

Work goes in parts to the folder ``OUT.partial`` beside the result, each written whole, and is put
together at the end. A process that is killed loses the part in flight and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from disentone import __version__
from disentone.audio import Skipped
from disentone.datasets.clip_lists import Clips, is_numeric, list_clips
from disentone.datasets.segments import short_note
from disentone.embeddings import model_id, read_about
from disentone.embeddings.embedder import DEFAULTS, Embedder, EmbedOptions, Rows, open_embedder
from disentone.embeddings.layout import about_of, check_suffix, schema_of, table_of
from disentone.embeddings.model_files import describe, find_model
from disentone.embeddings.parts import Sink, assemble, check_same, claimed
from disentone.embeddings.watcher import Watcher
from disentone.errors import ArtifactError, AudioError, RecipeError

if TYPE_CHECKING:
    from disentone.embeddings.model import Model

__all__ = [
    "Listing",
    "embed_collection",
    "embed_into",
    "list_collection",
    "load_model",
    "part_size",
]

_PART = 512  # clips in a part; more where a feature store keeps what a killed process did
_STORED_PART = 16384


@dataclass(frozen=True)
class Listing:
    """What is to be embedded, before anything is.

    Parameters
    ----------
    clips : Clips
        Splits and recordings are among their factors.
    skipped : list of Skipped
        Rows and files that are no clips.
    schema : pyarrow.Schema
        Of the result.
    settings : dict
        What decides the vectors, as it is kept with them.
    """

    clips: Clips
    skipped: list[Skipped]
    schema: pa.Schema
    settings: dict[str, Any]


def embed_collection(
    model: str | Path,
    paths: Sequence[str | Path],
    out: str | Path,
    options: EmbedOptions = DEFAULTS,
    *,
    resume: bool = False,
    on_error: Literal["skip", "stop"] = "skip",
    watcher: Watcher | None = None,
) -> Path:
    """Embed files, folders and tables into one file with a row for each clip or segment.

    A clip is a file, or the part of a file that a table's row names. Its row is what
    :meth:`disentone.Model.embed` gives, the mean over the model's windows however long the clip
    is: one row for one thing that has a name, comparable with a query embedded alone. Windows
    without sound are left out of the mean. To find places in long recordings, ask for segments;
    one as long as the model's window is embedded exactly as the model was trained.

    Parameters
    ----------
    model : path or str
        Run folder, any folder with a model, or the name of a packaged one.
    paths : sequence of paths
        Audio files, folders, and tables with a path column, mixed; what is named twice counts
        once. Columns of tables and sub-folders are put into the result.
    out : path
        ``.parquet``, ``.npz``, or ``.npy`` (with a ``.csv`` and a ``.json`` beside it). Clips
        that are left out are listed in ``OUT-skipped.csv``.
    options : EmbedOptions
        Segments, cache, threads, short clips, device.
    resume : bool
        Go on with what a stopped command left. Clips that were skipped are tried again.
    on_error : {"skip", "stop"}
        What is done with a clip that cannot be used.
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
    model = find_model(model)
    settings = {"model": model_id(model), **options.cut}
    if out.exists():
        _check_finished(out, settings, resume=resume)
        watcher.note(f"{out} is finished already; for clips added since then, choose another -o.")
        return out
    listing = list_collection(model, paths, options, on_error=on_error, watcher=watcher)
    loaded = load_model(model, options.device)
    partial = out.with_name(f"{out.name}.partial")
    with (
        claimed(partial, settings, resume=resume) as parts,
        open_embedder(loaded, options, stop=on_error == "stop") as embedder,
    ):
        skipped = list(listing.skipped)
        gone = embed_into(parts, embedder, listing.clips, listing.schema, skipped, watcher)
        assemble(out, parts, listing.schema, gone, skipped)
    return out


def list_collection(
    model: str | Path,
    paths: Sequence[str | Path],
    options: EmbedOptions,
    *,
    exclude: Sequence[str] = (),
    on_error: Literal["skip", "stop"] = "skip",
    watcher: Watcher,
) -> Listing:
    """List what is to be embedded; nothing is opened but tables and the model's description.

    Parameters are those of :func:`embed_collection`.

    Raises
    ------
    AudioError
        If a file or row is no clip and `on_error` is ``"stop"``.
    ArtifactError, DataError
        As :func:`embed_collection` does.
    """
    settings = {"model": model_id(model), **options.cut}
    clips, skipped, notes = list_clips(paths, exclude)
    for note in notes:
        watcher.note(note)
    if skipped and on_error == "stop":
        raise AudioError(f"{skipped[0].path}: {skipped[0].reason}")
    described, clips = describe(model), clips.with_origin()
    numeric = {name: is_numeric(values) for name, values in clips.factors.items()}
    about = {**settings, "disentone": __version__, "recipe": described.about.get("recipe")}
    schema = schema_of(described.facets, numeric, about)
    for name, column in about_of(schema)["factors"].items():
        if name != column:
            watcher.note(f"Factor '{name}' is the column '{column}': there is another '{name}'.")
    return Listing(clips, skipped, schema, settings)


def part_size(options: EmbedOptions) -> int:
    """Give how many clips are embedded together, which decides the last bits of the vectors."""
    return _PART if options.cache is None else _STORED_PART


def embed_into(
    sink: Sink,
    embedder: Embedder,
    clips: Clips,
    schema: pa.Schema,
    skipped: list[Skipped],
    watcher: Watcher,
    *,
    wanted: np.ndarray | None = None,
) -> set[tuple[str, float]]:
    """Embed the clips that a sink does not have, and add them to it part by part.

    Parameters
    ----------
    sink : Sink
    embedder : Embedder
    clips : Clips
    schema : pyarrow.Schema
        Of the parts: see :func:`disentone.embeddings.layout.schema_of`.
    skipped : list of Skipped
        Is added to.
    watcher : Watcher
    wanted : ndarray of bool, shape (clips,), optional
        Clips of which the others are not even looked at; all by default. What is embedded together
        does not depend on it, so that a stopped command ends with the same bits.

    Returns
    -------
    set of (str, float)
        Path and start of what is in the sink and not among the clips.
    """
    wanted = np.ones(len(clips), bool) if wanted is None else wanted
    show = watcher.stage("Embedding")
    gone, padded = _embed_parts(clips, wanted, embedder, sink, schema, skipped, show)
    if padded:
        watcher.note(short_note(padded, embedder.whole, what=embedder.unit, option="--short skip"))
    return gone


def _embed_parts(
    clips: Clips,
    wanted: np.ndarray,
    embedder: Embedder,
    sink: Sink,
    schema: pa.Schema,
    skipped: list[Skipped],
    show: Callable[[int, int], None],
) -> tuple[set[tuple[str, float]], list[str]]:
    """Make the parts that are not there yet, and add to what was skipped.

    Gives what is gone, and the clips that are padded with silence.
    """
    done = sink.ids()
    gone = set(done)  # rows of clips that are no longer named
    padded: list[str] = []
    size = part_size(embedder.options)
    for first in range(0, len(clips), size):
        some = clips.take(first + np.flatnonzero(wanted[first : first + size]))
        if not len(some):
            continue
        rows, broken, short = embedder.rows(some.paths, some.start, some.seconds)
        padded += some.paths[short].tolist()
        gone.difference_update(rows.ids())
        rows = rows.take([row for row, name in enumerate(rows.ids()) if name not in done])
        values, reasons = embedder.embed(rows, _clips_shown(show, first, len(some), len(clips)))
        skipped += [Skipped(some.paths[clip], reason) for clip, reason in broken.items()]
        skipped += [Skipped(rows.name(row), reason) for row, reason in reasons.items()]
        good = [row for row in range(len(values)) if row not in reasons]
        if good:
            sink.add(_table(rows.take(good), schema, values[good], some.factors))
        show(min(first + size, len(clips)), len(clips))
    return gone, padded


def _table(
    rows: Rows, schema: pa.Schema, values: np.ndarray, factors: Mapping[str, np.ndarray]
) -> pa.Table:
    known = {name: column[rows.clips] for name, column in factors.items()}
    return table_of(schema, [rows.paths, rows.start, rows.duration], values, known)


def load_model(model: str | Path, device: str) -> Model:
    """Load a model onto a device, which this machine may not have."""
    from disentone.embeddings.model import load

    try:
        return load(model, device=device)
    except (RuntimeError, AssertionError) as error:
        raise RecipeError(
            f"This machine has no device '{device}': choose another, such as cpu."
        ) from error


def _check_finished(out: Path, settings: Mapping[str, Any], *, resume: bool) -> None:
    """Refuse to write over a file, and to resume what is of another model."""
    if not resume:
        raise ArtifactError(f"'{out}' exists: choose another -o, or delete it.")
    check_same(out, read_about(out), settings)


def _clips_shown(
    show: Callable[[int, int], None], first: int, count: int, total: int
) -> Callable[[float], None]:
    """Report clips, from the share of some clips before which others were done."""
    return lambda share: show(first + int(share * count), total)
