"""Dim-sim: which of two songs people find more similar to a third."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np

from disentone.agreement.given import GivenTriplets
from disentone.datasets.config import CollectionConfig
from disentone.datasets.folder import find_audio
from disentone.datasets.loaders import collect_known, read_columns, require
from disentone.datasets.tables import Collection
from disentone.datasets.triplets import read_triplets
from disentone.errors import DataError

__all__ = [
    "EXCERPT",
    "dimsim_songs",
    "is_dimsim",
    "load_dimsim",
    "load_dimsim_excerpts",
    "read_any_triplets",
    "read_dimsim",
]

EXCERPT = 3.0
"""Seconds of a song that people were played."""

ROLES = ("anchor", "song1", "song2")
_IDS = tuple(f"{role}_id" for role in ROLES)
_STARTS = tuple(f"{role}_start_seconds" for role in ROLES)
_LAYOUT = "a CSV with the column anchor_id, such as clean-dim-sim.csv, and the songs' audio"


def load_dimsim(folder: Path, config: CollectionConfig) -> Collection:
    """Load the songs of Dim-sim: 4,000 triplets of songs of the Million Song Dataset.

    The folder has the authors' CSV, such as ``clean-dim-sim.csv``, in it, and the audio, which
    everyone has to get elsewhere: files that are named by MSD track, such as
    ``audio/TRAAAAW128F429D538.mp3``, in any folders. Clips are whole songs, as CSN embeds them;
    all are in the test split, as they come from that of the MSD. Factors: none; the triplets are
    read by :func:`read_dimsim`. Licence: as the authors
    publish the CSV; the songs have their owners.

    Raises
    ------
    DataError
        If there is no such CSV, or no audio of it.

    References
    ----------
    J. Lee, N. J. Bryan, J. Salamon, Z. Jin and J. Nam, "Disentangled multidimensional metric
    learning for music similarity", ICASSP, 2020.
    """
    return _load(folder, config, excerpts=False)


def load_dimsim_excerpts(folder: Path, config: CollectionConfig) -> Collection:
    """Load the excerpts of 3 s that people were played, in place of whole songs.

    As :func:`load_dimsim`, with a clip for each song and start. Factors: none. Split: test.
    Licence: see there.

    Raises
    ------
    DataError
        If there is no such CSV, or no audio of it.

    References
    ----------
    J. Lee, N. J. Bryan, J. Salamon, Z. Jin and J. Nam, "Disentangled multidimensional metric
    learning for music similarity", ICASSP, 2020.
    """
    return _load(folder, config, excerpts=True)


def read_dimsim(
    path: str | Path, *, agreement: float = 0.9, excerpts: bool = False
) -> GivenTriplets:
    """Read Dim-sim's triplets: the song with more votes is the positive.

    Parameters
    ----------
    path : path
        CSV with ``anchor_id``, ``song1_id``, ``song2_id``, ``*_start_seconds``, and either
        ``song1_vote`` and ``song2_vote`` (numbers or shares of votes), ``song1_vote`` alone (the
        share of votes for song 1, or 1 and 0), and, optionally, ``agreement``, a share or a
        percentage, which counts in place of the votes' own.
    agreement : float
        Share of votes for the positive from which a triplet is used; 0.9 is the clean split of
        CSN. Draws are never used.
    excerpts : bool
        Name clips as ``ID@START`` and not by song.

    Returns
    -------
    GivenTriplets
        Without dimensions: people were asked for similarity as a whole.

    Raises
    ------
    DataError
        If a column is missing, a vote is no number, or no triplet is agreed on that much.
    """
    path = Path(path)
    read = read_columns(path, (*_IDS, "song1_vote", *(_STARTS if excerpts else ())))
    first = _numbers(path, "song1_vote", read["song1_vote"])
    second = _numbers(path, "song2_vote", read["song2_vote"]) if "song2_vote" in read else 1 - first
    votes = np.concatenate([first, second])
    if not np.isfinite(votes).all() or (votes < 0).any():
        raise DataError(f"'{path}' has votes that are no share or number of votes.")
    share = np.maximum(first, second) / np.maximum(first + second, 1e-12)
    if "agreement" in read:
        share = _numbers(path, "agreement", read["agreement"])
        if not ((share >= 0) & (share <= 100)).all():
            raise DataError(f"'{path}' has an agreement that is no share and no percentage.")
        share = share / 100 if (share > 1).any() else share
    used = np.flatnonzero((first != second) & (share >= agreement - 1e-9))
    if not len(used):
        raise DataError(f"'{path}' has no triplet with an agreement of {agreement:g} or more.")
    anchor, one, other = (np.array(_names(read, role, excerpts), dtype=object) for role in ROLES)
    wins = first > second
    names = np.stack([anchor, np.where(wins, one, other), np.where(wins, other, one)], axis=1)[used]
    # Where only the winner is given, nothing is known about how many agreed.
    with_votes = "agreement" in read or ((share > 0.5) & (share < 1)).any()
    source = f"'{path}'" + (f" (agreement of {agreement:g} or more)" if with_votes else "")
    source += "" if with_votes else " (without how many people agreed: none is left out)"
    return GivenTriplets(names, ((),) * len(names), source)


def read_any_triplets(
    path: str | Path, *, agreement: float = 0.9, excerpts: bool = False
) -> GivenTriplets:
    """Read triplets, from a table of anchors, positives and negatives or from Dim-sim's.

    Raises
    ------
    DataError
        As :func:`read_dimsim` and :func:`~disentone.datasets.triplets.read_triplets` do.
    """
    if is_dimsim(path):
        return read_dimsim(path, agreement=agreement, excerpts=excerpts)
    return read_triplets(path)


def is_dimsim(path: str | Path) -> bool:
    """Whether a file is a CSV of Dim-sim, by its first line."""
    path = Path(path)
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = file.readline().strip().split(",")
    return set(_IDS) <= {name.strip().strip('"') for name in header}


def dimsim_songs(folder: Path) -> set[str]:
    """Songs that the CSVs of Dim-sim in a folder name."""
    tables = [file for file in folder.rglob("*.csv") if is_dimsim(file)]
    read = [read_columns(table, _IDS) for table in tables]
    return {song for columns in read for role in _IDS for song in columns[role]}


def _load(folder: Path, config: CollectionConfig, *, excerpts: bool) -> Collection:
    tables = sorted(file for file in folder.rglob("*.csv") if is_dimsim(file))
    require(tables, folder, "Dim-sim", _LAYOUT)
    read = read_columns(tables[0], (*_IDS, *_STARTS))
    wanted = {
        (song, float(start) if excerpts else 0.0)
        for song_column, start_column in zip(_IDS, _STARTS)
        for song, start in zip(read[song_column], read[start_column])
    }
    files = {PurePosixPath(file).stem: file for file in find_audio(folder)[0]}
    found = sorted((files[song], start) for song, start in wanted if song in files)
    require(found, folder, "Dim-sim", _LAYOUT)
    columns: dict[str, list[object]] = {"split": ["test"] * len(found)}
    if excerpts:
        columns |= {"start": [start for _, start in found], "seconds": [EXCERPT] * len(found)}
    paths = [path for path, _ in found]
    collection = collect_known(folder, paths, columns, {}, config, dataset="Dim-sim")
    missing = {song for song, _ in wanted} - set(files)
    if missing:
        collection.notes.append(
            f"{len(missing)} of the {len({song for song, _ in wanted})} songs of Dim-sim are not "
            f"there, such as {min(missing)}: triplets with them cannot be scored."
        )
    return collection


def _numbers(path: Path, name: str, texts: list[str]) -> np.ndarray:
    try:
        return np.array([float(text) for text in texts])
    except ValueError as error:
        raise DataError(f"Column '{name}' of '{path}' is not all numbers: {error}.") from error


def _names(read: dict[str, list[str]], role: str, excerpts: bool) -> list[str]:
    songs = read[f"{role}_id"]
    if not excerpts:
        return songs
    return [f"{s}@{float(t):.10g}" for s, t in zip(songs, read[f"{role}_start_seconds"])]
