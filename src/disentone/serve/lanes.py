"""Lanes: work of one cost waits for its like only, and what would wait for too long is refused."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_thread

from disentone.serve.problems import Busy

__all__ = ["Lane"]

_NEWEST = 0.1  # share of the newest in the mean time of work

P = ParamSpec("P")
T = TypeVar("T")


class Lane:
    """Threads for work of one cost, in the order in which it comes.

    Parameters
    ----------
    threads : int
    patience : float
        Seconds that work may wait; what is expected to wait for longer is refused at once.
    guess : float
        Seconds that one piece of work takes, until some were measured.
    """

    def __init__(self, threads: int, *, patience: float, guess: float) -> None:
        self._threads = anyio.CapacityLimiter(threads)
        self._patience, self._mean = patience, guess

    @property
    def wait(self) -> float:
        """Seconds that work which comes now can be expected to wait."""
        waiting = self._threads.statistics().tasks_waiting
        return waiting * self._mean / self._threads.total_tokens

    def check(self) -> None:
        """Refuse work that would wait for too long.

        Raises
        ------
        Busy
        """
        if self.wait > self._patience:
            raise Busy(math.ceil(self.wait))

    async def run(self, work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """Do work in a thread of the lane.

        Raises
        ------
        Busy
            If it would wait for too long.
        """
        self.check()
        asked = time.perf_counter()

        def timed() -> T:
            began = time.perf_counter()
            if began - asked > self._patience:  # others took longer than could be expected
                raise Busy(math.ceil(self._patience))
            try:
                return work(*args, **options)
            finally:
                self._mean += _NEWEST * (time.perf_counter() - began - self._mean)

        return await anyio.to_thread.run_sync(timed, limiter=self._threads)
