"""The folder of a run: its settings, and a lock so that one command works on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from disentone.datasets.config import CollectionConfig
from disentone.embeddings.model_files import find_model, read_config
from disentone.errors import ArtifactError, RecipeError
from disentone.files import write_bytes
from disentone.frontends.network_files import download_refused
from disentone.objectives.own import code_refused, places_of
from disentone.recipes import Recipe, dump_recipe, load_recipe
from disentone.recipes.reading import read_recipe
from disentone.recipes.schema import AUTO, Precision
from disentone.runs.precision import resolved

__all__ = [
    "audit_recipe",
    "begun_on",
    "claim",
    "free_folder",
    "is_finished",
    "occupied",
    "with_precision",
]

LOCK = ".lock"


def is_finished(out: Path) -> bool:
    """Whether a folder has a finished run."""
    return (out / "report.html").is_file()


def audit_recipe(
    run: Path, *, data: str | Path | None = None, seed: int | None = None, **changes: Any
) -> Recipe:
    """Give the recipe of a run as it is audited: changed, and where asked for on other data.

    Parameters
    ----------
    run : Path
        Run folder.
    data : path, optional
        Folder or table that takes the place of the run's own data.
    seed : int, optional
        Of probes and permutations; the run's own by default.
    **changes
        Keys of the recipe's audit.

    Raises
    ------
    ArtifactError
        If there is no model in the folder.
    RecipeError
        If the folder has no recipe, a change does not fit, or the run needs code or a download
        that is not allowed.
    """
    run = find_model(run)
    _check_needs(run)
    settings = [f"audit.{name}={json.dumps(value)}" for name, value in changes.items()]
    recipe = load_recipe(run / "config.yaml", settings=settings)
    if seed is not None:
        recipe = recipe.model_copy(update={"seed": seed})
    if data is None:
        return recipe
    place = {"kind": "collection", "path": str(data)}
    if isinstance(recipe.data, CollectionConfig):
        place = recipe.data.model_dump() | place
    named = {"data": place, "name": f"{recipe.name} on {Path(data).name}"}
    return Recipe(**recipe.model_dump() | named)


def _check_needs(run: Path) -> None:
    """Say all that a run needs and may not have, before any of it is needed."""
    values = read_recipe(run / "config.yaml")
    frontend = values.get("frontend")
    frontend = frontend if isinstance(frontend, dict) else {}
    network = frontend.get("model")
    if frontend.get("kind") == "model":
        network = None  # the run holds a copy
    needs = [
        code_refused(places_of(values)),
        download_refused(network) if isinstance(network, str) else "",
    ]
    if any(needs):
        raise RecipeError(f"The run in {run}: {'; '.join(filter(None, needs))}.")


def free_folder(folder: Path) -> Path:
    """Give the folder itself if it is free, else the first of NAME-2, NAME-3 ... that is."""
    candidate, number = folder, 2
    while candidate.exists():
        candidate, number = folder.with_name(f"{folder.name}-{number}"), number + 1
    return candidate


@contextmanager
def occupied(out: Path) -> Iterator[None]:
    """Lock a run folder, which is made if need be; killed commands leave no lock.

    Raises
    ------
    ArtifactError
        If another command works on it, it is something else than a run, or cannot be written.
    """
    _check_ours(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / LOCK, blocking=False).acquire()
    except Timeout as error:
        raise ArtifactError(
            f"Another command is at work on the run in {out}: wait, or choose another folder."
        ) from error
    except OSError as error:
        raise ArtifactError(
            f"{out} could not be written ({error.strerror}): choose another folder."
        ) from error
    with lock:
        yield


def claim(out: Path, recipe: Recipe, *, resume: bool, device: str = "cpu") -> Recipe:
    """Make a run folder, or check that it holds this recipe's unfinished run.

    Returns
    -------
    Recipe
        As it is run, and as in its ``config.yaml``: a precision of ``auto`` becomes the one
        that the run was begun with, or for a new run the one that is fast on the device.
    """
    file = out / "config.yaml"
    if not file.exists():
        _check_ours(out)
        return _written(file, recipe, device)
    stored = load_recipe(file)  # refuses what no run has written
    if resume and recipe.training.precision == AUTO:
        recipe = with_precision(recipe, stored.training.precision)
    if {entry.name for entry in out.iterdir()} <= {"config.yaml", "skipped.csv", LOCK}:
        return _written(file, recipe, device)  # the run there ended before it trained
    if not resume:
        state = "a finished run" if is_finished(out) else "an unfinished run"
        asked = with_precision(recipe, stored.training.precision)
        if stored != (asked if recipe.training.precision == AUTO else recipe):
            raise ArtifactError(
                f"{out} holds {state} with other settings (see config.yaml there): choose another "
                "folder."
            )
        raise ArtifactError(
            f"{out} holds {state}: add --resume (in Python: resume=True), or choose another folder."
        )
    if stored != recipe:
        raise ArtifactError(
            f"{out} was started with other settings (see config.yaml there): "
            "resume it with the same ones, or choose another folder."
        )
    return recipe


def with_precision(recipe: Recipe, precision: Precision) -> Recipe:
    """Give a recipe with another precision."""
    training = recipe.training.model_copy(update={"precision": precision})
    return recipe.model_copy(update={"training": training})


def begun_on(out: Path) -> str | None:
    """Kind of machine on which a run was begun; None where it has no model that records it."""
    try:
        return read_config(out)["about"]["machine"]
    except (ArtifactError, LookupError, TypeError):
        return (
            None  # not trained yet, trained by an older version, or damaged, which load() reports
        )


def _check_ours(out: Path) -> None:
    """Refuse a file, and a folder with something that no run has left."""
    if (out / "config.yaml").exists() or not out.exists():
        return
    if not out.is_dir() or {entry.name for entry in out.iterdir()} - {LOCK}:
        raise ArtifactError(f"{out} exists and is not a run: choose another folder.")


def _written(file: Path, recipe: Recipe, device: str) -> Recipe:
    recipe = with_precision(recipe, resolved(recipe.training.precision, device))
    write_bytes(file, dump_recipe(recipe).encode())
    return recipe
