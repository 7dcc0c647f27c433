"""A paper's tables with our numbers beside its own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from disentone.files import write_bytes
from disentone.report.card import real
from disentone.report.inputs import Figure
from disentone.report.page import page
from disentone.report.svg import data_uri, element
from disentone.report.template import Section, render

__all__ = ["tables_text", "write_tables_report"]

KINDS = ((b"\x89PNG", "image/png"), (b"\xff\xd8", "image/jpeg"))


@dataclass(frozen=True)
class Entry:
    """One cell: our value with its interval, the paper's, and how far they are apart."""

    value: float
    low: float
    high: float
    paper: float
    note: str

    @property
    def difference(self) -> float:
        """Ours less the paper's; NaN where either is missing."""
        return self.value - self.paper


def write_tables_report(
    title: str,
    intro: Sequence[str],
    tables: Sequence[Mapping[str, Any]],
    figures: Sequence[Figure],
    path: str | Path,
) -> Path:
    """Write a page of tables, ours beside the paper's, and of figures.

    Parameters
    ----------
    title : str
    intro : sequence of str
        Paragraphs that stand first.
    tables : sequence of mapping
        Flat records ``{"table", "row", "column", "value", "low", "high", "paper", "note"}``; rows
        and columns keep the order in which they come first, and all but the first three may lack.
    figures : sequence of Figure
    path : str or Path
        Replaced in one step.

    Returns
    -------
    Path
        The file written.
    """
    names = list(dict.fromkeys(str(record["table"]) for record in tables))
    sections = []
    for index, name in enumerate(names, start=1):
        records = [record for record in tables if str(record["table"]) == name]
        sections.append(Section(f"table-{index}", name, _table(name, records)))
    if figures:
        pictures = [(f.caption, _picture(f)) for f in figures]
        sections.append(Section("figures", "Figures", render("figures.html", figures=pictures)))
    write_bytes(path, page(title, list(intro), sections).encode("utf-8"))
    return Path(path)


def tables_text(records: Sequence[Mapping[str, Any]]) -> str:
    """Write the same tables for a terminal.

    Parameters
    ----------
    records : sequence of mapping
        As :func:`write_tables_report` takes them, with a value each.
    """
    lines = []
    for name in dict.fromkeys(record["table"] for record in records):
        part = [record for record in records if record["table"] == name]
        columns = list(dict.fromkeys(record["column"] for record in part))
        rows = list(dict.fromkeys(record["row"] for record in part))
        width = max(len(row) for row in [*rows, "  paper"]) + 2
        widths = [max(len(column), 6) + 2 for column in columns]
        lines += ["", name, " " * width + "".join(c.rjust(w) for c, w in zip(columns, widths))]
        for row in rows:
            mine = {r["column"]: r for r in part if r["row"] == row}
            for title, key in ((row, "value"), ("  paper", "paper")):
                values = [mine[c].get(key) if c in mine else None for c in columns]
                if any(value is not None for value in values):
                    cells = ["–" if v is None else f"{v:.3f}" for v in values]
                    lines.append(
                        title.ljust(width) + "".join(c.rjust(w) for c, w in zip(cells, widths))
                    )
    return "\n".join(lines[1:])


def _table(name: str, records: Sequence[Mapping[str, Any]]) -> Any:
    columns = list(dict.fromkeys(str(record["column"]) for record in records))
    rows = list(dict.fromkeys(str(record["row"]) for record in records))
    cells = {
        (str(record["row"]), str(record["column"])): Entry(
            value=real(record.get("value")),
            low=real(record.get("low")),
            high=real(record.get("high")),
            paper=real(record.get("paper")),
            note=str(record.get("note") or ""),
        )
        for record in records
    }
    return render(
        "tables.html",
        name=name,
        columns=columns,
        rows=rows,
        cells=cells,
        notes=_notes(cells),
        with_interval=any(not math.isnan(entry.low) for entry in cells.values()),
        with_paper=any(not math.isnan(entry.paper) for entry in cells.values()),
    )


def _notes(cells: Mapping[tuple[str, str], Entry]) -> list[str]:
    notes = [f"{row}, {column}: {e.note}" for (row, column), e in cells.items() if e.note]
    both = {key: e for key, e in cells.items() if not math.isnan(e.difference)}
    if both:
        (row, column), widest = max(both.items(), key=lambda item: abs(item[1].difference))
        way = "above" if widest.difference >= 0 else "below"
        notes.insert(
            0,
            f"Of {len(both)} numbers that the paper gives, the farthest from ours is "
            f"{row}, {column}: ours is {abs(widest.difference):.3f} {way}.",
        )
    return notes


def _picture(figure: Figure) -> Markup:
    if isinstance(figure.image, Markup):
        return figure.image
    return element("img", src=_uri(figure.image), alt=figure.alt or figure.caption)


def _uri(image: Path | bytes) -> str:
    content = image if isinstance(image, bytes) else Path(image).read_bytes()
    kind = next((kind for start, kind in KINDS if content.startswith(start)), "image/svg+xml")
    return data_uri(content, kind)
