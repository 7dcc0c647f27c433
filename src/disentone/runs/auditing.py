"""The audit of a run: its model on its own clips, or on others, and the baselines beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from disentone.audit import Card, audit
from disentone.clips import ClipTable
from disentone.datasets.inspection.known import find_decided
from disentone.datasets.skipped import write_skipped
from disentone.datasets.stratification import split_within
from disentone.embeddings.model import Model, load
from disentone.embeddings.model_files import find_model
from disentone.embeddings.systems import UNTRAINED, untrained_model
from disentone.embeddings.watcher import Watcher
from disentone.errors import ArtifactError
from disentone.factors import Factor
from disentone.packaged import name_of
from disentone.recipes import Recipe
from disentone.recipes.naming import audited_factors
from disentone.runs.preparation import Data, prepare
from disentone.runs.run_folder import audit_recipe

__all__ = ["audit_model", "audit_run"]


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
    """Audit a finished run again, on its own data or on new audio.

    Probes learn on the train split of the data and are scored on its test split; the model
    itself stays as it is.

    Parameters
    ----------
    run : path or str
        Run folder, or the name of a packaged model.
    data : path, optional
        Another folder or table, with factors of the same names where the run's recipe names any.
    out : path, optional
        Where ``audit.json`` and ``report.html`` go; the run folder, or ``RUN/audit-NAME`` for
        other data. Of a packaged model ``runs/audit-MODEL`` takes the place of the run folder.
    beside : sequence of path
        Other runs with the same front-end, for UDR: they embed the same clips.
    seed : int, optional
        Of probes and permutations; the run's own by default.
    jobs : int, optional
        Threads, or processes, of the audit; as many as torch uses threads by default.
    watcher : Watcher, optional
    **changes
        Keys of the recipe's audit: ``measures``, ``variants``, ``seeds``.

    Returns
    -------
    Path
        The report.
    """
    run = find_model(run)
    recipe = audit_recipe(run, data=data, seed=seed, **changes)
    model = load(run)
    out = Path(out or _place(run, data))
    prepared = prepare(recipe, frontend=model.frontend, watcher=watcher)
    for name in audited_factors(recipe):
        if name not in prepared.table.factors:
            (watcher or Watcher()).note(f"Factor '{name}' is not known here and is left out.")
    if prepared.skipped:
        write_skipped(out / "skipped.csv", prepared.skipped)
    others = {Path(path).name: load(path) for path in beside}
    card = audit_model(
        model, prepared, recipe, run=run.name, beside=others, jobs=jobs, watcher=watcher
    )
    card.save(out / "audit.json")
    from disentone.runs.reporting import report_run  # drawing libraries are slow to import

    return report_run(out, recipe=recipe, model=model, data=prepared, card=card)


def _place(run: Path, data: str | Path | None) -> Path:
    """Give the folder of an audit: nothing is written where disentone is installed."""
    name = name_of(run)
    home = Path("runs") / f"audit-{name}" if name else run
    return home if data is None else home / f"audit-{Path(data).stem}"


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
    names = config.factors or _can_be_probed(table)
    factors = {name: table.factors[name] for name in names if name in table.factors}
    baselines = _baselines(model, data, rows, recipe) if config.baselines else {}
    for name, other in (beside or {}).items():
        if other.frontend.config != model.frontend.config:
            raise ArtifactError(f"{name} has another front-end than {run}: they cannot agree.")
    return audit(
        data.of_clips(model.embed_features, rows),
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
            name: data.of_clips(other.embed_features, rows)
            for name, other in (beside or {}).items()
        },
        jobs=jobs,
        seed=recipe.seed,
        run=run,
        stage=(watcher or Watcher()).stage,
    )


def _baselines(model: Model, data: Data, rows: np.ndarray, recipe: Recipe) -> dict[str, np.ndarray]:
    """Embeddings of the untrained network, and the features without a network.

    Where facets pool their frames in other ways than by the mean, the features are pooled in all
    of these ways as well: a network must be worth more than its pooling.
    """
    untrained = untrained_model(model, seed=recipe.seed)
    ways = {"mean", *recipe.model.pool.values()}
    pools = {"mean": np.mean, "max": np.max, "std": np.std}
    pooled = {
        way: data.of_clips(lambda part, way=way: pools[way](np.float32(part), axis=1), rows)
        for way in sorted(ways)
    }
    found = {
        UNTRAINED: data.of_clips(untrained.embed_features, rows),
        "mean features": pooled["mean"],
    }
    if len(ways) > 1:
        found["pooled features"] = np.concatenate(list(pooled.values()), axis=1)
    return found


def _owns(
    recipe: Recipe, factors: Mapping[str, Factor], decided: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """Audited factors of every facet; none where no facet has any, as nothing can leak then.

    A facet that encodes a factor encodes what follows from it, such as the name of a note: no leak.
    """
    implied = {
        facet: dict.fromkeys([*names, *(more for name in names for more in decided.get(name, ()))])
        for facet, names in recipe.owns().items()
    }
    owned = {facet: [name for name in names if name in factors] for facet, names in implied.items()}
    return owned if any(owned.values()) else {}


def _can_be_probed(table: ClipTable) -> tuple[str, ...]:
    """Factors with two known classes in training, and a known value in test to recognise.

    No probe recognises a category, such as a draw of a patch, that training does not have.
    """
    train, test = table.take(table.where("train")), table.take(table.where("test"))

    def probed(name: str) -> bool:
        learnt, asked = (of.factor(name) for of in (train, test))
        values, tested = learnt.values[learnt.known], asked.values[asked.known]
        new = learnt.kind == "categorical" and not np.isin(tested, values).any()
        return len(np.unique(values, axis=0)) > 1 and len(tested) > 0 and not new

    return tuple(name for name in table.factors if probed(name))
