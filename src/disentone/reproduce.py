"""A paper's tables, run by us and printed beside the paper's numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from disentone.audit import Card
from disentone.errors import RecipeError, closest
from disentone.files import write_json
from disentone.recipes import Recipe, load_recipe
from disentone.runs import Data, claim, is_finished, prepare, train
from disentone.watcher import Watcher

__all__ = ["PAPERS", "reproduce"]

QUICK = ("data.frequencies=400", "training.epochs=4", "audit.seeds=1", "audit.permutations=20")


@dataclass(frozen=True)
class Cell:
    """One row of a table: a recipe, run once for every seed."""

    table: str
    row: str
    recipe: str
    settings: tuple[str, ...] = ()
    seeds: int = 1
    paper: bool = False  # the paper's numbers belong to this row


def _marl(seeds: int) -> list[Cell]:
    """Table 1, our best recipe beside it, and the ablation (Section 4), 20 epochs a row."""
    first = "Table 1: accuracy on the test split"
    second = "Ablation: weights of the decomposed KL"
    weights = [(0, 0, 0.1), (0, 0, 0), (0, 0, 1), (1, 0, 0.1), (0, 1, 0.1), (1, 1, 1)]
    ablation = [
        Cell(
            second,
            f"alpha {alpha:g}, beta {beta:g}, gamma {gamma:g}",
            "marl-syntone",
            (
                f"objective.1.alpha={alpha}",
                f"objective.1.beta={beta}",
                f"objective.1.gamma={gamma}",
                "training.epochs=20",
            ),
        )
        for alpha, beta, gamma in weights
    ]
    return [
        Cell(first, "marl-syntone", "marl-syntone", seeds=seeds, paper=True),
        Cell(first, "marl-syntone-best", "marl-syntone-best", seeds=seeds),
        *ablation,
    ]


PAPERS = {
    "marl": (
        _marl,
        "Wilkins, Ding, Fuentes and Bello, “Self-Supervised Multi-View Learning for Disentangled "
        "Music Audio Representations” (2024), on SynTone.",
    )
}


def reproduce(
    paper: str,
    out: str | Path,
    *,
    quick: bool = False,
    seeds: int = 1,
    device: str = "cpu",
    watcher: Watcher | None = None,
) -> tuple[Path, str]:
    """Run a paper's tables; cells that are done in ``out`` are not run again.

    Parameters
    ----------
    paper : {"marl"}
    out : path
        Every cell is a run folder below it; ``tables.json`` and ``report.html`` are the result.
    quick : bool
        A small share of clips and epochs, to see that everything works.
    seeds : int
        Runs of each recipe of the main table.
    device : str
    watcher : Watcher, optional

    Returns
    -------
    report : Path
    text : str
        The tables, for a terminal.

    Raises
    ------
    RecipeError
        If there is no such paper.
    """
    if paper not in PAPERS:
        raise RecipeError(f"There is no paper '{paper}'{closest(paper, PAPERS)}")
    cells_of, source = PAPERS[paper]
    out, watcher = Path(out), watcher or Watcher()
    records: list[dict[str, Any]] = []
    prepared: dict[str, Data] = {}
    for cell in cells_of(seeds):
        cards = []
        for seed in range(cell.seeds):
            settings = [*cell.settings, f"seed={seed}", *(QUICK if quick else ())]
            recipe = load_recipe(cell.recipe, settings=settings)
            folder = out / "cells" / _slug(f"{cell.row}-{cell.table.split(':')[0]}-{seed}")
            watcher.note(f"{cell.table.split(':')[0]} · {cell.row} · seed {seed}")
            claim(folder, recipe, resume=True)  # refuses what was run with other settings
            if not is_finished(folder):
                data = _prepared(recipe, prepared, watcher)
                train(recipe, folder, data=data, resume=True, device=device, watcher=watcher)
            cards.append(Card.load(folder / "audit.json"))
        records += _records(cell, cards, recipe)
    write_json(out / "tables.json", records)
    from disentone.report import write_tables_report

    title = f"disentone · reproduce {paper}" + (" (quick: not the protocol)" if quick else "")
    report = out / "report.html"
    write_tables_report(title, [source], records, [], report)
    return report, _text(records)


def _prepared(recipe: Recipe, prepared: dict[str, Data], watcher: Watcher) -> Data:
    """Features of a recipe's data, computed once for all the cells that share them."""
    key = recipe.model_dump_json(include={"data", "frontend"})
    if key not in prepared:
        prepared.clear()
        prepared[key] = prepare(recipe, watcher=watcher)
    return prepared[key]


def _records(cell: Cell, cards: Sequence[Card], recipe: Recipe) -> list[dict[str, Any]]:
    """Flat records of one row: a column for every facet and factor."""
    records = []
    table = cards[0].table("probe", "accuracy")
    for facet, factors in table.items():
        for factor in factors:
            values = np.array([card.value("probe", facet, factor, "accuracy") for card in cards])
            low, high = _interval(values, cards[0].record("probe", facet, factor, "accuracy"))
            published = recipe.paper.get(facet, {}).get(factor) if cell.paper else None
            records.append(
                {
                    "table": cell.table,
                    "row": cell.row,
                    "column": f"{facet} → {factor}",
                    "value": float(values.mean()),
                    "low": low,
                    "high": high,
                    "paper": published,
                }
            )
    return records


def _interval(values: np.ndarray, record: Any) -> tuple[float, float]:
    """95 % interval: of the mean over runs, or for a single run the one of its audit."""
    if len(values) == 1:
        return float(record["low"]), float(record["high"])
    from scipy import stats

    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def _text(records: Sequence[dict[str, Any]]) -> str:
    lines = []
    for name in dict.fromkeys(record["table"] for record in records):
        part = [record for record in records if record["table"] == name]
        columns = list(dict.fromkeys(record["column"] for record in part))
        rows = list(dict.fromkeys(record["row"] for record in part))
        width = max(len(row) for row in [*rows, "  paper"]) + 2
        widths = [max(len(column), 6) + 2 for column in columns]
        lines += ["", name, " " * width + "".join(c.rjust(w) for c, w in zip(columns, widths))]
        for row in rows:
            mine = {r["column"]: r for r in part if r["row"] == row}
            for title, key in ((row, "value"), ("  paper", "paper")):
                values = [mine[c][key] for c in columns]
                if any(value is not None for value in values):
                    cells = ["–" if v is None else f"{v:.3f}" for v in values]
                    lines.append(
                        title.ljust(width) + "".join(c.rjust(w) for c, w in zip(cells, widths))
                    )
    return "\n".join(lines[1:])


def _slug(text: str) -> str:
    return "".join(c if c.isalnum() or c in ".-" else "_" for c in text.lower())
