"""A cache: what was used last is kept while there is room."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

__all__ = ["Recent"]

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """A mapping of bounded size that forgets what was not used for longest; threads may share it.

    Parameters
    ----------
    room : int
        Sum of the sizes that are kept. What alone is larger is kept until the next one comes.
    forget : callable, optional
        Called with each value that has to go.
    """

    def __init__(self, room: int, forget: Callable[[Value], object] = lambda value: None) -> None:
        self.room, self._forget = room, forget
        self._kept: OrderedDict[str, tuple[Value, int]] = OrderedDict()
        self._lock = Lock()
        self.size = 0

    def get(self, key: str) -> Value | None:
        """Give what is kept under a key, or None; it counts as used."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def put(self, key: str, value: Value, size: int) -> Value:
        """Keep a value, and give it back; others go until there is room."""
        with self._lock:
            gone = [self._kept.pop(key)] if key in self._kept else []
            self._kept[key] = (value, size)
            self.size += size - sum(size for _, size in gone)
            while self.size > self.room and len(self._kept) > 1:
                gone.append(self._kept.popitem(last=False)[1])
                self.size -= gone[-1][1]
        for old, _ in gone:
            self._forget(old)
        return value

    def __len__(self) -> int:
        """Count what is kept."""
        return len(self._kept)
