"""CSN: Tables 1 and 2 and Fig. 2, on MSD and Dim-sim where the user has them, else on music."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from disentone.agreement.given import GivenTriplets
from disentone.audit import facet_subsets
from disentone.audit.card import ALL
from disentone.clips import match_names
from disentone.datasets.config import CollectionConfig
from disentone.datasets.dimsim import is_dimsim, read_any_triplets
from disentone.embeddings.systems import (
    Songs,
    System,
    statistics_system,
    system_of_run,
    wanted_songs,
)
from disentone.errors import DataError
from disentone.files import write_json
from disentone.recipes import load_recipe
from disentone.report import Figure
from disentone.report.radar import radar
from disentone.reproduce.cells import Cell, Row, Score, Study, at_path, user_data
from disentone.runs.judging import judge

__all__ = ["study"]

PAPER = (
    "Ribecky, Abeßer and Lukashevich, “Multi-Input Architecture and Disentangled Representation "
    "Learning for Multi-Dimensional Modeling of Music Similarity” (2021)"
)
TABLE_1 = "Table 1: model configurations"
TABLE_2 = "Table 2: subsets of facets"
OWN = "Each facet on the triplets of its own dimension"
DIAGONAL = "Facets by dimension: triplets in order"
FOUND = "Facets by dimension: mean average precision of retrieval"
SCORE = "triplet score"
DIMENSIONS = ("genre", "mood", "instrument", "era", "tempo", "key")
MAIN = "6 dimensions, multi-input, 384"
UNTRAINED, STATISTICS = "untrained", "statistics"
MEAN = "mean of these"
OWNED = {"own": "run", f"own, {UNTRAINED}": UNTRAINED}  # which system a row of OWN is about
TOP = 6  # subsets in Table 2

CONFIGURATIONS = {  # of Table 1: dimensions, inputs, size of a facet, the paper's score
    "4 dimensions, mel, 256 (baseline)": (4, "csn-music-mel", 64, 0.8192),
    "4 dimensions, multi-input, 256": (4, "csn-music", 64, 0.8286),
    "6 dimensions, mel, 258": (6, "csn-music-mel", 43, 0.7934),
    "6 dimensions, mel, 384": (6, "csn-music-mel", 64, 0.8169),
    MAIN: (6, "csn-music", 64, 0.8380),
}
SUBSETS = {  # of Table 2
    "genre mood instrument era tempo key": 0.8380,
    "genre mood instrument era key": 0.8286,
    "genre instrument era tempo": 0.8286,
    "genre mood instrument era tempo": 0.8263,
    "genre mood era tempo key": 0.8263,
    "genre mood instrument era": 0.8263,
    "genre": 0.7535,
    "mood": 0.7535,
    "instrument": 0.6901,
    "era": 0.7559,
    "tempo": 0.5798,
    "key": 0.6362,
}
PUBLISHED = {frozenset(names.split()): score for names, score in SUBSETS.items()}
WITH_PAPER = (  # its inputs, network and training, for who has its data
    "model.encoder.width=1",
    "model.encoder.dropout=0",
    "model.encoder.skip=false",
    "model.encoder.rotations=0",
    "model.unit_length=false",
    "frontend.chroma_fft=null",
    "frontend.cyclic=null",
    "training.schedule=plateau",
    "training.warmup=0",
    "training.learning_rate=1.0e-5",
    "training.plateau=10",
    "training.lr_factor=0.2",
    "training.min_lr=1.0e-10",
    "training.epochs=200",
    "training.patience=30",
)


def study(data: str | None) -> Study:
    """Give the study on the user's MSD and Dim-sim, or on any table of music with triplets.

    Parameters
    ----------
    data : str, optional
        A folder with Last.fm's tags, Dim-sim's CSV and the audio of both (see
        :mod:`disentone.datasets.msd` and :mod:`disentone.datasets.dimsim`); or one with a
        ``clips.csv``, which has the six dimensions as columns, and a ``triplets.csv`` of test
        clips.

    Raises
    ------
    DataError
        If there is no data, or no triplets with it.
    """
    place = user_data(
        "csn",
        data,
        "a folder with MSD's tags, Dim-sim and audio, or one with a clips.csv and a triplets.csv",
    )
    protocol = _Protocol(place)
    protocol.check()
    where = (
        "on the Million Song Dataset and Dim-sim, the paper's protocol but for the estimators of "
        "tempo and key, which are ours."
        if protocol.is_msd
        else f"its tables on {place.name} and its triplets.csv, which is derived from labels: not "
        "MSD, not Dim-sim, and no human judgements; the networks are of a size for a CPU."
    )
    return Study(
        source=f"{PAPER}, {where} The paper also has OpenL3 at 0.7958: disentone triplets scores "
        "any embedding beside these.",
        cells=protocol.cells,
        scores=protocol.scores,
        figures=figures,
        arranged=arranged,
        quick=("training.epochs=1", "data.hop=10", "audit.permutations=20"),
        title=" on MSD and Dim-sim" if protocol.is_msd else f" on {place.name}, not Dim-sim",
    )


class _Protocol:
    """Training data, and the triplets that runs are scored on; both are opened once."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.root = place if place.is_dir() else place.parent
        csvs = sorted(self.root.rglob("*.csv")) if place.is_dir() else []
        dimsim = next((file for file in csvs if is_dimsim(file)), None)
        tags = ("lastfm_tags.db", "lastfm_train", "lastfm_subset")
        self.is_msd = dimsim is not None and any((self.root / name).exists() for name in tags)
        self.triplets = dimsim if self.is_msd and dimsim else self.root / "triplets.csv"
        if not self.triplets.is_file():
            raise DataError(
                f"There is no '{self.triplets}': a table with the columns anchor, positive, "
                "negative and dimensions is needed to score models."
            )

    @cached_property
    def given(self) -> GivenTriplets:
        return read_any_triplets(self.triplets)

    @cached_property
    def dimensions(self) -> tuple[str, ...]:
        """Of the six, those in which triplets hold: none of Dim-sim's."""
        return tuple(name for name in DIMENSIONS if name in self.given.named)

    def check(self) -> None:
        """Refuse, before anything is trained, what could not be scored in the end.

        Raises
        ------
        DataError
            If clips of the triplets are trained on or missing, or no triplet is of a dimension.
        """
        songs = self.songs.table  # opened here: without audio nothing can be scored
        if self.is_msd:
            return  # songs of Dim-sim are left out of training where MSD is read
        if not self.dimensions:
            raise DataError(
                f"The triplets of '{self.triplets}' hold in none of the dimensions "
                f"{', '.join(DIMENSIONS)}: name these in its column dimension."
            )
        place = match_names([str(name) for name in songs.ids], self.given.names.ravel())
        names = np.unique(self.given.names)
        trained = [name for name in names if songs.split[place[name]] != "test"]
        if trained:
            raise DataError(
                f"{len(trained)} clips that the triplets name, such as '{trained[0]}', are not in "
                "the test split: give the table of clips a column split, and these 'test' in it."
            )

    @cached_property
    def songs(self) -> Songs:
        if self.is_msd:
            config = CollectionConfig(path=str(self.place), dataset="dim-sim")
        else:
            recipe = load_recipe("csn-music", settings=[at_path(self.place)])
            assert isinstance(recipe.data, CollectionConfig)  # csn-music is on a collection
            config = recipe.data
        return wanted_songs(config, self.given)

    def cells(self, seeds: int) -> list[Cell]:
        """All rows; rows that read one run share it."""
        rows = [
            Cell(TABLE_1, name, recipe, _facets(count, size), run=name, paper={SCORE: score})
            for name, (count, recipe, size, score) in CONFIGURATIONS.items()
        ]
        main = rows[-1]
        rows.append(replace(main, row="untrained, multi-input", facet=UNTRAINED, paper={}))
        rows.append(Cell(TABLE_1, "no labels: views, multi-input", "csn-music-self", run="self"))
        rows = [replace(row, seeds=seeds, columns=(SCORE,)) for row in rows]
        rows.append(replace(rows[4], row="log-mel statistics", facet=STATISTICS, seeds=1, paper={}))
        main = replace(rows[4], paper={})
        for name, parts in facet_subsets(dict.fromkeys(DIMENSIONS, 1)).items():
            score = PUBLISHED.get(frozenset(parts))
            paper = {} if score is None else {SCORE: score}
            row = " + ".join(parts)
            rows.append(replace(main, table=TABLE_2, row=row, facet=name, paper=paper))
        if not self.is_msd:  # Dim-sim's triplets are of no dimension
            first = [row for row in rows if row.table == TABLE_1 and row.facet != STATISTICS]
            rows += [_own(row, self.dimensions) for row in first]
            for table, prefix in ((DIAGONAL, ""), (FOUND, "map ")):
                columns = tuple(prefix + name for name in self.dimensions)
                rows += [
                    replace(main, table=table, row=name, facet=name, columns=columns)
                    for name in (ALL, *DIMENSIONS)
                ]
        return [replace(row, settings=(*self._data(), *row.settings)) for row in rows]

    def _data(self) -> tuple[str, ...]:
        if not self.is_msd:
            return (at_path(self.place), "audit.baselines=false", "audit.seeds=1")
        data = {
            "kind": "collection",
            "path": str(self.place),
            "dataset": "msd-lastfm",
            "segment": 3,
            "derive": {"tempo": "estimate", "key": "estimate"},
        }
        return (f"data={json.dumps(data)}", "audit.baselines=false", "audit.seeds=1", *WITH_PAPER)

    def scores(self, folder: Path, facet: str) -> dict[str, Score]:
        """Triplet score of a facet or subset, and its score on and retrieval of each dimension.

        Or, for a row of ``OWN``, the score of each dimension's own facet, and their mean.
        """
        if facet in OWNED:
            return self._own_scores(folder, OWNED[facet])
        system = facet if facet in (UNTRAINED, STATISTICS) else "run"
        records = self._records(folder, system)
        of = ALL if system != "run" else facet
        found: dict[str, Score] = {}
        for record in records:
            if record["facet"] == of and record["value"] is not None:
                if record["measure"] == "triplet":
                    found[SCORE if record["factor"] == ALL else record["factor"]] = _score(record)
                elif record["metric"] == "map":
                    found[f"map {record['factor']}"] = _score(record)
        return found

    def _own_scores(self, folder: Path, system: str) -> dict[str, Score]:
        owns = load_recipe(folder / "config.yaml").owns().items()
        owner = {factor: facet for facet, factors in owns for factor in factors}
        found = {
            str(record["factor"]): _score(record)
            for record in self._records(folder, system)
            if record["measure"] == "triplet"
            and record["value"] is not None
            and owner.get(record["factor"]) == record["facet"]
        }
        own = {name: found[name] for name in DIMENSIONS if name in found}
        if not own:
            return {}
        mean = sum(score.value for score in own.values()) / len(own)
        return own | {MEAN: Score(mean, math.nan, math.nan)}  # dimensions share anchors

    def _records(self, folder: Path, system: str) -> list[dict[str, Any]]:
        """Records of a run, kept in its folder for as long as the triplets are the same."""
        file = folder / f"triplets-{system}-{self.given.key}.json"
        if not file.exists():
            table = None if self.is_msd else self.songs.table
            write_json(file, judge(self._system(folder, system), self.given, table=table))
        return json.loads(file.read_text(encoding="utf-8"))

    def _system(self, folder: Path, system: str) -> System:
        if system == STATISTICS:
            return statistics_system(self.songs)
        return system_of_run(folder, self.songs, untrained=system == UNTRAINED)


def _score(record: dict[str, Any]) -> Score:
    return Score(*(record[key] for key in ("value", "low", "high")))


def _own(row: Cell, dimensions: tuple[str, ...]) -> Cell:
    """Row of ``OWN`` about the runs of a row of Table 1."""
    facet = f"own, {UNTRAINED}" if row.facet == UNTRAINED else "own"
    return replace(row, table=OWN, facet=facet, columns=(*dimensions, MEAN), paper={})


def _facets(count: int, size: int) -> tuple[str, ...]:
    """Settings for the first dimensions alone, or for facets of another size."""
    if (count, size) == (len(DIMENSIONS), 64):
        return ()
    names = DIMENSIONS[:count]
    rules = {name: {"rule": name} for name in ("tempo", "key")}
    facets = {name: {"dim": size, "same": name, **rules.get(name, {})} for name in names}
    return (f"facets={json.dumps(facets)}",)


def arranged(rows: Sequence[Row]) -> list[Row]:
    """Keep of Table 2 the best subsets, those that the paper gives, and the facets alone."""
    second = [row for row in rows if row.cell.table == TABLE_2]
    best = sorted(second, key=lambda row: -row.mean(SCORE))
    shown = [row for row in best if row in best[:TOP] or (row.cell.paper and "+" in row.cell.row)]
    alone = [row for row in second if "+" not in row.cell.row and row not in shown]
    first = [row for row in rows if row.cell.table == TABLE_1]
    rest = [row for row in rows if row.cell.table not in (TABLE_1, TABLE_2)]
    return [*first, *shown, *alone, *rest]


def figures(rows: Sequence[Row]) -> list[Figure]:
    """Draw Fig. 2: each facet alone, ours and the paper's; and each on its own dimension."""
    alone = {row.cell.row: row for row in rows if row.cell.table == TABLE_2}
    ours = {name: alone[name].mean(SCORE) for name in DIMENSIONS}
    theirs = {name: PUBLISHED[frozenset([name])] for name in DIMENSIONS}
    unit = "share of triplets in order"
    caption = "Fig. 2: each facet alone, on all triplets."
    series = {"ours": ours, "the paper, on Dim-sim": theirs}
    drawn = [Figure(caption, radar(series, title=caption[8:-1], unit=unit, reference=0.5))]
    own = {row.cell.row: row for row in rows if row.cell.table == DIAGONAL}
    dimensions = own[ALL].cell.columns or () if own else ()
    if len(dimensions) > 2:  # corners of a chart
        series = {
            "the facet of the dimension": {n: own[n].mean(n) for n in dimensions},
            "all facets": {n: own[ALL].mean(n) for n in dimensions},
        }
        caption = "Fig. 3: on the triplets of each dimension."
        drawn.append(Figure(caption, radar(series, title=caption[8:-1], unit=unit, reference=0.5)))
    return drawn
