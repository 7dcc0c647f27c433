"""The command line: one command a verb, thin."""

from __future__ import annotations

import atexit
import errno
import gc
import io
import os
import sys

from disentone.cli import (  # noqa: F401  # each adds its verbs
    auditing,
    collection,
    learning,
    models,
    opening,
    searching,
    serving,
    sharding,
    triplets,
)
from disentone.cli.app import app
from disentone.cli.screen import console
from disentone.errors import DisentoneError

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; mistakes of the user become one sentence and exit code 2."""
    os.environ["PYTHONSAFEPATH"] = "1"  # no process that we start imports from where we are
    gc.set_threshold(50_000)  # what torch's import makes stays: to look through it takes 0.2 s
    atexit.register(gc.freeze)  # and 0.3 s more when Python ends
    if isinstance(sys.stdout, io.TextIOWrapper):  # pipes of Windows lack most letters
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except DisentoneError as error:
        _complain(str(error))
    except OSError as error:
        known = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.ENAMETOOLONG)
        if error.errno not in known:
            raise
        where = f" ({str(error.filename)[:200]})" if error.filename else ""
        _complain(f"{error.strerror}{where}: free space, or choose another folder.")


def _complain(message: str) -> None:
    console.print(f"Error: {message}", style="red", highlight=False, markup=False, soft_wrap=True)
    sys.exit(2)
