"""The process that keeps an index like its folders, so that searches do not wait for it.

It is run with an :class:`Order` as JSON. What happens goes to standard output, a line of JSON
each; once standard input ends, so does the process.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread
from typing import Any, NamedTuple

from disentone.datasets.clip_parts import count_clips, state_of
from disentone.errors import DisentoneError
from disentone.permissions import allow

__all__ = ["Order", "main"]

_POLITE = 5  # searches go first
_OFTEN = 0.2  # seconds between two lines on progress
_PAUSE = 2.0  # seconds between two looks at the folders, at least
_SHARE = 10  # of the time goes to looking at them, at most one in so many


class Order(NamedTuple):
    """What is to be done.

    Parameters
    ----------
    model, out : str
    paths : list of str
    jobs : int or None
    device : str
    watch : bool
        Go on when all is done, and look for changes.
    download : bool
        Whether a front-end's network may be fetched.
    """

    model: str
    paths: list[str]
    out: str
    jobs: int | None = None
    device: str = "cpu"
    watch: bool = False
    download: bool = False


class _Teller:
    """Writes lines, those on progress not too often; threads may share it."""

    def __init__(self) -> None:
        self._lock, self._told = Lock(), -_OFTEN
        self._waiting: dict[str, Any] | None = None

    def __call__(self, kind: str, facts: dict[str, Any]) -> None:
        with self._lock:
            if kind == "progress" and time.monotonic() - self._told < _OFTEN:
                self._waiting = facts
                return
            if kind == "progress":
                self._told, self._waiting = time.monotonic(), None
            elif self._waiting is not None:
                self._write("progress", self._waiting)
                self._waiting = None
            self._write(kind, facts)

    @staticmethod
    def _write(kind: str, facts: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps({"kind": kind, **facts}) + "\n")
        sys.stdout.flush()


def main(text: str) -> int:
    """Do what an order says, and tell how it goes."""
    order, tell = Order(**json.loads(text)), _Teller()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who reads what is told, ends this
    Thread(target=_end_with_stdin, daemon=True).start()
    if hasattr(os, "nice"):  # not on Windows
        os.nice(_POLITE)
    try:
        with allow(download=order.download):
            _keep(order, tell)
    except (DisentoneError, OSError) as error:
        tell("failed", {"error": str(error)})
        return 2
    return 0


def _keep(order: Order, tell: Callable[[str, dict[str, Any]], None]) -> None:
    def committed(kind: str, facts: dict[str, Any]) -> None:
        tell(kind, facts)
        if kind == "commit":
            _give_back()

    _count(order.paths, tell)  # while torch is imported
    from disentone.embeddings.embedder import EmbedOptions
    from disentone.embeddings.keeping import keeping

    options = EmbedOptions(jobs=order.jobs, device=order.device)
    with keeping(
        order.model, order.paths, order.out, options, committed, again=order.watch
    ) as keeper:
        while True:
            state = keeper.run()
            tell("done", {})
            if not order.watch:
                return
            _wait_for_change(order.paths, state)
            _count(order.paths, tell)


def _count(paths: list[str], tell: Callable[[str, dict[str, Any]], None]) -> None:
    """Begin a pass: count in a thread what there is, and tell it now and then."""
    tell("pass", {})

    def count() -> None:
        found = 0
        try:
            for found in count_clips(paths):
                tell("found", {"found": found, "counted": False})
        except (DisentoneError, OSError):
            return  # the pass itself tells what is wrong
        tell("found", {"found": found, "counted": True})

    Thread(target=count, daemon=True).start()


def _wait_for_change(paths: list[str], state: int) -> None:
    """Look at the folders until something is other than it was; of a disk that is gone, nothing."""
    pause = _PAUSE
    while True:
        time.sleep(pause)
        began = time.monotonic()
        there = all(map(os.path.exists, paths))
        if there and state_of(paths) != state:
            return
        pause = max(_PAUSE, (_SHARE - 1) * (time.monotonic() - began))


def _give_back() -> None:
    """Return freed memory to the system: the C library keeps 5 kB a file of what LanceDB frees."""
    with suppress(AttributeError, TypeError, OSError):  # glibc alone has this
        ctypes.CDLL(None).malloc_trim(0)


def _end_with_stdin() -> None:
    """End at once when the one that started this does: what is committed stays."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
