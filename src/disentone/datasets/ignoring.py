"""What is left out of a folder: patterns as in ``.gitignore``, in ``.disentoneignore`` files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from disentone.errors import DataError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

__all__ = ["IGNORE_FILE", "Ignored", "read_patterns"]

IGNORE_FILE = ".disentoneignore"


def read_patterns(lines: Sequence[str], source: str) -> GitIgnoreSpec:
    """Read patterns as Git does: ``*.mp3``, ``drums/``, ``/top.wav``, ``!but/this.wav``.

    Parameters
    ----------
    lines : sequence of str
    source : str
        Where they stand, for people.

    Raises
    ------
    DataError
        If one is no pattern.
    """
    from pathspec import GitIgnoreSpec  # few folders need it

    for line in lines:
        try:
            GitIgnoreSpec.from_lines([line])
        except ValueError as error:
            raise DataError(
                f"{source}: '{line}' is no pattern: write such as '*.mp3', 'drums/' or '!keep.wav'."
            ) from error
    return GitIgnoreSpec.from_lines(lines)


class Ignored:
    """What the ``.disentoneignore`` files of a folder and of those below it leave out.

    Folders must be entered from the top down. As with Git, the file nearest to a name decides,
    and nothing below a folder that is left out comes back.
    """

    def __init__(self) -> None:
        self._rules: dict[str, tuple[tuple[str, GitIgnoreSpec], ...]] = {}

    def enter(self, folder: str) -> None:
        """Read the file of a folder, if there is one.

        Raises
        ------
        DataError
            If it cannot be read, or a line is no pattern.
        """
        rules = self._rules.get(os.path.dirname(folder), ())
        file = Path(folder) / IGNORE_FILE
        if file.is_file():
            try:
                lines = file.read_text(encoding="utf-8-sig").splitlines()
            except (OSError, UnicodeError) as error:
                raise DataError(f"'{file}' cannot be read: {error}.") from error
            rules = (*rules, (folder, read_patterns(lines, f"'{file}'")))
        if rules:
            self._rules[folder] = rules

    def __call__(self, folder: str, name: str) -> bool:
        """Whether a file in a folder, or a folder with ``/`` after its name, is left out."""
        for place, patterns in reversed(self._rules.get(folder, ())):
            below = os.path.relpath(os.path.join(folder, name), place).replace(os.sep, "/")
            found = patterns.check_file(below + "/" * name.endswith("/")).include
            if found is not None:
                return found
        return False
