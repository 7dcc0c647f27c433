"""The list of what was left out, for people to read."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from disentone.audio import Skipped
from disentone.files import write_bytes

__all__ = ["write_skipped"]


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
