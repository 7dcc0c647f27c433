"""The few exceptions that users meet, and what is done about a name that is not known.

Each message is one sentence that says what to do. A name that is none of disentone's own may be
that of another package, which gives it as an entry point of a group ``disentone.GROUP``; every
room asks for these here, the lowest place that all of them know.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = [
    "FOREIGN",
    "ArtifactError",
    "AudioError",
    "DataError",
    "DisentoneError",
    "RecipeError",
    "SilenceError",
    "closest",
    "load_plugin",
    "or_plugin",
    "plugin_names",
    "printable",
    "what_raised",
]

FOREIGN = (Exception, SystemExit, KeyboardInterrupt)
"""Whatever code of others may raise, or end with, where it is run."""


class DisentoneError(Exception):
    """Anything a user can mend; the command line prints it and exits with 2."""


class AudioError(DisentoneError):
    """A file that is missing, empty, truncated, silent or not audio."""


class SilenceError(AudioError):
    """A file or a part of it that can be read and holds no sound."""


class DataError(DisentoneError):
    """A clip table, factor, split or view relation that cannot be used."""


class RecipeError(DisentoneError):
    """A recipe or option that does not exist or does not fit."""


class ArtifactError(DisentoneError):
    """A run or model on disk that is missing, damaged or of another model."""


def closest(word: str, known: Iterable[str]) -> str:
    """Suggest known names near a mistyped one, as the end of an error sentence.

    Parameters
    ----------
    word : str
        What the user wrote.
    known : iterable of str
        What exists.

    Returns
    -------
    str
        ``"; did you mean 'timbre'?"`` or ``"; there are: a, b, c"``.
    """
    names = [str(name) for name in known]
    near = difflib.get_close_matches(word, names, n=1)
    if near:
        return f"; did you mean '{near[0]}'?"
    return "; there are: " + ", ".join(names) if names else "; there are none"


def printable(text: str) -> str:
    r"""Escape what no UTF-8 file can hold, such as bytes of a file name in another encoding.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        ``caf\udce9.wav`` with the escape written out; any other text as it is.
    """
    return text.encode(errors="backslashreplace").decode()


def what_raised(error: BaseException) -> str:
    """Give in a few words what code of others raised, and where: ``"ValueError: no, x.py:3"``."""
    lines = str(error).strip().splitlines()
    what = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or isinstance(error, SyntaxError):  # which names the place itself
        return what
    return f"{what}, {os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"


def plugin_names(group: str) -> list[str]:
    """Names that installed packages give in a group of entry points; no package is imported.

    Parameters
    ----------
    group : {"frontends", "encoders", "datasets", "measures", "terms"}
    """
    from importlib.metadata import entry_points  # reads all packages' metadata: only when asked

    return sorted({point.name for point in entry_points(group=f"disentone.{group}")})


def load_plugin(group: str, name: str) -> Any:
    """Import what another package gives under a name, of :func:`plugin_names`.

    Parameters
    ----------
    group, name : str

    Raises
    ------
    RecipeError
        If two packages give the name, or it cannot be imported.
    """
    from importlib.metadata import entry_points

    found = list(entry_points(group=f"disentone.{group}", name=name))
    packages = sorted(point.dist.name if point.dist else point.value for point in found)
    if len(found) != 1:
        raise RecipeError(
            f"'{name}' of disentone.{group} must be given by one package, but is by "
            f"{' and '.join(packages) or 'none'}: uninstall the others."
        )
    try:
        return found[0].load()
    except FOREIGN as error:
        raise RecipeError(
            f"Package '{packages[0]}', which gives '{name}' of disentone.{group}, cannot be "
            f"imported ({what_raised(error)}): update or uninstall it."
        ) from error


def or_plugin(
    group: str, shape: type[Any], *, key: str = "kind"
) -> Callable[[Any, Callable[[Any], Any]], Any]:
    """Make a pydantic wrap validator of a union of our own kinds, for those of other packages.

    Parameters
    ----------
    group : str
        Of entry points.
    shape : type
        The pydantic model that all of them are subclasses of.
    key : str
        The key of the kind.

    Returns
    -------
    callable
        Its ``ValueError`` becomes a mistake in the recipe.
    """

    def read(value: Any, ours: Callable[[Any], Any]) -> Any:
        from pydantic import ValidationError

        try:
            return ours(value)
        except ValidationError as error:
            first = error.errors()[0]
            if first["type"] != "union_tag_invalid" or first["loc"]:
                raise
            known = first.get("ctx", {}).get("expected_tags", "").replace("'", "").split(", ")
        kind = str(value[key] if isinstance(value, Mapping) else getattr(value, key))
        others = plugin_names(group)
        if kind not in others:
            raise ValueError(f"there is no {key} '{kind}'{closest(kind, [*known, *others])}")
        try:
            found = load_plugin(group, kind)
        except RecipeError as error:
            raise ValueError(str(error)) from error
        if not (isinstance(found, type) and issubclass(found, shape)):
            raise ValueError(
                f"entry point '{kind}' of disentone.{group} must be a subclass of "
                f"{shape.__module__}.{shape.__name__}, not {found!r}"
            )
        try:
            return found.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            if first["type"] != "extra_forbidden" or len(first["loc"]) != 1:
                raise
            wrong = str(first["loc"][0])
            known = closest(wrong, found.model_fields)
            raise ValueError(f"unknown key '{wrong}'{known}") from error

    return read
