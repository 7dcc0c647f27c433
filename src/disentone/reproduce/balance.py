"""BALANCE: every contrastive strategy with and without reconstruction, on tones and on notes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from disentone.audit import Card
from disentone.audit.card import ALL
from disentone.report import Figure
from disentone.report.tradeoff import Panel, Point, tradeoff
from disentone.reproduce.cells import Cell, Row, Score, Study, at_path, user_data

__all__ = ["study"]

PAPER = (
    "“Balancing Information Preservation and Disentanglement in Self-Supervised Music "
    "Representation Learning” (2025): the grid is ours, as the paper's is not at hand"
)
SETS = {"SynTone": "balance-syntone", "notes": "balance-notes"}
NETWORKS = {
    "MARL network": ("model.fusion=poe",),
    "latent network": (
        "model={encoder: {kind: frames, width: 128}, decoder: {kind: frames, width: 128}, "
        "fusion: mean, stochastic: false}",
    ),
}
STRATEGIES = ("similarity", "separation", "both")
LEVELS = ("sample", "batch", "InfoNCE")
WITH, WITHOUT = "with reconstruction", "without reconstruction"
WEIGHT = 100  # of contrastive terms, beside a reconstruction in nats per clip


def study(data: str | None) -> Study:
    """Give the study; ``data`` is the table of notes.

    Raises
    ------
    DataError
        If there are no notes.
    """
    place = user_data("balance", data, "a table of notes with the columns instrument and pitch")
    return Study(
        source=f"{PAPER}. On SynTone's tones (timbre | frequency) and on the notes of {place} "
        "(instrument | pitch).",
        cells=lambda seeds: list(cells(seeds, place)),
        scores=scores,
        figures=figures,
        quick=("training.epochs=1", "audit.seeds=1"),
    )


def cells(seeds: int, place: Path) -> Iterator[Cell]:
    """All cells: strategy, level, reconstruction, network and data."""
    for (name, recipe), (network, model) in product(SETS.items(), NETWORKS.items()):
        where = (at_path(place),) if name == "notes" else ()
        for group, strategy, level in _grid():
            row = strategy if strategy == "none" else f"{strategy}, {level}"
            yield Cell(
                f"{name}, {network}",
                f"{row}; {group}",
                recipe,
                (*where, *model, _objective(network, group, strategy, level)),
                seeds,
                run=f"{recipe}-{network}-{row}-{group}",
                group=group,
            )


def _grid() -> Iterator[tuple[str, str, str]]:
    yield WITH, "none", ""  # without either there is nothing to learn
    yield from product((WITH, WITHOUT), STRATEGIES, LEVELS)


def _objective(network: str, group: str, strategy: str, level: str) -> str:
    terms: list[dict[str, object]] = []
    if group == WITH:
        terms.append({"term": "reconstruction"})
        if network == "MARL network":
            terms.append({"term": "kl", "weight": 0.1})
    if strategy in ("similarity", "both"):
        terms.append(_contrast("similarity", "shared", level))
    if strategy in ("separation", "both"):
        terms.append(_contrast("separation", "private", level))
    return f"objective={json.dumps(terms)}"


def _contrast(strategy: str, facet: str, level: str) -> dict[str, object]:
    if level == "InfoNCE":
        return {
            "term": "infonce",
            "facet": facet,
            "weight": WEIGHT,
            "away": strategy == "separation",
        }
    return {"term": strategy, "facet": facet, "weight": WEIGHT, "level": level}


def scores(folder: Path, facet: str) -> dict[str, Score]:
    """What is kept (both factors from all facets, decoding error) and how well it is separated."""
    card = Card.load(folder / "audit.json")
    probes = [card.record("probe", ALL, factor) for factor in card.factors]
    leaks = [record for record in card.records if record["measure"] == "leak"]
    deltas = [record for record in card.records if record["measure"] == "dsc_delta"]
    found = {
        "joint probe": _mean(probes),
        "leak": _mean([_main(leaks, facet) for facet in card.facets.names]),
        "DSC delta": _mean([_main(deltas, facet) for facet in card.facets.names]),
    }
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    best = min(map(json.loads, lines), key=lambda line: line["valid/total"])
    if "valid/mse" in best:
        found["decoding error"] = Score(*[best["valid/mse"]] * 3)
    return found


def _main(records: Sequence[dict], facet: str) -> dict:
    """First record of a facet: its main metric."""
    return next(record for record in records if record["facet"] == facet)


def _mean(records: Sequence[dict]) -> Score:
    return Score(*(sum(r[key] for r in records) / len(records) for key in ("value", "low", "high")))


def figures(rows: Sequence[Row]) -> list[Figure]:
    """Draw information kept against separation, in two ways, with Pareto fronts."""
    probes = _panels(
        rows,
        ("joint probe", "joint probe: accuracy, mean of both factors"),
        ("leak", "leak above chance, mean of both facets"),
        better=(1, -1),
    )
    decoded = _panels(
        rows,
        ("decoding error", "decoding error: mean square, standardised features"),
        ("DSC delta", "DSC delta, mean of both factors"),
        better=(-1, 1),
    )
    return [
        Figure(
            "Predicted and leaked: what both facets together predict, and what each predicts "
            "that it should not. Right and below is better; the dashed line is the Pareto front.",
            tradeoff(probes),
        ),
        Figure(
            "Decoded and separated: how well cells with reconstruction decode the sound, and how "
            "much better the right facet predicts its factor. Left and above is better.",
            tradeoff(decoded),
        ),
    ]


def _panels(
    rows: Sequence[Row],
    across: tuple[str, str],
    up: tuple[str, str],
    *,
    better: tuple[int, int],
) -> list[Panel]:
    """One panel a data set and network: two scores, by name and with the labels of their axes."""
    return [
        Panel(
            title=table,
            across=across[1],
            up=up[1],
            points=[
                Point(
                    row.mean(across[0]),
                    row.mean(up[0]),
                    row.cell.row.partition(";")[0],
                    row.cell.group,
                )
                for row in rows
                if row.cell.table == table and across[0] in row.scores[0]
            ],
            better=better,
        )
        for table in dict.fromkeys(row.cell.table for row in rows)
    ]
