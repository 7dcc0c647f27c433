"""A page of cards side by side, with the differences from the first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from disentone.audit.registry import tabled
from disentone.files import write_bytes
from disentone.report.card import WHOLE, real
from disentone.report.page import page
from disentone.report.template import Section, render

__all__ = ["differences_text", "write_comparison"]

GROUPS = {"probe": "What facets predict", "leak": "What facets leak", "dsc_delta": "DSC delta",
          "information": "Information of facets, in nats"}  # fmt: skip
OTHERS = "Measures of disentanglement"
NAMED = ("measure", "facet", "factor", "metric", "variant", "with")

Record = Mapping[str, Any]


@dataclass(frozen=True)
class ComparedNumber:
    """One number of a card, and how it differs from the first card's; NaN where it does not."""

    value: float
    difference: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    paired: bool = False

    @property
    def sure(self) -> bool:
        """Whether the interval of the difference excludes 0."""
        return self.low > 0 or self.high < 0


def write_comparison(
    names: Sequence[str],
    verdicts: Sequence[str],
    differences: Sequence[Sequence[Record]],
    path: str | Path,
) -> Path:
    """Write cards side by side as one self-contained page.

    Parameters
    ----------
    names : sequence of str
        Of the cards; the first is the one that others are compared with.
    verdicts : sequence of str
        Of every card.
    differences : sequence of sequence of mapping
        Of every card but the first, as :func:`~disentone.audit.comparing.compare` gives them.
    path : path

    Returns
    -------
    Path
    """
    sections = [
        Section(f"part-{index}", title, render("comparison.html", names=names, rows=rows))
        for index, (title, rows) in enumerate(_grouped(differences).items(), start=1)
    ]
    lead = [f"{name}: {verdict}" for name, verdict in zip(names, verdicts)]
    lead.append(_how(differences))
    write_bytes(path, page(" · ".join(names), lead, sections).encode("utf-8"))
    return Path(path)


def differences_text(names: Sequence[str], differences: Sequence[Sequence[Record]]) -> str:
    """Give the same as plain text, a line for each number."""
    lines = [f"{_short(name)}: {name}" for name in names if _short(name) != name]
    lines.append(f"{'':44s}" + "".join(f"{_short(name):>24s}" for name in names))
    for title, rows in _grouped(differences).items():
        lines += ["", title]
        for label, small, cells in rows:
            texts = [_text(cell) for cell in cells]
            lines.append(f"  {f'{label} {small}'.strip():42s}" + "".join(texts))
    return "\n".join([*lines, "", _how(differences)])


def _grouped(
    differences: Sequence[Sequence[Record]],
) -> dict[str, list[tuple[str, str, list[ComparedNumber]]]]:
    """Rows of cells by heading; a number that some card lacks has no difference there."""
    found = [{_key(record): record for record in records} for records in differences]
    keys = list(dict.fromkeys(key for records in found for key in records))
    labels = {one.name: one.label for one in tabled([key[0] for key in keys])}
    groups: dict[str, list[tuple[str, str, list[ComparedNumber]]]] = {}
    for key in keys:
        records = [records.get(key) for records in found]
        known = next(record for record in records if record is not None)
        cells = [ComparedNumber(real(known["first"])), *(_cell(record) for record in records)]
        title = GROUPS.get(known["measure"], OTHERS)
        groups.setdefault(title, []).append((*_label(known, labels), cells))
    return groups


def _key(record: Record) -> tuple[str, ...]:
    return tuple(str(record.get(name, "")) for name in NAMED)


def _cell(record: Record | None) -> ComparedNumber:
    if record is None:
        return ComparedNumber(math.nan)
    numbers = [real(record.get(name)) for name in ("second", "difference", "low", "high", "p")]
    return ComparedNumber(*numbers, paired=record["kind"] == "paired")


def _label(record: Record, labels: Mapping[str, str]) -> tuple[str, str]:
    """Facet and factor, or measure, of a number, and its metric or variant."""
    if record["measure"] not in GROUPS:
        name = labels.get(record["measure"], record["measure"])
        of = [record[key] for key in ("facet", "factor", "with") if record.get(key, "all") != "all"]
        variant = f" “{record['variant']}”" if record.get("variant") else ""
        return f"{name}{variant}", ", ".join(of)
    facet = "all facets" if record["facet"] in WHOLE else record["facet"]
    return f"{facet} → {record['factor']}", record["metric"]


def _how(differences: Sequence[Sequence[Record]]) -> str:
    kinds = [record["kind"] for records in differences for record in records]
    paired = kinds.count("paired")
    text = "Differences are from the first card, with their 95 % intervals. "
    if paired:
        text += (
            f"{paired} are paired, item by item (bootstrap; p by flipping signs): they do not "
            "cover what another training of the probes would change. "
        )
    if paired < len(kinds):
        text += (
            f"{len(kinds) - paired} are of independent intervals, marked ~, and too wide where "
            "the cards are of the same items."
        )
    return text.strip()


def _text(cell: ComparedNumber) -> str:
    if math.isnan(cell.difference):
        return f"{cell.value:24.3f}" if not math.isnan(cell.value) else f"{'–':>24s}"
    mark = ("" if cell.paired else "~") + ("*" if cell.sure else "")
    return f"{cell.value:10.3f} ({cell.difference:+.3f}{mark})".rjust(24)


def _short(name: str) -> str:
    return name if len(name) < 23 else f"…{name[-21:]}"
