"""What a recipe or a model of somebody else may make this machine do: nothing, unless allowed.

A recipe can name Python code and a model can name another one on the Hugging Face Hub. Neither is
run or fetched because a file says so: the user allows it, for as long as one block lasts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

__all__ = ["Allowed", "allow", "allowed"]


class Allowed(NamedTuple):
    """What is allowed now."""

    code: bool = False
    download: bool = False


_NOTHING = Allowed()
_allowed: ContextVar[Allowed] = ContextVar("disentone_allowed")


def allowed() -> Allowed:
    """Give what is allowed here; nothing by default."""
    return _allowed.get(_NOTHING)


@contextmanager
def allow(*, code: bool = False, download: bool = False) -> Iterator[None]:
    """Allow for a block what a recipe or model may not make happen by itself.

    Parameters
    ----------
    code : bool
        Import the terms ``module:Class`` that a recipe, or the ``config.yaml`` of a run, names. To
        import a module is to run it: look at it first.
    download : bool
        Fetch the networks of front-ends that are on the Hugging Face Hub and not on this machine.

    Examples
    --------
    >>> with disentone.allow(code=True):                                  # doctest: +SKIP
    ...     disentone.train("mine.yaml")
    """
    now = allowed()
    token = _allowed.set(Allowed(now.code or code, now.download or download))
    try:
        yield
    finally:
        _allowed.reset(token)
