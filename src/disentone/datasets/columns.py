"""What kind of factor a column of a table is: given, or guessed from its name and its values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

import numpy as np

from disentone.agreement.rules import are_keys, normalise_key
from disentone.errors import DataError, closest, printable
from disentone.factors import Factor, FactorKind

__all__ = ["UNKNOWN", "derived_factor", "factor_from_column", "factors_of", "take_column"]

UNKNOWN = frozenset({"", "na", "n/a", "nan", "null", "unknown", "?"})
"""Texts that mean that nothing is known, in lower case."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)

# Whole numbers may count, order or only name things; the name of their column helps to decide.
_NAMES = (
    "id|index|fold|sensor|device|machine|speaker|singer|player|artist|subject|session|take|track|"
    "channel|class|label|category|target|cluster|program|instrument|microphone|mic|room|location|"
    "site|station|user|uploader"
)
_NUMBERS_ROWS = "id|index|row|number|file"
_ORDERS = "pitch|midi|note|octave|velocity|year|decade|level|rating|grade|rank|order"
_MEASURES = (
    "tempo|bpm|hz|khz|frequency|freq|f0|db|snr|loudness|lufs|gain|seconds|duration|length|onset|"
    "time|ms|distance|angle|temperature|speed"
)


def factor_from_column(
    name: str,
    values: Sequence[Any],
    *,
    kind: FactorKind | None = None,
    tolerance: float | None = None,
    recordings: int | None = None,
) -> tuple[Factor | None, str]:
    """Make a factor of a column, guessing its kind where none is given.

    Text with ``;`` between labels that recur is multi-label, other text categorical. Numbers are
    continuous where they have fractions, name a measure (such as ``tempo``) or hardly repeat;
    whole numbers that repeat are ordinal, or categorical where they name things (``sensor``,
    ``fold``), have leading zeros or only two values. Text that differs in nearly every recording,
    such as a title, and numbers that count the rows are no factors.

    Parameters
    ----------
    name : str
    values : sequence
        One value a clip: text, number, bool, list of labels or None. Empty, NaN, ``NA``, ``null``,
        ``unknown`` and ``?`` mean unknown.
    kind : {"categorical", "multilabel", "ordinal", "continuous"}, optional
        Guessed by default.
    tolerance : float, optional
        Up to which difference two clips agree in an ordinal or continuous factor. By default 0
        for ordinal and a tenth of the range of the middle 80 % of values for continuous ones.
    recordings : int, optional
        How many different recordings the clips come from; by default every clip is its own.

    Returns
    -------
    factor : Factor or None
    remark : str
        What was guessed, or why it is no factor; empty where the kind was given.

    Raises
    ------
    DataError
        If the kind is unknown or does not fit the values.
    """
    cleaned = [_clean(value) for value in values]
    known = [value for value in cleaned if value is not None]
    guessed = kind is None
    if kind is None:
        kind, why = _guess(name, known, recordings or len(values))
        if kind is None:
            return None, why
    elif kind not in get_args(FactorKind):
        raise DataError(f"Factor kind '{kind}' is unknown{closest(kind, get_args(FactorKind))}")
    if kind == "categorical":
        factor = Factor.categorical(name, _class_names(name, cleaned))
    elif kind == "multilabel":
        factor = _multilabel(name, cleaned)
    else:
        factor = Factor.continuous(name, cleaned, kind=kind)
        if tolerance is None:
            tolerance = 0.0 if kind == "ordinal" else _tenth_of_range(factor.values)
        factor = replace(factor, tolerance=tolerance)
    return factor, _describe(factor) if guessed else ""


def _class_names(name: str, values: Sequence[Any]) -> list[str | None]:
    """Labels as text; keys of music, however they are spelled, in one spelling."""
    texts = [_text(value) for value in values]
    if name.lower() != "key" or not are_keys([text for text in texts if text is not None]):
        return texts
    return [None if text is None else normalise_key(text) or None for text in texts]


def derived_factor(name: str, rule: str, factors: Mapping[str, Factor]) -> Factor:
    """Make a factor of others: a remainder, or several columns of 0 and 1 as labels.

    Parameters
    ----------
    name : str
        Of the new factor.
    rule : str
        ``"FACTOR % NUMBER"``, what is left when a numeric factor is divided by a number, as
        classes: ``"pitch % 12"`` is the pitch class, ``"hour % 24"`` the time of day. Or
        ``"FACTOR + FACTOR + ..."``, a multi-label factor with one label for each of several
        factors that are 0 or 1: ``"dog + rain + siren"``.
    factors : mapping of str to Factor

    Raises
    ------
    DataError
        If the rule has another form, or its factor does not exist, has no numbers, or has others
        than 0 and 1.
    """
    if "+" in rule:
        return _labels_of_columns(name, [part.strip() for part in rule.split("+")], factors)
    match = re.fullmatch(r"\s*(.+?)\s*%\s*(\d+\.?\d*)\s*", rule)
    if match is None or not float(match[2]):
        raise DataError(f"Factor '{name}' cannot be made of '{rule}': write FACTOR % NUMBER "
                        "or FACTOR + FACTOR.")  # fmt: skip
    if match[1] not in factors:
        raise DataError(f"Factor '{name}': there is no '{match[1]}'{closest(match[1], factors)}")
    source = factors[match[1]]
    if source.kind not in ("ordinal", "continuous"):
        raise DataError(f"Factor '{name}': '{source.name}' is {source.kind} and has no numbers.")
    rest = np.floor(np.mod(source.values, float(match[2])))
    return Factor.categorical(name, [None if np.isnan(r) else int(r) for r in rest])


def _labels_of_columns(name: str, parts: list[str], factors: Mapping[str, Factor]) -> Factor:
    columns, numbers = [], {"0": 0.0, "1": 1.0, "": np.nan}
    for part in parts:
        if part not in factors:
            raise DataError(f"Factor '{name}': there is no '{part}'{closest(part, factors)}")
        labels = factors[part].labels()
        wrong = sorted(set(labels) - set(numbers))
        if wrong:
            raise DataError(f"Factor '{name}': '{part}' has '{wrong[0]}' beside 0 and 1.")
        columns.append([numbers[label] for label in labels])
    return Factor(name, "multilabel", np.array(columns).T, tuple(parts))


def _guess(name: str, known: list[Any], recordings: int) -> tuple[FactorKind | None, str]:
    """Guess a kind, or give the reason why the column is no factor."""
    if not known:
        return None, "no value is known"
    if _has_lists(known, recordings):
        return "multilabel", ""
    texts = [str(_text(value)) for value in known]
    distinct = len(set(texts))
    if not all(_is_number(value) for value in known):
        if distinct >= 10 and distinct > 0.9 * min(recordings, len(known)):
            return None, "it differs in nearly every recording"
        return "categorical", ""
    numbers = np.array([float(value) for value in known])
    whole = bool((numbers == np.round(numbers)).all())
    if _mentions(name, _MEASURES):
        return "continuous", ""
    if whole and _mentions(name, _ORDERS):
        return "ordinal", ""
    unique = distinct >= 10 and distinct > 0.9 * len(known)
    if unique and whole and (_mentions(name, _NUMBERS_ROWS) or np.ptp(numbers) < len(known)):
        return None, "it numbers the rows"
    names_things = whole and _mentions(name, _NAMES)
    if distinct <= 2 or names_things or any(re.match(r"0\d", text) for text in texts):
        return "categorical", ""
    if not whole or distinct > len(known) / 2 or distinct > 128:
        return "continuous", ""
    return "ordinal", ""


def _has_lists(known: list[Any], recordings: int) -> bool:
    """Whether values are lists, or text with ``;`` between labels that recur in recordings."""
    if any(isinstance(value, list) for value in known):
        return True
    if not any(_is_text(value) and ";" in value for value in known):
        return False
    sets = [_labels(value) for value in known]
    share = min(1.0, recordings / len(known))  # segments repeat the values of their recording
    return len(set().union(*sets)) <= share * sum(map(len, sets)) / 2


def _clean(value: Any) -> Any:
    """Give None where a value is unknown; take the spaces around text off."""
    if isinstance(value, str):
        value = value.strip() if value.isascii() else printable(value).strip()
        return None if value.lower() in UNKNOWN else value
    if isinstance(value, float | np.floating) and np.isnan(value):
        return None
    if isinstance(value, tuple | np.ndarray):
        return list(value)
    return value


def _text(value: Any) -> str | None:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a column of whole numbers with a gap arrives as floats
    return None if value is None else str(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return _NUMBER.fullmatch(value) is not None
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return is_number and bool(np.isfinite(value))


def _mentions(name: str, words: str) -> bool:
    """Whether a column's name, such as ``sensor_id``, has one of the words in it."""
    parts = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
    return re.search(rf"(?:^|[^a-z])(?:{words})(?:$|[^a-z])", parts) is not None


def _multilabel(name: str, cleaned: list[Any]) -> Factor:
    """Columns of 0 and 1 from lists or text such as ``rain;dog``; NaN where unknown."""
    sets = [None if value is None else _labels(value) for value in cleaned]
    classes = tuple(sorted(set().union(*(labels for labels in sets if labels))))
    values = np.full((len(sets), len(classes)), np.nan)
    for row, labels in zip(values, sets):
        if labels is not None:
            row[:] = [label in labels for label in classes]
    return Factor(name, "multilabel", values, classes)


def _labels(value: Any) -> set[str]:
    parts = value if isinstance(value, list) else str(value).split(";")
    return {text for part in parts if (text := _text(_clean(part))) is not None}


def _tenth_of_range(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    if not known.size:
        return 0.0
    low, high = np.quantile(known, [0.1, 0.9])
    extent = high - low or np.ptp(known)
    return float(f"{extent / 10:.2g}")


def _describe(factor: Factor) -> str:
    unknown = int((~factor.known).sum())
    about = [f"unknown for {unknown}"] if unknown else []
    if factor.classes:
        about.insert(0, f"{len(factor.classes)}")
    elif factor.known.any():
        about.insert(0, f"{np.nanmin(factor.values):g} to {np.nanmax(factor.values):g}")
    if factor.tolerance:
        about.append(f"equal within {factor.tolerance:g}")
    return f"{factor.name} {factor.kind} ({', '.join(about)})"


def factors_of(
    columns: Mapping[str, Sequence[Any]],
    kinds: Mapping[str, FactorKind],
    tolerances: Mapping[str, float],
    recordings: int,
) -> tuple[dict[str, Factor], list[str]]:
    """Make factors of the columns that are some.

    Parameters
    ----------
    columns : mapping of str to sequence
    kinds : mapping of str to kind
        Of factors; others are guessed.
    tolerances : mapping of str to float
    recordings : int
        How many recordings the clips are of: a column with as many values as that is no factor.

    Returns
    -------
    factors : dict of str to Factor
    notes : list of str
        What was guessed, and what was left out.

    Raises
    ------
    DataError
        If a kind or tolerance is of no column.
    """
    for name in (*kinds, *tolerances):
        if name not in columns:
            raise DataError(f"There is no column '{name}'{closest(name, columns)}")
    factors, guesses, notes = {}, [], []
    for name, values in columns.items():
        factor, remark = factor_from_column(
            name,
            values,
            kind=kinds.get(name),
            tolerance=tolerances.get(name),
            recordings=recordings,
        )
        if factor is None:
            notes.append(f"Column '{name}' is no factor: {remark}.")
        else:
            factors[name] = factor
            guesses += [remark] if remark else []
    return factors, ([f"Guessed: {', '.join(guesses)}."] if guesses else []) + notes


def take_column(columns: dict[str, list[Any]], names: Sequence[str]) -> list[Any] | None:
    """Take the first column of one of some names out of a table; None where none is there."""
    found = [name for name in columns if name.strip().lower() in names]
    return columns.pop(found[0]) if found else None
