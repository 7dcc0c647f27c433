"""What is known of the models that come with disentone, from the files beside each of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from disentone.audit import Card
from disentone.embeddings.model_card import AUDIT
from disentone.embeddings.model_files import MODEL_FILES, describe, find_model
from disentone.errors import ArtifactError, closest
from disentone.packaged import CARD, SOURCES, packaged_folder, packaged_models
from disentone.recipes.reading import read_recipe

__all__ = ["UNKNOWN", "about_packaged", "card_of", "listed"]

UNKNOWN = "It was not audited: what it predicts is unknown."


def about_packaged(name: str) -> dict[str, Any]:
    """Describe a model that comes with disentone.

    Parameters
    ----------
    name : str

    Returns
    -------
    dict
        ``name``, ``about`` (one line), ``facets`` (size by name), ``predicts`` (a sentence on
        each facet, by its audit), ``parameters``, ``bytes`` (of all its files), ``licence``,
        ``trained_on`` (``name``, ``content``, ``licence`` and ``by`` of each data set) and
        ``folder``.

    Raises
    ------
    ArtifactError
        If there is none of this name.
    """
    folder = _folder(name)
    model, front = describe(folder), yaml.safe_load(card_of(name).split("---")[1])
    audit = Card.load(folder / AUDIT) if (folder / AUDIT).is_file() else None
    known = {s["name"]: s for s in yaml.safe_load(SOURCES.read_text(encoding="utf-8"))}
    shown = ("name", "content", "licence", "by")
    return {
        "name": name,
        "about": str(read_recipe(folder / "config.yaml").get("about", "")),
        "facets": model.facets.to_json(),
        "predicts": {f: (audit and audit.sentence(f)) or UNKNOWN for f in model.facets},
        "parameters": model.size and model.size["parameters"],
        "bytes": sum(file.stat().st_size for file in folder.iterdir()),
        "licence": front["license"],
        "trained_on": [{key: known[one][key] for key in shown} for one in front["datasets"]],
        "folder": str(folder),
    }


def card_of(name: str) -> str:
    """Give the card of a packaged model, in Markdown."""
    return (_folder(name) / CARD).read_text(encoding="utf-8")


def listed(about: dict[str, Any]) -> str:
    """Say for a terminal what :func:`about_packaged` gives."""
    name, sets = about["name"], about["trained_on"]
    trained = ", ".join(f"{one['name']} ({one['licence']})" for one in sets)
    lines = [
        name,
        f"  {about['about']}" if about["about"] else "",
        f"  {about['bytes'] / 1e6:.1f} MB, {about['parameters']:,} parameters; licence: "
        f"{about['licence'].upper()}; trained on {trained}",
        *(
            f"  {facet} ({dim}): {about['predicts'][facet]}"
            for facet, dim in about["facets"].items()
        ),
    ]
    if find_model(name) == Path(name):
        lines.append(f"  Here '{name}' is the folder of that name instead: there is a model in it.")
    return "\n".join(line for line in lines if line)


def _folder(name: str) -> Path:
    folder = packaged_folder(name)
    if folder is None:
        raise ArtifactError(
            f"No model '{name}' comes with disentone{closest(name, packaged_models())}"
        )
    missing = [file for file in (*MODEL_FILES, CARD) if not (folder / file).is_file()]
    if missing:
        raise ArtifactError(f"{folder} lacks its {missing[0]}: install disentone anew.")
    return folder
