"""Collections from a folder of audio: sub-folders and file names give the factors."""

from __future__ import annotations

import os
import re
import string
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from disentone.audio import SUFFIXES, Skipped
from disentone.audio.formats import UNREAD_SUFFIXES
from disentone.datasets.config import CollectionConfig
from disentone.datasets.tables import Collection, collect
from disentone.datasets.walking import check_folder, walk_files
from disentone.errors import DataError

__all__ = ["find_audio", "levels", "read_folder", "sorted_out"]

_DEFAULTS = CollectionConfig()


def read_folder(folder: str | Path, config: CollectionConfig = _DEFAULTS) -> Collection:
    """Make a collection of the audio files below a folder, in order of their names.

    Parameters
    ----------
    folder : path
        Hidden files and what ``.disentoneignore`` files name are left out; symbolic links are
        followed, each folder once.
    config : CollectionConfig
        ``pattern`` describes file names, such as ``{instrument}_{pitch}_{take}.wav``;
        with ``/`` in it, the path below the folder. ``{}`` stands for text that is
        ignored. The last fields are the shortest ones: ``alto_sax_57_1`` is ``alto_sax``, ``57``,
        ``1``. Without a pattern, each level of sub-folders is a factor: ``folder``, ``folder2``
        and so on.

    Returns
    -------
    Collection

    Raises
    ------
    DataError
        If the folder does not exist, has no usable audio, or the pattern matches no file.
    """
    folder = Path(folder)
    names, refused = _names(folder)
    files, unread, others = sorted_out(names)
    skipped = [*refused, *unread]
    if config.pattern is None:
        columns = levels(files)
    else:
        files, columns, unmatched = _matched(files, config.pattern, folder)
        skipped += unmatched
    made = collect(folder, files, columns, config, source=f"Folder '{folder}'", skipped=skipped)
    if others:
        counts = ", ".join(f"{ending or 'none'} {n}" for ending, n in others.most_common(6))
        made.notes.append(
            f"{others.total()} of the folder's files are not taken for audio, by their endings "
            f"({counts})."
        )
    return made


def find_audio(folder: str | Path) -> tuple[list[str], list[Skipped]]:
    """List the audio files below a folder, by suffix, but those that ``.disentoneignore`` names.

    Parameters
    ----------
    folder : path

    Returns
    -------
    files : list of str
        Relative to the folder, with ``/``, sorted.
    skipped : list of Skipped
        Sub-folders that may not be read, and files of sound that cannot be.

    Raises
    ------
    DataError
        If the folder does not exist, is a file, or may not be read, or a ``.disentoneignore`` in
        it is not understood.
    """
    names, refused = _names(Path(folder))
    files, unread, _ = sorted_out(names)
    return files, [*refused, *unread]


def _names(folder: Path) -> tuple[list[str], list[Skipped]]:
    """Names of all files below a folder, sorted, and the sub-folders that may not be read."""
    check_folder(folder)
    refused: list[OSError] = []
    files = sorted(walk_files(folder, refused))
    skipped = []
    for error in refused:
        if Path(error.filename) == folder:
            raise DataError(f"Folder '{folder}' cannot be read: {error.strerror}.")
        below = Path(error.filename).relative_to(folder).as_posix()
        skipped.append(Skipped(below, f"The folder cannot be read: {error.strerror}."))
    return files, skipped


def sorted_out(names: Iterable[str]) -> tuple[list[str], list[Skipped], Counter[str]]:
    """Audio files; files of sound that is not read; and how many others there are, by ending."""
    files, unread, others = [], [], Counter[str]()
    for name in names:
        ending = os.path.splitext(name)[1].lower()
        if ending in SUFFIXES:
            files.append(name)
        elif ending in UNREAD_SUFFIXES:
            why = f"Files that end in {ending} are not read: convert it to wav."
            unread.append(Skipped(name, why))
        else:
            others[ending] += 1
    return files, unread, others


def _matched(
    files: list[str], pattern: str, folder: Path
) -> tuple[list[str], dict[str, list[str | None]], list[Skipped]]:
    """Files that match a pattern, the columns that it finds in them, and the other files."""
    expression, in_name = _expression(pattern)
    texts = [PurePosixPath(file).name if in_name else file for file in files]
    matches = [expression.fullmatch(text) for text in texts]
    if files and not any(matches):
        raise DataError(
            f"Pattern '{pattern}' matches none of the {len(files)} audio files in '{folder}', "
            f"such as '{files[0]}'."
        )
    reason = f"The name does not match the pattern '{pattern}'."
    skipped = [Skipped(file, reason) for file, match in zip(files, matches) if not match]
    found = [match.groupdict() for match in matches if match]
    columns = {name: [one[name] for one in found] for name in expression.groupindex}
    return [file for file, match in zip(files, matches) if match], columns, skipped


def levels(files: list[str]) -> dict[str, list[str | None]]:
    """Columns ``folder``, ``folder2`` ...: the sub-folders that a file is in, None beyond them."""
    parents = [PurePosixPath(file).parts[:-1] for file in files]
    depth = max(map(len, parents), default=0)
    return {
        f"folder{level + 1 if level else ''}": [
            parts[level] if level < len(parts) else None for parts in parents
        ]
        for level in range(depth)
    }


def _expression(pattern: str) -> tuple[re.Pattern[str], bool]:
    """Regular expression of a pattern, and whether it is about the name alone."""
    try:
        pieces = list(string.Formatter().parse(pattern))
    except ValueError as error:
        raise DataError(f"Pattern '{pattern}' is not well formed: {error}.") from error
    fields = [field for _, field, _, _ in pieces if field]
    wrong = next((f for f in fields if not f.isidentifier() or fields.count(f) > 1), None)
    if wrong is not None or not fields:
        problem = f"field '{wrong}' is no word or occurs twice" if wrong else "it has no field"
        raise DataError(
            f"Pattern '{pattern}' cannot be used: {problem}; write {{instrument}}_{{pitch}}.wav."
        )
    text = "".join(
        re.escape(literal) + ("" if field is None else f"(?P<{field}>[^/]+)" if field else "[^/]+")
        for literal, field, _, _ in pieces
    )
    if PurePosixPath(pattern).suffix.lower() not in SUFFIXES:
        text += r"\.[^./]+"
    return re.compile(text, re.IGNORECASE), "/" not in pattern
