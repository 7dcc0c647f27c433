"""Following: what has become of the files of an index since they were embedded.

A file is known by its path, size and time. Only where these differ is it read, to be known by a
hash of its bytes: so a file that was renamed or moved keeps its items, and one that was only
touched is not embedded again.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from disentone.search.roots import Roots, below

__all__ = ["Contents", "Followed", "Listed", "Scope", "file_stamp", "follow", "is_gone"]

Fate = Literal["new", "changed", "kept", "moved"]
Entry = dict[str, Any]
"""What an index knows of an item: its columns of ``PLACE`` and ``KEPT``."""


class Listed(NamedTuple):
    """A clip that is to be in the index: a file or a part of one.

    Parameters
    ----------
    path : str
        From ``/`` on.
    root, name : str
        Key of its root, and its path below it; without a root, the name is the path.
    start, seconds : float
        The part; NaN seconds for up to the end.
    """

    path: str
    root: str | None
    name: str
    start: float
    seconds: float

    @property
    def length(self) -> str:
        """What the stamp says of the part."""
        return "" if math.isnan(self.seconds) else f" {self.seconds:.10g}"


class Scope(NamedTuple):
    """What was listed, and so may be found gone.

    Parameters
    ----------
    whole : set of str
        Keys of roots all of whose clips were listed.
    folders : sequence of str
        Folders that were searched for files.
    closed : sequence of str
        Folders below these that could not be read.
    """

    whole: Collection[str]
    folders: Sequence[str]
    closed: Sequence[str]


@dataclass
class Followed:
    """What has become of the clips that were listed, and of the items.

    Parameters
    ----------
    fates : list of str
        Of each clip.
    stamps : list of str
        Of each clip.
    items : dict of int to list of str
        Ids of the items of clips that are kept or moved.
    amended : list of dict
        What is to be replaced in items: ``id, path, _root, stamp, _content, _clip``.
    gone : dict of str to (str, float)
        Items whose clips are no more: path and start of the clip.
    """

    fates: list[Fate] = field(default_factory=list)
    stamps: list[str] = field(default_factory=list)
    items: dict[int, list[str]] = field(default_factory=dict)
    amended: list[Entry] = field(default_factory=list)
    gone: dict[str, tuple[str, float]] = field(default_factory=dict)


class Contents:
    """Hashes of files, each read once."""

    def __init__(self) -> None:
        self._known: dict[str, str | None] = {}

    def __call__(self, path: str) -> str | None:
        """Hash the bytes of a file; None where it cannot be read."""
        if path not in self._known:
            try:
                with open(path, "rb") as file:
                    digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16))
                self._known[path] = digest.hexdigest()
            except OSError:
                self._known[path] = None
        return self._known[path]


def follow(
    entries: Sequence[Entry], listed: Sequence[Listed], roots: Roots, scope: Scope, hashed: Contents
) -> Followed:
    """Compare the items of an index with the clips that are to be in it.

    Parameters
    ----------
    entries : sequence of dict
        All items.
    listed : sequence of Listed
    roots : Roots
        Also those of the clips.
    scope : Scope
    hashed : Contents

    Returns
    -------
    Followed
    """
    stored: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        stored[roots.path(entry["_root"], entry["path"])].append(entry)
    clips: dict[str, list[int]] = defaultdict(list)
    for row, clip in enumerate(listed):
        clips[clip.path].append(row)
    stamps = {path: file_stamp(path) for path in clips}
    origins = _origins(stored, {path: s for path, s in stamps.items() if s}, hashed)
    taken = {origin for path, origin in origins.items() if path != origin}
    found = Followed(fates=["new"] * len(listed))
    found.stamps = [stamps[clip.path] + clip.length for clip in listed]
    settled: set[str] = set()  # ids
    for path, rows in clips.items():
        origin = origins.get(path)
        if origin is not None:
            items = stored[origin]
            fate: Fate = "kept" if origin == path else "moved"
            settled |= _keep(found, items, listed, rows, fate, stamps[path], hashed)
        elif path in stored and path not in taken and stamps[path]:
            starts = {listed[row].start for row in rows}
            groups = _by_clip(stored[path], starts)
            for row in rows:
                items = groups.get(listed[row].start, [])
                if items:
                    found.fates[row] = "changed"
                    settled |= {item["id"] for item in items}
                    found.amended += [
                        item | {"_clip": listed[row].start}
                        for item in items
                        if item["_clip"] is None
                    ]
    moved = {entry["id"]: entry for entry in found.amended}
    for path, items in stored.items():
        for item in items:
            if item["id"] not in settled:
                now = moved.get(item["id"], item)
                place = path if now is item else roots.path(now["_root"], now["path"])
                if is_gone(place, now["_root"], scope):
                    clip = item["start"] if item["_clip"] is None else item["_clip"]
                    found.gone[item["id"]] = (path, clip)
    found.amended = [entry for entry in found.amended if entry["id"] not in found.gone]
    return found


def file_stamp(path: str) -> str:
    """Text that changes when a file may have changed; a file that is gone has none."""
    try:
        status = os.stat(path)
    except OSError:
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"


def _of_file(stamp: str | None) -> str:
    """What a stamp says of the file: its size and its time."""
    return " ".join((stamp or "").split(" ")[:2])


def _origins(
    stored: dict[str, list[Entry]], stamps: dict[str, str], hashed: Contents
) -> dict[str, str]:
    """From files to the stored files whose bytes they have: themselves, or others that are gone."""
    origins, loose = {}, []
    for path, stamp in stamps.items():
        items = stored.get(path, [])
        if items and all(_of_file(item["stamp"]) == stamp for item in items):
            origins[path] = path
        elif items and _content(items) and _is_same(items, stamp, path, hashed):
            origins[path] = path  # it was only touched
        else:
            loose.append(path)
    if not loose:
        return origins
    left: dict[tuple[int, str], list[str]] = defaultdict(list)  # files that may have moved
    for path, items in stored.items():
        size, content = _size(items), _content(items)
        if path not in origins and size is not None and content:
            left[size, content].append(path)
    sizes = {size for size, _ in left}
    for path in loose:
        size = _size_of(stamps[path])
        others = left.get((size, hashed(path) or ""), []) if size in sizes else []
        same = [other for other in others if other in stamps or is_absent(other)]
        if same:
            name = os.path.basename(path)
            origin = next((other for other in same if os.path.basename(other) == name), same[0])
            others.remove(origin)
            origins[path] = origin
    return origins


def _is_same(items: Sequence[Entry], stamp: str, path: str, hashed: Contents) -> bool:
    """Whether a stored file has the bytes of a file, which is read where the size is the same."""
    return _size(items) == _size_of(stamp) and _content(items) == hashed(path)


def _size_of(stamp: str) -> int:
    return int(stamp.split(" ")[0])


def _size(items: Sequence[Entry]) -> int | None:
    """Bytes of a stored file; None where its items differ, as after a change that was stopped."""
    stamps = {_of_file(item["stamp"]) for item in items}
    return _size_of(stamps.pop()) if len(stamps) == 1 and "" not in stamps else None


def _content(items: Sequence[Entry]) -> str | None:
    """Hash of a stored file; None where it is not known, or its items differ."""
    contents = {item["_content"] for item in items}
    return contents.pop() if len(contents) == 1 else None


def _by_clip(items: Sequence[Entry], starts: Collection[float]) -> dict[float, list[Entry]]:
    """Items by the start of their clip; an older index does not say of which clip an item is."""
    groups: dict[float, list[Entry]] = defaultdict(list)
    for item in items:
        clip, start = item["_clip"], item["start"] or 0.0
        if clip is None:
            clip = max((s for s in starts if s <= start + 1e-9), default=start)
        groups[clip].append(item)
    return groups


def _keep(
    found: Followed,
    items: Sequence[Entry],
    listed: Sequence[Listed],
    rows: Sequence[int],
    fate: Fate,
    stamp: str,
    hashed: Contents,
) -> set[str]:
    """Note what becomes of the items of a file whose bytes are the same; give those settled."""
    first = listed[rows[0]]
    groups = _by_clip(items, {listed[row].start for row in rows})
    lengths = {}
    settled: set[str] = set()
    for row in rows:
        clip = listed[row]
        group = groups.get(clip.start, [])
        same = all(item["_clip"] is None or _length(item) == clip.length for item in group)
        if group:
            found.fates[row] = fate if same else "changed"
            settled |= {item["id"] for item in group}
        if group and same:
            found.items[row] = [item["id"] for item in group]
            lengths[clip.start] = clip.length
    for start, group in groups.items():
        for item in group:
            now = {
                "id": item["id"],
                "stamp": stamp + lengths.get(start, _length(item)),
                "_content": item["_content"] or hashed(first.path),
                "_clip": start,
                "_root": first.root if fate == "moved" or item["_root"] is None else item["_root"],
                "path": first.name if fate == "moved" or item["_root"] is None else item["path"],
            }
            if any(item[name] != value for name, value in now.items()):
                found.amended.append(item | now)
    return settled


def _length(item: Entry) -> str:
    """What an item's stamp says of the part that it is."""
    return (item["stamp"] or "").removeprefix(_of_file(item["stamp"]))


def is_gone(path: str, root: str | None, scope: Scope) -> bool:
    """Whether a file that was not listed is no more where it should have been listed."""
    if any(below(path, folder) for folder in scope.closed):
        return False
    if root in scope.whole:
        return True
    return any(below(path, folder) for folder in scope.folders) and is_absent(path)


def is_absent(path: str) -> bool:
    """Whether a file is surely not there; where that cannot be known, it is not."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
