"""Files that are either whole or not there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from disentone.errors import ArtifactError

__all__ = ["append_line", "write_bytes", "write_json"]


def write_bytes(file: str | Path, content: bytes) -> None:
    """Write a file atomically: temporary file, fsync, rename; folders are made.

    Raises
    ------
    ArtifactError
        If the disk is full or the folder cannot be written; an old file stays as it was.
    """
    file = Path(file)
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, file)
    except OSError as error:
        _remove(temporary)
        raise _unwritable(file, error) from error
    except BaseException:  # Ctrl-C in the middle leaves nothing behind either
        _remove(temporary)
        raise


def write_json(file: str | Path, content: Any) -> None:
    """Write JSON atomically, indented for people; NaN is refused, as JSON has none."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_bytes(file, text.encode())


def append_line(file: str | Path, line: str) -> None:
    """Add one line to a text file and see that it is on the disk.

    Raises
    ------
    ArtifactError
        If the disk is full or the file cannot be written.
    """
    try:
        with Path(file).open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise _unwritable(Path(file), error) from error


def _remove(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError:
        return  # the folder itself is gone or unreadable: there is nothing to tidy


def _unwritable(file: Path, error: OSError) -> ArtifactError:
    return ArtifactError(
        f"{file} could not be written ({error.strerror}): free space or choose another folder."
    )
