"""Commands to copy: no line of them is broken, however long."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from disentone.datasets.config import CollectionConfig
from disentone.datasets.inspection.unlabelled import Proposal

__all__ = ["TOO_FEW", "open_command", "proposal_command", "proposals_text", "train_command"]


TOO_FEW = (
    "Too few clips to train facets without labels: train and valid need two recordings each, "
    "which some 20 files give."
)


def open_command(config: CollectionConfig) -> str:
    """Give the command that shows a collection without any training."""
    return f"disentone open {shlex.quote(str(config.path))}"


def train_command(
    config: CollectionConfig,
    facets: Iterable[str],
    *,
    settings: Mapping[str, Any] | None = None,
    out: str | None = None,
) -> str:
    """Give the command that trains facets on a collection, as it was read.

    Parameters
    ----------
    config : CollectionConfig
    facets : iterable of str
    settings : mapping, optional
        Further keys of the collection.
    out : str, optional
        Run folder.
    """
    lines = [f"disentone train facets --data {shlex.quote(str(config.path))}"]
    given = {name: getattr(config, name) for name in type(config).model_fields}
    given = {n: v for n, v in given.items() if n in config.model_fields_set - {"kind", "path"}}
    for name, value in {**given, **(settings or {})}.items():
        if isinstance(value, str | float | int):
            lines.append("  --set " + shlex.quote(f"data.{name}={_yaml(value)}"))
    lines += [f"  --facet {_quoted(facet)}" for facet in facets]
    lines += [] if out is None else [f"  --out {shlex.quote(out)}"]
    return " \\\n  ".join(lines)


def proposal_command(config: CollectionConfig, proposal: Proposal) -> str:
    """Give the command that trains a proposed facet, in a run folder of its name."""
    return train_command(
        config, proposal.facets, settings=proposal.settings, out=f"runs/{proposal.name}"
    )


def proposals_text(config: CollectionConfig, proposals: Sequence[Proposal]) -> str:
    """Describe facets that need no labels, each with what it will mean and its command."""
    if not proposals:
        return f"{TOO_FEW} Without training: {open_command(config)}"
    parts = ["Facets that need no labels:"]
    for one in proposals:
        parts.append(
            f"{one.name}: {one.agree} agree,\n  so it encodes {one.encodes}.\n"
            f"  {proposal_command(config, one)}"
        )
    if any("augment=" in one.facets[0] for one in proposals):
        parts.append("Copies of clips need: pip install 'disentone[augment]'")
    return "\n\n".join(parts)


def _yaml(value: str | float) -> str:
    """Write a value as ``--set`` takes it."""
    plain = not isinstance(value, str) or value.isidentifier()
    return str(value) if plain else json.dumps(value, ensure_ascii=False)


def _quoted(words: str) -> str:
    """Quote for a shell, in the double quotes that people prefer where those are safe."""
    return f'"{words}"' if not set(words) & set('"$`\\!') else shlex.quote(words)
