"""A run: from a recipe to a folder with a model, its audit and its report."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch

from disentone.artifact import Model, build_network, load
from disentone.audit import Card, audit
from disentone.batches import make_split, of_rows, statistics
from disentone.clips import ClipTable
from disentone.datasets.stratification import split_within
from disentone.datasets.syntone import SynTone
from disentone.errors import ArtifactError, RecipeError
from disentone.factors import Factor
from disentone.frontends.build import AnyFrontEnd, build_frontend
from disentone.inspection.known import find_decided
from disentone.models import MultiView
from disentone.objectives import Objective
from disentone.precision import cost_note, kind_of
from disentone.preparation import Data, prepare
from disentone.processes import join, of_first
from disentone.recipes import Recipe, load_recipe
from disentone.run_folder import begun_on, claim, is_finished, occupied, with_precision
from disentone.skipped import write_skipped
from disentone.training import fit
from disentone.watcher import Watcher

__all__ = ["audit_run", "check_device", "train", "untrained_network"]


def train(
    recipe: Recipe,
    out: str | Path,
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
    recipe : Recipe
    out : path
        Run folder.
    data : Data, optional
        The recipe's data where it is prepared already.
    resume : bool
        Go on with the unfinished run in ``out``.
    audited : bool
        If not, audit and report are left for :func:`audit_run`, or for resuming the run.
    brief : bool
        Leave sounds, spectrograms and figures out of the report.
    device : str
    watcher : Watcher, optional

    Returns
    -------
    Path
        The report, or without an audit the run folder.

    Raises
    ------
    ArtifactError
        If ``out`` holds another run, or something that is no run, or another command trains there.
    RecipeError
        If this machine has no such device.
    """
    out, watcher = Path(out), watcher or Watcher()
    check_device(device)
    first = join(device)
    with occupied(out) if first else nullcontext():
        mine = claim(out, recipe, resume=resume, device=device) if first else recipe
        recipe = with_precision(recipe, of_first(mine.training.precision))
        if resume and is_finished(out):
            watcher.note(f"{out} is finished already.")
            return out / "report.html"
        return _run(
            recipe,
            out,
            data,
            resume=resume,
            audited=audited,
            brief=brief,
            device=device,
            first=first,
            watcher=watcher,
        )


def _run(
    recipe: Recipe,
    out: Path,
    data: Data | None,
    *,
    resume: bool,
    audited: bool,
    brief: bool,
    device: str,
    first: bool,
    watcher: Watcher,
) -> Path:
    """Train, audit and report in a folder that is ours; processes but the first only train."""
    _tell_machine(recipe, out, device, watcher)
    data = data or prepare(recipe, device=device, watcher=watcher)
    for name in _named_factors(recipe):
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
    card = audit_model(model, data, recipe, run=out.name, watcher=watcher)
    card.save(out / "audit.json")
    from disentone.report.run import report_run  # drawing libraries are slow to import

    return report_run(out, recipe=recipe, model=model, data=data, card=card, brief=brief)


def audit_run(
    run: str | Path,
    *,
    data: str | Path | None = None,
    out: str | Path | None = None,
    beside: Sequence[str | Path] = (),
    seed: int | None = None,
    jobs: int | None = None,
    watcher: Watcher | None = None,
    **changes: Any,
) -> Path:
    """Audit a finished run again, on its own data or on audio that it has never heard.

    Probes learn on the train split of the data and are scored on its test split; the model
    itself stays as it is.

    Parameters
    ----------
    run : path
        Run folder.
    data : path, optional
        Another folder or table, with factors of the same names where the run's recipe names any.
    out : path, optional
        Where ``audit.json`` and ``report.html`` go; the run folder, or ``RUN/audit-NAME`` for
        other data.
    beside : sequence of path
        Other runs with the same front-end, for UDR: they embed the same clips.
    seed : int, optional
        Of probes and permutations; the run's own by default.
    jobs : int, optional
        Threads of the audit; as many as torch uses by default.
    watcher : Watcher, optional
    **changes
        Keys of the recipe's audit: ``measures``, ``variants``, ``seeds``.

    Returns
    -------
    Path
        The report.
    """
    run = Path(run)
    model = load(run)
    settings = [f"audit.{name}={json.dumps(value)}" for name, value in changes.items()]
    recipe = load_recipe(run / "config.yaml", settings=settings)
    if seed is not None:
        recipe = recipe.model_copy(update={"seed": seed})
    if data is not None:
        place = {"kind": "collection", "path": str(data)}
        if not isinstance(recipe.data, SynTone):
            place = recipe.data.model_dump() | place
        changed = recipe.model_dump() | {
            "data": place,
            "name": f"{recipe.name} on {Path(data).name}",
        }
        recipe = Recipe(**changed)
        out = out or run / f"audit-{Path(data).stem}"
    out = Path(out or run)
    prepared = prepare(recipe, watcher=watcher)
    for name in _named_factors(recipe):
        if name not in prepared.table.factors:
            (watcher or Watcher()).note(f"Factor '{name}' is not known here and is left out.")
    if prepared.skipped:
        write_skipped(out / "skipped.csv", prepared.skipped)
    others = {Path(path).name: load(path) for path in beside}
    card = audit_model(
        model, prepared, recipe, run=run.name, beside=others, jobs=jobs, watcher=watcher
    )
    card.save(out / "audit.json")
    from disentone.report.run import report_run  # drawing libraries are slow to import

    return report_run(out, recipe=recipe, model=model, data=prepared, card=card)


def audit_model(
    model: Model,
    data: Data,
    recipe: Recipe,
    *,
    run: str,
    beside: Mapping[str, Model] | None = None,
    jobs: int | None = None,
    watcher: Watcher | None = None,
) -> Card:
    """Audit a model on a recipe's data: probes learn on its train split and score on its test.

    Where the recipe's audit is ``within`` one split, they do so on two parts of it. Factors that
    the recipe names and the data does not have are left out.
    """
    config = recipe.audit
    table, rows = data.table, np.arange(len(data.table))
    if config.within is not None:
        rows = table.where(config.within)
        by = [name for name in config.stratify if name in table.factors]
        table = split_within(
            table, config.within, by=by, share=config.test_share, seed=recipe.data.seed
        )
    names = config.factors or _tellable(table)
    factors = {name: table.factors[name] for name in names if name in table.factors}
    baselines = _baselines(model, data.features, rows, recipe) if config.baselines else {}
    for name, other in (beside or {}).items():
        if other.frontend.config != model.frontend.config:
            raise ArtifactError(f"{name} has another front-end than {run}: they cannot agree.")
    return audit(
        of_rows(model.embed_features, data.features, rows),
        facets=model.facets,
        factors=factors,
        split=table.split,
        owns=_owns(recipe, factors, find_decided(table)),
        baselines=baselines,
        classes={name: count for name, count in config.classes.items() if name in factors},
        seeds=config.seeds,
        permutations=config.permutations,
        train_limit=config.train_limit,
        measures=config.measures,
        variants=config.variants,
        groups=table.recordings,
        ids=table.ids,
        beside={
            name: of_rows(other.embed_features, data.features, rows)
            for name, other in (beside or {}).items()
        },
        jobs=jobs,
        seed=recipe.seed,
        run=run,
        stage=(watcher or Watcher()).stage,
    )


def _baselines(
    model: Model, features: np.ndarray, rows: np.ndarray, recipe: Recipe
) -> dict[str, np.ndarray]:
    """What the network says before it is trained, and what the features say without one.

    Where facets pool their frames in other ways than by the mean, the features are pooled in all
    of these ways as well: a network must be worth more than its pooling.
    """
    untrained = Model(
        untrained_network(recipe, model.frontend), model.frontend, model.mean, model.std
    )
    ways = {"mean", *recipe.model.pool.values()}
    pools = {"mean": np.mean, "max": np.max, "std": np.std}
    pooled = {
        way: of_rows(lambda part, way=way: pools[way](np.float32(part), axis=1), features, rows)
        for way in sorted(ways)
    }
    found = {
        "untrained network": of_rows(untrained.embed_features, features, rows),
        "mean features": pooled["mean"],
    }
    if len(ways) > 1:
        found["pooled features"] = np.concatenate(list(pooled.values()), axis=1)
    return found


def untrained_network(recipe: Recipe, frontend: AnyFrontEnd) -> MultiView:
    """Give a recipe's network, untrained: the same for the same seed."""
    torch.manual_seed(recipe.seed)
    return build_network(recipe.model, recipe.layout(), frontend)


def _owns(
    recipe: Recipe, factors: Mapping[str, Factor], decided: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """Audited factors of every facet; none where no facet has any, as nothing can leak then.

    A facet that tells a factor tells what follows from it, such as the name of a note: no leak.
    """
    told = {
        facet: dict.fromkeys([*names, *(more for name in names for more in decided.get(name, ()))])
        for facet, names in recipe.owns().items()
    }
    owned = {facet: [name for name in names if name in factors] for facet, names in told.items()}
    return owned if any(owned.values()) else {}


def _named_factors(recipe: Recipe) -> list[str]:
    """Factors that the audit of a recipe names."""
    owned = [name for names in recipe.owns().values() for name in names]
    audited = (*recipe.audit.classes, *(recipe.audit.factors or ()), *recipe.audit.stratify)
    return list(dict.fromkeys([*owned, *audited]))


def _tellable(table: ClipTable) -> tuple[str, ...]:
    """Factors with two known classes in training and one known value in test."""
    train, test = table.take(table.where("train")), table.take(table.where("test"))

    def varied(factor: Factor) -> bool:
        values = factor.values[factor.known]
        return len(np.unique(values, axis=0)) > 1

    return tuple(
        name
        for name in table.factors
        if varied(train.factor(name)) and test.factor(name).known.any()
    )


def check_device(device: str) -> None:
    """Refuse a device that this machine does not have, before anything is written."""
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise RecipeError(
            f"This machine has no device '{device}': choose another --device, such as cpu."
        ) from error


def _train(
    recipe: Recipe, data: Data, out: Path, *, resume: bool, device: str, watcher: Watcher
) -> Model:
    frontend, facets = build_frontend(recipe.frontend), recipe.layout()
    network = untrained_network(recipe, frontend)
    train_clips = data.table.take(data.table.where("train"))
    objective = Objective(recipe.objective, facets, train_clips.factors)
    train_rows = data.table.where("train")
    moments = statistics(data.features, train_rows, per_feature=frontend.per_feature)
    train_split, valid_split = (
        make_split(recipe, data, name, moments, objective, watcher) for name in ("train", "valid")
    )
    about = {
        "recipe": recipe.name,
        "train_clips": len(train_split),
        "precision": recipe.training.precision,
        "machine": begun_on(out) or kind_of(device),
    }
    lufs = None if isinstance(recipe.data, SynTone) else recipe.data.lufs
    model = Model(network, frontend, train_split.mean, train_split.std, lufs=lufs, about=about)
    history = fit(
        network,
        train_split,
        valid_split,
        objective=objective,
        config=recipe.training,
        out=out,
        save_best=lambda: model.save(out),
        seed=recipe.seed,
        resume=resume,
        device=device,
        progress=watcher.training,
    )
    _tell_missing(history, watcher)
    return load(out)


def _tell_machine(recipe: Recipe, out: Path, device: str, watcher: Watcher) -> None:
    """Say what a run computes in, and whether it was begun on a machine of another kind."""
    watcher.note(cost_note(recipe.training.precision, device))
    began, here = begun_on(out), kind_of(device)
    if began is not None and began != here:
        watcher.note(
            f"This run began on another kind of machine ({began}; here: {here}). It keeps its "
            "precision, and ends a little otherwise than it would have there."
        )


def _tell_missing(history: Sequence[Mapping[str, float]], watcher: Watcher) -> None:
    """Say for which facets batches had no valid triplet: these did not train them."""
    missing: dict[str, list[float]] = {}
    for name, share in ((n, v) for record in history for n, v in record.items()):
        if name.startswith("train/without_"):
            missing.setdefault(name.removeprefix("train/without_"), []).append(share)
    for facet, shares in missing.items():
        if any(shares):
            watcher.note(
                f"{np.mean(shares):.0%} of the batches had no valid triplet for facet '{facet}'."
            )
