"""Pack a run as a model that comes with disentone: ``python -m disentone.runs.packing RUN``.

``make sounds`` trains, judges and packs the model ``sounds``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from disentone.audit import Card
from disentone.embeddings.model import load
from disentone.embeddings.model_card import AUDIT
from disentone.errors import DisentoneError
from disentone.files import write_bytes
from disentone.packaged import CARD, HERE
from disentone.recipes import Recipe, dump_recipe, load_recipe
from disentone.runs.packed_card import packed_card, sources_of

__all__ = ["pack"]

RECIPE = "config.yaml"
TABLES = "tables.json"


def pack(run: str | Path, *, name: str | None = None, home: Path = HERE) -> Path:
    """Pack a run: its model in float16, its recipe, its audit, and a card made of these.

    Parameters
    ----------
    run : path
        Run folder. What ``disentone reproduce sounds --model RUN --out RUN/judged`` has left goes
        with it: its tables, and its audit in place of the run's own.
    name : str, optional
        Of the model; by default that of the recipe.
    home : Path
        Where packaged models are.

    Returns
    -------
    Path
        The folder of the packaged model.

    Raises
    ------
    ArtifactError
        If there is no model in the run, or one that float16 does not hold.
    DataError
        If it was trained on what ``packaged/sources.yaml`` does not know.
    """
    run = Path(run)
    model, recipe = load(run), load_recipe(run / RECIPE)
    sources = sources_of(recipe)
    audits = [file for file in (run / "judged" / AUDIT, run / AUDIT) if file.is_file()]
    audit = Card.load(audits[0]) if audits else None
    found = run / "judged" / TABLES
    tables = json.loads(found.read_text(encoding="utf-8")) if found.is_file() else []
    name = name or recipe.name
    card = packed_card(name, model, recipe, sources, audit, tables)
    folder = home / name
    model.save(folder, dtype="float16")
    write_bytes(folder / RECIPE, dump_recipe(_anywhere(recipe)).encode())
    for file, content in ((AUDIT, audit and audit.to_json()), (TABLES, tables)):
        if content:
            text = json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n"
            write_bytes(folder / file, text.encode())
        else:
            (folder / file).unlink(missing_ok=True)  # of what was packed before
    write_bytes(folder / CARD, card.encode())
    return folder


def _anywhere(recipe: Recipe) -> Recipe:
    """Give a recipe without the place that its data has on this machine."""
    if getattr(recipe.data, "path", None) is None:
        return recipe
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"path": None})})


if __name__ == "__main__":
    try:
        for given in sys.argv[1:]:
            print(pack(given))
    except DisentoneError as error:
        sys.exit(f"Error: {error}")
