"""What was found, for other programs: a playlist, a table, or a folder of copies."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from disentone.errors import ArtifactError, DataError
from disentone.files import write_bytes

__all__ = ["copy_names", "export", "export_target", "playlist", "table"]

Rows = Sequence[Mapping[str, Any]]


def export_target(target: str | Path) -> Path:
    """Check where something is to be exported, before it is searched for.

    Raises
    ------
    DataError
        If the file would be neither a playlist (.m3u8) nor a table (.csv), nor a folder.
    ArtifactError
        If it is there already.
    """
    target = Path(target)
    if target.suffix.lower() not in (".m3u8", ".csv", ""):
        raise DataError(
            f"'{target}' must end in .m3u8, in .csv, or be a folder's name without a dot."
        )
    if os.path.lexists(target):
        raise ArtifactError(f"'{target}' exists: choose another name, or delete it.")
    return target


def export(rows: Rows, target: str | Path) -> list[str]:
    """Write items as a playlist (``.m3u8``), a table (``.csv``) or a folder of copies.

    Parameters
    ----------
    rows : sequence of mapping
        As :meth:`disentone.search.Hit.to_json` gives them, or rows of
        :meth:`disentone.search.Index.items`.
    target : path
        New. All of it is written, or nothing.

    Returns
    -------
    list of str
        Files that are gone, and were not copied.

    Raises
    ------
    DataError
        See :func:`export_target`, or if there is nothing to write.
    ArtifactError
        If it cannot be written.
    """
    target = export_target(target)
    if not rows:
        raise DataError("Nothing was found that could be exported.")
    kind = target.suffix.lower()
    if kind:
        text = playlist(rows) if kind == ".m3u8" else table(rows)
        write_bytes(target, text.encode())
        return []
    return _copy(rows, target)


def playlist(rows: Rows) -> str:
    """Write an extended M3U list in UTF-8; parts of files say where they begin and end (for VLC).

    Raises
    ------
    DataError
        If a file's name has a line break, which no playlist can hold.
    """
    lines = ["#EXTM3U"]
    for row in rows:
        path, start, end = row["path"], row["start"] or 0.0, row["end"]
        if "\n" in path or "\r" in path:
            raise DataError(f"No playlist can name {path!r}, for it has a line break: rename it.")
        title = " ".join(row["id"].split())
        lines.append(f"#EXTINF:{-1 if end is None else round(end - start)},{title}")
        if start:
            lines.append(f"#EXTVLCOPT:start-time={start:g}")
            lines += [] if end is None else [f"#EXTVLCOPT:stop-time={end:g}"]
        lines.append(path)
    return "\n".join(lines) + "\n"


def table(rows: Rows) -> str:
    """Write CSV: a row an item, ``cosines.NAME`` for its likeness in a facet, then the factors."""
    flat = [_flat(row) for row in rows]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(flat[0]))
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    cosines = {f"cosines.{name}": cosine for name, cosine in row.get("cosines", {}).items()}
    return {n: v for n, v in row.items() if n not in ("facets", "cosines", "copies")} | cosines


def copy_names(rows: Rows) -> dict[str, str]:
    """Name the copies of some items' files: as the files, and ``kick (2).wav`` for a second one."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for path in dict.fromkeys(row["path"] for row in rows):
        stem, suffix = os.path.splitext(os.path.basename(path))
        name, number = f"{stem}{suffix}", 2
        while name.casefold() in taken:
            name, number = f"{stem} ({number}){suffix}", number + 1
        taken.add(name.casefold())
        names[path] = name
    return names


def _copy(rows: Rows, folder: Path) -> list[str]:
    """Copy files beside the folder, which is then renamed into place; name those that are gone."""
    gone = []
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as unfinished:
            made = Path(unfinished) / "copies"
            made.mkdir()
            for path, name in copy_names(rows).items():
                try:
                    shutil.copy2(path, made / name)
                except FileNotFoundError:
                    gone.append(path)
            if len(gone) == len({row["path"] for row in rows}):
                raise DataError(
                    f"None of the files is there, such as '{gone[0]}': relocate the index."
                )
            made.rename(folder)
    except OSError as error:
        raise ArtifactError(
            f"'{folder}' could not be written ({error.strerror}): free space or choose "
            "another place."
        ) from error
    return gone
