"""A paper's tables, run by us and printed beside the paper's numbers."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from disentone.embeddings.watcher import Watcher
from disentone.errors import RecipeError, closest
from disentone.files import write_bytes, write_json
from disentone.reproduce import balance, csn, latent, marl
from disentone.reproduce.cells import Row, Score, Study, slug

__all__ = ["PAPERS", "reproduce"]

PAPERS: dict[str, Callable[[str | None], Study]] = {
    "marl": marl.study,
    "latent": latent.study,
    "balance": balance.study,
    "csn": csn.study,
}


def reproduce(
    paper: str,
    out: str | Path,
    *,
    data: str | Path | None = None,
    quick: bool = False,
    seeds: int = 1,
    jobs: int = 1,
    device: str = "cpu",
    watcher: Watcher | None = None,
) -> tuple[Path, str]:
    """Run a paper's tables; cells that are done in ``out`` are not run again.

    Parameters
    ----------
    paper : {"marl", "latent", "balance", "csn"}
    out : path
        Every cell is a run folder below it; ``tables.json``, ``report.html`` and ``figures/`` are
        the result.
    data : path, optional
        The paper's data, where the user has it; see each study.
    quick : bool
        A small share of clips and epochs, and cells' reports without sounds and figures, to see
        that everything works.
    seeds : int
        Runs of each recipe of the main table.
    jobs : int
        Cells that are run at once, each in its own process.
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
    DataError
        If its data is not there.
    """
    if paper not in PAPERS:
        raise RecipeError(f"There is no paper '{paper}'{closest(paper, [*PAPERS, 'sounds'])}")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise RecipeError("reproduce runs whole cells: use jobs in place of torchrun.")
    study = PAPERS[paper](None if data is None else str(data))
    from disentone.reproduce.running import run_cells  # and torch: what is mistyped was refused

    out, watcher = Path(out), watcher or Watcher()
    rows = run_cells(
        study, out, quick=quick, seeds=seeds, jobs=jobs, device=device, watcher=watcher
    )
    records = [record for row in study.arranged(rows) for record in _records(row)]
    write_json(out / "tables.json", records)
    from disentone.report import tables_text, write_tables_report

    figures = study.figures(rows)
    for figure in figures:
        assert isinstance(figure.image, bytes | str)  # they are drawn in memory, some as SVG
        drawn = figure.image if isinstance(figure.image, bytes) else figure.image.encode()
        suffix = "png" if isinstance(figure.image, bytes) else "svg"
        name = slug(figure.caption.partition(":")[0])
        write_bytes(out / "figures" / f"{name}.{suffix}", drawn)
    title = f"disentone · reproduce {paper}{study.title}" + (
        " (quick: not the protocol)" if quick else ""
    )
    report = out / "report.html"
    write_tables_report(title, [study.source], records, figures, report)
    return report, tables_text(records)


def _records(row: Row) -> list[dict[str, Any]]:
    """Flat records of one row, one for each of its columns."""
    records = []
    for column in row.scores[0]:
        low, high = _interval([scores[column] for scores in row.scores])
        records.append(
            {
                "table": row.cell.table,
                "row": row.cell.row,
                "column": column,
                "value": row.mean(column),
                "low": None if math.isnan(low) else low,
                "high": None if math.isnan(high) else high,
                "paper": row.cell.paper.get(column),
            }
        )
    return records


def _interval(scores: Sequence[Score]) -> tuple[float, float]:
    """95 % interval: of the mean over runs, or for a single run the one of its audit."""
    if len(scores) == 1:
        return float(scores[0].low), float(scores[0].high)
    from scipy import stats

    values = np.array([score.value for score in scores])
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)
