"""The card of a model, written without a hub: what it is, how to use it, what its audit found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import yaml

from disentone.audit import Card
from disentone.audit.card import R2
from disentone.facets import Facets
from disentone.files import write_bytes, write_json

__all__ = [
    "ABOUT",
    "AUDIT",
    "REPOSITORY",
    "Trained",
    "card_text",
    "front_matter",
    "probes_table",
    "table_lines",
    "write_audited",
    "write_pretrained",
]

AUDIT = "audit.json"
REPOSITORY = "https://github.com/disentone/disentone"
ABOUT: dict[str, Any] = {  # in the words of the hub
    "library_name": "disentone",
    "pipeline_tag": "feature-extraction",
    "tags": ["audio", "disentanglement", "model_hub_mixin"],
}


class Trained(Protocol):
    """What the hub's mixin needs of a trained model."""

    folder: Path | None

    @property
    def facets(self) -> Facets:
        """Facets of its embedding."""
        ...

    @property
    def input_format(self) -> str:
        """Its input, for people."""
        ...

    def save(self, folder: str | Path) -> None:
        """Write its files."""
        ...


def write_pretrained(trained: Trained, folder: Path) -> None:
    """Write a model's files and its audit, and a card where there is none.

    Parameters
    ----------
    trained : Trained
    folder : Path
    """
    write_audited(trained, folder)
    card = folder / "README.md"
    if not card.exists():
        write_bytes(card, card_text(trained, folder.resolve().name).encode("utf-8"))


def write_audited(trained: Trained, folder: Path) -> None:
    """Write a model's files and the audit beside those that it was loaded from, if there is one.

    Parameters
    ----------
    trained : Trained
    folder : Path
    """
    audit = _audit(trained)
    trained.save(folder)
    if audit is None:
        (folder / AUDIT).unlink(missing_ok=True)  # of another model
    else:
        write_json(folder / AUDIT, audit.to_json())


def card_text(trained: Trained, title: str) -> str:
    """Write the card: the model, how to use it, and the results of its audit.

    Parameters
    ----------
    trained : Trained
    title : str
        Name on the hub, or of the folder.
    """
    audit = _audit(trained)
    found = ["It was not audited: what its facets predict is unknown."]
    return "\n".join(
        [
            front_matter(),
            f"# {title}\n",
            f"A model of [disentone]({REPOSITORY}): it embeds sound "
            f"({trained.input_format}) as the facets {trained.facets.describe()}.\n",
            "```python\nimport disentone\n",
            f'model = disentone.Model.from_pretrained("{title}")',
            f'model.embed("clip.wav")["{trained.facets.names[0]}"]\n```\n',
            "## Audit\n",
            *(found if audit is None else _findings(audit)),
            "",
        ]
    )


def front_matter(**more: Any) -> str:
    """Write what the hub reads of a card, as YAML; more keys come first."""
    return f"---\n{yaml.safe_dump(more | ABOUT, sort_keys=False)}---\n"


def _audit(trained: Trained) -> Card | None:
    folder = trained.folder
    return Card.load(folder / AUDIT) if folder and (folder / AUDIT).is_file() else None


def _findings(audit: Card) -> list[str]:
    """Lines about an audit: its verdict, and a table of what probes predict."""
    return [f"{audit.verdict()}\n", *probes_table(audit)]


def probes_table(audit: Card) -> list[str]:
    """Lines of a table of what probes of each facet predict, numbers by R2 where that is known."""
    factors = list(audit.factors)
    cells: dict[str, dict[str, str]] = {}
    for record in audit.records:
        if record["measure"] == "probe":
            row, factor = cells.setdefault(record["facet"], {}), record["factor"]
            if record["metric"] == R2 and record["value"] is not None:
                row[factor] = f"R2 {_range(record)}"
            row.setdefault(factor, f"{_range(record)}, chance {_number(record['chance'])}")
    rows = [[facet, *(row.get(factor, "") for factor in factors)] for facet, row in cells.items()]
    return [
        f"What probes of each facet predict, with 95 % intervals; `{AUDIT}` has every measure:\n",
        *table_lines(["facet", *factors], rows),
    ]


def table_lines(names: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table in Markdown."""
    return [_row(names), _row(["---"] * len(names)), *map(_row, rows)]


def _range(record: dict[str, Any]) -> str:
    value, low, high = (_number(record[name]) for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.3f}"


def _row(cells: Sequence[str]) -> str:
    escaped = [cell.replace("|", r"\|") for cell in cells]
    return f"| {' | '.join(escaped)} |"
