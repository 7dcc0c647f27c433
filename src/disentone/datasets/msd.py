"""The Million Song Dataset with Last.fm's tags, grouped into genre, mood, instrument and era."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from disentone.datasets.config import CollectionConfig
from disentone.datasets.dimsim import dimsim_songs
from disentone.datasets.folder import find_audio
from disentone.datasets.loaders import collect_known, require
from disentone.datasets.tables import Collection
from disentone.errors import DataError
from disentone.factors import FactorKind

__all__ = ["TAGS", "group_tags", "load_msd"]

TAGS: Mapping[str, tuple[str, ...]] = {
    "genre": (
        "rock", "pop", "alternative", "indie", "electronic", "dance", "alternative rock", "jazz",
        "metal", "classic rock", "soul", "indie rock", "electronica", "folk", "punk", "oldies",
        "blues", "hard rock", "ambient", "experimental", "hip-hop", "country", "funk", "electro",
        "heavy metal", "progressive rock", "rnb", "indie pop", "house",
    ),
    "mood": (
        "beautiful", "chillout", "mellow", "chill", "party", "easy listening", "sexy", "catchy",
        "sad", "happy",
    ),
    "instrument": ("female vocalists", "male vocalists", "instrumental", "acoustic", "guitar"),
    "era": ("60s", "70s", "80s", "90s", "00s"),
}  # fmt: skip
"""The 50 most frequent tags (female vocalist and female vocalists are one) by dimension.

CSN does not print its grouping; this is ours.
"""

_SAME = {"female vocalist": "female vocalists", "hip hop": "hip-hop", "r&b": "rnb"}
_LAYOUT = (
    "lastfm_tags.db, or lastfm_train/ and lastfm_test/ with a JSON file a track, and the tracks' "
    "audio"
)
_KINDS: dict[str, FactorKind] = dict.fromkeys(TAGS, "multilabel")
_QUERY = (
    "SELECT tids.tid, tags.tag FROM tid_tag JOIN tids ON tids.ROWID = tid_tag.tid "
    "JOIN tags ON tags.ROWID = tid_tag.tag WHERE tid_tag.val > 0"
)


def load_msd(folder: Path, config: CollectionConfig) -> Collection:
    """Load the tracks of the Million Song Dataset of which there is audio, with Last.fm's tags.

    The folder has Last.fm's tags (http://millionsongdataset.com/lastfm): ``lastfm_tags.db``, or
    the JSON files of ``lastfm_train/`` and ``lastfm_test/``; and audio that is named by track,
    such as ``TRAAAAW128F429D538.mp3``, in any folders. Factors: genre, mood, instrument and era,
    each multi-label and unknown where a track has no tag of that group (:data:`TAGS`); tempo and
    key can be estimated, ``data.derive.tempo=estimate``. Split: that of ``train.txt``,
    ``valid.txt`` and ``test.txt``, a track a line, where they are there; else at random, and
    artists are unknown, and splits may then share them. Songs that a CSV of Dim-sim in the
    folder names are left out: their triplets evaluate the model. Licence: Last.fm's tags are
    for research and not for commercial use.

    Raises
    ------
    DataError
        If there are no tags or no audio, or the tags cannot be read.

    References
    ----------
    T. Bertin-Mahieux, D. P. W. Ellis, B. Whitman and P. Lamere, "The Million Song Dataset",
    ISMIR, 2011.
    """
    files = {PurePosixPath(f).stem: f for f in find_audio(folder)[0]} if folder.is_dir() else {}
    judged = dimsim_songs(folder) & set(files)
    files = {track: path for track, path in files.items() if track not in judged}
    database = folder / "lastfm_tags.db"
    trees = [folder / name for name in ("lastfm_train", "lastfm_test", "lastfm_subset")]
    trees = [tree for tree in trees if tree.is_dir()]
    require((database.is_file() or trees) and files, folder, "MSD with Last.fm's tags", _LAYOUT)
    pairs = _from_database(database) if database.is_file() else _from_files(trees)
    tags: dict[str, set[str]] = {track: set() for track in files}
    for track, tag in pairs:
        if track in tags:
            tags[track].add(tag)
    groups = {track: group_tags(found) for track, found in tags.items()}
    tracks = sorted(track for track, found in groups.items() if found)
    require(tracks, folder, "MSD with Last.fm's tags", "audio of tracks that have tags")
    splits = _splits(folder)
    tracks = [track for track in tracks if not splits or track in splits]
    columns: dict[str, list[object]] = {
        name: [";".join(groups[track].get(name, ())) or None for track in tracks] for name in TAGS
    }
    columns = {name: values for name, values in columns.items() if any(values)}
    if splits:
        columns["split"] = [splits[track] for track in tracks]
    paths = [files[track] for track in tracks]
    collection = collect_known(folder, paths, columns, _KINDS, config, dataset="MSD")
    rest = len(files) - len(tracks)
    if rest:
        collection.notes.append(
            f"{rest} audio files have no tag of the 50, or no split, and are left out."
        )
    if judged:
        collection.notes.append(f"{len(judged)} songs of Dim-sim are left out, for evaluation.")
    return collection


def group_tags(tags: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Sort tags of a track into dimensions; others are left out.

    Parameters
    ----------
    tags : iterable of str
        In any case.

    Returns
    -------
    dict of str to tuple of str
        Dimensions that have a tag, in the order of :data:`TAGS`.
    """
    plain = {_SAME.get(tag.lower().strip(), tag.lower().strip()) for tag in tags}
    found = {name: tuple(tag for tag in known if tag in plain) for name, known in TAGS.items()}
    return {name: labels for name, labels in found.items() if labels}


def _from_database(path: Path) -> Iterator[tuple[str, str]]:
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        yield from connection.execute(_QUERY)
    except sqlite3.Error as error:
        raise DataError(f"'{path}' is not Last.fm's database of tags: {error}.") from error
    finally:
        connection.close()


def _from_files(trees: Iterable[Path]) -> Iterator[tuple[str, str]]:
    for tree in trees:
        for file in sorted(tree.rglob("*.json")):
            try:
                about = json.loads(file.read_text(encoding="utf-8"))
                named = [
                    (str(about["track_id"]), tag, float(value)) for tag, value in about["tags"]
                ]
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise DataError(f"'{file}' is not a track of Last.fm's tags: {error}.") from error
            yield from ((track, tag) for track, tag, value in named if value > 0)


def _splits(folder: Path) -> dict[str, str]:
    """Split of every track that a list names; nothing where there are no lists."""
    lists = {name: folder / f"{name}.txt" for name in ("train", "valid", "test")}
    if not all(file.is_file() for file in lists.values()):
        return {}
    return {
        track: name
        for name, file in lists.items()
        for track in file.read_text(encoding="utf-8").split()
    }
