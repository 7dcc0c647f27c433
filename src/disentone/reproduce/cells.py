"""Cells of a paper's tables: the runs for each, and the scores read from them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from disentone.audit.card import ALL
from disentone.errors import DataError
from disentone.recipes import Recipe, load_recipe
from disentone.report import Figure

__all__ = ["Cell", "Row", "Score", "Study", "at_path", "slug", "user_data"]


class Score(NamedTuple):
    """One number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Cell:
    """A part of a row: a recipe, run once for every seed, and which of its facets is scored.

    Parameters
    ----------
    table, row : str
    recipe : str
    settings : tuple of str
        As ``--set`` takes them.
    seeds : int
    run : str
        Name of the run's folder; cells of the same name share their runs.
    facet : str
        Facet, ``"all"`` or baseline that the row is about.
    columns : tuple of str, optional
        Columns that the cell fills; all by default.
    group : str
        Kind of strategy, for colours in figures.
    paper : mapping of str to float
        Published values by column.
    """

    table: str
    row: str
    recipe: str
    settings: tuple[str, ...] = ()
    seeds: int = 1
    run: str = ""
    facet: str = ALL
    columns: tuple[str, ...] | None = None
    group: str = ""
    paper: Mapping[str, float] = field(default_factory=dict)

    def folder(self, seed: int) -> str:
        """Name of the run folder of a seed."""
        name = self.run or f"{self.row}-{self.table.partition(':')[0]}"
        return slug(f"{name}-{seed}")

    def load(self, seed: int, settings: Sequence[str] = ()) -> Recipe:
        """Recipe of a seed."""
        return load_recipe(self.recipe, settings=[*self.settings, f"seed={seed}", *settings])


class Row(NamedTuple):
    """A cell and the scores of its runs, one mapping of columns a seed."""

    cell: Cell
    scores: list[dict[str, Score]]

    def mean(self, column: str) -> float:
        """Mean over seeds."""
        return sum(scores[column].value for scores in self.scores) / len(self.scores)


@dataclass(frozen=True)
class Study:
    """How a paper is reproduced.

    Parameters
    ----------
    source : str
        The paper, and on what it is reproduced here.
    title : str
        What stands in the report's title after the paper's name, such as `` on streets``.
    cells : callable
        Gives the cells for a number of seeds.
    scores : callable
        Gives the columns of a run folder for a facet.
    figures : callable
        Gives the figures of all rows; none by default.
    arranged : callable
        Gives the rows to show, such as the best ones, of all that were run.
    quick : tuple of str
        Settings that let everything run in little time.
    """

    source: str
    cells: Callable[[int], list[Cell]]
    scores: Callable[[Path, str], dict[str, Score]]
    figures: Callable[[Sequence[Row]], list[Figure]] = lambda rows: []
    quick: tuple[str, ...] = ()
    title: str = ""
    arranged: Callable[[list[Row]], list[Row]] = list


def at_path(path: Path) -> str:
    """Setting that lets a recipe read its clips from a path."""
    return f"data.path={json.dumps(str(path))}"


def slug(text: str) -> str:
    """Name for a folder: lower case, anything unusual as an underscore."""
    return "".join(c if c.isalnum() or c in ".-" else "_" for c in text.lower())


def user_data(paper: str, data: str | None, what: str) -> Path:
    """Give the place of the data that a study is made on.

    Parameters
    ----------
    paper : str
        Name of the study.
    data : str, optional
        What the user gave.
    what : str
        What is asked for.

    Raises
    ------
    DataError
        If nothing was given, or it does not exist.
    """
    if data is None:
        raise DataError(f"'{paper}' is reproduced on your data: give it, {what}.")
    if not Path(data).exists():
        raise DataError(f"'{data}' does not exist: give the data, {what}.")
    return Path(data)
