"""Which column of a table names the audio files, and which files its names are."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from disentone.datasets.csv_tables import names_audio

__all__ = ["NamedFiles", "is_path_name", "name_files", "path_column", "path_columns"]

_PATHS = ("path", "file", "filename", "file_name", "filepath", "file_path", "audio", "audio_path",
         "audio_file", "audio_filename", "audio_filepath", "wav", "wav_path", "wav_file", "fname",
         "slice_file_name", "begin_path", "begin_file")  # fmt: skip

_LOOKED_AT = 200  # rows by which columns are compared


def is_path_name(name: str) -> bool:
    """Whether a column is called as one of paths usually is."""
    return re.sub(r"[\s\-.]+", "_", name.strip().lower()) in _PATHS


def path_columns(columns: Mapping[str, Sequence[Any]]) -> list[str]:
    """Columns that may name files: by their names, then by values such as ``a.wav``."""
    called = [name for name in columns if is_path_name(name)]
    return called + [name for name in columns if name not in called and name_files(columns[name])]


def path_column(columns: Mapping[str, Sequence[Any]], files: NamedFiles) -> str | None:
    """Find the column of which most values are files; None if there is none of paths."""
    found = path_columns(columns)
    if len(found) < 2:
        return next(iter(found), None)

    def there(name: str) -> int:
        texts = [str(value or "").strip() for value in _some(columns[name])]
        return sum(bool(text) and os.path.isfile(files.path(text)) for text in texts)

    return max(found, key=there)  # the first of equals


class NamedFiles:
    """The files below a folder that names of a table mean.

    Parameters
    ----------
    root : path
        What the names are relative to.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = str(root)
        self._found: dict[str, str] = {}
        self._listed: dict[str, tuple[dict[str, str], dict[str, str]]] = {}

    def path(self, text: str) -> str:
        """Path of the file of a name, as it can be opened."""
        return os.path.join(self.root, self.name(text))

    def name(self, text: str) -> str:
        r"""Name as it is on the disk; the name itself where there is no such file.

        A name that no file has is taken with ``/`` for ``\``, in any normal form of Unicode, and
        in upper or lower case where that is of one file only, as a table of Windows may have it.
        """
        if text not in self._found:
            self._found[text] = text if _is_there(self.root, text) else self._search(text)
        return self._found[text]

    def _search(self, text: str) -> str:
        slashes = text.replace("\\", "/")
        where = "/" if slashes.startswith("/") else ""
        for part in slashes.split("/"):
            folder = os.path.join(self.root, where)
            if part not in ("", ".", "..") and not _is_there(folder, part):
                names, folded = self._listing(folder)
                part = names.get(_alike(part)) or folded.get(_alike(part).casefold(), "")
                if not part:
                    return text
            where = os.path.join(where, part) if part else where
        return where

    def _listing(self, folder: str) -> tuple[dict[str, str], dict[str, str]]:
        """Names in a folder by what they look like, and by that in lower case where one has it."""
        if folder not in self._listed:
            try:
                names = {_alike(name): name for name in os.listdir(folder)}
            except OSError:
                names = {}
            often = Counter(looks.casefold() for looks in names)
            folded = {looks.casefold(): name for looks, name in names.items()}
            once = {looks: name for looks, name in folded.items() if often[looks] == 1}
            self._listed[folder] = names, once
        return self._listed[folder]


def _is_there(root: str, text: str) -> bool:
    try:
        return os.path.lexists(os.path.join(root, text))
    except (OSError, ValueError):  # too long, or with a zero in it
        return False


def _alike(name: str) -> str:
    """Make names that look alike the same; bytes that are no UTF-8 are taken for Windows-1252."""
    try:
        name.encode()
    except UnicodeError:
        name = os.fsencode(name).decode("cp1252", "replace")
    return unicodedata.normalize("NFC", name)


def name_files(values: Sequence[Any]) -> bool:
    """Whether at least half of a column looks like names of audio files."""
    some = [value for value in _some(values) if value not in (None, "")]
    return 2 * sum(isinstance(v, str) and names_audio(v) for v in some) >= max(1, len(some))


def _some(values: Sequence[Any]) -> list[Any]:
    return list(values[:: max(1, len(values) // _LOOKED_AT)])
