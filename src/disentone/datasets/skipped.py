"""The list of what was left out, for people to read."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from disentone.audio import Skipped
from disentone.files import write_bytes

__all__ = ["SkippedList", "write_skipped"]


def write_skipped(file: Path, skipped: Sequence[Skipped]) -> None:
    """Write what was left out, each once, as a CSV table with columns ``path`` and ``reason``.

    Parameters
    ----------
    file : Path
    skipped : sequence of Skipped

    Raises
    ------
    ArtifactError
        If the file cannot be written.
    """
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(["path", "reason"])
    rows.writerows((item.path, item.reason) for item in dict.fromkeys(skipped))
    write_bytes(file, text.getvalue().encode())


class SkippedList:
    """The same table, written row by row for a list of any length; an old one is replaced at once.

    Parameters
    ----------
    file : Path
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def __enter__(self) -> SkippedList:
        self._stream = self._file.open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._stream)
        self._rows.writerow(["path", "reason"])
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()

    def add(self, skipped: Sequence[Skipped]) -> None:
        """Write some more."""
        self._rows.writerows((item.path, item.reason) for item in skipped)
        self._stream.flush()
