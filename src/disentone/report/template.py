"""Templates of the page, and the section: what every part of a report gives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from disentone.report.svg import concise, number

__all__ = ["Section", "render"]


@dataclass(frozen=True)
class Section:
    """A part of a page: anchor, heading and what stands under it."""

    anchor: str
    title: str
    body: Markup


def render(template: str, **values: Any) -> Markup:
    """Fill a template of this package; everything that is not Markup is escaped."""
    return Markup(_environment().get_template(template).render(**values))


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("disentone.report"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "concise": concise}
    return environment
