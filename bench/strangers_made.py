"""What cases of models and of recipes are made of."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

EVIL = "import os; open(os.environ['HOSTILE_MARK'], 'w').close()\n"
"""Code that leaves a mark where it runs."""
HUGE = 10**9


class Case(NamedTuple):
    """A case: it makes its files in an empty folder, and gives the words of a command."""

    name: str
    right: str  # "refused" or "works"
    make: Callable[[Path], list]
    runs: bool = False  # its code, as that was allowed: what shows that the marks work
    fetches: bool = False  # the same of the hub


class Evil:
    """An object whose pickle leaves a mark when it is read."""

    def __reduce__(self):
        return exec, (EVIL,)


def placed(values, path, value):
    """Put a value into nested mappings."""
    *above, last = path.split(".")
    for key in above:
        values = values[key]
    values[last] = value
