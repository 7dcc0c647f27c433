"""The card of a model that comes with disentone: nothing in it is typed that a file knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from disentone.audit import Card
from disentone.datasets.config import CollectionConfig
from disentone.datasets.file_sounds import FileSounds
from disentone.datasets.opening import DataConfig, open_collection
from disentone.datasets.patches import Patches
from disentone.embeddings.model import Model
from disentone.embeddings.model_card import REPOSITORY, front_matter, probes_table, table_lines
from disentone.errors import DataError
from disentone.packaged import SOURCES
from disentone.recipes import Recipe

__all__ = ["packed_card", "sources_of"]

LICENCE = "mit"  # of the weights, as of the package
Source = Mapping[str, str]


def packed_card(
    name: str,
    model: Model,
    recipe: Recipe,
    sources: Sequence[Source],
    audit: Card | None,
    tables: Sequence[Mapping[str, Any]],
) -> str:
    """Write the card.

    Parameters
    ----------
    name : str
    model : Model
    recipe : Recipe
        That it was trained by.
    sources : sequence of mapping
        What it was trained on: see :func:`sources_of`.
    audit : Card, optional
    tables : sequence of mapping
        Records of tables, as ``reproduce`` writes them.

    Returns
    -------
    str
        Markdown, as the hub shows it.
    """
    head = front_matter(license=LICENCE, datasets=[source["name"] for source in sources])
    return "\n".join(
        [
            head,
            f"# {name}\n",
            *([f"{recipe.about.rstrip('.')}.\n"] if recipe.about else []),
            f"A model that comes with [disentone]({REPOSITORY}): it embeds sound "
            f"({model.input_format}) as the facets {model.facets.describe()}.\n",
            "```python\nimport disentone\n",
            f'model = disentone.load("{name}")',
            f'model.embed("clip.wav")["{model.facets.names[0]}"]\n```\n',
            *_trained_on(model, recipe, sources),
            *_limits(model, sources),
            *_audited(audit),
            *_tables(tables),
        ]
    )


def sources_of(recipe: Recipe) -> list[Source]:
    """Find the data sets of ``packaged/sources.yaml`` that a recipe's training took clips from.

    Raises
    ------
    DataError
        If a clip is of none of them, or the data is no longer where it was.
    """
    known: list[Source] = yaml.safe_load(SOURCES.read_text(encoding="utf-8"))
    used = [_source(known, origin) for origin in _origins(recipe.data)]
    return [source for source in known if source in used]


def _origins(data: DataConfig) -> Iterator[str | Path]:
    """What clips are from: the kind of data that is made, and every file of collections."""
    if isinstance(data, CollectionConfig):
        yield from _files(data)
        return
    yield data.kind
    if isinstance(data, Patches):
        for one in data.recordings:
            yield from _files(CollectionConfig(path=str(Path(data.path or "") / one.path)))


def _files(config: CollectionConfig) -> set[Path]:
    """Files of the clips that are not for tests alone."""
    table = open_collection(config).table
    assert isinstance(table.sounds, FileSounds)  # collections are made of files
    return {
        Path(table.sounds.paths[row]).resolve() for row in np.flatnonzero(table.split != "test")
    }


def _source(known: Sequence[Source], origin: str | Path) -> Source:
    for source in known:
        place = f"/{source.get('folder', '?')}/"
        if source.get("kind") == origin or place in Path(origin).as_posix():
            return source
    raise DataError(f"Nothing is known of the licence of '{origin}': add it to {SOURCES.name}.")


def _trained_on(model: Model, recipe: Recipe, sources: Sequence[Source]) -> list[str]:
    clips = model.about.get("train_clips")
    return [
        "## What it was trained on\n",
        f"{'Clips' if clips is None else f'{clips:,} clips'} of the following, by the recipe "
        f"'{recipe.name}', which stands in `config.yaml` beside this card, seed {recipe.seed}.\n",
        *table_lines(
            ["data set", "what it is", "licence", "by"],
            [[source[key] for key in ("name", "content", "licence", "by")] for source in sources],
        ),
        "",
    ]


def _limits(model: Model, sources: Sequence[Source]) -> list[str]:
    config, rate = model.frontend.config, model.frontend.sample_rate
    recorded = any("folder" in source for source in sources)
    unheard = [] if recorded else ["- It has heard no recording in training."]
    return [
        "## What it cannot do\n",
        f"- It hears one channel, and nothing above {rate / 2000:g} kHz.",
        f"- It hears windows of {config.seconds:g} s. The embedding of a longer sound is the mean "
        "of its windows: in which order things happen is lost.",
        "- It gives no names: a facet is a place among other sounds, near to what is like it.",
        "- It was not made to say what words mean, who speaks or who plays.",
        *unheard,
        "- What its facets do not predict, and what they leak, is below.\n",
    ]


def _audited(audit: Card | None) -> list[str]:
    if audit is None:
        return ["## Audit\n", "It was not audited: what its facets predict is unknown.", ""]
    said = [f"- {said}" for said in map(audit.sentence, audit.facets) if said]
    return ["## Audit\n", *said, "", *probes_table(audit), ""]


def _tables(records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Lines of every table: its rows and columns, in the order in which they come first."""
    for title in dict.fromkeys(record["table"] for record in records):
        cells = {(r["row"], r["column"]): _cell(r) for r in records if r["table"] == title}
        rows, columns = (list(dict.fromkeys(names)) for names in zip(*cells))
        lines = [[row, *(cells.get((row, column), "") for column in columns)] for row in rows]
        yield from [f"## {title}\n", *table_lines(["", *columns], lines), ""]


def _cell(record: Mapping[str, Any]) -> str:
    value, low, high = (record.get(name) for name in ("value", "low", "high"))
    if value is None:
        return "?"
    return f"{value:.3f}" + ("" if low is None else f" ({low:.3f} to {high:.3f})")
