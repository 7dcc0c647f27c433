"""The keeper: the process that brings the served index up to date, and what it says of it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Any, Literal

from disentone.embeddings import keeping_process
from disentone.embeddings.keeping_process import Order
from disentone.serve import schemas

__all__ = ["Keeper"]

_LISTED = 100  # files that could not be used, which are named
_WINDOW = 30.0  # seconds that the time left is judged by
_REST = 10  # as long as seeing what is new takes, so many times it is not done again
_LEAST = 0.5  # seconds from one to the next
_PATIENCE = 10  # seconds for the process to end


class Keeper:
    """A process that keeps an index like its folders.

    Parameters
    ----------
    order : Order
    """

    def __init__(self, order: Order) -> None:
        self.order = order
        self._lock, self._committed, self._ended = Lock(), Event(), Event()
        self._state: Literal["indexing", "current", "failed"] = "indexing"
        self._found, self._counted, self._done, self._failed = 0, False, 0, 0
        self._error: str | None = None
        self._failures: list[schemas.Failure] = []
        self._times: deque[tuple[float, int]] = deque()
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  # closed in stop
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", keeping_process.__name__, json.dumps(order._asdict())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            encoding="utf-8",
        )

    def follow(
        self, refresh: Callable[[], object], show: Callable[[schemas.Library], object]
    ) -> None:
        """Listen to the process, in threads.

        Parameters
        ----------
        refresh : callable
            Called when the index has changed, though not without rest.
        show : callable
            Called when anything has.
        """
        Thread(target=self._listen, args=(show,), daemon=True).start()
        Thread(target=self._refresh, args=(refresh,), daemon=True).start()

    def stop(self) -> None:
        """End the process; what it has committed stays."""
        self._ended.set()
        self._committed.set()
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._complaints.close()

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to be indexed, as far as is known."""
        return self._state == "current"

    def describe(self) -> schemas.Library:
        """Say how far it is."""
        with self._lock:
            return schemas.Library(
                state=self._state,
                folders=self.order.paths,
                watching=self.order.watch and self._state != "failed",
                found=max(self._found, self._done),
                counted=self._counted,
                done=self._done,
                failed=self._failed,
                failures=list(self._failures),
                seconds_left=self._seconds_left(),
                error=self._error,
            )

    def _seconds_left(self) -> float | None:
        """Time for what is left at the pace of the last seconds, where that is known."""
        if self._state != "indexing" or not self._counted or len(self._times) < 2:
            return None
        (began, first), (now, last) = self._times[0], self._times[-1]
        if last <= first or now - began < 1.0:
            return None
        return (now - began) / (last - first) * max(0, self._found - last)

    # --- listening -------------------------------------------------------------------------------

    def _listen(self, show: Callable[[schemas.Library], object]) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._lock:
                self._take(json.loads(line))
            show(self.describe())
        code = self._process.wait()
        if self._ended.is_set() or self._state != "indexing":
            return
        with self._lock:
            self._state = "failed"
            self._error = f"Indexing broke off ({_reason(code, self._complaints)}): start it again."
        show(self.describe())

    def _take(self, told: dict[str, Any]) -> None:
        kind = told["kind"]
        if kind == "pass":
            self._state, self._failures, self._times = "indexing", [], deque()
            self._found, self._counted, self._done, self._failed = 0, False, 0, 0
        elif kind == "found":
            self._found, self._counted = told["found"], told["counted"]
        elif kind == "progress":
            self._done, self._failed = told["done"], told["failed"]
            now = time.monotonic()
            self._times.append((now, self._done))
            while now - self._times[0][0] > _WINDOW:
                self._times.popleft()
        elif kind == "skipped" and len(self._failures) < _LISTED:
            self._failures.append(schemas.Failure(path=told["path"], reason=told["reason"]))
        elif kind == "commit":
            self._committed.set()
        elif kind == "failed":
            self._state, self._error = "failed", told["error"]
        elif kind == "done":
            self._state = "current"
            self._found, self._counted = self._done, True

    def _refresh(self, refresh: Callable[[], object]) -> None:
        while True:
            self._committed.wait()
            self._committed.clear()
            if self._ended.is_set():
                return
            began = time.monotonic()
            refresh()
            self._ended.wait(max(_LEAST, _REST * (time.monotonic() - began)))


def _reason(code: int, complaints: Any) -> str:
    """Last line of what a process complained about, or how it ended."""
    complaints.seek(0)
    lines = complaints.read().decode(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else f"its process ended with {code}"
