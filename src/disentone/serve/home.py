"""Where the index of some folders lives on this machine, and which process has it open."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from disentone.embeddings import model_id
from disentone.errors import ArtifactError
from disentone.files import write_bytes

__all__ = ["AlreadyOpen", "claimed", "index_folder"]

LOCK, NOTE = "open.lock", "open.json"
_STARTING = 20.0  # seconds until another process, which has the lock, must have told its address


class AlreadyOpen(Exception):  # nothing is wrong
    """Another process serves this index.

    Attributes
    ----------
    address : str
        Of its page.
    """

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address


def index_folder(paths: Sequence[str | Path], model: str | Path) -> Path:
    """Give the place of the index of some folders and one model, in the user's data directory.

    Parameters
    ----------
    paths : sequence of path
        In any order, by whatever names and links.
    model : path
        Another model, or other weights, has another index.

    Returns
    -------
    Path
        ``.../disentone/indexes/NAME-DIGEST.index``; nothing is made.
    """
    import platformdirs  # a thing of systems: it looks at what this one is

    places = sorted({os.path.realpath(path) for path in paths})
    text = "\0".join([model_id(model), *places])
    digest = hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=5).hexdigest()
    name = re.sub(r"[^\w-]+", "-", Path(places[0]).name).strip("-")[:40] or "all"
    more = f"-and-{len(places) - 1}" if len(places) > 1 else ""
    home = platformdirs.user_data_path("disentone", appauthor=False)
    return home / "indexes" / f"{name}{more}-{digest}.index"


@contextmanager
def claimed(folder: Path) -> Iterator[Callable[[str], None]]:
    """Keep the index in a folder, which is made, for this process.

    Yields
    ------
    callable
        Takes the address of the page, to be told to others.

    Raises
    ------
    AlreadyOpen
        If another process has it. One that was killed has not: the system lets its lock go.
    ArtifactError
        If the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK, blocking=False)
        lock.acquire()
    except Timeout:
        raise AlreadyOpen(_address(folder)) from None
    except OSError as error:
        raise ArtifactError(
            f"The index cannot be kept in '{folder}' ({error.strerror}): choose another place, as "
            "disentone open FOLDER --index PLACE."
        ) from error
    note = folder / NOTE
    try:
        note.unlink(missing_ok=True)  # of one that was killed
        yield lambda address: _tell(note, address)
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def _tell(note: Path, address: str) -> None:
    """Write the address down for this user alone: a token may be in it."""
    write_bytes(note, json.dumps({"address": address, "process": os.getpid()}).encode())
    note.chmod(0o600)


def _address(folder: Path) -> str:
    """Read the address of the process that has an index; one that starts may not have told it."""
    end = time.monotonic() + _STARTING
    while time.monotonic() < end:
        try:
            return json.loads((folder / NOTE).read_text(encoding="utf-8"))["address"]
        except (OSError, ValueError, KeyError):
            time.sleep(0.1)
    raise ArtifactError(
        f"Another disentone open works on '{folder}', and has not told its address: wait for it, "
        "or end it."
    )
