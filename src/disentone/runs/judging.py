"""Score embeddings of any kind on given triplets, each beside the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from disentone.agreement.criterion import Rule
from disentone.agreement.given import GivenTriplets
from disentone.agreement.rules import are_keys
from disentone.audit import retrieval_scores, triplet_scores
from disentone.clips import ClipTable, match_names
from disentone.datasets.config import CollectionConfig
from disentone.datasets.dimsim import read_any_triplets
from disentone.embeddings.systems import (
    Songs,
    System,
    statistics_system,
    system_of_file,
    system_of_run,
    wanted_songs,
)
from disentone.embeddings.watcher import Watcher
from disentone.errors import DataError
from disentone.factors import Factor
from disentone.files import write_json
from disentone.packaged import or_packaged
from disentone.recipes import load_recipe

__all__ = ["judge", "judge_files", "judge_systems"]

RULES: Mapping[str, Rule] = {"tempo": "tempo", "bpm": "tempo", "key": "key"}

Record = dict[str, Any]


def judge(
    system: System,
    given: GivenTriplets,
    *,
    table: ClipTable | None = None,
    seed: int = 0,
    watcher: Watcher | None = None,
) -> list[Record]:
    """Score a system on triplets, and on retrieval where factors are known.

    Parameters
    ----------
    system : System
    given : GivenTriplets
        Triplets with a clip that the system does not have are left out and noted; ``n`` counts
        the others.
    table : ClipTable, optional
        The clips and their factors; those of its test split are ranked.
    seed : int
    watcher : Watcher, optional

    Returns
    -------
    list of dict
        Records of :func:`~disentone.audit.triplet_scores` and
        :func:`~disentone.audit.retrieval_scores`, each with ``run``.

    Raises
    ------
    DataError
        If the system has none of the triplets' clips.
    """
    place = match_names(system.ids, given.names.ravel().tolist())
    known = np.array([all(name in place for name in row) for row in given.names.tolist()])
    if not known.all():
        missing = next(n for row in given.names[~known].tolist() for n in row if n not in place)
        problem = f"{int((~known).sum())} of {len(known)} triplets name clips that {system.name} "
        problem += f"does not have, such as '{missing}'"
        if not known.any():
            raise DataError(f"{problem}: name its rows as the triplets do.")
        (watcher or Watcher()).note(f"{problem}; they are left out.")
    rows = np.array([[place[name] for name in row] for row in given.names[known].tolist()])
    found = triplet_scores(
        embedding=system.values,
        facets=system.facets,
        anchors=rows[:, 0],
        positives=rows[:, 1],
        negatives=rows[:, 2],
        dimensions=[names for names, ok in zip(given.dimensions, known) if ok],
        seed=seed,
    )
    found += [] if table is None else _retrieved(system, given, table, place, seed)
    return [{"run": system.name, **record} for record in found]


def judge_systems(
    systems: Sequence[System],
    given: GivenTriplets,
    out: str | Path,
    *,
    table: ClipTable | None = None,
    seed: int = 0,
    watcher: Watcher | None = None,
) -> tuple[Path, str]:
    """Score several systems, and leave ``triplets.json`` and ``report.html`` in a folder.

    Parameters
    ----------
    systems : sequence of System
    given : GivenTriplets
    out : path
    table, seed, watcher
        As :func:`judge` takes them.

    Returns
    -------
    report : Path
    text : str
        The tables, for a terminal.
    """
    from disentone.report import tables_text, write_tables_report
    from disentone.report.triplets import triplet_figures, triplet_sentences, triplet_tables

    out = Path(out)
    names = [system.name for system in systems]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"Two of the embeddings are called '{twice}': rename one.")
    records = [
        record
        for system in systems
        for record in judge(system, given, table=table, seed=seed, watcher=watcher)
    ]
    write_json(out / "triplets.json", records)
    tables = triplet_tables(records)
    lead = [f"{len(given)} triplets of {given.source}.", *triplet_sentences(records)]
    report = out / "report.html"
    title = "disentone · triplets"
    write_tables_report(title, lead, tables, triplet_figures(records), report)
    return report, "\n".join([tables_text(tables), "", *lead[1:]])


def judge_files(
    what: Sequence[str | Path],
    triplets: str | Path,
    out: str | Path,
    *,
    data: str | Path | None = None,
    dataset: str | None = None,
    facets: str | None = None,
    agreement: float = 0.9,
    baselines: bool = False,
    short: Literal["pad", "skip"] = "pad",
    device: str = "cpu",
    seed: int = 0,
    watcher: Watcher | None = None,
) -> tuple[Path, str]:
    """Score runs and embedding files on a file of triplets; see :func:`judge_systems`.

    Parameters
    ----------
    what : sequence of path
        Run folders, names of packaged models, and embedding files.
    triplets : path
        See :func:`~disentone.datasets.dimsim.read_any_triplets`.
    out : path
    data : path, optional
        Folder or table of the clips; by default that of the first run.
    dataset : str, optional
        A named dataset in it.
    facets : str, optional
        Of embedding files that do not name theirs.
    agreement : float
        In [0, 1], of Dim-sim's triplets.
    baselines : bool
        Score the first run's untrained network and log-mel statistics as well.
    short : {"pad", "skip"}
        What runs do with clips shorter than their segments; see
        :func:`~disentone.embeddings.systems.system_of_run`.
    device, seed, watcher

    Raises
    ------
    DataError
        If there are no clips, or anything cannot be read.
    """
    watcher, what = watcher or Watcher(), [or_packaged(path) for path in what]
    excerpts = dataset == "dim-sim-excerpts"
    given = read_any_triplets(triplets, agreement=agreement, excerpts=excerpts)
    runs = [path for path in what if path.is_dir()]
    config = _config(runs, data, dataset)
    if config is None and (runs or baselines):
        raise DataError("The clips are not known: give the data, the folder or table of them.")
    songs = None if config is None else wanted_songs(config, given)
    if songs is not None and runs and data is None:
        _note_seen(songs, given, watcher)
    systems = []
    for path in what:
        if path in runs:
            assert songs is not None  # refused above
            systems.append(system_of_run(path, songs, short=short, device=device, watcher=watcher))
        else:
            table = songs.table if songs else None
            systems.append(system_of_file(path, facets=facets, table=table))
    if baselines and songs is not None:
        for run in runs[:1]:
            made = system_of_run(
                run, songs, untrained=True, short=short, device=device, watcher=watcher
            )
            systems.append(made)
        systems.append(statistics_system(songs, watcher=watcher))
    table = songs.table if songs else None
    return judge_systems(systems, given, out, table=table, seed=seed, watcher=watcher)


def _config(
    runs: Sequence[Path], data: str | Path | None, dataset: str | None
) -> CollectionConfig | None:
    """Where the clips are: the first run's own, or those given, at that run's loudness."""
    own = load_recipe(runs[0] / "config.yaml").data if runs else None
    config = own if isinstance(own, CollectionConfig) else None
    if data is None:
        return config
    lufs = None if config is None else config.lufs
    return CollectionConfig(path=str(data), dataset=dataset, lufs=lufs)


def _note_seen(songs: Songs, given: GivenTriplets, watcher: Watcher) -> None:
    """Note how many triplets are of clips that the first run was trained on."""
    place = match_names([str(name) for name in songs.table.ids], given.names.ravel().tolist())
    splits = [[songs.table.split[place[n]] for n in row if n in place] for row in given.names]
    seen = sum(any(split != "test" for split in row) for row in splits)
    if seen:
        watcher.note(
            f"{seen} of {len(given)} triplets have a clip of the train or valid split: "
            "scores there may reflect memorisation."
        )


def _retrieved(
    system: System,
    given: GivenTriplets,
    table: ClipTable,
    place: Mapping[str, int],
    seed: int,
) -> list[Record]:
    """Retrieval among the test clips that a system has, in the dimensions that are factors."""
    asked = {*system.facets, *(name for names in given.dimensions for name in names)}
    place = {**place, **match_names(system.ids, map(str, table.ids))}
    rows = [row for row in table.where("test") if table.ids[row] in place]
    clips = table.take(np.array(rows, dtype=int))
    factors = {name: clips.factors[name] for name in sorted(asked) if name in clips.factors}
    if not factors or len(rows) < 2:
        return []
    return retrieval_scores(
        embedding=system.values[[place[name] for name in clips.ids]],
        facets=system.facets,
        factors=factors,
        rules={name: RULES[name] for name, factor in factors.items() if _is_musical(name, factor)},
        groups=clips.recordings,
        seed=seed,
    )


def _is_musical(name: str, factor: Factor) -> bool:
    if RULES.get(name) == "tempo":
        return factor.kind in ("ordinal", "continuous")
    return name in RULES and factor.kind == "categorical" and are_keys(factor.classes)
