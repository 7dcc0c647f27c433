"""The page: sections in order, style and content policy."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from markupsafe import Markup

from disentone.files import write_bytes
from disentone.report import (
    bars,
    curves,
    information,
    maps,
    measures,
    mels,
    overview,
    scores,
    sounds,
)
from disentone.report.inputs import ReportInputs
from disentone.report.template import Section, render

__all__ = ["CARD", "SECTIONS", "page", "write_report"]


def _skipped(inputs: ReportInputs) -> Section | None:
    if not inputs.skipped:
        return None
    body = render("skipped.html", skipped=list(inputs.skipped))
    return Section("skipped", "Files left out", body)


def _config(inputs: ReportInputs) -> Section | None:
    if not inputs.config.strip():
        return None
    return Section("config", "Configuration", render("config.html", config=inputs.config))


def _remarks(inputs: ReportInputs) -> Section | None:
    if not inputs.remarks:
        return None
    return Section("data", "About the data", render("remarks.html", remarks=list(inputs.remarks)))


Make = Callable[[ReportInputs], Section | None]

SECTIONS: tuple[Make, ...] = (
    overview.section,
    scores.section,
    information.section,
    measures.section,
    sounds.section,
    maps.section,
    mels.reconstructions,
    mels.traversals,
    curves.section,
    _skipped,
    _config,
)

CARD: tuple[Make, ...] = (  # of an audit of embeddings, where there is neither sound nor training
    overview.section,
    scores.section,
    measures.section,
    bars.section,
    maps.section,
    _remarks,
)


def write_report(
    inputs: ReportInputs, path: str | Path, *, sections: Sequence[Make] = SECTIONS
) -> Path:
    """Write a run's report as one self-contained HTML file.

    Parameters
    ----------
    inputs : ReportInputs
    path : str or Path
        Replaced in one step; a failure leaves what was there.
    sections : sequence of callable
        What the page shows, in order; ``CARD`` for embeddings without a run.

    Returns
    -------
    Path
        The file written.
    """
    made = [section for make in sections if (section := make(inputs)) is not None]
    lead = [*(inputs.summary or _verdict(inputs)), *inputs.notes]
    write_bytes(path, page(inputs.title, lead, made, facts=_facts(inputs)).encode("utf-8"))
    return Path(path)


def page(
    title: str,
    lead: Sequence[str],
    sections: Sequence[Section],
    *,
    facts: Sequence[tuple[str, str]] = (),
) -> str:
    """Put sections under a title, with style, theme switch and a strict content policy.

    Parameters
    ----------
    title : str
    lead : sequence of str
        Paragraphs that stand first.
    sections : sequence of Section
    facts : sequence of (str, str)
        Short particulars, shown in a line.
    """
    style, script = render("style.css"), render("theme.js")
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; media-src data:; "
        f"style-src '{_fingerprint(style)}'; script-src '{_fingerprint(script)}'"
    )
    return str(
        render(
            "page.html",
            title=title,
            lead=lead,
            sections=sections,
            facts=facts,
            policy=policy,
            style=style,
            script=script,
        )
    )


def _verdict(inputs: ReportInputs) -> list[str]:
    verdict = inputs.card.verdict() if inputs.card.records else ""
    return [verdict] if verdict else []


def _fingerprint(text: Markup) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _facts(inputs: ReportInputs) -> list[tuple[str, str]]:
    facets = " + ".join(f"{name} {size}" for name, size in inputs.facets.items())
    facts = [(inputs.counted, f"{len(inputs.embedding):,}"), ("facets", facets)]
    if inputs.history:
        facts.append(("epochs", f"{len(inputs.history)}"))
    if inputs.skipped:
        facts.append(("files left out", f"{len(inputs.skipped):,}"))
    return facts
