"""Systems: embeddings of the clips that triplets name, by runs, files and plain statistics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from disentone import audio
from disentone.agreement.given import GivenTriplets
from disentone.clips import ClipTable, match_names
from disentone.datasets.config import CollectionConfig
from disentone.datasets.file_sounds import FileSounds
from disentone.datasets.opening import open_collection
from disentone.datasets.segments import short_note
from disentone.embeddings.embedder import EmbedOptions, open_embedder
from disentone.embeddings.opening import WHOLE, open_embeddings
from disentone.embeddings.watcher import Watcher
from disentone.errors import AudioError, DataError
from disentone.facets import Facets
from disentone.frontends.config import LogMelConfig
from disentone.recipes import load_recipe

if TYPE_CHECKING:
    from disentone.embeddings.model import Model

__all__ = [
    "UNTRAINED",
    "Songs",
    "System",
    "statistics_system",
    "system_of_file",
    "system_of_model",
    "system_of_run",
    "untrained_model",
    "wanted_songs",
]

STATISTICS = LogMelConfig(sample_rate=22050, n_fft=1024, hop=512, n_mels=64, floor_db=-80)
UNTRAINED = "untrained network"
NAMES = ("path", "file", "filename", "id", "ids", "name", "names", "clip", "track_id")


@dataclass(frozen=True)
class System:
    """One embedding that is scored.

    Parameters
    ----------
    name : str
    facets : Facets
    ids : tuple of str
        Clips, as triplets name them.
    values : ndarray, shape (clips, dim)
    """

    name: str
    facets: Facets
    ids: tuple[str, ...]
    values: np.ndarray


@dataclass(frozen=True)
class Songs:
    """Whole clips that are embedded, and their factors.

    Parameters
    ----------
    table : ClipTable
        Of files, not cut into segments: a clip's embedding is the mean over its windows.
    rows : ndarray of int
        Clips that triplets name, and those of the test split.
    """

    table: ClipTable
    rows: np.ndarray

    def waves(self, sample_rate: int, watcher: Watcher) -> Iterator[tuple[str, np.ndarray]]:
        """Name and waveform of every clip that can be read; the others are noted."""
        show = watcher.stage("Embedding")
        for done, row in enumerate(self.rows, start=1):
            name = str(self.table.ids[row])
            try:
                wave = self.table.sounds.read(int(row), sample_rate)
                audio.check(wave, name)
            except AudioError as error:
                watcher.note(f"Left out {name}: {error}")
            else:
                yield name, wave
            show(done, len(self.rows))


def wanted_songs(config: CollectionConfig, given: GivenTriplets) -> Songs:
    """Open the clips that triplets name, and those of the test split for retrieval.

    Raises
    ------
    DataError
        If there is no collection, or triplets name clips that it does not have. Of Dim-sim, whose
        audio is rarely complete, songs may be missing.
    """
    whole = config.model_copy(update={"segment": None, "hop": None})
    table = open_collection(whole).table
    ids = table.ids.tolist()
    if not given.named:
        place = match_names(ids, given.names.ravel().tolist())
        rows = given.names.tolist()
        given = given.take(np.array([all(name in place for name in row) for row in rows]))
    named = np.unique(given.places(ids))
    return Songs(table, np.union1d(named, table.where("test")))


def system_of_run(
    run: str | Path,
    songs: Songs,
    *,
    untrained: bool = False,
    short: Literal["pad", "skip"] = "pad",
    device: str = "cpu",
    watcher: Watcher | None = None,
) -> System:
    """Embed clips by a trained run, as :func:`~disentone.embeddings.collection.embed_collection`.

    Clips that cannot be used, such as silent ones, are left out, with a note.

    Parameters
    ----------
    run : path
    songs : Songs
    untrained : bool
        By its network as it was before training.
    short, device, watcher
        As :func:`system_of_model` takes them, and where the model is.
    """
    from disentone.embeddings.model import load

    model, name = load(run, device=device), Path(run).name
    if untrained:
        seed = load_recipe(Path(run) / "config.yaml").seed
        model, name = untrained_model(model, seed=seed), UNTRAINED
    return system_of_model(model, songs, name=name, short=short, watcher=watcher)


def system_of_model(
    model: Model,
    songs: Songs,
    *,
    name: str,
    short: Literal["pad", "skip"] = "pad",
    watcher: Watcher | None = None,
) -> System:
    """Embed clips of files by a model; those that cannot be used are left out, with a note.

    Parameters
    ----------
    model : Model
    songs : Songs
    name : str
        Of the system.
    short : {"pad", "skip"}
        What is done with clips shorter than a window: they are padded with silence, with a note, or
        they are left out.
    watcher : Watcher, optional

    Raises
    ------
    DataError
        If no clip can be used.
    """
    watcher = watcher or Watcher()
    sounds = songs.table.sounds
    assert isinstance(sounds, FileSounds)  # collections are made of files
    files, ids = sounds.take(songs.rows), songs.table.ids[songs.rows]
    show = watcher.stage("Embedding")
    with open_embedder(model, EmbedOptions(short=short)) as embedder:
        rows, broken, brief = embedder.rows(files.paths, files.start, files.seconds)
        values, refused = embedder.embed(rows, lambda share: show(int(share * len(ids)), len(ids)))
    refused = broken | {int(rows.clips[row]): reason for row, reason in refused.items()}
    for clip, reason in sorted(refused.items()):
        watcher.note(f"Left out {ids[clip]}: {reason}")
    if len(brief):
        watcher.note(short_note(ids[brief].tolist(), embedder.whole, option="--short skip"))
    good = [row for row, clip in enumerate(rows.clips.tolist()) if clip not in refused]
    if not good:
        raise _nothing()
    return System(name, model.facets, tuple(ids[rows.clips[good]]), values[good])


def statistics_system(songs: Songs, *, watcher: Watcher | None = None) -> System:
    """Give mean and deviation over time of a log-mel spectrogram, each standardised: a baseline."""
    import torch

    from disentone.frontends.logmel import LogMel

    frontend = LogMel(STATISTICS)
    ids, values = [], []
    for clip, wave in songs.waves(STATISTICS.sample_rate, watcher or Watcher()):
        with torch.inference_mode():
            mel = frontend(torch.from_numpy(wave)[None])[0].numpy()
        ids.append(clip)
        values.append(np.concatenate([mel.mean(axis=0), mel.std(axis=0)]))
    if not values:
        raise _nothing()
    table = np.stack(values)
    table = (table - table.mean(axis=0)) / np.maximum(table.std(axis=0), 1e-6)
    return System("log-mel statistics", Facets({WHOLE: table.shape[1]}), tuple(ids), table)


def untrained_model(model: Model, *, seed: int) -> Model:
    """Give the same model with a network as training from a seed begins with.

    Parameters
    ----------
    model : Model
    seed : int
        Of the weights: the recipe's gives the network that the model was trained from.
    """
    import torch

    from disentone.embeddings.model import Model
    from disentone.embeddings.networks import build_network

    torch.manual_seed(seed)
    network = build_network(model.network.config, model.facets, model.frontend)
    fresh = Model(network, model.frontend, model.mean, model.std, lufs=model.lufs)
    return fresh.to(model.device)


def system_of_file(
    path: str | Path,
    *,
    facets: str | None = None,
    table: ClipTable | None = None,
) -> System:
    """Open embeddings that any program wrote.

    Parameters
    ----------
    path : path
        See :func:`~disentone.embeddings.opening.open_embeddings`. Rows are named by a column such
        as ``path`` or ``id``; without one they are the clips of `table`, in order. Several rows of
        one name are averaged.
    facets : str, optional
        ``"a=0:64,b=64:128"``; by default those of the file, or one.
    table : ClipTable, optional

    Raises
    ------
    DataError
        If the file cannot be read, nothing names its rows, or the facets do not fit.
    """
    opened = open_embeddings(path)
    layout = Facets.parse(facets) if facets else opened.facets
    layout = layout or Facets({WHOLE: opened.values.shape[1]})
    if layout.dim != opened.values.shape[1]:
        raise DataError(f"'{path}' has {opened.values.shape[1]} columns, not {layout.dim}.")
    column = next((name for name in NAMES if name in opened.columns), None)
    if column is not None:
        names = [str(name) for name in opened.columns[column]]
    elif table is not None and len(table) == len(opened.values):
        names = [str(name) for name in table.ids]
    else:
        rows = "" if table is None else f" and is not the {len(table)} clips of the data"
        raise DataError(f"'{path}' has no column {', '.join(NAMES[:4])} ...{rows}: name its rows.")
    ids = list(dict.fromkeys(names))
    place = {name: row for row, name in enumerate(ids)}
    rows = np.array([place[name] for name in names])
    values = np.zeros((len(ids), layout.dim))
    np.add.at(values, rows, np.asarray(opened.values, dtype=float))
    values /= np.bincount(rows)[:, None]
    return System(Path(path).stem, layout, tuple(ids), values)


def _nothing() -> DataError:
    return DataError("None of the clips that the triplets name can be used.")
