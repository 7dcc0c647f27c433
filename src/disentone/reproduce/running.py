"""Cells of a paper's tables are run, each once, several at a time where asked for."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from disentone.datasets.syntone import SynTone
from disentone.embeddings.watcher import Watcher
from disentone.errors import DisentoneError
from disentone.permissions import Allowed, allow, allowed
from disentone.recipes import Recipe
from disentone.reproduce.cells import Row, Study
from disentone.runs.preparation import Data, prepare
from disentone.runs.run_folder import claim, is_finished
from disentone.runs.training import check_device, train

__all__ = ["run_cells"]


class _Job(NamedTuple):
    folder: Path
    recipe: Recipe
    title: str
    brief: bool


def run_cells(
    study: Study, out: Path, *, quick: bool, seeds: int, jobs: int, device: str, watcher: Watcher
) -> list[Row]:
    """Run what is missing, several cells at once if asked to, and read all cards.

    A cell that is finished in ``out`` is not run again; an unfinished one goes on. Two commands on
    one folder share the work: a cell is locked while it is run.
    """
    check_device(device)
    settings = study.quick if quick else ()
    cells = study.cells(seeds)
    todo: dict[Path, _Job] = {}
    for cell in cells:
        for seed in range(cell.seeds):
            folder = out / "cells" / cell.folder(seed)
            recipe = cell.load(seed, settings)
            title = f"{cell.table.partition(':')[0]} · {cell.row} · seed {seed}"
            # Refused where it was run with other settings.
            claim(folder, recipe, resume=True, device=device)
            if not is_finished(folder):
                todo.setdefault(folder, _Job(folder, recipe, title, brief=quick))
    ordered = _by_data(list(todo.values()))
    if jobs > 1 and len(todo) > 1:
        failed = _run_at_once(ordered, jobs, device, watcher)
    else:
        failed = _run_in_turn(ordered, device, watcher)
    if failed:
        raise failed[0]  # after all the others: nothing that was run is lost
    rows = []
    for cell in cells:
        folders = [out / "cells" / cell.folder(seed) for seed in range(cell.seeds)]
        found = [study.scores(folder, cell.facet) for folder in folders]
        kept = [{c: one[c] for c in cell.columns or one if c in one} for one in found]
        rows.append(Row(cell, kept))
    return rows


def _by_data(todo: Sequence[_Job]) -> list[_Job]:
    """Cells in their order, but those that share their features one after the other."""
    first: dict[str, int] = {}
    for place, job in enumerate(todo):
        first.setdefault(_data_key(job.recipe), place)
    return sorted(todo, key=lambda job: first[_data_key(job.recipe)])


def _run_in_turn(todo: Sequence[_Job], device: str, watcher: Watcher) -> list[DisentoneError]:
    """Run cells one after the other, those that another process is at last of all."""
    failed: list[DisentoneError] = []
    prepared: dict[str, Data] = {}
    waiting = deque((number, job, False) for number, job in enumerate(todo, start=1))
    while waiting:
        number, job, wait = waiting.popleft()
        watcher.note(f"{job.title} ({number} of {len(todo)} runs)")
        try:
            if not _run(job, prepared, device, watcher, wait=wait):
                waiting.append((number, job, True))
        except DisentoneError as error:
            watcher.note(f"{job.title} failed: {error}")
            failed.append(error)
    return failed


def _run(
    job: _Job, prepared: dict[str, Data], device: str, watcher: Watcher, *, wait: bool = True
) -> bool:
    """Run a cell that is not finished; False if another process runs it and we do not wait."""
    file = job.folder.parents[1] / "locks" / job.folder.name
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(file).acquire(blocking=wait)
    except Timeout:
        return False
    with lock:
        if not is_finished(job.folder):  # another process may have run it meanwhile
            data = _prepared(job.recipe, prepared, device, watcher)
            train(
                job.recipe,
                job.folder,
                data=data,
                resume=True,
                brief=job.brief,
                device=device,
                watcher=watcher,
            )
    return True


def _prepared(recipe: Recipe, prepared: dict[str, Data], device: str, watcher: Watcher) -> Data:
    """Features of a recipe's data, computed once for all the cells that share them."""
    key = _data_key(recipe)
    if key not in prepared:
        prepared.clear()
        prepared[key] = prepare(recipe, device=device, watcher=watcher)
    return prepared[key]


def _data_key(recipe: Recipe) -> str:
    """What the features of a recipe depend on."""
    made = {"facets", "copies", "seed"} if recipe.chains() else set()  # transformed copies
    return recipe.model_dump_json(include={"data", "frontend", *made})


# --- several processes --------------------------------------------------------------------------

_KEPT: dict[str, Data] = {}  # in a worker: the data of its last cell


def _run_at_once(
    todo: Sequence[_Job], jobs: int, device: str, watcher: Watcher
) -> list[DisentoneError]:
    prepared: dict[str, Data] = {}
    for job in todo:  # fills the store, which workers would all do at the same time
        if not isinstance(job.recipe.data, SynTone):
            _prepared(job.recipe, prepared, device, watcher)
    prepared.clear()
    failed: list[DisentoneError] = []
    threads = max(1, (os.cpu_count() or 1) // jobs)
    show = watcher.stage("Running")
    # Spawned, not forked: torch's threads do not survive a fork.
    with ProcessPoolExecutor(jobs, get_context("spawn"), _limit, (threads,)) as pool:
        waiting = {pool.submit(_work, job, device, allowed()): job for job in todo}
        try:
            for done, future in enumerate(as_completed(waiting), start=1):
                error = future.exception()
                if error is not None and not isinstance(error, DisentoneError):
                    raise error
                failed += [error] if error is not None else []
                how = "done" if error is None else f"failed: {error}"
                watcher.note(f"{waiting[future].title}: {how}")
                show(done, len(todo))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return failed


def _limit(threads: int) -> None:
    """Keep a worker to its share of the cores."""
    import torch

    torch.set_num_threads(threads)


def _work(job: _Job, device: str, granted: Allowed) -> None:
    with allow(**granted._asdict()):
        _run(job, _KEPT, device, Watcher())
