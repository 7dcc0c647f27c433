"""Filters: SQL expressions on the items' columns, and no other SQL."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from textwrap import shorten

from disentone.errors import DataError, closest

__all__ = ["check_filter"]

_LONGEST = 2000  # characters
_OPERATORS = frozenset(("and", "or", "not", "is", *"+-*/%"))
_MOST = 100  # of them, and brackets in brackets: many hundreds overflow the store's stack
_DEEPEST = 20
# fmt: off
_WORDS = frozenset((
    "and", "or", "not", "in", "is", "null", "like", "ilike", "between", "true", "false", "escape",
))
_FUNCTIONS = frozenset((
    "abs", "ceil", "coalesce", "contains", "floor", "length", "lower", "round", "starts_with",
    "trim", "upper",
))
# fmt: on
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    | (?P<text>'(?:[^']|'')*')
    | (?P<quoted>"[^"]*"|`[^`]*`)
    | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?!\w))
    | (?P<word>[^\W\d]\w*)
    | (?P<sign><>|!=|<=|>=|==|[=<>+\-*/%(),])""",
    re.VERBOSE,
)


def check_filter(where: str, columns: Sequence[str]) -> str:
    """Check a filter and write it so that the store reads every name as it was meant.

    Only comparisons, arithmetic, ``and``, ``or``, ``not``, ``in``, ``between``, ``like``,
    ``is null`` and a few functions of texts and numbers are allowed; no second statement, no
    comment, no parameter, and no column but those that are given.

    Parameters
    ----------
    where : str
        ``"split = 'test' and tempo > 120"``. A column whose name is no plain word stands in
        `backticks`.
    columns : sequence of str

    Returns
    -------
    str

    Raises
    ------
    DataError
        If anything else is in it, or a column is unknown.
    """
    if len(where) > _LONGEST:
        raise DataError(f"A filter may have {_LONGEST} characters, and this one has {len(where)}.")
    written = [_written(kind, token, rest, columns) for kind, token, rest in _tokens(where)]
    if not written:
        raise DataError("The filter is empty: write such as \"split = 'test' and tempo > 120\".")
    if sum(token in _OPERATORS for token in written) > _MOST:
        raise DataError(f"A filter may have {_MOST} operators: shorten it, as with IN (...).")
    depths = list(accumulate((token == "(") - (token == ")") for token in written))
    if min(depths) < 0 or depths[-1]:
        raise DataError(f"The brackets of the filter '{shorten(where, 80)}' do not match.")
    if max(depths) > _DEEPEST:
        raise DataError(f"A filter may have {_DEEPEST} brackets in each other.")
    return " ".join(written)


def _tokens(where: str) -> Iterator[tuple[str, str, str]]:
    """Kind and text of every token, and what follows it."""
    place = 0
    while place < len(where):
        match = _TOKEN.match(where, place)
        if match is None:
            raise DataError(
                f"The filter cannot be understood from '{where[place : place + 20]}' on: write "
                "such as \"split = 'test' and tempo > 120\"."
            )
        place = match.end()
        if match.lastgroup != "space":
            yield str(match.lastgroup), match.group(), where[place:].lstrip()


def _written(kind: str, token: str, rest: str, columns: Sequence[str]) -> str:
    if kind == "quoted":
        return _column(token[1:-1], columns)
    if kind == "word" and token.lower() in _WORDS:
        return token.lower()
    if kind == "word" and rest.startswith("("):
        if token.lower() not in _FUNCTIONS:
            raise DataError(
                f"A filter has no function '{token}'{closest(token, sorted(_FUNCTIONS))}"
            )
        return token.lower()
    if kind == "word":
        return _column(token, columns)
    return "=" if token == "==" else token


def _column(name: str, columns: Sequence[str]) -> str:
    same = [column for column in columns if column.lower() == name.lower()]
    found = name if name in columns else same[0] if len(same) == 1 else None
    if found is None:
        raise DataError(
            f"There is no column '{name}' to filter by (text is in single quotes: instrument = "
            f"'piano'){closest(name, columns)}"
        )
    return f"`{found}`"
