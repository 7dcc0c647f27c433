"""Embedding on a Ray cluster: its tasks make shards, and this process gathers them.

Names of files travel to the workers, and nothing comes back: sounds, the model and the shards lie
on disks that all of them see. A worker that dies has its shard made again elsewhere.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from disentone.embeddings.collection import load_model
from disentone.embeddings.embedder import DEFAULTS, EmbedOptions
from disentone.embeddings.gathering import gather
from disentone.embeddings.layout import check_suffix, model_id
from disentone.embeddings.model_files import find_model
from disentone.embeddings.sharding import make_shard
from disentone.embeddings.shards import Plan, Shard, Task, check_fellow, plan
from disentone.embeddings.watcher import Watcher
from disentone.errors import ArtifactError, DisentoneError, RecipeError, what_raised

if TYPE_CHECKING:
    from disentone.embeddings.model import Model

__all__ = ["embed_on_ray"]

_MOST = 1000  # shards of a collection
_RETRIES = 8  # of a shard whose worker died
_AHEAD = 2  # tasks a worker, of which one waits: more would only fill the object store
_STORE = 2**27  # bytes of the object store of a cluster of our own
_ANSWER = 5  # seconds
_LOCAL = "local"


def embed_on_ray(
    model: str | Path,
    paths: Sequence[str | Path],
    out: str | Path,
    options: EmbedOptions = DEFAULTS,
    *,
    address: str = _LOCAL,
    on_error: Literal["skip", "stop"] = "skip",
    watcher: Watcher | None = None,
) -> Path:
    """Embed a collection by the workers of a Ray cluster; the file is that of a single process.

    Shards are made in the folder ``OUT.shards``. The same call goes on after it was stopped.

    Parameters
    ----------
    model, paths, out, on_error, watcher
        As for :func:`disentone.embeddings.collection.embed_collection`.
    options : EmbedOptions
        A task takes as many cores as there are `jobs`, one by default, and a GPU where the device
        is ``"cuda"``.
    address : str
        ``"local"`` makes a cluster of this machine for as long as the call takes; ``"auto"`` finds
        one that runs here; else ``"HOST:PORT"`` or ``"ray://HOST:PORT"``.

    Returns
    -------
    Path
        ``out``.

    Raises
    ------
    RecipeError
        If Ray is not installed, or there is no cluster at the address.
    ArtifactError
        As :func:`disentone.embeddings.sharding.embed_shard`, if workers die again and again on one
        shard, or what they write is not seen here.
    AudioError, DataError
        As :func:`disentone.embeddings.sharding.embed_shard`: what a worker raises.
    """
    out, watcher = check_suffix(out), watcher or Watcher()
    if out.exists():
        raise ArtifactError(f"'{out}' exists: choose another -o, or delete it.")
    model = find_model(model)
    planned = plan(model, paths, options, on_error=on_error, watcher=watcher)
    clips = planned.settings["clips"]
    count = min(_MOST, -(-clips // planned.part))
    folder = Path(os.path.abspath(out.with_name(f"{out.name}.shards")))
    check_fellow(folder, planned.settings, count)
    shards = [Shard(number, count) for number in range(1, count + 1)]
    todo = [shard for shard in shards if not shard.file(folder).exists()]
    if todo:
        with _connected(address) as ray:
            _make_all(ray, planned, todo, folder, options, stop=on_error == "stop", watcher=watcher)
    gather(folder, out, watcher=watcher)
    shutil.rmtree(folder)
    return out


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Connect to a cluster, or make one of this machine."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
    try:
        ray = import_module("ray")  # by its name: it is too large for those who only develop
    except ImportError as error:
        raise RecipeError("A Ray cluster needs Ray: pip install 'disentone[ray]'.") from error
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if address == _LOCAL:
            ray.init(include_dashboard=False, object_store_memory=_STORE, **quiet)
        else:
            _check_answers(address)
            ray.init(address=address, **quiet)
    except Exception as error:  # Ray raises bare ones, too
        raise RecipeError(
            f"No Ray cluster answers at '{address}' ({what_raised(error)}): start one, or "
            "give its address as HOST:PORT, or local."
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Refuse an address where nothing listens at once: Ray would wait for minutes."""
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=_ANSWER):
        pass


def _make_all(
    ray: Any,
    planned: Plan,
    todo: Sequence[Shard],
    folder: Path,
    options: EmbedOptions,
    *,
    stop: bool,
    watcher: Watcher,
) -> None:
    """Have shards made, no more at once than workers can take; stop at the first error."""
    cores, source = options.jobs or 1, planned.source
    options = replace(options, jobs=cores)
    work = ray.remote(_make).options(
        num_cpus=cores,
        num_gpus=1 if options.device.startswith("cuda") else 0,
        max_retries=_RETRIES,
    )
    slots = _AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1) // cores))
    waiting, running = list(reversed(todo)), dict[Any, Task]()
    show, total = watcher.stage("Embedding"), planned.settings["clips"]
    done = total - sum(len(shard.rows(total, planned.part)) for shard in todo)
    show(done, total)
    try:
        while waiting or running:
            while waiting and len(running) < slots:
                task = planned.task(waiting.pop(), folder)
                where = (source["model"], planned.settings["model"], source["folder"])
                running[work.remote(task, options, stop, *where)] = task
            (ready,), _ = ray.wait(list(running), num_returns=1)
            task = running.pop(ready)
            _finish(ray, ready, task)
            done += len(task.clips)
            show(done, total)
    finally:
        for left in running:
            ray.cancel(left, force=True)


def _finish(ray: Any, ready: Any, task: Task) -> None:
    """Check that a shard is made; give a worker's error as if it had been raised here."""
    try:
        host = ray.get(ready)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, DisentoneError):
            raise error.cause from None
        raise
    except ray.exceptions.RayError as error:
        raise ArtifactError(
            f"Workers died {1 + _RETRIES} times on shard {task.shard}, the clips from "
            f"'{task.clips.paths[0]}' on: is there enough memory, or is one of them hostile?"
        ) from error
    if not task.file.exists():
        raise ArtifactError(
            f"'{host}' made shard {task.shard} in '{task.folder}', and it is not there on this "
            "machine: choose an -o on a disk that all of them share."
        )


def _make(
    task: Task, options: EmbedOptions, stop: bool, model: str, identity: str, home: str
) -> str:
    """Make a shard on a worker, and give the name of its machine."""
    with suppress(OSError):  # where clips have full paths, it need not be there
        os.chdir(home)
    if not task.file.exists():
        loaded = _loaded(model, identity, options.device)
        make_shard(loaded, task, options, stop=stop, watcher=Watcher())
    return socket.gethostname()


@lru_cache(maxsize=1)
def _loaded(model: str, identity: str, device: str) -> Model:
    """Load a model once a worker."""
    if model_id(model) != identity:
        raise ArtifactError(
            f"The model '{model}' on '{socket.gethostname()}' is another one than here: copy it."
        )
    return load_model(model, device)
