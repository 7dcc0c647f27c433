"""A run: from a recipe to a folder with a model, its audit and its report."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch

from disentone.datasets.config import CollectionConfig
from disentone.datasets.skipped import write_skipped
from disentone.embeddings.frozen import on_trunk
from disentone.embeddings.model import Model, load
from disentone.embeddings.networks import untrained_network
from disentone.embeddings.watcher import Watcher
from disentone.errors import RecipeError
from disentone.recipes import Recipe, load_recipe
from disentone.recipes.naming import audited_factors, private_note
from disentone.runs.auditing import audit_model
from disentone.runs.batches import make_objective, make_split, statistics
from disentone.runs.loop import fit
from disentone.runs.precision import cost_note, kind_of
from disentone.runs.preparation import Data, prepare
from disentone.runs.processes import join, of_first
from disentone.runs.run_folder import begun_on, claim, is_finished, occupied, with_precision
from disentone.runs.step import Learner

__all__ = ["check_device", "train"]


def train(
    recipe: Recipe | str | Path,
    out: str | Path | None = None,
    *,
    data: Data | None = None,
    resume: bool = False,
    audited: bool = True,
    brief: bool = False,
    device: str = "cpu",
    watcher: Watcher | None = None,
) -> Path:
    """Train, audit and report; everything is left in one folder.

    Parameters
    ----------
    recipe : Recipe, str or path
        A recipe, or the name or file of one, which :func:`load_recipe` loads: use it to set values
        otherwise, or to choose sounds and facets.
    out : path, optional
        Run folder; ``runs/NAME`` of the recipe by default.
    data : Data, optional
        The recipe's data where it is prepared already.
    resume : bool
        Go on with the unfinished run in ``out``.
    audited : bool
        If not, audit and report are left for ``disentone audit RUN``, or for resuming the run.
    brief : bool
        Leave sounds, spectrograms and figures out of the report.
    device : str
    watcher : Watcher, optional

    Returns
    -------
    Path
        The report, or without an audit, which needs a factor, the run folder.

    Raises
    ------
    ArtifactError
        If ``out`` holds another run, or something that is no run, or another command trains there.
    RecipeError
        If there is no such recipe, or this machine has no such device.
    DataError
        If the recipe's data cannot be used.

    Examples
    --------
    >>> report = disentone.train("demo", "runs/demo")                     # doctest: +SKIP
    >>> facets = ["timbre:8 same=instrument", "rest:8"]
    >>> recipe = disentone.load_recipe("facets", data="sounds/", facets=facets)  # doctest: +SKIP
    >>> report = disentone.train(recipe, "runs/mine")                     # doctest: +SKIP
    """
    watcher = watcher or Watcher()
    if not isinstance(recipe, Recipe):
        begun = Path(out) / "config.yaml" if resume and out is not None else None
        recipe = load_recipe(recipe, begun=begun, note=watcher.note)
    out = Path("runs") / recipe.name if out is None else Path(out)
    check_device(device)
    recipe = on_trunk(recipe)
    first = join(device)
    with occupied(out) if first else nullcontext():
        mine = claim(out, recipe, resume=resume, device=device) if first else recipe
        recipe = with_precision(recipe, of_first(mine.training.precision))
        if resume and is_finished(out):
            watcher.note(f"{out} is finished already.")
            return out / "report.html"
        _note_machine(recipe, out, device, watcher)
        private = private_note(recipe)
        if private is not None:
            watcher.note(private)
        data = data or prepare(recipe, device=device, watcher=watcher)
        for name in audited_factors(recipe):
            data.table.factor(name)  # better refused now than after the training
        if data.skipped and first:
            write_skipped(out / "skipped.csv", data.skipped)
        model = _train(recipe, data, out, resume=resume, device=device, watcher=watcher)
        if not first:
            return out / "report.html"
        if not audited:
            command = shlex.join(["disentone", "audit", str(out)])
            watcher.note(f"Trained; not audited, and without a report: these are made by {command}")
            return out
        if not data.table.factors:
            watcher.note(
                "Trained; not audited, and without a report: no factor of these clips is known."
            )
            return out
        return _audit_and_report(model, data, recipe, out, brief=brief, watcher=watcher)


def _audit_and_report(
    model: Model, data: Data, recipe: Recipe, out: Path, *, brief: bool, watcher: Watcher
) -> Path:
    card = audit_model(model, data, recipe, run=out.name, watcher=watcher)
    card.save(out / "audit.json")
    from disentone.runs.reporting import report_run  # drawing libraries are slow to import

    return report_run(out, recipe=recipe, model=model, data=data, card=card, brief=brief)


def check_device(device: str) -> None:
    """Refuse a device that this machine does not have, before anything is written."""
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise RecipeError(
            f"This machine has no device '{device}': choose another, such as cpu."
        ) from error


def _train(
    recipe: Recipe, data: Data, out: Path, *, resume: bool, device: str, watcher: Watcher
) -> Model:
    frontend = recipe.frontend.build()
    network = untrained_network(recipe, frontend)
    objective = make_objective(recipe, data.table)
    train_windows = data.windows.take(data.table.where("train")).rows
    moments = statistics(data.features, train_windows, per_feature=frontend.per_feature)
    train_split, valid_split = (
        make_split(recipe, data, name, moments, objective, watcher) for name in ("train", "valid")
    )
    about = {
        "recipe": recipe.name,
        "train_clips": len(train_split),
        "precision": recipe.training.precision,
        "machine": begun_on(out) or kind_of(device),
    }
    lufs = recipe.data.lufs if isinstance(recipe.data, CollectionConfig) else None
    model = Model(network, frontend, train_split.mean, train_split.std, lufs=lufs, about=about)
    history = fit(
        Learner(network, objective, recipe.training, device),
        train_split,
        valid_split,
        out=out,
        save_best=lambda: model.save(out),
        seed=recipe.seed,
        resume=resume,
        progress=watcher.training,
    )
    _note_missing(history, watcher)
    return load(out)


def _note_machine(recipe: Recipe, out: Path, device: str, watcher: Watcher) -> None:
    """Note the precision of a run, and whether it was begun on a machine of another kind."""
    watcher.note(cost_note(recipe.training.precision, device))
    began, here = begun_on(out), kind_of(device)
    if began is not None and began != here:
        watcher.note(
            f"This run began on another kind of machine ({began}; here: {here}). It keeps its "
            "precision, and ends a little otherwise than it would have there."
        )


def _note_missing(history: Sequence[Mapping[str, float]], watcher: Watcher) -> None:
    """Note for which facets batches had no valid triplet: these did not train them."""
    missing: dict[str, list[float]] = {}
    for name, share in ((n, v) for record in history for n, v in record.items()):
        if name.startswith("train/without_"):
            missing.setdefault(name.removeprefix("train/without_"), []).append(share)
    for facet, shares in missing.items():
        if any(shares):
            watcher.note(
                f"{np.mean(shares):.0%} of the batches had no valid triplet for facet '{facet}'."
            )
