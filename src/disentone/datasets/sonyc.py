"""SONYC-UST: ten-second recordings of New York's streets, tagged by several people each."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from disentone.datasets.config import CollectionConfig
from disentone.datasets.folder import find_audio
from disentone.datasets.loaders import collect_known, read_columns, require
from disentone.datasets.tables import Collection
from disentone.errors import DataError
from disentone.factors import Factor, FactorKind

__all__ = ["Annotations", "aggregate", "load_sonyc_v1", "load_sonyc_v2", "read_annotations"]

_WHERE = {1: "https://zenodo.org/records/3338310", 2: "https://zenodo.org/records/3966543"}
_COARSE = re.compile(r"(\d)_(.+)_presence")
_FINE = re.compile(r"(\d)-(\d|X)_(.+)_presence")
_BOROUGHS = {"1": "Manhattan", "3": "Brooklyn", "4": "Queens"}
_WHEN = ("year", "week", "day", "hour")
_IN_TABLE = {"verified": "annotator_id"}
_PLAIN = ("split", "borough", "block", *_WHEN, "latitude", "longitude")
_KINDS: dict[str, FactorKind] = {
    "coarse": "multilabel",
    "fine": "multilabel",
    "sensor": "categorical",
    "verified": "categorical",
    "borough": "categorical",
    "block": "categorical",
    "year": "ordinal",
    "week": "ordinal",
    "day": "ordinal",
    "hour": "ordinal",
    "time": "ordinal",
    "latitude": "continuous",
    "longitude": "continuous",
}


class Annotations(NamedTuple):
    """An annotation table, one row a recording.

    Attributes
    ----------
    recordings : list of str
        File names, sorted.
    columns : dict of str to list of str
        Columns without aggregation: sensor, split, verified and, in V2, time and place.
    tags : dict of str to Factor
        ``coarse`` and, where the table has them, ``fine``; NaN where a tag is not decided.
    """

    recordings: list[str]
    columns: dict[str, list[str]]
    tags: dict[str, Factor]


def load_sonyc_v1(folder: Path, config: CollectionConfig) -> Collection:
    """Load SONYC-UST V1: 3,068 recordings of 10 s (2,794 without the test split).

    The folder has ``annotations.csv`` (or ``.csv.gz``) and the unpacked audio of
    https://zenodo.org/records/3338310 in ``audio/`` or ``audio-*/``. Factors: coarse (8 tags,
    multi-label), fine (23, multi-label), sensor, verified (whether the SONYC team agreed on the
    tags). Several people's tags become one as :func:`read_annotations` says. Split: the official
    one (train, validate, test). Licence: CC BY 4.0, New York University.

    Raises
    ------
    DataError
        If the folder is not laid out like this, the table is of V2 or damaged, or no audio is
        there.

    References
    ----------
    M. Cartwright et al., SONYC Urban Sound Tagging (SONYC-UST): A Multilabel Dataset from an
    Urban Acoustic Sensor Network, DCASE Workshop, 2019.
    """
    return _load(folder, config, 1)


def load_sonyc_v2(folder: Path, config: CollectionConfig) -> Collection:
    """Load SONYC-UST V2: 18,510 recordings of 10 s from 56 sensors, with time and place.

    The folder has ``annotations.csv`` (or ``.csv.gz``) and the unpacked audio of
    https://zenodo.org/records/3966543 in ``audio/`` or ``audio-*/``. Factors: those of V1 (see
    :func:`load_sonyc_v1`) and borough, block, year, week, day (0 is Monday), hour, latitude,
    longitude (of the block), time (hours since the first Monday of 2016's weeks). Split: the
    official one: train and validate share no sensor, test is later than both and shares sensors
    with them. Licence: CC BY 4.0, New York University.

    *The protocol of S. Ding et al., "Latent Multi-view Learning for Robust Environmental Sound
    Representations", 2025.* Splits of 39, 5 and 12 sensors, which the paper does not list, are
    ``split: "sensor:39/5/12"``: drawn from the seed, and such that their shares of clips are near
    to those of sensors (the paper's: 0.70, 0.11 and 0.20). Pairs of one sensor at different times
    are ``same: sensor, differ: time``, or ``differ: recording`` where the table does not give
    the time; its 39, 6 and 11 thousand pairs are three for every clip, that is ``draws: 3``; here
    they are drawn anew in every epoch. Its downstream task on the test sensors is the audit's
    ``within: test, stratify: [sensor, coarse]``.

    Raises
    ------
    DataError
        If the folder is not laid out like this, the table is of V1 or damaged, or no audio is
        there.

    References
    ----------
    M. Cartwright et al., SONYC-UST-V2: An Urban Sound Tagging Dataset with Spatiotemporal
    Context, DCASE Workshop, 2020.
    """
    return _load(folder, config, 2)


def read_annotations(path: Path) -> Annotations:
    """Read an annotation table, and make one row a recording of its one row an annotator.

    A tag is taken from the ground truth that the SONYC team agreed on (annotator 0) where there
    is one. Else it is present if at least one annotator heard it, the dataset's "minority vote",
    and unknown if nobody was asked about it (-1). Where a coarse sound was heard but not which
    fine one (the tags numbered X), its fine tags are unknown unless heard. Coarse tags follow
    from fine ones where the table has these.

    Parameters
    ----------
    path : Path
        ``annotations.csv`` of V1 or V2. Tables without fine tags, ``annotator_id``,
        ``sensor_id`` or ``split`` are read too: then nothing is verified, and the sensor is the
        number before ``_`` in the file's name.

    Returns
    -------
    Annotations

    Raises
    ------
    DataError
        If the table cannot be read, has no rows, or has no coarse tags.

    References
    ----------
    The baseline of DCASE 2019 task 5, github.com/sonyc-project/urban-sound-tagging-baseline.
    """
    read = read_columns(path, ("audio_filename",))
    coarse = {name: match[2] for name in read if (match := _COARSE.fullmatch(name))}
    fine = {name: match for name in read if (match := _FINE.fullmatch(name))}
    if not coarse:
        raise DataError(f"Table '{path}' has no coarse tags, such as '1_engine_presence'.")
    if not read["audio_filename"]:
        raise DataError(f"Table '{path}' has no rows.")
    names, first, recording = np.unique(
        np.array(read["audio_filename"]), return_index=True, return_inverse=True
    )
    verified = np.array([text.strip() == "0" for text in read.get("annotator_id", ())] or [False])
    verified = np.broadcast_to(verified, len(recording))
    columns = {name: [read[name][row] for row in first] for name in _PLAIN if name in read}
    if all(name in columns for name in _WHEN):
        columns["time"] = _hours(columns, path)
    if "sensor_id" in read:
        columns["sensor"] = [read["sensor_id"][row] for row in first]
    else:
        columns["sensor"] = [name.split("_")[0].lstrip("0") or "0" for name in names]
    if "annotator_id" in read:
        checked = np.bincount(recording, weights=verified) > 0
        columns["verified"] = ["yes" if one else "no" for one in checked]
    if "borough" in columns:
        columns["borough"] = [_BOROUGHS.get(code, code) for code in columns["borough"]]
    tags = {"coarse": _tags("coarse", read, coarse, recording, verified, path)}
    if fine:
        labels = {name: match[3] for name, match in fine.items()}
        whole = _tags("fine", read, labels, recording, verified, path)
        tags["coarse"] = _coarse_of(whole, [m[1] for m in fine.values()], tags["coarse"], coarse)
        tags["fine"] = _without_uncertain(whole, [(m[1], m[2]) for m in fine.values()])
    return Annotations(names.tolist(), columns, tags)


def aggregate(presence: np.ndarray, recording: np.ndarray, verified: np.ndarray) -> np.ndarray:
    """Make one row a recording of one row an annotator.

    Parameters
    ----------
    presence : ndarray of float, shape (rows, tags)
        1 present, 0 absent, -1 not decided.
    recording : ndarray of int, shape (rows,)
        0, 1, 2 ...; every number occurs.
    verified : ndarray of bool, shape (rows,)
        Rows that override the others of their recording, tag by tag.

    Returns
    -------
    ndarray of float, shape (recordings, tags)
        1, 0, and NaN where it is not decided.
    """
    shape = (int(recording.max(initial=-1)) + 1, presence.shape[1])
    agreed, annotated = np.full(shape, -1.0), np.full(shape, -1.0)
    np.maximum.at(agreed, recording[verified], presence[verified])
    np.maximum.at(annotated, recording[~verified], presence[~verified])
    tags = np.where(agreed >= 0, agreed, annotated)
    return np.where(tags >= 0, tags, np.nan)


def _hours(columns: dict[str, list[str]], path: Path) -> list[str]:
    """Hours from the first Monday of 2016's weeks to when each recording was made; "" unknown."""
    start, hours = date.fromisocalendar(2016, 1, 1), []
    for texts in zip(*(columns[name] for name in _WHEN)):
        if not all(text.strip() for text in texts):
            hours.append("")
            continue
        try:
            year, week, day, hour = (int(float(text)) for text in texts)
            first = date.fromisocalendar(year, 1, 1)
        except ValueError as error:
            raise DataError(
                f"Table '{path}' has an invalid time: {', '.join(texts)} ({error})."
            ) from error
        hours.append(str(24 * ((first - start).days + 7 * (week - 1) + day) + hour))
    return hours


def _tags(
    name: str,
    read: dict[str, list[str]],
    labels: dict[str, str],
    recording: np.ndarray,
    verified: np.ndarray,
    path: Path,
) -> Factor:
    """Multi-label factor of the columns that are the keys of ``labels``."""
    try:
        columns = [np.array([text or -1 for text in read[key]], dtype=float) for key in labels]
    except ValueError as error:
        raise DataError(f"Table '{path}' has tags that are no numbers: {error}.") from error
    values = aggregate(np.stack(columns, axis=1), recording, verified)
    return Factor(name, "multilabel", values, tuple(labels.values()))


def _coarse_of(fine: Factor, groups: list[str], coarse: Factor, columns: Iterable[str]) -> Factor:
    """Coarse tags from their fine ones, where these are in the table.

    That is how the table's own were made; but before version 0.4 "machinery-impact" was also set
    wherever "non-machinery-impact" was.
    """
    values = coarse.values.copy()
    for at, column in enumerate(columns):
        members = fine.values[:, [group == column[0] for group in groups]]
        if members.shape[1]:
            values[:, at] = np.fmax.reduce(members, axis=1)
    return replace(coarse, values=values)


def _without_uncertain(fine: Factor, codes: list[tuple[str, str]]) -> Factor:
    """Leave the tags X out; where one is present, the fine tags of its group that are 0 are NaN."""
    values = fine.values.copy()
    for number, (group, place) in enumerate(codes):
        if place == "X":
            members = [at for at, (other, _) in enumerate(codes) if other == group]
            uncertain = fine.values[:, [number]] == 1
            values[:, members] = np.where(
                uncertain & (values[:, members] == 0), np.nan, values[:, members]
            )
    keep = [at for at, (_, place) in enumerate(codes) if place != "X"]
    return replace(fine, values=values[:, keep], classes=tuple(fine.classes[at] for at in keep))


def _load(folder: Path, config: CollectionConfig, version: int) -> Collection:
    dataset = f"SONYC-UST V{version}"
    tables = [folder / f"annotations.csv{end}" for end in ("", ".gz")]
    table = next((table for table in tables if table.is_file()), None)
    require(table, folder, dataset, "annotations.csv, and the recordings in audio/ or audio-*/")
    read = read_annotations(table or folder)
    other = 1 if version == 2 else 2
    if "split" in read.columns and ("borough" in read.columns) == (other == 2):
        raise DataError(f"'{table}' is of SONYC-UST V{other}: use sonyc-ust-v{other}.")
    files = {PurePosixPath(file).name: file for file in find_audio(folder)[0]}
    absent = [name not in files for name in read.recordings]
    if all(absent):
        raise DataError(
            f"'{folder}' has none of the {len(absent)} recordings of {dataset}: put the audio, "
            f"such as {read.recordings[0]}, into audio/ or audio-*/ there; it is at "
            f"{_WHERE[version]}."
        )
    paths = [files.get(name, f"audio/{name}") for name in read.recordings]
    columns = {**read.columns, **{name: _lists(tags) for name, tags in read.tags.items()}}
    collection = collect_known(folder, paths, columns, _KINDS, config, dataset=dataset)
    _tell(collection, read, np.array(absent), folder, version)
    return _with_tags(collection, read, paths)


def _lists(tags: Factor) -> list[list[str] | None]:
    """Labels of every recording, None where one is not decided."""
    names = np.array(tags.classes, dtype=object)
    return [names[r == 1].tolist() if ok else None for r, ok in zip(tags.values, tags.known)]


def _with_tags(collection: Collection, read: Annotations, paths: list[str]) -> Collection:
    """Put the tags in whole: lists of labels cannot express that one of a clip's is unknown."""
    table = collection.table
    number = {os.path.normpath(path): row for row, path in enumerate(paths)}
    rows = np.array([number[recording] for recording in table.recordings], dtype=int)
    whole = {name: tags.take(rows) for name, tags in read.tags.items()}
    return replace(collection, table=replace(table, factors={**table.factors, **whole}))


def _tell(
    collection: Collection, read: Annotations, absent: np.ndarray, folder: Path, version: int
) -> None:
    """Note what the table lacks, how tags were aggregated, and what has no audio."""
    needed = ["split", "verified", *(_PLAIN[1:] if version == 2 else ())]
    lacking = [_IN_TABLE.get(name, name) for name in needed if name not in read.columns]
    if "fine" not in read.tags:
        lacking.append("fine tags")
    if lacking:
        collection.notes.append(f"The table of annotations has no {', no '.join(lacking)}.")
    verified = read.columns.get("verified", []).count("yes")
    collection.notes.append(
        f"Tags are verified for {verified} of {len(absent)} recordings, else what at least one "
        "annotator heard."
    )
    if absent.any():
        sensors = np.array(read.columns["sensor"])
        gone = sorted(set(sensors) - set(sensors[~absent]), key=lambda name: (len(name), name))
        more = f"; sensors without any: {', '.join(gone)}" if gone else ""
        files = [read.recordings[row] for row in np.flatnonzero(absent)[:3]]
        names = ", ".join(files) + (" ..." if absent.sum() > len(files) else "")
        collection.notes.append(
            f"{absent.sum()} of {len(absent)} recordings have no audio in '{folder}'{more}; "
            f"missing: {names}, expected in audio/ or audio-*/."
        )
