"""The data of a run: usable clips, and the features of their windows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from disentone.agreement import with_copies
from disentone.audio import Skipped
from disentone.audio.windows import ClipWindows, Usable
from disentone.clips import ClipTable, file_of
from disentone.datasets.config import CollectionConfig
from disentone.datasets.opening import open_data
from disentone.datasets.syntone import SynTone
from disentone.datasets.windowing import cut_sounds
from disentone.embeddings.watcher import Watcher
from disentone.errors import DataError
from disentone.frontends.feature_store import compute_features
from disentone.frontends.protocol import FrontEnd
from disentone.recipes import Recipe

__all__ = ["Data", "prepare"]


@dataclass(frozen=True)
class Data:
    """The usable clips of a collection, the features of their windows, and what was left out.

    Parameters
    ----------
    views : ClipTable
        Usable clips, then the transformed copies of them that some facet asks for.
    features : ndarray of float32 or float16, shape (windows, frames, features)
        In the front-end's unit, not standardised.
    windows : ClipWindows
        Which rows of the features are the windows of each of the views.
    begin : ndarray of float, shape (windows,)
        Where in its clip each window begins, in seconds.
    skipped : list of Skipped
    """

    views: ClipTable
    features: np.ndarray
    windows: ClipWindows
    begin: np.ndarray
    skipped: list[Skipped]

    @cached_property
    def table(self) -> ClipTable:
        """The clips, without copies."""
        return self.views.take(np.flatnonzero(self.views.copy_for == ""))  # they come first

    def of_clips(
        self, function: Callable[[np.ndarray], np.ndarray], clips: np.ndarray
    ) -> np.ndarray:
        """Apply a function to the windows of some clips, and give its mean over those of each.

        No more than a part of the features is ever in memory.

        Parameters
        ----------
        function : callable
            From (windows, frames, features) to (windows, ...).
        clips : ndarray of int

        Returns
        -------
        ndarray, shape (clips, ...)
        """
        windows = self.windows.take(clips)
        rows, step = windows.rows, step_of(self.features)
        parts = [rows[start : start + step] for start in range(0, len(rows), step)]
        return windows.means(np.concatenate([function(self.features[part]) for part in parts]))


def step_of(features: np.ndarray) -> int:
    """Windows to look at together: 64 MiB of float64 at most."""
    return int(np.clip(2**23 // features[0].size, 1, 1024))


def prepare(
    recipe: Recipe,
    *,
    frontend: FrontEnd | None = None,
    cache: Path | None = None,
    device: str = "cpu",
    watcher: Watcher | None = None,
) -> Data:
    """Open a recipe's data and compute its features.

    Parameters
    ----------
    recipe : Recipe
    frontend : torch module, optional
        The recipe's, where it is built already.
    cache : Path, optional
        Feature store; by default features are kept for the next run in ``.cache/disentone``
        below the working folder, but those of tones in memory only, as they are soon made.
    device : str
        Where a front-end that is a network runs.
    watcher : Watcher, optional

    Raises
    ------
    DataError
        If there is no usable clip, or a split that training needs is empty.
    """
    watcher = watcher or Watcher()
    opened = open_data(recipe.data)
    table = opened.table
    for note in opened.notes:
        watcher.note(note)
    if not isinstance(recipe.data, SynTone):
        cache = cache or Path(".cache") / "disentone"
    watcher.note(table.describe())
    if recipe.chains():
        table = with_copies(table, recipe.chains(), copies=recipe.copies, seed=recipe.seed)
        made = int((table.copy_for != "").sum())
        watcher.note(f"{made} transformed copies are made for {', '.join(recipe.chains())}.")
    frontend = frontend or recipe.frontend.build()
    if any(True for _ in frontend.parameters()):
        frontend.to(device)  # a network gains by it, a spectrogram does not
    stage = "Reading audio" if isinstance(recipe.data, CollectionConfig) else "Synthesising"
    data = window_features(table, frontend, cache=cache, watcher=watcher, stage=stage)
    data.skipped[:0] = opened.skipped
    watcher.note(_amount(data, frontend.config.seconds, recipe.draws))
    for item in data.skipped[:5]:
        watcher.note(f"Left out {item.path}: {item.reason}")
    if len(data.skipped) > 5:
        watcher.note(f"Left out {len(data.skipped) - 5} more; see skipped.csv.")
    for name in ("train", "valid", "test"):
        if not len(data.table.where(name)):
            raise DataError(f"There is no usable clip in the {name} split: give more clips.")
    return data


def window_features(
    table: ClipTable,
    frontend: FrontEnd,
    *,
    cache: Path | None,
    watcher: Watcher,
    stage: str,
    jobs: int = 2,
) -> Data:
    """Compute the features of all windows of clips, or look them up.

    Parameters
    ----------
    table : ClipTable
        Clips, then their transformed copies.
    frontend : torch module
    cache : Path, optional
        Feature store; in memory only by default.
    watcher : Watcher
    stage : str
        What to call this.
    jobs : int
        Threads that decode.

    Raises
    ------
    DataError
        If no clip is usable.
    """
    rate = frontend.sample_rate
    with ThreadPoolExecutor(jobs) as pool:
        owner, begin, sounds = cut_sounds(
            table.sounds, len(table), samples=frontend.samples, rate=rate, pool=pool
        )
        ids = np.array([f"{table.ids[clip]} (window {i})" for i, clip in enumerate(owner)], object)
        ids = table.ids if len(owner) == len(table) else ids
        computed = compute_features(
            ClipTable(ids, {}, table.split[owner], sounds),
            frontend,
            cache=cache,
            jobs=jobs,
            progress=watcher.stage(stage),
        )
    usable = Usable(len(table))
    usable.add(owner, computed.rows, computed.lost, computed.silent)
    refused = usable.refused()
    skipped = _left_out(table.ids, refused, usable.broken)
    if len(refused) == len(table):
        raise DataError(
            f"None of the {len(table)} clips is usable; the first: {skipped[0].path}: "
            f"{skipped[0].reason}"
        )
    if computed.short:
        first = table.ids[owner[computed.short[0]]]
        watcher.note(
            f"{len(computed.short)} of the clips, such as {first}, last less than one frame of the "
            "front-end; the rest of the frame is silence."
        )
    good = np.setdiff1d(np.arange(len(table)), list(refused))
    windows = ClipWindows.of_counts(usable.sounding).take(good)
    return Data(table.take(good), computed.array, windows, begin[computed.rows], skipped)


def _amount(data: Data, seconds: float, draws: int) -> str:
    """Describe how much sound there is, and how much of it an epoch takes."""
    clips = len(data.table)
    count = int(data.windows.count[:clips].sum())
    total, unit = count * seconds, "s"
    if total >= 60:
        total, unit = (total / 60, "min") if total < 3600 else (total / 3600, "h")
    taken = f"{draws} of a clip an epoch" if count > clips else "each clip is one"
    return f"{total:.3g} {unit} of sound, {count} windows of {seconds:g} s, {taken}."


def _left_out(
    ids: np.ndarray, refused: Mapping[int, str], broken: Collection[int]
) -> list[Skipped]:
    """What was left out: a clip by its name, parts of a file that is broken once, by the file's."""
    often = Counter(refused[clip] for clip in broken)
    named = (
        Skipped(file_of(ids[clip]) if clip in broken and often[reason] > 1 else ids[clip], reason)
        for clip, reason in refused.items()
    )
    return list(dict.fromkeys(named))
