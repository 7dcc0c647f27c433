"""LATENT: Tables 1 and 2 and Fig. 2, on SONYC-UST where the user has it, else on streets."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from disentone.audit import Card
from disentone.audit.card import ALL
from disentone.recipes import load_recipe
from disentone.report import Figure
from disentone.report.tradeoff import Panel, Point, tradeoff
from disentone.reproduce.cells import Cell, Row, Score, Study, at_path, user_data

__all__ = ["study"]

PAPER = (
    "Ding, Wilkins, Fuentes and Bello, “Latent Multi-view Learning for Robust Environmental Sound "
    "Representations” (2025)"
)
TABLE_1 = "Table 1: Jaccard index of the source, accuracy of the sensor"
TABLE_2 = "Table 2: strategies of our multi-view model"
TASKS = {"source": "jaccard", "sensor": "accuracy"}

REC = "{term: reconstruction, per: entry}"
MASKED = "{{term: masking, facet: private, share: {share}}}"
STRATEGIES = {  # row of Table 2: objective, kind of strategy, the paper's source and sensor
    "rec": ([REC], "reconstruction", (0.610, 0.739)),
    "rec + cos-, sample": ([REC, "{term: separation}"], "cosine", (0.633, 0.735)),
    "rec + cos-, batch": ([REC, "{term: separation, level: batch}"], "cosine", (0.610, 0.737)),
    "rec + cos+, sample": ([REC, "{term: similarity}"], "cosine", (0.593, 0.719)),
    "rec + cos+, batch": ([REC, "{term: similarity, level: batch}"], "cosine", (0.603, 0.728)),
    **{
        f"rec + mask, r = {share}": (
            [MASKED.format(share=share)],
            "masking",
            (0.594, 0.733) if share == 0.4 else None,
        )
        for share in (0.2, 0.4, 0.6, 0.8)
    },
}
BEST = "rec + cos-, sample"  # the paper's best configuration
ALONE = ("facets.shared.same=null", "facets.shared.differ=null")  # every clip is its only view
CONTRAST = ("objective=[{term: infonce, facet: null}]",)
SUPERVISED = {"source": 0.699, "sensor": 0.732}
POOLED = "front-end alone, pooled as our facets"
OVERALL = ("source", "sensor", "average")


def study(data: str | None) -> Study:
    """Give the study on the user's SONYC-UST folder, or on the table of another sensor network.

    Raises
    ------
    DataError
        If there is no data.
    """
    place = user_data(
        "latent",
        data,
        "a folder of SONYC-UST V2 with its annotations.csv and audio, or the table of another "
        "sensor network",
    )
    names = ("annotations.csv", "annotations.csv.gz")
    sonyc = place.is_dir() and any((place / name).exists() for name in names)
    where = (
        "on SONYC-UST V2 with DAC's latents, the paper's protocol."
        if sonyc
        else f"its protocol on {place.name}, not SONYC-UST, with log-mel frames, not DAC's latents."
    )
    return Study(
        source=f"{PAPER}, {where}",
        cells=lambda seeds: cells(seeds, "latent-sonyc" if sonyc else "latent-streets", place),
        scores=scores,
        figures=figures,
        quick=("training.epochs=1", "audit.seeds=1", "audit.permutations=20"),
        title=" on SONYC-UST V2" if sonyc else f" on {place.name}, not SONYC-UST",
    )


def cells(seeds: int, recipe: str, place: Path) -> list[Cell]:
    """All rows; rows that read one run share it."""
    rows = [
        _row(TABLE_1, f"multi-view, {BEST}", recipe, BEST, (0.633, 0.735)),
        Cell(TABLE_1, "multi-view, ours", recipe),
        Cell(
            TABLE_1,
            "single-view autoencoder",
            recipe,
            (*ALONE, f"objective=[{REC}]"),
            paper=_paper(0.582, 0.710),
        ),
        Cell(TABLE_1, "contrastive, one space", recipe, CONTRAST, paper=_paper(0.324, 0.392)),
        *(
            replace(_row(TABLE_1, name, recipe, BEST, paper), facet=facet)
            for name, facet, paper in _without_training(recipe)
        ),
        *(_supervised(recipe, task, value) for task, value in SUPERVISED.items()),
    ]
    rows = [replace(row, columns=row.columns or OVERALL) for row in rows]
    rows += [
        _row(TABLE_2, name, recipe, name, paper, group=group)
        for name, (_, group, paper) in STRATEGIES.items()
    ]
    rows.append(Cell(TABLE_2, "ours", recipe, group="ours"))
    return [
        replace(
            row,
            seeds=seeds,
            run=row.run or ("ours" if not row.settings else row.row),
            settings=(at_path(place), *row.settings, *_audit(row)),
        )
        for row in rows
    ]


def _audit(row: Cell) -> tuple[str, ...]:
    """Only the run whose baselines are read probes them."""
    return () if row.run == BEST else ("audit.baselines=false",)


def _without_training(recipe: str) -> Iterator[tuple[str, str, tuple[float, float] | None]]:
    """Rows of any run's baselines: name, facet and the paper's numbers."""
    yield "front-end alone, mean over time", "mean features", (0.583, 0.684)
    if load_recipe(recipe, settings=["data.path=."]).model.pool:
        yield POOLED, "pooled features", None
    yield "untrained encoder", "untrained network", None


def _row(
    table: str,
    name: str,
    recipe: str,
    strategy: str,
    paper: tuple[float, float] | None,
    group: str = "",
) -> Cell:
    """Row of a strategy's run; rows of one strategy share it."""
    settings = (f"objective=[{', '.join(STRATEGIES[strategy][0])}]",)
    published = _paper(*paper) if paper else {}
    return Cell(table, name, recipe, settings, run=strategy, group=group, paper=published)


def _supervised(recipe: str, task: str, value: float) -> Cell:
    """Half a row: an encoder trained on labels of one factor of the training clips.

    It learns the sensors of the train split and is probed on others, like all; so the last epoch
    counts, as no validation loss is defined on unseen sensors.
    """
    factor = _factor(load_recipe(recipe, settings=["data.path=."]).audit.factors or (), task)
    settings = (
        *ALONE,
        f"objective=[{{term: classification, factor: {factor}}}]",
        "training.keep=last",
    )
    return Cell(
        TABLE_1,
        "supervised on the training sensors",
        recipe,
        settings,
        run=f"supervised {task}",
        columns=(task,),
        paper={task: value},
    )


def _paper(source: float, sensor: float) -> dict[str, float]:
    return {"source": source, "sensor": sensor, "average": (source + sensor) / 2}


def scores(folder: Path, facet: str) -> dict[str, Score]:
    """Both tasks predicted from a facet, their average, and the directional differences."""
    card = Card.load(folder / "audit.json")
    found: dict[str, Score] = {}
    for task, metric in TASKS.items():
        found[task] = _score(card.record("probe", facet, _factor(card.factors, task), metric))
    found["average"] = Score(*(sum(values) / len(TASKS) for values in zip(*found.values())))
    for record in card.records:
        if record["measure"] == "dsc_delta" and facet == ALL:
            found |= {f"DSC {t}": _score(record) for t in TASKS if _is_main(card, record, t)}
    return found


def _factor(factors: Collection[str], task: str) -> str:
    """Factor of a task; SONYC's sources are its coarse labels."""
    return "coarse" if task == "source" and "coarse" in factors else task


def _is_main(card: Card, record: Mapping[str, Any], task: str) -> bool:
    return record["factor"] == _factor(card.factors, task) and record["metric"] == TASKS[task]


def _score(record: Mapping[str, Any]) -> Score:
    return Score(*(float(record[key]) for key in ("value", "low", "high")))


def figures(rows: Sequence[Row]) -> list[Figure]:
    """Draw Fig. 2: scores from both facets, and how much better from the right one."""
    shown = [row for row in rows if row.cell.table == TABLE_2]
    alone = [row for row in rows if row.cell.row.startswith("front-end alone")]
    panels = [
        Panel(
            title=task,
            across=f"predicted from both facets ({metric})",
            up="DSC delta",
            points=[
                Point(row.mean(task), row.mean(f"DSC {task}"), row.cell.row, row.cell.group)
                for row in shown
            ],
            line=alone[-1].mean(task),  # pooled as the facets are
            line_label="front-end alone",
        )
        for task, metric in TASKS.items()
    ]
    caption = (
        "Fig. 2: for each strategy, how well both facets predict the source and the sensor, and "
        "how much better the facet that should predict it does (DSC delta above 0)."
    )
    return [Figure(caption, tradeoff(panels))]
